"""A key is made once for each card, escrowed, certified, and opens on that card alone."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from ca.inventory import CertificateState, RevocationReason
from kernel.algorithms import ECDSA_P256_SHA256, ECDSA_P384_SHA384, RSA_PKCS1_SHA256, AlgorithmSuite
from kernel.asn1 import der
from kernel.identifiers import serial_text
from kernel.refusals import Conflict, Refusal, Unavailable
from key_centre.requests import CardRequest
from portseal.holder.opening import open_message
from ra_portal.people.identity import Role, console
from tests.ca.openssl import openssl
from tests.key_centre.sealing import opened_in_software
from tests.key_centre.world import OTHER_TRANSPORT, TRANSPORT, CentreWorld
from tests.software_keys import SoftwareKey


def code_of(centre: CentreWorld, request: CardRequest) -> str:
    with pytest.raises(Refusal) as refusal:
        centre.centre.deliveries.deliver(request)
    return refusal.value.code


@pytest.mark.parametrize("suite", [ECDSA_P256_SHA256, RSA_PKCS1_SHA256])
@pytest.mark.parametrize(
    "options",
    [
        ("-aes256",),
        ("-aes128", "-keyopt", "ecdh_kdf_md:sha256"),
        ("-aes-256-gcm", "-keyid"),
    ],
)
def test_what_openssl_encrypts_to_the_certificate_the_card_decrypts(
    centre: CentreWorld, suite: AlgorithmSuite, options: tuple[str, ...], tmp_path: Path
) -> None:
    if suite is RSA_PKCS1_SHA256:
        options = tuple(
            {"-keyopt": "-keyopt", "ecdh_kdf_md:sha256": "rsa_padding_mode:oaep"}.get(each, each)
            for each in options
        )
    holder = centre.operator(suite=suite)
    delivery = centre.centre.deliveries.deliver(holder.asks())
    holder.installs(delivery)
    (tmp_path / "to.pem").write_text(delivery.certificate.pem)
    (tmp_path / "document").write_text("合同金额：1,000,000 元\n" * 50)
    openssl(
        "cms", "-encrypt", "-binary", "-in", tmp_path / "document", "-outform", "DER",
        "-out", tmp_path / "sealed", *options[:1], "-recip", tmp_path / "to.pem", *options[1:],
    )  # fmt: skip
    sealed = (tmp_path / "sealed").read_bytes()
    opened = open_message(sealed, holder.slot.keys())
    assert opened == (tmp_path / "document").read_bytes()
    assert [label for label in holder.token.key_labels() if label == "transport"] == []
    changed = sealed[:-1] + bytes((sealed[-1] ^ 1,))
    if "gcm" in options[0]:
        with pytest.raises(Refusal) as refusal:
            open_message(changed, holder.slot.keys())
        assert refusal.value.code == "enveloped.changed"


def test_the_certificate_goes_with_the_card_s(any_centre: CentreWorld) -> None:
    holder = any_centre.operator()
    certificate = any_centre.centre.deliveries.deliver(
        holder.asks_for(TRANSPORT.public_key)
    ).certificate
    assert certificate.subject_der == holder.signing.subject_der
    assert certificate.not_after == holder.signing.not_after
    assert certificate.key_usage == {"keyAgreement"}
    assert certificate.public_key.spki != holder.signing.public_key.spki
    told = any_centre.told(serial_text(certificate.serial))
    assert [each.event for each in told] == [
        "certificate.intended", "certificate.issued", "key.delivered",
    ]  # fmt: skip
    assert "key.escrowed" in [each.event for each in any_centre.told(holder.card.number)]
    record = any_centre.inventory.by_serial(certificate.serial)
    assert record is not None
    assert record.reference == f"{holder.card.number}/encryption"


def test_the_legal_person_s_card_has_one_too(centre: CentreWorld) -> None:
    holder = centre.legal_person()
    made = centre.centre.deliveries.deliver(holder.asks_for(TRANSPORT.public_key))
    assert made.certificate.policies == ("1.3.6.1.4.1.32473.1.8",)


def test_an_envelope_opens_with_openssl_where_the_transport_key_is_in_software(
    centre: CentreWorld, tmp_path: Path
) -> None:
    """A stranger's tools read what we send, from the first octet to the key."""
    holder = centre.operator(suite=ECDSA_P384_SHA384)
    made = centre.centre.deliveries.deliver(holder.asks_for(TRANSPORT.public_key))
    envelope = made.envelope
    (tmp_path / "envelope").write_bytes(envelope.encode())
    openssl("cms", "-cmsout", "-noout", "-inform", "DER", "-in", tmp_path / "envelope")
    pem = TRANSPORT.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "transport.pem").write_bytes(pem)
    (tmp_path / "key").write_bytes(envelope.encrypted_key)
    (tmp_path / "content").write_bytes(envelope.content)
    once = run(
        "pkeyutl", "-decrypt", "-inkey", tmp_path / "transport.pem", "-in", tmp_path / "key",
        "-pkeyopt", "rsa_padding_mode:oaep",
    )  # fmt: skip
    plain = run(
        "enc", "-d", "-id-aes256-wrap-pad", "-K", once.hex(), "-iv", "a65959a6",
        "-in", tmp_path / "content",
    )  # fmt: skip
    private = load_der_private_key(plain[: der.read(plain).end], None)
    assert private.public_key() == made.certificate.public_key.pyca


def run(*arguments: str | Path) -> bytes:
    return subprocess.run(["openssl", *arguments], capture_output=True, check=True).stdout


def test_asked_again_the_same_key_comes(any_centre: CentreWorld) -> None:
    holder, deliver = any_centre.operator(), any_centre.centre.deliveries.deliver
    first = deliver(holder.asks_for(TRANSPORT.public_key))
    again = deliver(holder.asks())
    assert again.certificate == first.certificate
    assert again.envelope != first.envelope
    holder.installs(again)
    holder.installs(deliver(holder.asks()))  # a program that died after installing, run again
    assert sorted(holder.token.key_labels()) == ["encryption", "signing"]


def test_of_several_processes_one_makes_the_key(any_centre: CentreWorld) -> None:
    holder = any_centre.operator()
    request = holder.asks_for(TRANSPORT.public_key)

    def deliver(_: int) -> object:
        try:
            return any_centre.centre.deliveries.deliver(request).certificate.serial
        except (Unavailable, Conflict) as refusal:
            return refusal.code

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(deliver, range(4)))
    serials = {each for each in found if isinstance(each, int)}
    assert len(serials) == 1
    unsettled = {"key-delivery.unsettled", "public-key.already-certified", "database.unavailable"}
    assert found - serials <= unsettled


def test_an_authority_that_was_away_is_made_up_for(centre: CentreWorld) -> None:
    """The key is escrowed, then the issue is refused: the next request goes on with that key."""
    holder = centre.operator()
    request = holder.asks_for(TRANSPORT.public_key)
    issuing = centre.portal.authority.issuing
    key, issuing._key = issuing._key, BrokenKey(issuing._key)
    assert code_of(centre, request) == "token.missing"
    issuing._key = key
    certificate = centre.centre.deliveries.deliver(request).certificate
    (abandoned, issued) = sorted(
        centre.inventory.by_key(certificate.public_key.fingerprint), key=lambda each: each.state
    )
    assert abandoned.state is CertificateState.ABANDONED
    assert issued.certificate == certificate


class BrokenKey:
    def __init__(self, key: object) -> None:
        self.public_key, self.suite = key.public_key, key.suite  # type: ignore[attr-defined]

    def sign(self, message: bytes) -> bytes:
        raise Unavailable("token.missing", "the token was pulled")

    sign_digest = sign


def test_only_a_live_card_of_ours_is_served(centre: CentreWorld) -> None:
    holder = centre.operator()
    request = holder.asks_for(TRANSPORT.public_key)
    other = centre.operator(centre.enterprise(2))
    stolen = replace(request, certificate=other.signing.der)
    assert code_of(centre, stolen) == "key-delivery.signature"
    stranger = SoftwareKey.generate()
    assert code_of(centre, holder.asks_for(stranger.public_key)) == "transport-key.unsuitable"
    elsewhere = holder.asks_for(TRANSPORT.public_key, origin="https://evil.example")
    assert code_of(centre, elsewhere) == "key-delivery.signature"
    another = replace(request, transport_key=OTHER_TRANSPORT.public_key.spki)
    assert code_of(centre, another) == "key-delivery.signature"
    for wrong in (b"", b"\x30\x00", b"x" * 5000):
        assert code_of(centre, replace(request, signature=wrong)) == "key-delivery.signature"
        assert code_of(centre, replace(request, certificate=wrong)) == "certificate.malformed"
        assert code_of(centre, replace(request, transport_key=wrong)) == "public-key.malformed"
    administrator = centre.officer(Role.ADMINISTRATOR)
    cards = centre.portal.services.cards
    cards.revoke(administrator, holder.card.number, RevocationReason.KEY_COMPROMISE)
    assert code_of(centre, request) == "key-delivery.card"
    centre.portal.authority.clock.advance(timedelta(days=731))
    assert code_of(centre, other.asks_for(TRANSPORT.public_key)) == "key-delivery.card"


def test_an_officer_s_card_has_none(centre: CentreWorld) -> None:
    added = centre.portal.services.officers.add(console("tests"), "王审批", [Role.APPROVER])
    assert added.activation_code is not None
    holder = centre.enrolled(added.activation_code)
    assert code_of(centre, holder.asks_for(TRANSPORT.public_key)) == "key-delivery.card"


def test_what_ends_the_card_ends_its_encryption_certificate(any_centre: CentreWorld) -> None:
    holder = any_centre.operator()
    made = any_centre.centre.deliveries.deliver(holder.asks_for(TRANSPORT.public_key))
    administrator = any_centre.officer(Role.ADMINISTRATOR)
    any_centre.portal.services.cards.revoke(
        administrator, holder.card.number, RevocationReason.KEY_COMPROMISE
    )
    record = any_centre.inventory.by_serial(made.certificate.serial)
    assert record is not None
    assert (record.state, record.reason) == (
        CertificateState.REVOKED, RevocationReason.KEY_COMPROMISE,
    )  # fmt: skip


def test_nothing_private_is_in_the_database_or_the_journal(
    centre: CentreWorld, tmp_path: Path
) -> None:
    """The private key, opened in software for once, is nowhere in what is stored."""
    holder = centre.operator()
    made = centre.centre.deliveries.deliver(holder.asks_for(TRANSPORT.public_key))
    once, opened = opened_in_software(made, TRANSPORT)
    secret = opened.private_numbers().private_value.to_bytes(32, "big")
    database = centre.portal.authority.database
    database.dispose()  # what was written ahead goes into the file
    file = Path(str(database.engine.url.database))
    stored = b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))
    assert made.certificate.der in stored, "it was looked for in the right place"
    assert secret not in stored
    assert secret.hex().encode() not in stored.lower()
    assert once not in stored
