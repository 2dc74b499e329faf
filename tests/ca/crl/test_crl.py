"""Revocation lists that strangers accept, whose numbers never go back."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from ca.crl.archive import CrlArchive, StoredCrl
from ca.crl.issuing import CrlIssuer
from ca.inventory import RevocationReason
from ca.revocation import Revocation
from kernel.keys import KeyHandle
from kernel.refusals import Unavailable
from records.journal import records
from tests.ca.openssl import openssl, run
from tests.ca.world import World


def crl_issuer(world: World, key: KeyHandle | None = None) -> CrlIssuer:
    pair = world.authorities.issuing_key
    return CrlIssuer(
        "issuing",
        pair.certificate,
        key or pair.key,
        world.database,
        world.journal,
        world.outbox,
        world.clock,
    )


def revocation(world: World) -> Revocation:
    return Revocation(world.database, world.journal, world.outbox, world.clock)


def verify_with_crl(crl: StoredCrl, certificate: Path, chain: Path, directory: Path) -> str:
    (directory / "crl.der").write_bytes(crl.der)
    openssl("crl", "-inform", "DER", "-in", directory / "crl.der", "-out", directory / "crl.pem")
    done = run(
        *("verify", "-x509_strict", "-crl_check"),
        *("-CRLfile", directory / "crl.pem", "-CAfile", chain, certificate),
    )
    return done.stdout.decode()


def test_openssl_accepts_the_list_and_sees_the_revocation(
    world: World, chain_file: Path, tmp_path: Path
) -> None:
    good, bad = world.issue(), world.issue()
    for name, issued in (("good.pem", good), ("bad.pem", bad)):
        (tmp_path / name).write_text(issued.certificate.pem)
    revocation(world).revoke(bad.serial, RevocationReason.KEY_COMPROMISE, "admin")
    crl = crl_issuer(world).issue()
    assert "OK" in verify_with_crl(crl, tmp_path / "good.pem", chain_file, tmp_path)
    assert "certificate revoked" in verify_with_crl(crl, tmp_path / "bad.pem", chain_file, tmp_path)
    text = openssl("crl", "-inform", "DER", "-in", tmp_path / "crl.der", "-noout", "-text")
    assert "Key Compromise" in text
    assert "X509v3 Authority Key Identifier" in text


def test_an_empty_list_is_accepted(world: World, chain_file: Path, tmp_path: Path) -> None:
    (tmp_path / "good.pem").write_text(world.issue().certificate.pem)
    crl = crl_issuer(world).issue()
    assert crl.entries == 0
    assert "OK" in verify_with_crl(crl, tmp_path / "good.pem", chain_file, tmp_path)


def test_the_root_lists_its_own(world: World, tmp_path: Path) -> None:
    pair = world.authorities.root_key
    crl = CrlIssuer(
        "root",
        pair.certificate,
        pair.key,
        world.database,
        world.journal,
        world.outbox,
        world.clock,
    ).issue()
    (tmp_path / "root.pem").write_text(pair.certificate.pem)
    (tmp_path / "issuing.pem").write_text(world.authorities.issuing_key.certificate.pem)
    verdict = verify_with_crl(crl, tmp_path / "issuing.pem", tmp_path / "root.pem", tmp_path)
    assert "OK" in verdict


def test_numbers_rise_and_survive_a_failed_signature(any_world: World) -> None:
    class BrokenKey:
        public_key = any_world.authorities.issuing_key.key.public_key
        suite = any_world.authorities.issuing_key.key.suite

        def sign(self, message: bytes) -> bytes:
            raise Unavailable("token.missing", "pulled")

        sign_digest = sign

    first = crl_issuer(any_world).issue()
    with pytest.raises(Unavailable):
        crl_issuer(any_world, BrokenKey()).issue()
    assert CrlArchive(any_world.database).latest_number("issuing") == first.number
    second = crl_issuer(any_world).issue()
    assert second.number == first.number + 2
    parsed = x509.load_der_x509_crl(second.der)
    number = parsed.extensions.get_extension_for_class(x509.CRLNumber).value
    assert number.crl_number == second.number
    with any_world.database.reading() as connection:
        told = [record.event for record in records(connection, "issuing")][-5:]
    assert told == ["crl.intended", "crl.issued", "crl.intended", "crl.intended", "crl.issued"]


def test_a_list_is_made_anew_only_when_something_changed_or_it_grows_old(world: World) -> None:
    issuer, issued = crl_issuer(world), world.issue()
    first = issuer.current()
    assert issuer.current().number == first.number
    revocation(world).revoke(issued.serial, RevocationReason.SUPERSEDED, "admin")
    second = issuer.current()
    assert second.number > first.number
    assert second.entries == 1
    world.clock.advance(timedelta(days=4))
    assert issuer.current().number > second.number


def test_a_token_that_signs_wrongly_is_noticed(world: World) -> None:
    class WrongKey:
        public_key = world.authorities.issuing_key.key.public_key
        suite = world.authorities.issuing_key.key.suite

        def sign(self, message: bytes) -> bytes:
            return world.authorities.ocsp.key.sign(message)

        sign_digest = sign

    with pytest.raises(Unavailable) as refusal:
        crl_issuer(world, WrongKey()).issue()
    assert refusal.value.code == "token.wrong-key"
    assert CrlArchive(world.database).latest("issuing") is None
