"""Revocation moves only as it may, once, and leaves a record."""

from datetime import timedelta

import pytest

from ca.inventory import CertificateState, Inventory, RevocationReason
from ca.revocation import Revocation
from ca.status import CertificateStatus, OwnStatus
from kernel.identifiers import Serial, serial_text
from kernel.refusals import Conflict, NotFound, Unprocessable
from records.journal import records
from tests.ca.world import World, operator_request


@pytest.fixture
def revocation(any_world: World) -> Revocation:
    world = any_world
    return Revocation(world.database, world.journal, world.outbox, world.clock)


def own_status(world: World) -> OwnStatus:
    authorities = {"issuing": world.authorities.issuing_key.certificate}
    return OwnStatus(authorities, world.database, world.clock)


def test_status_turns_from_good_to_revoked(any_world: World, revocation: Revocation) -> None:
    world, issued = any_world, any_world.issue()
    issuer = world.authorities.issuing_key.certificate
    before = own_status(world).status(issued.certificate, issuer)
    assert before is not None
    assert before.status is CertificateStatus.GOOD
    done = revocation.revoke(issued.serial, RevocationReason.CESSATION_OF_OPERATION, "admin-7")
    assert done.changed
    after = own_status(world).status(issued.certificate, issuer)
    assert after is not None
    assert (after.status, after.reason) == (CertificateStatus.REVOKED, "cessationOfOperation")
    assert after.revoked_at == done.at
    assert own_status(world).status(issued.certificate, issued.certificate) is None
    with world.database.reading() as connection:
        told = records(connection, serial_text(issued.serial))
    assert [(record.event, record.actor) for record in told][-1] == (
        "certificate.revoked",
        "admin-7",
    )


def test_repeating_changes_nothing(any_world: World, revocation: Revocation) -> None:
    issued = any_world.issue()
    first = revocation.revoke(issued.serial, RevocationReason.SUPERSEDED, "admin")
    any_world.clock.advance(timedelta(hours=1))
    again = revocation.revoke(issued.serial, RevocationReason.SUPERSEDED, "admin")
    assert (again.changed, again.at) == (False, first.at)
    with pytest.raises(Conflict) as refusal:
        revocation.revoke(issued.serial, RevocationReason.CERTIFICATE_HOLD, "admin")
    assert refusal.value.code == "certificate.already-revoked"


def test_a_compromise_learnt_later_replaces_the_reason(
    any_world: World, revocation: Revocation
) -> None:
    issued = any_world.issue()
    first = revocation.revoke(issued.serial, RevocationReason.SUPERSEDED, "admin")
    any_world.clock.advance(timedelta(hours=1))
    later = revocation.revoke(issued.serial, RevocationReason.KEY_COMPROMISE, "admin")
    assert (later.changed, later.at) == (True, first.at)


def test_a_hold_ends_in_use_or_in_revocation(any_world: World, revocation: Revocation) -> None:
    issued = any_world.issue()
    inventory = Inventory(any_world.database)
    held = revocation.revoke(issued.serial, RevocationReason.CERTIFICATE_HOLD, "admin")
    revocation.release(issued.serial, "admin")
    record = inventory.by_serial(issued.serial)
    assert record is not None
    assert record.state is CertificateState.ISSUED
    held = revocation.revoke(issued.serial, RevocationReason.CERTIFICATE_HOLD, "admin")
    any_world.clock.advance(timedelta(hours=1))
    ended = revocation.revoke(issued.serial, RevocationReason.KEY_COMPROMISE, "admin")
    assert (ended.changed, ended.at) == (True, held.at)
    with pytest.raises(Conflict) as refusal:
        revocation.release(issued.serial, "admin")
    assert refusal.value.code == "certificate.not-on-hold"


def test_what_was_not_issued_cannot_be_revoked(any_world: World, revocation: Revocation) -> None:
    intent = any_world.issuing.prepare("operator", operator_request())
    with pytest.raises(Conflict) as conflict:
        revocation.revoke(intent.serial, RevocationReason.SUPERSEDED, "admin")
    assert conflict.value.code == "certificate.not-issued"
    with pytest.raises(NotFound) as missing:
        revocation.revoke(Serial(4711), RevocationReason.SUPERSEDED, "admin")
    assert missing.value.code == "certificate.unknown"


@pytest.mark.parametrize("offset", [timedelta(seconds=1), timedelta(days=-2)])
def test_the_moment_lies_between_issue_and_now(
    any_world: World, revocation: Revocation, offset: timedelta
) -> None:
    issued = any_world.issue()
    at = any_world.clock.now() + offset
    with pytest.raises(Unprocessable) as refusal:
        revocation.revoke(issued.serial, RevocationReason.SUPERSEDED, "admin", at)
    assert refusal.value.code == "revocation.time"


def test_a_key_on_hold_stays_bound_and_a_compromised_one_is_never_certified_again(
    any_world: World, revocation: Revocation
) -> None:
    request = operator_request()
    issuing = any_world.issuing
    issued = issuing.issue(issuing.prepare("operator", request))
    revocation.revoke(issued.serial, RevocationReason.CERTIFICATE_HOLD, "admin")
    with pytest.raises(Conflict) as held:
        issuing.prepare("operator", request)
    assert held.value.code == "public-key.already-certified"
    revocation.revoke(issued.serial, RevocationReason.KEY_COMPROMISE, "admin")
    with pytest.raises(Unprocessable) as compromised:
        issuing.prepare("operator", request)
    assert compromised.value.code == "public-key.compromised"
