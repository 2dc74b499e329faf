"""Schemathesis against the published description: no 500, and no status that is not described.

Examples are few, and the same in every run; the long run takes many more, as everybody who signs
in. `PORTSEAL_EXAMPLES=400` takes that many, other ones each time.
"""

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.portseal.service import RunningService

OTHERS = "/api/v1/sign-in|/oidc|/cas|/csc|/ocsp|/crl|/certs|/tsa|/sso"
"""Left out when signed in: they end the session, or read nothing of it."""
BINARY = "^/(ocsp|tsa)$"
"""Requests in DER, which schemathesis cannot write; `tests/fuzz` does."""
FEW = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
_ASKED_FOR = os.environ.get("PORTSEAL_EXAMPLES")
MANY = settings(FEW, max_examples=int(_ASKED_FOR or "40"), derandomize=_ASKED_FOR is None)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def description(service: RunningService) -> Any:
    return schemathesis.openapi.from_url(f"{service.origin}/openapi.yaml", timeout=30)


def faults(description: Any, how: settings = FEW, **call: Any) -> dict[str, str]:
    """What is wrong with each operation's answers; its first line, by operation."""
    found: dict[str, str] = {}
    for result in description.get_all_operations():
        operation = result.ok()

        @how
        @given(case=operation.as_strategy())
        def answers_as_described(case: Any) -> None:
            case.call_and_validate(checks=CHECKS, timeout=30, allow_redirects=False, **call)

        try:
            answers_as_described()
        except (Exception, BaseExceptionGroup) as error:
            found[operation.label] = " ".join(str(error).split())[:300]
    return found


def test_anybody_gets_described_answers(description: Any) -> None:
    assert faults(description.exclude(path_regex=BINARY)) == {}


def test_an_enterprise_gets_described_answers(description: Any, service: RunningService) -> None:
    mine = description.exclude(path_regex=OTHERS)
    assert faults(mine, **session(service, "legal-person")) == {}


@pytest.mark.long
@pytest.mark.parametrize("who", [None, "legal-person", "operator", "registrar", "administrator"])
def test_everybody_gets_described_answers_from_many_examples(
    description: Any, service: RunningService, who: str | None
) -> None:
    if who is None:
        asked = description.exclude(path_regex=BINARY)
        assert faults(asked, MANY) == {}
    else:
        asked = description.exclude(path_regex=OTHERS)
        assert faults(asked, MANY, **session(service, who)) == {}


def session(service: RunningService, who: str) -> dict[str, Any]:
    """What a signed-in browser sends along."""
    somebody = service.signed_in(who)
    cookies = {cookie.name: cookie.value for cookie in somebody.session.cookies}
    return {"cookies": cookies, "headers": {"Origin": service.origin}}
