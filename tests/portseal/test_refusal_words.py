"""Why something was refused is told in the reader's language, with its facts: over the service."""

import base64

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ca.issuing.drafting import lint_refusal
from kernel.refusals import Reason, Unavailable
from policies.lints.framework import Finding, Level
from portseal.spoken import spoken
from tests.portseal.service import RunningService
from tests.portseal.web.test_translations import ROOMS, catalogue


def chinese(text: str) -> str:
    (said,) = {str(known[text].string) for room in ROOMS if text in (known := catalogue(room))}
    return said


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("zh", "RSA 模数为 1024 位（至少 2048 位）"),
        ("en", "RSA modulus of 1024 bits (at least 2048)"),
    ],
)
def test_a_weak_key_is_refused_in_the_readers_language(
    service: RunningService, language: str, told: str
) -> None:
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "token")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    body = {
        "activation_code": service.activation_code_of_new_operator(),
        "pkcs10": base64.b64encode(request.public_bytes(Encoding.DER)).decode(),
    }
    headers = {"Accept-Language": language, "Origin": service.origin}
    answer = requests.post(
        f"{service.origin}/api/v1/enrolments", json=body, headers=headers, timeout=30
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "public-key.weak")
    assert answer.json()["detail"] == told


def test_what_a_lint_found_is_told_in_the_readers_language() -> None:
    finding = "letters that look like those of another script"
    found = Finding(Level.ERROR, "subject-text", "CP/CPS 3.1.4", finding)
    refusal = lint_refusal("operator", [found])
    assert refusal.detail.endswith(f": {finding} (CP/CPS 3.1.4)")
    assert (
        refusal.said(chinese)
        == "证书将违反本机构的规则：含有与其他文字字形相近的字母（CP/CPS 3.1.4）"
    )


def test_a_part_that_does_not_answer_tells_why_with_its_facts() -> None:
    """As portseal/status.py tells it on the dashboard."""
    ahead = {"seconds": "3.000"}
    fault = Reason("the clock is {seconds} s ahead of the steady one", ahead)
    assert spoken("%(fault)s", fault=fault).say() == "the clock is 3.000 s ahead of the steady one"
    words = {"%(fault)s": "%(fault)s", "%(why)s [%(code)s]": "%(why)s [%(code)s]"}

    def say(text: str) -> str:
        return words.get(text) or chinese(text)

    assert spoken("%(fault)s", fault=fault).say(say) == "时钟比稳定时钟快 3.000 秒"
    why = Unavailable("clock.off", fault.sentence, **ahead)
    told = spoken("%(why)s [%(code)s]", why=why, code=why.code)
    assert told.say(say) == "时钟比稳定时钟快 3.000 秒 [clock.off]"
