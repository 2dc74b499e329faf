"""Freezing, unfreezing and reporting loss: what the records, the certificate and the lists say."""

import hashlib
import json
from datetime import timedelta

import pytest

from ca.inventory import CertificateRecord, CertificateState, Inventory, RevocationReason
from kernel.identifiers import parse_serial
from kernel.refusals import Conflict, Forbidden, Malformed, Unavailable
from ra_portal.cards.card import Card, CardState
from ra_portal.cards.card_moves import EvidenceKind, Move
from ra_portal.cards.loss import LossReports
from ra_portal.people.identity import Identity, Role
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import TimestampKind
from tests.ra_portal.world import PortalWorld, pkcs10


def operator_card(portal: PortalWorld, by: Identity, number: str = "E-001") -> Card:
    added = portal.operator(by, "declare-import", employee_number=number)
    return portal.services.enrolment.enrol(added.activation_code, pkcs10()).card


def holder_of(card: Card) -> Identity:
    return Identity(card.holder.kind, card.holder.id, "张操作")


def certificate_of(portal: PortalWorld, card: Card) -> CertificateRecord:
    record = Inventory(portal.authority.database).by_serial(parse_serial(card.serial or ""))
    assert record is not None
    return record


def test_a_frozen_card_is_on_hold_everywhere_and_comes_back(any_portal: PortalWorld) -> None:
    portal = any_portal
    owner = portal.legal_person()
    card, life = operator_card(portal, owner), portal.services.life

    frozen = life.freeze(owner, card.number, "on leave until March")

    assert (frozen.state, frozen.held_by) == (CardState.FROZEN, owner.actor)
    record = certificate_of(portal, card)
    assert (record.state, record.reason) == (
        CertificateState.REVOKED,
        RevocationReason.CERTIFICATE_HOLD,
    )
    assert portal.ended == [frozen]
    directory, now = portal.services.directory, portal.authority.clock.now()
    assert directory.by_card(card.number, now).card_state == "frozen"
    assert directory.by_card(card.number, now - timedelta(seconds=1)).card_state != "frozen"

    assert life.unfreeze(owner, card.number, "back at work").state is CardState.ACTIVE

    assert certificate_of(portal, card).state is CertificateState.ISSUED
    assert directory.by_card(card.number, now).card_state == "active"
    moves = [(m.move, m.actor, m.why) for m in life.history(owner, card.number)]
    assert moves == [
        (Move.FREEZE, owner.actor, "on leave until March"),
        (Move.UNFREEZE, owner.actor, "back at work"),
    ]
    assert portal.events(card.number)[-2:] == ["card.frozen", "card.unfrozen"]


def test_a_move_needs_a_reason_and_the_right_state(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    card, life = operator_card(portal, owner), portal.services.life
    for why in ("", "  ", "x" * 201, "a\u202eb"):
        with pytest.raises(Malformed, match="field"):
            life.freeze(owner, card.number, why)
    with pytest.raises(Conflict, match=r"card\.state"):
        life.unfreeze(owner, card.number, "was never frozen")
    life.freeze(owner, card.number, "leave")
    with pytest.raises(Conflict, match=r"card\.state"):
        life.freeze(owner, card.number, "again")
    assert certificate_of(portal, card).reason is RevocationReason.CERTIFICATE_HOLD


def test_nobody_unfreezes_what_somebody_higher_froze(portal: PortalWorld) -> None:
    owner, administrator = portal.legal_person(), portal.officer(Role.ADMINISTRATOR)
    card, life = operator_card(portal, owner), portal.services.life
    holder = holder_of(card)
    ladder = (holder, owner, administrator)
    for height, freezer in enumerate(ladder):
        life.freeze(freezer, card.number, "suspected misuse")
        for lower in ladder[:height]:
            with pytest.raises(Forbidden, match=r"card\.frozen-by-higher"):
                life.unfreeze(lower, card.number, "please")
        life.unfreeze(freezer, card.number, "cleared")
    for stranger in (portal.legal_person(2), portal.officer(Role.REGISTRAR)):
        with pytest.raises(Forbidden, match=r"card\.foreign|role\.missing"):
            life.freeze(stranger, card.number, "why not")


def test_a_loss_is_effective_at_once_and_its_time_is_signed(any_portal: PortalWorld) -> None:
    portal = any_portal
    owner = portal.legal_person()
    card, life = operator_card(portal, owner), portal.services.life

    lost = life.report_loss(holder_of(card), card.number, "phone-code")

    assert (lost.state, lost.end_reason) == (CardState.LOST, "keyCompromise")
    record = certificate_of(portal, card)
    assert (record.state, record.reason, record.revoked_at) == (
        CertificateState.REVOKED,
        RevocationReason.KEY_COMPROMISE,
        lost.ended_at,
    )
    assert portal.ended == [lost]
    move = life.history(owner, card.number)[-1]
    assert move.move is Move.REPORT_LOSS
    assert move.evidence is not None
    assert move.evidence.kind is EvidenceKind.STATEMENT
    assert json.loads(move.evidence.content)["reported_by"] == f"operator:{card.holder.id}"
    assert move.stamp is not None
    imprint = hashlib.sha256(move.evidence.content).digest()
    stamp = read_timestamp(move.stamp, TimestampKind.SIGNATURE, move.evidence.content)
    assert stamp.imprint.intact
    assert abs(stamp.generated_at - (lost.ended_at or stamp.generated_at)) < timedelta(seconds=5)
    assert portal.events(card.number)[-2:] == ["card.loss-reported", "card.loss-timestamped"]
    assert imprint.hex() == move.evidence.sha256
    with pytest.raises(Conflict, match=r"card\.state"):
        life.unfreeze(owner, card.number, "found again")


def test_a_loss_counts_from_the_freeze_that_came_first(portal: PortalWorld) -> None:
    owner, clock = portal.legal_person(), portal.authority.clock
    card, life = operator_card(portal, owner), portal.services.life
    frozen = life.freeze(owner, card.number, "cannot find the key")
    clock.advance(timedelta(days=2))
    life.report_loss(owner, card.number, "legal-person-card")
    record = certificate_of(portal, card)
    assert (record.reason, record.revoked_at) == (
        RevocationReason.KEY_COMPROMISE,
        frozen.held_at,
    )
    between = clock.now() - timedelta(days=1)
    assert portal.services.directory.by_card(card.number, between).card_state == "frozen"


def test_a_loss_is_effective_without_a_timestamp_which_follows(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    card, world = operator_card(portal, owner), portal.authority

    def away(digest: bytes) -> bytes:
        raise Unavailable("timestamp.unavailable", "the timestamp authority does not answer")

    losses = LossReports(world.database, world.journal, world.clock, away)
    portal.services.life._losses = losses
    lost = portal.services.life.report_loss(owner, card.number, "legal-person-card")
    assert certificate_of(portal, card).state is CertificateState.REVOKED
    assert portal.services.life.history(owner, lost.number)[-1].stamp is None
    assert portal.services.losses.stamp_missing() == 1
    assert portal.services.life.history(owner, lost.number)[-1].stamp is not None
    assert portal.services.losses.stamp_missing() == 0


def test_an_officer_takes_a_report_at_the_counter_a_stranger_does_not(
    portal: PortalWorld,
) -> None:
    owner, stranger = portal.legal_person(1), portal.legal_person(2)
    card, life = operator_card(portal, owner), portal.services.life
    with pytest.raises(Forbidden, match=r"card\.foreign"):
        life.report_loss(stranger, card.number, "legal-person-card")
    lost = life.report_loss(portal.officer(Role.REGISTRAR), card.number, "counter")
    new, code = portal.services.cards.replace(owner, lost.number)
    assert new.predecessor == lost.number
    made = portal.services.enrolment.enrol(code or "", pkcs10()).card
    assert made.state is CardState.ACTIVE
    assert portal.services.life.history(owner, lost.number)[-1].move is Move.REPORT_LOSS


def test_closing_an_enterprise_revokes_its_operators_certificates(
    any_portal: PortalWorld,
) -> None:
    portal = any_portal
    owner = portal.legal_person()
    cards = [operator_card(portal, owner, f"E-{n}") for n in (1, 2)]
    portal.services.life.freeze(owner, cards[1].number, "leave")
    seals = portal.services.seals
    seal = seals.approve(portal.officer(Role.APPROVER), seals.request(owner, "报关专用章").number)
    other = operator_card(portal, portal.legal_person(2))
    own = portal.services.operators.page(owner).card
    assert own is not None
    portal.services.cards.revoke(
        portal.officer(Role.ADMINISTRATOR), own.number, "cessationOfOperation"
    )
    for card in cards:
        record = certificate_of(portal, card)
        assert record.reason is RevocationReason.CESSATION_OF_OPERATION
        assert portal.services.cards.show(owner, card.number).state is CardState.REVOKED
    assert certificate_of(portal, other).state is CertificateState.ISSUED
    (ended,) = seals.of_enterprise(owner.subject)
    assert (ended.number, str(ended.state)) == (seal.number, "revoked")


def test_only_made_cards_are_frozen_or_lost(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    card = portal.operator(owner).view.card
    assert card is not None
    with pytest.raises(Conflict, match=r"card\.state"):
        portal.services.life.freeze(owner, card.number, "why")
    with pytest.raises(Conflict, match=r"card\.state"):
        portal.services.life.report_loss(owner, card.number, "legal-person-card")
