"""The ceremony makes every key in the token, certifies it, and never runs twice."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ca.ceremonies.conduct import CeremonyOutcome
from ca.inventory import CertificateState, Inventory
from hsm.token import Token
from kernel.identifiers import serial_text
from kernel.refusals import Conflict, Unavailable
from policies.ceremony_plan import load_ceremony_plan
from records.database import Database
from records.journal import Journal, records
from tests.ca.world import World, hold_ceremony, new_clock, open_world
from tests.token import TokenBench

_PLAN = load_ceremony_plan("house")
KEYS = [each.label for each in _PLAN.key]
SECRETS = [each.label for each in _PLAN.secret]
CERTIFIED = [each.name for each in _PLAN.certificate]


@pytest.fixture
def fresh_token(token_bench: TokenBench, request: pytest.FixtureRequest) -> Token:
    return token_bench.new_token(request.node.name[:32])


def test_every_key_and_certificate_is_on_the_token(fresh_token: Token, database: Database) -> None:
    outcome = hold_ceremony(fresh_token, database, new_clock())
    assert fresh_token.key_labels() == sorted(KEYS)
    assert fresh_token.secret_labels() == sorted(SECRETS)
    stored = {each.label: each.der for each in fresh_token.certificates()}
    assert sorted(stored) == sorted(CERTIFIED)
    assert stored["issuing"] == outcome.issuing.der
    for certificate in outcome.certificates.values():
        record = Inventory(database).by_serial(certificate.serial)
        assert record is not None
        assert record.state is CertificateState.ISSUED
        assert record.der == certificate.der
        assert serial_text(certificate.serial) in outcome.transcript
        assert certificate.public_key.fingerprint in outcome.transcript
    assert "not extractable" in outcome.transcript
    assert "Ceremony Operator" in outcome.transcript
    with database.reading() as connection:
        assert Journal(new_clock()).verify(connection).intact
        events = [record.event for record in records(connection)]
    assert events[0] == "ceremony.started"
    assert events[-1] == "ceremony.finished"
    assert events.count("ceremony.key-generated") == len(KEYS) + len(SECRETS)


def test_a_second_ceremony_is_refused_and_changes_nothing(
    fresh_token: Token, database: Database
) -> None:
    first = hold_ceremony(fresh_token, database, new_clock())
    with pytest.raises(Conflict) as refusal:
        hold_ceremony(fresh_token, database, new_clock())
    assert refusal.value.code == "ceremony.done"
    assert fresh_token.certificate("root") == first.root.der


def test_a_token_before_the_ceremony_is_refused(fresh_token: Token, database: Database) -> None:
    with pytest.raises(Unavailable) as refusal:
        open_world(fresh_token, database, new_clock())
    assert refusal.value.code == "authority.missing"


def test_a_certificate_of_another_key_on_the_token_is_refused(
    fresh_token: Token, database: Database, ceremony: CeremonyOutcome
) -> None:
    hold_ceremony(fresh_token, database, new_clock())
    fresh_token.write_certificate("issuing", ceremony.issuing.der)
    with pytest.raises(Unavailable) as refusal:
        open_world(fresh_token, database, new_clock())
    assert refusal.value.code == "authority.wrong-key"


@pytest.mark.parametrize(
    ("name", "other", "code"),
    [
        ("root", "issuing", "authority.wrong-key"),
        ("issuing", "root", "authority.wrong-key"),
        ("ocsp", "tsa", "authority.no-responder"),
        ("tsa", "ocsp", "authority.missing"),
        ("root-ocsp", "ocsp", "authority.no-responder"),
    ],
)
def test_nothing_opens_with_a_certificate_that_is_not_the_key_s(
    world: World, ca_token: Token, database: Database, name: str, other: str, code: str
) -> None:
    right, wrong = ca_token.certificate(name), ca_token.certificate(other)
    assert right is not None
    assert wrong is not None
    ca_token.write_certificate(name, wrong)
    try:
        with pytest.raises(Unavailable) as refused:
            open_world(ca_token, database, new_clock())
        assert refused.value.code == code
    finally:
        ca_token.write_certificate(name, right)
    open_world(ca_token, database, new_clock())


def test_openssl_accepts_the_chain(ceremony: CeremonyOutcome, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text(ceremony.root.pem)
    (tmp_path / "issuing.pem").write_text(ceremony.issuing.pem)
    for purpose, certificate in (("timestampsign", ceremony.tsa), ("ocsphelper", ceremony.ocsp)):
        (tmp_path / "leaf.pem").write_text(certificate.pem)
        done = subprocess.run(
            [
                *("openssl", "verify", "-x509_strict", "-purpose", purpose),
                *("-CAfile", "root.pem", "-untrusted", "issuing.pem", "leaf.pem"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_ceremony_made_can_be_opened(world: World, ceremony: CeremonyOutcome) -> None:
    assert world.authorities.ocsp.certificate == ceremony.ocsp
    assert world.authorities.tsa.chain == (ceremony.issuing, ceremony.root)
    assert world.issuing.chain == (ceremony.root,)


@pytest.mark.long
def test_a_ceremony_killed_at_any_step_is_finished_by_the_next(
    fresh_token: Token, database: Database, token_bench: TokenBench
) -> None:
    """Each attempt is killed a step later than the one before, on the same token."""
    url = database.engine.url.render_as_string(hide_password=False)
    lines = [f"line:{number}" for number in range(1, len(KEYS) + len(SECRETS) + len(CERTIFIED) + 4)]
    first = len(KEYS) + len(SECRETS) + 2
    steps = [*lines[:first], "issue:1", "write:1", *lines[first:-2], "issue:1", *lines[-2:]]
    done = subprocess.run(
        [sys.executable, "-m", "tests.ca.ceremonies.ceremony_worker", url, fresh_token.label,
         *steps],
        env=token_bench.environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.split() == [str(-signal.SIGKILL.value)] * len(steps), done.stderr
    outcome = hold_ceremony(fresh_token, database, new_clock())
    assert "Key root found in token" in outcome.transcript
    assert "Certificate root-ocsp found" in outcome.transcript
    assert "generated" not in outcome.transcript
    assert "issued" not in outcome.transcript
    with database.reading() as connection:
        told = [record.event for record in records(connection)]
    assert told.count("ceremony.key-generated") <= len(KEYS) + len(SECRETS)
    for label, certificate in outcome.certificates.items():
        assert fresh_token.certificate(label) == certificate.der
        found = Inventory(database).by_reference(f"ceremony:{label}")
        issued = [record for record in found if record.state is CertificateState.ISSUED]
        assert [record.der for record in issued] == [certificate.der]
        assert {record.state for record in found} <= {
            CertificateState.ISSUED, CertificateState.ABANDONED
        }  # fmt: skip
    open_world(fresh_token, database, new_clock())
    with pytest.raises(Conflict, match=r"ceremony\.done"):
        hold_ceremony(fresh_token, database, new_clock())


def test_token_and_inventory_of_two_authorities_are_refused(
    ceremony: CeremonyOutcome,
    ca_token: Token,
    fresh_token: Token,
    database: Database,
    token_bench: TokenBench,
) -> None:
    with pytest.raises(Conflict, match=r"ceremony\.other-authority"):
        hold_ceremony(ca_token, database, new_clock())
    hold_ceremony(fresh_token, database, new_clock())
    another = token_bench.new_token("another-authority")
    with pytest.raises(Conflict, match=r"ceremony\.other-authority"):
        hold_ceremony(another, database, new_clock())
    assert another.key_labels() == []
