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


def test_the_certificates_of_a_file_are_revoked_in_one_job_and_the_others_are_not(
    twin: Twin, signed: Callable[..., Outcome], tmp_path: Path
) -> None:
    serials = [serial for (serial,) in rows(twin, ISSUED, "officer")]
    assert len(serials) > 2
    kept, *chosen = serials
    file = tmp_path / "serials"
    file.write_text("\n".join([*chosen, "7f" * 16]))
    malformed = tmp_path / "malformed"
    malformed.write_text(f"{kept}\nnot a serial\n")

    refused = portseal(twin, "mass-revoke", str(malformed), "--reason", "superseded")
    assert refused.code == 1, refused.said
    assert portseal(twin, "mass-revoke", str(file)).code == 2
    assert len(rows(twin, ISSUED, "officer")) == len(serials)

    expected = {"total": len(chosen) + 1, "not_issued": 1, "left": 0}
    for revoked, already in ((len(chosen), 0), (0, len(chosen))):
        done = signed("mass-revoke", str(file), "--reason", "superseded", "--json")
        assert done.code == 0, done.said
        told = json.loads(done.out)
        job = told.pop("job")
        assert told == {**expected, "revoked": revoked, "already": already}
        events = rows(twin, "SELECT event FROM journal WHERE subject = ?", job)
        assert events == [("revocation.planned",), ("revocation.finished",)]
    assert rows(twin, ISSUED, "officer") == [(kept,)]
    became = "SELECT state, reason FROM ca_certificates WHERE serial = ?"
    assert {rows(twin, became, serial)[0] for serial in chosen} == {("revoked", "superseded")}


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
