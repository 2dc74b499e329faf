"""Proposals of platforms when several people propose and decide in the same moment."""

from collections.abc import Callable
from functools import partial

import pytest

from kernel.refusals import Conflict
from records.database import Database
from signing_service.sso.platform import PlatformDraft
from signing_service.sso.platform_form import draft_of
from signing_service.sso.proposals import Decision
from signing_service.sso.services import SsoServices
from tests.at_once import at_once
from tests.signing_service.sso.flow import CALLBACK


@pytest.fixture
def services(
    postgresql_database: Database, make_services: Callable[..., SsoServices]
) -> SsoServices:
    return make_services(postgresql_database)


def draft(client_id: str = "at-once") -> PlatformDraft:
    fields = {"name": "报关平台", "client_id": client_id, "redirect_uris": [CALLBACK]}
    return draft_of({**fields, "permitted_by": "示例主管部门", "evidence": "示例〔2026〕1号"})


def test_of_many_who_propose_a_platform_at_once_one_does(services: SsoServices) -> None:
    proposals = services.proposals
    refused = at_once(
        *(partial(proposals.register, draft(), by=f"administrator-{each}") for each in range(6))
    )
    assert [each.code for each in refused] == ["platform.proposed"] * 5
    assert len(proposals.waiting()) == 1


def test_of_many_who_decide_at_once_one_does(services: SsoServices) -> None:
    proposals = services.proposals
    proposed = proposals.register(draft(), by="administrator")
    confirm = [partial(proposals.confirm, proposed.id, by=f"officer-{each}") for each in range(4)]
    refuse = [partial(proposals.refuse, proposed.id, by=f"other-{each}") for each in range(4)]
    refused = at_once(*confirm, *refuse)
    assert [each.code for each in refused] == ["platform.decided"] * 7
    assert proposals.waiting() == []
    decided = proposals.find(proposed.id)
    registered = [each.platform.client_id for each in services.platforms.all()]
    assert registered == (["at-once"] if decided.decision is Decision.CONFIRMED else [])


def test_who_proposed_confirms_nothing_also_beside_another(services: SsoServices) -> None:
    """The one who proposed and a second officer, in one moment: the second one counts."""
    proposals = services.proposals
    proposed = proposals.register(draft(), by="administrator")
    own = partial(proposals.confirm, proposed.id, by="administrator")
    refused = at_once(own, partial(proposals.confirm, proposed.id, by="officer"), own)
    assert len(refused) == 2
    assert {each.code for each in refused} <= {"platform.same-administrator", "platform.decided"}
    assert proposals.find(proposed.id).decided_by == "officer"
    with pytest.raises(Conflict, match=r"platform\.decided"):
        proposals.confirm(proposed.id, by="late")
