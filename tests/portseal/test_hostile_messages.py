"""Certificate requests, signatures, documents, status and time requests that are not what they
say, and sign-ins with what somebody saw: each is refused in words, none is taken."""

import base64
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portseal.demo.strangers import openssl_ocsp_request, openssl_timestamp_query
from portseal.holder.service import Service, ServiceRefusal
from signing_service.validation.evidence import SignatureFormat
from tests.portseal import hostile
from tests.portseal.service import RunningService

SAMPLE = Path(__file__).parents[1] / "samples" / "dec-import.xml"
STRIDE = 11
"""Every so many-th byte of a message is changed."""

many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def changes(message: bytes, stride: int = STRIDE) -> Iterator[bytes]:
    """The message with one byte changed, and cut off, at regular places."""
    for at in range(0, len(message), stride):
        yield message[:at] + bytes([message[at] ^ 0x41]) + message[at + 1 :]
        yield message[:at]
    yield message + b"\0"
    yield message * 2


# -- PKCS#10 ---------------------------------------------------------------------------------------


def pkcs10(key: Any, digest: hashes.SHA256 | None = None) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, digest).public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def good_request() -> bytes:
    return pkcs10(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


class Codes:
    """Activation codes, each good for some failures."""

    def __init__(self, service: RunningService) -> None:
        self._service = service
        self._uses = 0
        self._code = ""

    def spend(self) -> str:
        """One that is used up by a success; the next is another."""
        code = self.next()
        self._uses = 0
        return code

    def next(self) -> str:
        if self._uses % 9 == 0:
            self._code = self._service.activation_code_of_new_operator()
        self._uses += 1
        return self._code


@pytest.fixture(scope="module")
def codes(service: RunningService) -> Codes:
    return Codes(service)


def enrol(service: Service, code: str, request: bytes) -> dict[str, Any]:
    encoded = base64.b64encode(request).decode()
    return service.call("POST", "/api/v1/enrolments", {"activation_code": code, "pkcs10": encoded})


def refusal_of(act: Callable[[], object]) -> ServiceRefusal:
    with pytest.raises(ServiceRefusal) as caught:
        act()
    assert 400 <= caught.value.http_status < 500
    return caught.value


def test_no_changed_request_is_certified(
    service: RunningService, codes: Codes, good_request: bytes
) -> None:
    conversation = service.anonymous()
    seen = set()
    for request in changes(good_request):
        code = codes.next()
        seen.add(refusal_of(lambda c=code, r=request: enrol(conversation, c, r)).code)  # type: ignore[misc]
    assert all(code.startswith(("pkcs10.", "request.", "public-key.")) for code in seen), seen
    assert enrol(conversation, codes.spend(), good_request)["card"]["state"] == "active"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: pkcs10(rsa.generate_private_key(65537, 1024), hashes.SHA256()), "public-key."),
        (lambda: pkcs10(ec.generate_private_key(ec.SECP192R1()), hashes.SHA256()), "p"),
        (lambda: pkcs10(ec.generate_private_key(ec.SECP256K1()), hashes.SHA256()), "p"),
        (lambda: pkcs10(ed25519.Ed25519PrivateKey.generate()), "p"),
        (lambda: b"\x30\x82\xff\xff" + b"\0" * 40_000, "pkcs10."),
        (lambda: b"", "p"),
    ],
    ids=["RSA-1024", "P-192", "secp256k1", "Ed25519", "oversized", "empty"],
)
def test_a_weak_or_strange_key_is_refused(
    service: RunningService, codes: Codes, make: Callable[[], bytes], code: str
) -> None:
    request = make()
    refusal = refusal_of(lambda: enrol(service.anonymous(), codes.next(), request))
    assert refusal.code.startswith(code), refusal.code


def test_a_key_is_certified_once(service: RunningService, codes: Codes) -> None:
    taken = service.stage.cards["legal-person"].request()
    refusal = refusal_of(lambda: enrol(service.anonymous(), codes.next(), taken))
    assert refusal.code == "public-key.already-certified"


@many
@given(request=st.binary(max_size=300))
def test_no_bytes_at_all_are_certified(
    service: RunningService, codes: Codes, request: bytes
) -> None:
    refusal = refusal_of(lambda: enrol(service.anonymous(), codes.next(), request))
    assert refusal.code.startswith("pkcs10.")


# -- documents and signatures ----------------------------------------------------------------------


def verdict(service: Service, document: bytes, signature: bytes | None = None) -> str:
    """The indication, or the code of a refusal."""
    refusal = None
    try:
        report = service.verify(document, signature)
    except ServiceRefusal as caught:
        refusal = caught
    if refusal is not None:
        assert 400 <= refusal.http_status < 500, refusal.code
        return refusal.code
    assert "root:x:0" not in json.dumps(report)
    return str(report["finding"]["indication"])


@pytest.fixture(scope="module")
def signed(service: RunningService) -> dict[SignatureFormat, bytes]:
    conversation, card = service.signed_in("operator"), service.stage.cards["operator"]
    document = SAMPLE.read_bytes()
    return {
        format_: conversation.sign(card, document, format_).signature
        for format_ in (SignatureFormat.CADES, SignatureFormat.XADES)
    }


GENERAL = frozenset({"DER of no end", "indefinite length", "ZIP"})
"""Octets that no parser takes for XML: a general document, which no card declares anything by
(docs/decisions/0021-documents-and-jobs.md)."""


@pytest.mark.parametrize("name", hostile.DOCUMENTS)
def test_no_hostile_document_passes_or_is_signed_as_a_declaration(
    service: RunningService, name: str
) -> None:
    document = hostile.DOCUMENTS[name]
    conversation = service.signed_in("operator")
    assert verdict(conversation, document) != "TOTAL-PASSED"
    assert verdict(conversation, document, document) != "TOTAL-PASSED"
    assert verdict(conversation, SAMPLE.read_bytes(), document) != "TOTAL-PASSED"
    card = service.stage.cards["operator"]
    refusal_of(lambda: conversation.sign(card, document, SignatureFormat.XADES))
    if name not in GENERAL:
        refusal_of(lambda: conversation.sign(card, document, SignatureFormat.CADES))
        return
    signed = conversation.sign(card, document, SignatureFormat.CADES)
    report = conversation.verify(document, signed.signature)
    assert report["declaration"] is None


def test_no_changed_cades_signature_passes_with_another_meaning(
    service: RunningService, signed: dict[SignatureFormat, bytes]
) -> None:
    """A byte outside of what is signed may change: an unsigned certificate, the timestamp's."""
    conversation, document = service.anonymous(), SAMPLE.read_bytes()
    assert verdict(conversation, document, signed[SignatureFormat.CADES]) == "TOTAL-PASSED"
    for changed in changes(signed[SignatureFormat.CADES], 97):
        if verdict(conversation, document, changed) == "TOTAL-PASSED":
            (signature,) = conversation.verify(document, changed)["signatures"]
            assert signature["signer"]["name"] == "示例操作员"


def test_no_changed_xades_signature_breaks_the_service(
    service: RunningService, signed: dict[SignatureFormat, bytes]
) -> None:
    conversation, document = service.anonymous(), signed[SignatureFormat.XADES]
    assert verdict(conversation, document) == "TOTAL-PASSED"
    for changed in changes(document, 211):
        verdict(conversation, changed)


def test_a_signed_part_that_was_moved_away_does_not_pass(
    service: RunningService, signed: dict[SignatureFormat, bytes]
) -> None:
    """Signature wrapping: the signed declaration hides inside, another is presented."""
    document = signed[SignatureFormat.XADES]
    body = document[document.index(b"?>") + 2 :] if document.startswith(b"<?xml") else document
    other = SAMPLE.read_bytes().replace(b"<GQty>40<", b"<GQty>99<")
    end = other.rindex(b"</")
    for wrapped in (
        other[:end] + body + other[end:],
        other[:end] + b"<x>" + body + b"</x>" + other[end:],
        b"<x>" + body + b"</x>",
    ):
        assert verdict(service.anonymous(), wrapped) != "TOTAL-PASSED"


@many
@given(document=st.binary(max_size=400), signature=st.none() | st.binary(max_size=400))
def test_no_bytes_at_all_verify(
    service: RunningService, document: bytes, signature: bytes | None
) -> None:
    assert verdict(service.anonymous(), document, signature) != "TOTAL-PASSED"


# -- status and time -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ocsp_query(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    operator = tmp_path_factory.mktemp("ocsp") / "operator.pem"
    der = service.stage.cards["operator"].certificate.der
    operator.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    return openssl_ocsp_request(operator, service.stage.file("issuing.pem"))


def post(service: RunningService, path: str, media_type: str, body: bytes) -> requests.Response:
    return requests.post(
        service.origin + path, data=body, headers={"Content-Type": media_type}, timeout=30
    )


def test_every_changed_ocsp_request_gets_an_ocsp_answer(
    service: RunningService, ocsp_query: bytes
) -> None:
    for changed in changes(ocsp_query, 3):
        answer = post(service, "/ocsp", "application/ocsp-request", changed)
        assert answer.status_code == 200
        ocsp.load_der_ocsp_response(answer.content)
        path = base64.b64encode(changed).decode().replace("/", "%2F").replace("+", "%2B")
        answer = requests.get(f"{service.origin}/ocsp/{path}", timeout=30)
        assert answer.status_code in (200, 404)


def test_every_changed_timestamp_request_gets_a_timestamp_answer(service: RunningService) -> None:
    query = openssl_timestamp_query(SAMPLE)
    for changed in changes(query, 3):
        answer = post(service, "/tsa", "application/timestamp-query", changed)
        assert (answer.status_code in (200, 400, 411), answer.content[:1]) in (
            (True, b"\x30"),
            (True, b"4"),
        )


@many
@given(body=st.binary(max_size=200))
def test_any_bytes_get_an_answer_from_ocsp_and_tsa(service: RunningService, body: bytes) -> None:
    for path, media_type in (
        ("/ocsp", "application/ocsp-request"),
        ("/tsa", "application/timestamp-query"),
    ):
        assert post(service, path, media_type, body).status_code < 500


# -- sign-in ---------------------------------------------------------------------------------------


def challenge(conversation: Service) -> str:
    nonce: str = conversation.call("POST", "/api/v1/sign-in/challenges", {})["nonce"]
    return nonce


def send(conversation: Service, token: dict[str, Any]) -> dict[str, Any]:
    return conversation.call("POST", "/api/v1/sign-in", {"token": token})


def is_signed_in(conversation: Service) -> bool:
    return bool(conversation.call("GET", "/sso/session")["signed_in"])


def test_an_answer_is_good_once_and_in_its_own_browser_alone(service: RunningService) -> None:
    card = service.stage.cards["operator"]
    conversation, thief = service.anonymous(), service.anonymous()
    challenge(thief)
    token = card.answer(service.origin, challenge(conversation))
    assert refusal_of(lambda: send(thief, token)).code.startswith("signin.")
    send(conversation, token)
    assert is_signed_in(conversation)
    assert refusal_of(lambda: send(thief, token)).code.startswith("signin.")
    again = service.anonymous()
    again.session.cookies.update(conversation.session.cookies)
    assert refusal_of(lambda: send(again, token)).code.startswith("signin.")
    assert not is_signed_in(thief)


def test_an_answer_for_another_origin_is_refused(service: RunningService) -> None:
    card, conversation = service.stage.cards["operator"], service.anonymous()
    for origin in ("https://evil.example", service.origin + ".evil.example", "http://localhost"):
        token = card.answer(origin, challenge(conversation))
        assert refusal_of(lambda t=token: send(conversation, t)).code.startswith("signin.")  # type: ignore[misc]
    assert not is_signed_in(conversation)


def test_an_answer_that_comes_too_late_is_refused(service: RunningService) -> None:
    card, conversation = service.stage.cards["operator"], service.anonymous()
    nonce = challenge(conversation)
    database = sqlite3.connect(service.database_file, timeout=30)
    with database:
        database.execute("UPDATE sso_challenge SET expires_at = datetime(expires_at, '-1 hour')")
    database.close()
    token = card.answer(service.origin, nonce)
    assert refusal_of(lambda: send(conversation, token)).code.startswith("signin.")
    assert not is_signed_in(conversation)


def test_an_answer_with_another_key_or_certificate_is_refused(service: RunningService) -> None:
    cards, conversation = service.stage.cards, service.anonymous()
    other = base64.b64encode(cards["administrator"].certificate.der).decode()
    token = cards["operator"].answer(service.origin, challenge(conversation))
    mixed = {**token, "unverifiedCertificate": other}
    assert refusal_of(lambda: send(conversation, mixed)).code.startswith(("signin.", "token."))
    issuing = ec.generate_private_key(ec.SECP256R1())
    own = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(issuing.public_key())
        .serial_number(1)
        .not_valid_before(cards["operator"].certificate.not_before)
        .not_valid_after(cards["operator"].certificate.not_after)
        .sign(issuing, hashes.SHA256())
    )
    token = cards["operator"].answer(service.origin, challenge(conversation))
    made = base64.b64encode(own.public_bytes(Encoding.DER)).decode()
    forged = {**token, "unverifiedCertificate": made}
    assert refusal_of(lambda: send(conversation, forged)).code.startswith(("signin.", "token."))
    assert not is_signed_in(conversation)


def test_a_session_of_one_holder_signs_for_no_other_card(service: RunningService) -> None:
    conversation = service.signed_in("legal-person")
    card = service.stage.cards["operator"]
    refusal_of(lambda: conversation.sign(card, SAMPLE.read_bytes(), SignatureFormat.CADES))
