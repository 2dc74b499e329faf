"""JAdES: what misleads, and what is none, is refused."""

import base64
import json
from typing import Any

import pytest

from kernel.refusals import Malformed, Refusal
from signing_service.formats.jades import whole as jades
from signing_service.formats.jades.whole import Serialisation
from tests.signing_service.formats.jades.signed import (
    DOCUMENT,
    header_of,
    holds,
    public_key,
    sign,
    thumbprint,
    verifies,
)
from tests.software_keys import SIGNING_SUITES, Identity, SoftwareAuthority


def compact(signer: Identity, header: dict[str, Any], payload: bytes = DOCUMENT) -> bytes:
    """A JWS with any header, signed by the signer's key."""

    def encode(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    signed = encode(json.dumps(header).encode()) + b"." + encode(payload)
    value = signer.key.suite.to_raw(signer.key.sign(signed))
    return signed + b"." + encode(value)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "hs512"])
def test_no_signature_and_shared_secrets_are_refused(signer: Identity, algorithm: str) -> None:
    with pytest.raises(Malformed, match=r"jades\.algorithm"):
        jades.read(compact(signer, {"alg": algorithm, "x5t#S256": thumbprint(signer)}))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES384", "EdDSA", "ES256K", "toString"])
def test_the_certificates_key_decides_the_algorithm(signer: Identity, algorithm: str) -> None:
    signed = compact(signer, _header(signer) | {"alg": algorithm})
    (evidence,) = jades.read(signed)
    assert evidence.suite is None
    assert algorithm in evidence.algorithm_name


def test_keys_in_the_header_are_never_used(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    attacker = software_authority.signer("attacker")
    hints = {
        "jwk": public_key(attacker).as_dict(private=False),
        "jku": "https://attacker.invalid/keys",
        "x5u": "https://attacker.invalid/certificate",
        "kid": "attacker",
    }
    header = _header(signer) | hints
    (evidence,) = jades.read(compact(attacker, header))
    assert evidence.signing_certificate == signer.certificate
    assert not verifies(evidence)
    assert len(evidence.observations) == 3


def test_another_certificate_than_the_referenced_is_told(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    attacker = software_authority.signer("attacker")
    x5c = [base64.b64encode(attacker.certificate.der).decode()]
    (evidence,) = jades.read(compact(attacker, _header(signer) | {"x5c": x5c}))
    assert evidence.certificate_reference is not None
    assert not evidence.certificate_reference.matches


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"crit": ["unknown"], "unknown": 1}, "jades.critical"),
        ({"crit": []}, "jades.critical"),
        ({"crit": ["srCms"]}, "jades.critical"),
        ({"crit": ["sigT", "sigT"], "sigT": "2026-01-01T00:00:00Z"}, "jades.critical"),
        ({"crit": ["alg"]}, "jades.critical"),
        ({"crit": "sigT"}, "json.type"),
        ({"sigD": {"mId": "x", "pars": ["a"]}}, "jades.critical"),
        ({"sigD": {"mId": "x", "pars": ["a"]}, "crit": ["sigD"]}, "jades.structure"),
        ({"b64": False}, "jades.unencoded"),
        ({"b64": False, "crit": ["b64"]}, "jades.unencoded"),
        ({"b64": 0, "crit": ["b64"]}, "jades.unencoded"),
        ({"iat": "now"}, "jades.header"),
        ({"iat": True}, "jades.header"),
        ({"sigT": "2026-01-01", "crit": ["sigT"]}, "jades.header"),
        ({"x5c": ["!!!"]}, "json.base64"),
        ({"x5c": ["MAA="]}, "certificate.malformed"),
        ({"x5t#S256": "AB=="}, "json.base64url"),
        ({"x5t#o": {"digAlg": "md5", "digVal": "AA"}, "crit": ["x5t#o"]}, "jades.header"),
    ],
)
def test_header_parameters_that_mislead_are_refused(
    signer: Identity, more: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        jades.read(compact(signer, _header(signer) | more), DOCUMENT)
    assert refusal.value.code == code


def _nested(depth: int) -> str:
    return '{"payload":' + "[" * depth + "]" * depth + "}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "jades.structure"),
        (b"a.b", "jades.structure"),
        (b"a.b.c.d", "jades.structure"),
        (b"[]", "jades.structure"),
        (b"{}", "jades.structure"),
        (b'{"payload":"","payload":"","protected":"","signature":""}', "json.malformed"),
        (b'{"payload":NaN}', "json.malformed"),
        (b'{"payload":"\xff"}', "json.malformed"),
        (_nested(30).encode(), "json.malformed"),
        (_nested(100_000).encode(), "json.malformed"),
        (b'{"payload":"","signatures":[]}', "jades.too-many"),
        (b'{"payload":"","signatures":[{}],"protected":""}', "jades.structure"),
        (b'{"payload":"","signatures":{}}', "json.type"),
        (
            b'{"payload":"","protected":"e30","signature":"","header":{"alg":"ES256"}}',
            "jades.unprotected-header",
        ),
        (b'{"payload":"","protected":"e31","signature":""}', "json.base64url"),
        (b'{"payload":"","protected":"e30=","signature":""}', "json.base64url"),
        (b'{"payload":"","protected":"e30","signature":""}', "json.type"),
    ],
)
def test_what_is_no_jws_is_refused(text: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        jades.read(text)
    assert refusal.value.code == code


def test_doubled_members_of_a_header_are_refused(signer: Identity) -> None:
    doubled = b'{"alg":"ES256","alg":"none"}'
    text = base64.urlsafe_b64encode(doubled).rstrip(b"=") + b".e30.AA"
    with pytest.raises(Malformed, match=r"json\.malformed"):
        jades.read(text)


def test_a_payload_in_another_spelling_is_refused(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    options = {"document": b"ab", "serialisation": Serialisation.FLATTENED}
    value = json.loads(sign(signer, software_authority, **options))
    assert len(value["payload"]) % 4, "the document leaves bits over"
    last = value["payload"][-1]
    value["payload"] = value["payload"][:-1] + chr(ord(last) + 1)
    assert not holds(json.dumps(value).encode())


def test_x5t_o_is_written_for_longer_digests(software_authority: SoftwareAuthority) -> None:
    signer = software_authority.signer(suite=SIGNING_SUITES[1])
    header = header_of(sign(signer, software_authority))
    assert header["x5t#o"]["digAlg"] == "S384"
    assert "x5t#o" in header["crit"]


def _header(signer: Identity) -> dict[str, Any]:
    return {
        "alg": "ES256",
        "x5t#S256": thumbprint(signer),
        "x5c": [base64.b64encode(signer.certificate.der).decode()],
    }
