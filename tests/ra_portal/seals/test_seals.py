"""Seals of enterprises: asked for by the legal person, approved by an officer, kept in a token."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from ca.inventory import CertificateState, Inventory
from kernel.algorithms import ECDSA_P256_SHA256, PublicKey
from kernel.asn1.certificate import Certificate
from kernel.identifiers import parse_serial
from kernel.refusals import Conflict, Forbidden, NotFound, Refusal, Unavailable, Unprocessable
from portseal.adapters import SealToken
from ra_portal.people import people_rows
from ra_portal.people.identity import Identity, Role
from ra_portal.seals.seal import Seal, SealState
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld

NAME = "报关专用章"


def made(portal: PortalWorld, owner: Identity | None = None) -> Seal:
    seals = portal.services.seals
    seal = seals.request(owner or portal.legal_person(), NAME)
    return seals.approve(portal.officer(Role.APPROVER), seal.number)


def certificate_of(seal: Seal) -> Certificate:
    assert seal.certificate is not None
    return Certificate.parse(seal.certificate)


def refused(kind: type[Refusal], act: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        act()
    return caught.value.code


def test_an_approved_seal_has_its_key_in_the_authoritys_token(any_portal: PortalWorld) -> None:
    seal = made(any_portal)
    certificate = certificate_of(seal)
    assert seal.state is SealState.ACTIVE
    key = any_portal.authority.token.key(seal.key_label)
    assert key.public_key.spki == certificate.public_key.spki
    steps = ["seal.requested", "seal.approved", "seal.key-made", "seal.made"]
    assert any_portal.events(seal.number) == steps


def test_its_certificate_names_the_enterprise_and_the_seal_and_cannot_sign_in(
    portal: PortalWorld,
) -> None:
    certificate = certificate_of(made(portal))
    assert certificate.attribute("2.5.4.97") == f"NTRCN-{samples.details(1)['uscc']}"
    assert certificate.attribute("2.5.4.11") == NAME
    assert certificate.key_usage == {"digitalSignature", "nonRepudiation"}
    card_profiles = ("legal-person", "operator", "officer")
    cards = {
        policy for name in card_profiles for policy in portal.authority.catalogue[name].policy_oids
    }
    assert cards.isdisjoint(certificate.policies)


def test_an_enterprise_cannot_approve_its_own_seal_nor_an_officer_ask_for_one(
    portal: PortalWorld,
) -> None:
    seals, owner = portal.services.seals, portal.legal_person()
    seal = seals.request(owner, NAME)
    assert refused(Forbidden, lambda: seals.approve(owner, seal.number)) == "role.missing"
    registrar = portal.officer(Role.REGISTRAR)
    assert refused(Forbidden, lambda: seals.approve(registrar, seal.number)) == "role.missing"
    assert refused(Forbidden, lambda: seals.request(registrar, NAME)) == "legal-person.required"
    assert seal_labels(portal) == set()


def test_a_seal_is_approved_once_and_refused_only_before(portal: PortalWorld) -> None:
    seals, officer = portal.services.seals, portal.officer(Role.APPROVER)
    seal = made(portal)
    assert refused(Conflict, lambda: seals.approve(officer, seal.number)) == "seal.state"
    assert refused(Conflict, lambda: seals.refuse(officer, seal.number)) == "seal.state"
    other = seals.request(portal.legal_person(2), NAME)
    assert seals.refuse(officer, other.number).state is SealState.REFUSED
    assert refused(Conflict, lambda: seals.approve(officer, other.number)) == "seal.state"
    assert refused(NotFound, lambda: seals.approve(officer, "SE-2026-22222222")) == "seal.unknown"


def test_an_approval_that_died_after_the_key_is_taken_up_with_the_same_key(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    seals, officer = portal.services.seals, portal.officer(Role.APPROVER)
    seal = seals.request(portal.legal_person(), NAME)

    def died(*_: object) -> None:
        raise Unavailable("token.missing", "pulled out")

    with monkeypatch.context() as patch:
        patch.setattr(portal.authority.issuing, "prepare", died)
        assert refused(Unavailable, lambda: seals.approve(officer, seal.number)) == "token.missing"
    (label,) = seal_labels(portal)
    left = portal.authority.token.key(label).public_key
    approved = seals.approve(officer, seal.number)
    assert approved.state is SealState.ACTIVE
    assert certificate_of(approved).public_key.spki == left.spki
    assert seal_labels(portal) == {label}


def test_a_key_that_was_made_and_not_recorded_is_destroyed_by_the_worker(
    any_portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = any_portal
    seals, officer = portal.services.seals, portal.officer(Role.APPROVER)
    token, clock = portal.authority.token, portal.authority.clock
    seal = seals.request(portal.legal_person(), NAME)

    def died(*_: object) -> None:
        raise Unavailable("database.unavailable", "killed")

    with monkeypatch.context() as patch:
        patch.setattr(seals.keys, "used", died)
        refused(Unavailable, lambda: seals.approve(officer, seal.number))
    (left,) = seal_labels(portal)
    waiting = seals.find(seal.number)
    assert waiting is not None
    assert (waiting.state, waiting.key_label) == (SealState.APPROVED, "")
    approved = seals.approve(officer, seal.number)
    assert approved.state is SealState.ACTIVE
    assert seal_labels(portal) == {left, approved.key_label}
    assert seals.keys.settle() == 0  # too young: its process may still be there
    clock.advance(timedelta(minutes=16))
    assert seals.keys.settle() == 1
    assert seal_labels(portal) == {approved.key_label}
    assert portal.events(left) == ["key.destroyed"]
    assert token.key(approved.key_label).public_key.fingerprint == approved.key_fingerprint
    assert seals.keys.settle() == 0


def seal_labels(portal: PortalWorld) -> set[str]:
    """Of keys that this world's seals asked for and that the token, which other tests use too,
    holds."""
    asked = portal.column("seal_keys", "label")
    return set(asked) & set(portal.authority.token.key_labels())


def test_an_intent_whose_key_was_never_made_is_looked_at_for_a_day(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that hung may bring the key forth after its caller has gone."""
    seals, officer = portal.services.seals, portal.officer(Role.APPROVER)
    seal = seals.request(portal.legal_person(), NAME)
    asked: list[str] = []

    def hangs(label: str) -> PublicKey:
        asked.append(label)
        raise Unavailable("token.timeout", "the token does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(seals.keys, "make", hangs)
        assert refused(Unavailable, lambda: seals.approve(officer, seal.number)) == "token.timeout"
    portal.authority.clock.advance(timedelta(hours=1))
    seals.keys.settle()
    assert portal.column("seal_keys", "settled_at") == [None]
    assert portal.column("seal_keys", "outcome") == ["given-up"]
    portal.authority.token.generate(asked[0], ECDSA_P256_SHA256)  # it comes at last
    seals.keys.settle()
    assert portal.column("seal_keys", "outcome") == ["destroyed"]
    assert seal_labels(portal) == set()


@pytest.mark.parametrize("is_destroyed", [True, False])
def test_a_key_that_the_worker_gave_up_is_taken_by_no_seal(
    any_portal: PortalWorld, monkeypatch: pytest.MonkeyPatch, is_destroyed: bool
) -> None:
    """The approver stood still for long; the worker may have died before it destroyed the key."""
    portal = any_portal
    seals, officer = portal.services.seals, portal.officer(Role.APPROVER)
    seal = seals.request(portal.legal_person(), NAME)
    make, labels = seals.keys.make, []

    def slowly(label: str) -> PublicKey:
        labels.append(label)
        key = make(label)
        portal.authority.clock.advance(timedelta(minutes=16))
        with monkeypatch.context() as dying:
            if not is_destroyed:
                dying.setattr(SealToken, "destroy", die)
            with suppress(KeyboardInterrupt):
                seals.keys.settle()
        return key

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(seals.keys, "make", slowly)
        assert refused(Conflict, lambda: seals.approve(officer, seal.number)) == "seal.changed"
    waiting = seals.find(seal.number)
    assert waiting is not None
    assert (waiting.state, waiting.key_label) == (SealState.APPROVED, "")
    assert seal_labels(portal) == (set() if is_destroyed else set(labels))
    assert seals.keys.settle() == (0 if is_destroyed else 1)
    assert portal.events(labels[0]) == ["key.destroyed"]
    approved = seals.approve(officer, seal.number)
    assert approved.state is SealState.ACTIVE
    assert seal_labels(portal) == {approved.key_label}


def test_a_key_that_a_seal_took_since_the_worker_looked_is_not_destroyed(
    any_portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = any_portal
    seals, officer = portal.services.seals, portal.officer(Role.APPROVER)
    seal = seals.request(portal.legal_person(), NAME)
    make, settle = seals.keys.make, seals.keys._settle
    is_made, has_looked = threading.Event(), threading.Event()

    def slowly(label: str) -> PublicKey:
        key = make(label)
        is_made.set()
        assert has_looked.wait(60)
        return key

    monkeypatch.setattr(seals.keys, "make", slowly)
    with ThreadPoolExecutor(1) as threads:
        approving = threads.submit(seals.approve, officer, seal.number)
        assert is_made.wait(60)
        portal.authority.clock.advance(timedelta(minutes=16))

        def after_the_approval(row: object) -> None:
            has_looked.set()
            approving.result()
            settle(row)

        monkeypatch.setattr(seals.keys, "_settle", after_the_approval)
        seals.keys.settle()
    assert has_looked.is_set()
    approved = approving.result()
    assert approved.state is SealState.ACTIVE
    assert seal_labels(portal) == {approved.key_label}
    assert portal.column("seal_keys", "outcome") == ["used"]
    assert portal.events(approved.key_label) == []


def test_while_the_token_makes_the_key_nothing_is_locked_and_others_may_move_the_seal(
    any_portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = any_portal
    seals, owner = portal.services.seals, portal.legal_person()
    officer, seal = portal.officer(Role.APPROVER), seals.request(owner, NAME)
    make = seals.keys.make

    def slowly(label: str) -> PublicKey:
        done = threading.Thread(  # of its own: it would wait for a lock, in SQLite for any write
            target=seals.revoke, args=(owner, seal.number, "cessationOfOperation")
        )
        done.start()
        done.join(20)
        assert not done.is_alive()
        return make(label)

    monkeypatch.setattr(seals.keys, "make", slowly)
    assert refused(Conflict, lambda: seals.approve(officer, seal.number)) == "seal.state"
    found = seals.find(seal.number)
    assert found is not None
    assert found.state is SealState.REVOKED
    portal.authority.clock.advance(timedelta(minutes=16))
    assert seals.keys.settle() == 1
    assert seal_labels(portal) == set()


def test_the_owner_or_an_administrator_revokes_a_seal_and_its_certificate(
    portal: PortalWorld,
) -> None:
    seals, owner = portal.services.seals, portal.legal_person()
    seal, second = made(portal, owner), made(portal, owner)
    stranger = portal.legal_person(2)
    reason = "cessationOfOperation"
    assert refused(Forbidden, lambda: seals.revoke(stranger, seal.number, reason)) == "seal.foreign"
    assert refused(Unprocessable, lambda: seals.revoke(owner, seal.number, "x")) == "card.reason"
    assert seals.revoke(owner, seal.number, reason).state is SealState.REVOKED
    administrator = portal.officer(Role.ADMINISTRATOR)
    assert seals.revoke(administrator, second.number, reason).state is SealState.REVOKED
    assert refused(Conflict, lambda: seals.revoke(owner, seal.number, reason)) == "seal.state"
    for each in (seal, second):
        assert each.serial is not None
        record = Inventory(portal.authority.database).by_serial(parse_serial(each.serial))
        assert record is not None
        assert record.state is CertificateState.REVOKED


def closed(portal: PortalWorld, owner: Identity) -> None:
    own = portal.services.operators.page(owner).card
    assert own is not None
    portal.services.cards.revoke(
        portal.officer(Role.ADMINISTRATOR), own.number, "cessationOfOperation"
    )


def test_closing_an_enterprise_ends_the_seals_that_wait_and_that_are_being_made(
    any_portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = any_portal
    seals, officer = portal.services.seals, portal.officer(Role.APPROVER)
    owner = portal.legal_person()
    active, waiting = made(portal, owner), seals.request(owner, NAME)
    dying = seals.request(owner, NAME)

    def died(*_: object) -> None:
        raise Unavailable("database.unavailable", "killed")

    with monkeypatch.context() as patch:  # the certificate is issued, the seal is not active
        patch.setattr(seals, "_activate", died)
        refused(Unavailable, lambda: seals.approve(officer, dying.number))
    closed(portal, owner)
    for each in (active, waiting, dying):
        found = seals.find(each.number)
        assert found is not None
        assert (found.state, found.end_reason) == (SealState.REVOKED, "cessationOfOperation")
        assert portal.events(each.number)[-1] == "seal.revoked"
        issued = Inventory(portal.authority.database).by_reference(each.number)
        assert [str(record.state) for record in issued] == ["revoked"] * (each is not waiting)
    assert seals.visible(officer) == []
    assert refused(Conflict, lambda: seals.approve(officer, waiting.number)) == "seal.state"


def test_a_seal_that_is_approved_while_its_enterprise_closes_ends_all_the_same(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    seals, officer = portal.services.seals, portal.officer(Role.APPROVER)
    owner = portal.legal_person()
    waiting = seals.request(owner, NAME)
    withdraw = seals._withdraw

    def approved_first(*given: object) -> None:
        monkeypatch.setattr(seals, "_withdraw", withdraw)
        seals.approve(officer, waiting.number)

    monkeypatch.setattr(seals, "_withdraw", approved_first)
    closed(portal, owner)
    (ended,) = seals.of_enterprise(owner.subject)
    assert ended.state is SealState.REVOKED
    assert ended.serial is not None
    record = Inventory(portal.authority.database).by_serial(parse_serial(ended.serial))
    assert record is not None
    assert record.state is CertificateState.REVOKED


def test_nobody_asks_for_a_seal_of_a_closed_enterprise_or_approves_one(
    any_portal: PortalWorld,
) -> None:
    portal = any_portal
    seals, owner = portal.services.seals, portal.legal_person()
    left = seals.request(owner, NAME)
    with portal.authority.database.transaction() as connection:  # as closing left it in the past
        people_rows.close_enterprise(connection, owner.subject, portal.authority.clock.now())
    officer = portal.officer(Role.APPROVER)
    assert refused(Conflict, lambda: seals.approve(officer, left.number)) == "enterprise.closed"
    assert refused(Conflict, lambda: seals.request(owner, NAME)) == "enterprise.closed"
    assert seal_labels(portal) == set()
    assert seals.of_enterprise(owner.subject) == [left]


def test_the_directory_knows_whose_seal_a_certificate_is(portal: PortalWorld) -> None:
    owner, clock = portal.legal_person(), portal.authority.clock
    seal = made(portal, owner)
    assert seal.certificate is not None
    certificate = Certificate.parse(seal.certificate)
    found = portal.services.directory.by_certificate(certificate, clock.now())
    assert found is not None
    assert (found.subject, found.card, found.card_state) == (owner.subject, seal.number, "active")
    signed_at = clock.now()
    clock.advance(timedelta(days=1))
    portal.services.seals.revoke(owner, seal.number, "keyCompromise")
    now = portal.services.directory.by_certificate(certificate, clock.now())
    then = portal.services.directory.by_certificate(certificate, signed_at)
    assert now is not None
    assert then is not None
    assert (now.card_state, then.card_state) == ("revoked", "active")


def test_officers_see_what_waits_and_enterprises_what_is_theirs(portal: PortalWorld) -> None:
    seals, owner = portal.services.seals, portal.legal_person()
    waiting, active = seals.request(owner, NAME), made(portal, owner)
    assert seals.visible(portal.officer(Role.APPROVER)) == [waiting]
    assert {each.number for each in seals.visible(owner)} == {waiting.number, active.number}
    assert seals.visible(portal.legal_person(2)) == []


def test_an_enterprise_has_so_many_seals_and_no_more(portal: PortalWorld) -> None:
    seals, owner = portal.services.seals, portal.legal_person()
    for _ in range(20):
        seals.request(owner, NAME)
    assert refused(Conflict, lambda: seals.request(owner, NAME)) == "seal.too-many"


def test_two_who_ask_for_the_last_seal_at_once_get_one(postgresql_portal: PortalWorld) -> None:
    portal = postgresql_portal
    seals, owner = portal.services.seals, portal.legal_person()
    for _ in range(19):
        seals.request(owner, NAME)
    barrier = threading.Barrier(6)
    codes: list[str] = []

    def ask() -> None:
        barrier.wait()
        try:
            seals.request(owner, NAME)
        except Conflict as refusal:
            codes.append(refusal.code)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert codes == ["seal.too-many"] * 5
    assert len(seals.visible(owner)) == 20
