"""`portseal mass-revoke` and `portseal key shared-factors` at the authority's console."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.portseal.cli.conftest import run_signed
from tests.portseal.cli.terminal import Outcome, run
from tests.portseal.service import RunningService, Twin

ISSUED = "SELECT serial FROM ca_certificates WHERE state = 'issued' AND profile = ?"


@pytest.fixture
def signed(service: RunningService, twin: Twin) -> Callable[..., Outcome]:
    """A command that two officers sign."""
    return lambda *arguments: run_signed(
        service.stage, ("administrator", "approver"), arguments, twin.site.environment
    )


def portseal(twin: Twin, *arguments: str) -> Outcome:
    return run(arguments, twin.site.environment)


def rows(twin: Twin, query: str, *values: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(twin.database_file)) as connection:
        return connection.execute(query, values).fetchall()


def test_cards_follow_the_certificates_of_a_list_and_what_has_no_card_is_told(
    twin: Twin, signed: Callable[..., Outcome], tmp_path: Path
) -> None:
    """Of the operator's card its encryption certificate stands in the list"""
    query = (
        "SELECT number, serial FROM cards WHERE holder_kind='operator' AND state='active' LIMIT 1"
    )
    ((card, serial),) = rows(twin, query)
    beside = "SELECT serial FROM ca_certificates WHERE companion_of = ?"
    companions = [each for (each,) in rows(twin, beside, serial)]
    ((alone,),) = rows(twin, "SELECT serial FROM ca_certificates WHERE profile = 'officer' LIMIT 1")
    file, officers = tmp_path / "serials", tmp_path / "officers"
    file.write_text("\n".join([*companions[:1], serial, serial, "7f" * 16]))
    officers.write_text(alone)
    malformed = tmp_path / "malformed"
    malformed.write_text(f"{serial}\nnot a serial\n")
    reason = ("--reason", "keyCompromise")

    for wrong in (malformed, officers):
        refused = portseal(twin, "mass-revoke", str(wrong), *reason)
        assert refused.code == 1, refused.said
    assert "[mass.one-by-one]" in refused.err
    assert portseal(twin, "mass-revoke", str(file)).code == 2
    seen = portseal(twin, "mass-revoke", str(file), *reason, "--dry-run", "--json")
    assert seen.code == 0, seen.said
    counted = {"cards": 1, "operator_cards": 1, "already_ended": 0, "not_issued": 1}
    assert json.loads(seen.out) == {**counted, "sample": [card]}
    state = "SELECT state, coalesce(end_reason, '') FROM cards WHERE number = ?"
    assert rows(twin, state, card) == [("active", "")]

    done = signed("mass-revoke", str(file), *reason, "--json")
    assert done.code == 0, done.said
    told = json.loads(done.out)
    action = told.pop("mass_action")
    assert told == {**counted, "cards_revoked": 1}
    assert rows(twin, state, card) == [("revoked", "keyCompromise")]
    became = "SELECT state, reason FROM ca_certificates WHERE serial = ?"
    for each in (serial, *companions):
        assert rows(twin, became, each) == [("revoked", "keyCompromise")]
    events = [each for (each,) in rows(twin, "SELECT event FROM journal WHERE subject = ?", action)]
    assert events == ["mass-action.proposed", "mass-action.confirmed", "mass-action.done"]
    actors = rows(twin, "SELECT proposed_by, confirmed_by FROM mass_actions WHERE id = ?", action)
    ((first, second),) = actors
    assert first != second
    assert [each.partition(":")[0] for each in (first, second)] == ["officer", "officer"]
    again = json.loads(portseal(twin, "mass-revoke", str(file), *reason, "--dry-run", "--json").out)
    assert (again["cards"], again["already_ended"]) == (0, 2 if companions else 1)


def test_certificates_without_a_card_are_revoked_alone(
    twin: Twin, signed: Callable[..., Outcome], tmp_path: Path
) -> None:
    ((serial,),) = rows(
        twin,
        "SELECT serial FROM ca_certificates c WHERE state='issued' AND companion_of IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM cards WHERE cards.serial = c.serial) "
        "ORDER BY profile DESC LIMIT 1",
    )
    file = tmp_path / "serials"
    file.write_text(serial)
    for revoked, ended in ((1, 0), (0, 1)):
        done = signed("mass-revoke", str(file), "--reason", "superseded", "--json")
        assert done.code == 0, done.said
        told = json.loads(done.out)
        assert (told["cards"], told["already_ended"]) == (0, ended)
        assert told.get("revoked_without_card", 0) == revoked
    became = "SELECT state, reason FROM ca_certificates WHERE serial = ?"
    assert rows(twin, became, serial) == [("revoked", "superseded")]


def certificate_of(public: rsa.RSAPublicKey) -> bytes:
    """DER, signed by a stranger's key: what is looked for is in the public key alone."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shares a prime")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(public)
    builder = builder.serial_number(1).not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    builder = builder.not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(Encoding.DER)


def test_certificates_whose_rsa_keys_share_a_prime_are_named_and_the_command_ends_with_5(
    twin: Twin,
) -> None:
    done = portseal(twin, "key", "shared-factors", "--json")
    assert done.code == 0, done.said
    before = json.loads(done.out)
    assert before["broken"] == "none"

    one, two = (rsa.generate_private_key(65537, 2048).private_numbers() for _ in range(2))
    moduli = (one.p * one.q, one.p * two.q)
    serials = [serial for (serial,) in rows(twin, ISSUED, "officer")][:2]
    with closing(sqlite3.connect(twin.database_file)) as connection, connection:
        for serial, modulus in zip(serials, moduli, strict=True):
            der = certificate_of(rsa.RSAPublicNumbers(65537, modulus).public_key())
            change = "UPDATE ca_certificates SET certificate = ? WHERE serial = ?"
            assert connection.execute(change, (der, serial)).rowcount == 1
    done = portseal(twin, "key", "shared-factors", "--json")
    assert done.code == 5, done.said
    broken = ", ".join(sorted(serials))
    assert json.loads(done.out) == {"rsa_keys": before["rsa_keys"] + 2, "broken": broken}
