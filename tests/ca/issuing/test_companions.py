"""An encryption certificate goes with a signing certificate: same holder, same end, same fate."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ca.crl.archive import CrlArchive
from ca.inventory import CertificateState, Inventory, RevocationReason
from ca.issuing.issuance import CertificateRequest, IssuedCertificate
from ca.issuing.subject import SubjectFields
from ca.mass.job import MassRevocation
from ca.revocation import Revocation
from kernel.identifiers import serial_text
from kernel.refusals import Conflict, Refusal
from records.journal import records
from tests.ca.crl.test_crl import crl_issuer
from tests.ca.world import World, operator_request
from tests.software_keys import SoftwareKey


def signing(world: World) -> tuple[IssuedCertificate, CertificateRequest]:
    request = operator_request()
    return world.issuing.issue(world.issuing.prepare("operator", request)), request


def beside(issued: IssuedCertificate, request: CertificateRequest) -> CertificateRequest:
    return replace(
        request, public_key=SoftwareKey.generate().public_key, companion_of=issued.serial
    )


def pair(world: World) -> tuple[IssuedCertificate, IssuedCertificate]:
    first, request = signing(world)
    wanted = beside(first, request)
    second = world.issuing.issue(world.issuing.prepare("operator-encryption", wanted))
    return first, second


def revocation(world: World) -> Revocation:
    return Revocation(world.database, world.journal, world.outbox, world.clock)


def states(world: World, *issued: IssuedCertificate) -> list[tuple[str, str | None]]:
    found = []
    for each in issued:
        record = Inventory(world.database).by_serial(each.serial)
        assert record is not None
        found.append((str(record.state), record.reason and str(record.reason)))
    return found


def test_it_ends_with_its_signing_certificate_and_cannot_sign(world: World) -> None:
    first, request = signing(world)
    world.clock.advance(timedelta(days=100))
    wanted = beside(first, request)
    second = world.issuing.issue(world.issuing.prepare("operator-encryption", wanted))
    assert second.certificate.not_after == first.certificate.not_after
    assert second.certificate.subject_der == first.certificate.subject_der
    assert second.certificate.key_usage == {"keyAgreement"}
    sooner = first.certificate.not_after - timedelta(days=1)
    third = beside(first, replace(request, not_after=sooner))
    ended = world.issuing.issue(world.issuing.prepare("operator-encryption", third))
    assert ended.certificate.not_after == sooner


@pytest.mark.parametrize("reason", [RevocationReason.SUPERSEDED, RevocationReason.KEY_COMPROMISE])
def test_what_ends_the_one_ends_the_other(any_world: World, reason: RevocationReason) -> None:
    first, second = pair(any_world)
    revocation(any_world).revoke(first.serial, reason, "officer-1")
    assert states(any_world, first, second) == [("revoked", str(reason))] * 2
    crl_issuer(any_world).issue()
    crl = CrlArchive(any_world.database).latest("issuing")
    assert crl is not None
    assert crl.entries >= 2
    with any_world.database.reading() as connection:
        told = records(connection, serial_text(second.serial))
    assert told[-1].event == "certificate.revoked"
    assert serial_text(first.serial) in told[-1].facts


def test_a_hold_is_put_and_ended_on_both(any_world: World) -> None:
    first, second = pair(any_world)
    do = revocation(any_world)
    do.revoke(first.serial, RevocationReason.CERTIFICATE_HOLD, "holder")
    assert states(any_world, second) == [("revoked", "certificateHold")]
    do.release(first.serial, "officer-1")
    assert states(any_world, first, second) == [("issued", None)] * 2
    do.revoke(first.serial, RevocationReason.CERTIFICATE_HOLD, "holder")
    do.revoke(first.serial, RevocationReason.KEY_COMPROMISE, "holder")
    assert states(any_world, first, second) == [("revoked", "keyCompromise")] * 2


def test_one_that_ended_before_stays_as_it_is(world: World) -> None:
    first, second = pair(world)
    do = revocation(world)
    do.revoke(second.serial, RevocationReason.SUPERSEDED, "officer-1")
    assert states(world, first) == [("issued", None)], "the other way round it is not linked"
    do.revoke(first.serial, RevocationReason.CERTIFICATE_HOLD, "holder")
    do.release(first.serial, "officer-1")
    assert states(world, first, second) == [("issued", None), ("revoked", "superseded")]


def test_a_mass_revocation_ends_both_and_counts_what_it_was_asked_for(any_world: World) -> None:
    first, second = pair(any_world)
    mass = MassRevocation(any_world.database, any_world.journal, any_world.outbox, any_world.clock)
    job = mass.plan([first.serial], RevocationReason.SUPERSEDED, "officer-1")
    progress = mass.run(job)
    assert (progress.total, progress.revoked, progress.left) == (1, 1, 0)
    assert states(any_world, first, second) == [("revoked", "superseded")] * 2


def refused(world: World, profile: str, request: CertificateRequest) -> str:
    with pytest.raises(Refusal) as refusal:
        world.issuing.prepare(profile, request)
    with world.database.reading() as connection:
        assert records(connection, request.reference)[-1].event == "certificate.refused"
    return refusal.value.code


def test_it_is_not_issued_alone_or_to_another(world: World) -> None:
    first, request = signing(world)
    alone = operator_request()
    assert refused(world, "operator-encryption", alone) == "companion.missing"
    assert refused(world, "operator", beside(first, request)) == "companion.not-allowed"
    other = replace(beside(first, request), subject=replace(request.subject, common_name="李四"))
    assert refused(world, "operator-encryption", other) == "companion.other-holder"
    nobody = replace(alone, subject=SubjectFields())
    assert refused(world, "operator-encryption", nobody).startswith("subject.")


def test_it_is_not_issued_beside_one_that_ended(any_world: World) -> None:
    world = any_world
    first, request = signing(world)
    intent = world.issuing.prepare("operator-encryption", beside(first, request))
    revocation(world).revoke(first.serial, RevocationReason.SUPERSEDED, "officer-1")
    assert refused(world, "operator-encryption", beside(first, request)) == "companion.not-live"
    with pytest.raises(Conflict) as refusal:  # the one that was prepared before
        world.issuing.issue(intent)
    assert refusal.value.code == "companion.not-live"
    world.clock.advance(timedelta(minutes=10))
    world.issuing.reconcile(timedelta(minutes=5))
    record = Inventory(world.database).by_serial(intent.serial)
    assert record is not None
    assert record.state is CertificateState.ABANDONED
