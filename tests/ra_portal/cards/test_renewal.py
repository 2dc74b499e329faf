"""A card renews itself: the old key signs for the new one, and nothing dies half done."""

import base64
import json
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from ca.inventory import CertificateState, Inventory, RevocationReason
from ca.revocation import Revocation
from kernel.asn1.certificate import Certificate
from kernel.identifiers import parse_serial
from kernel.refusals import Conflict, Forbidden, NotFound, Unauthenticated
from kernel.renewal_statement import renewal_statement
from ra_portal.cards.card import Card, CardState
from ra_portal.cards.card_moves import EvidenceKind, Move
from ra_portal.cards.enrolment import EnrolledCard
from ra_portal.cards.renewal import LIFETIME, BegunRenewal, Renewal
from ra_portal.cards.tables import renewals
from ra_portal.people.identity import Identity
from signing_service.sso.authentication_token import make_authentication_token
from tests.ra_portal.world import ORIGIN, PortalWorld, pkcs10
from tests.software_keys import SoftwareKey


class Held:
    """An operator with a card whose key is at hand."""

    def __init__(self, portal: PortalWorld, owner: Identity, number: str = "E-001") -> None:
        self.portal = portal
        self.key = SoftwareKey.generate()
        code = portal.operator(owner, "declare-import", employee_number=number).activation_code
        self.card = portal.services.enrolment.enrol(code, pkcs10(self.key)).card
        self.identity = Identity(self.card.holder.kind, self.card.holder.id, "张操作")

    def answer(
        self,
        begun: BegunRenewal,
        fresh: SoftwareKey,
        origin: str = ORIGIN,
        key: SoftwareKey | None = None,
    ) -> bytes:
        """The card's word for the fresh key."""
        own, challenge = self.key.public_key, begun.challenge
        return (key or self.key).sign(renewal_statement(own, fresh.public_key, origin, challenge))

    def renew(self, key: SoftwareKey | None = None) -> EnrolledCard:
        fresh = key or SoftwareKey.generate()
        renewal = self.portal.services.renewal
        begun = renewal.begin(self.identity, self.card.number, pkcs10(fresh))
        made = renewal.finish(self.identity, begun.id, self.answer(begun, fresh))
        self.card, self.key = made.card, fresh
        return made

    def near_the_end(self) -> None:
        assert self.card.not_after is not None
        clock = self.portal.authority.clock
        clock.advance(self.card.not_after - timedelta(days=20) - clock.now())


def state(portal: PortalWorld, card: Card) -> tuple[CertificateState, RevocationReason | None]:
    record = Inventory(portal.authority.database).by_serial(parse_serial(card.serial or ""))
    assert record is not None
    return record.state, record.reason


def test_near_its_end_a_card_renews_itself_without_an_officer(any_portal: PortalWorld) -> None:
    portal = any_portal
    owner = portal.legal_person()
    held = Held(portal, owner)
    old = held.card
    held.near_the_end()
    made = held.renew().card
    assert (made.state, made.predecessor, made.holder) == (
        CardState.ACTIVE,
        old.number,
        old.holder,
    )
    assert made.not_after is not None
    assert old.not_after is not None
    assert made.not_after > old.not_after + timedelta(days=300)
    assert portal.services.cards.show(owner, old.number).state is CardState.REPLACED
    assert state(portal, old) == (CertificateState.REVOKED, RevocationReason.SUPERSEDED)
    assert state(portal, made)[0] is CertificateState.ISSUED
    assert [card.number for card in portal.ended] == [old.number]
    move = portal.services.life.history(owner, old.number)[-1]
    assert move.move is Move.RENEW
    assert move.evidence is not None
    assert move.evidence.kind is EvidenceKind.CARD_PROOF
    told = json.loads(move.evidence.content)
    signed, statement = base64.b64decode(told["signature"]), told["statement"].encode()
    old_key = Certificate.parse(old.certificate or b"").public_key
    assert old_key.verify(old_key.default_suite(), signed, statement)
    assert f"new-key: {held.key.public_key.fingerprint}" in told["statement"].splitlines()
    assert portal.events(old.number)[-1] == "card.renewed"


def test_a_new_key_before_time_keeps_the_end(portal: PortalWorld) -> None:
    held = Held(portal, portal.legal_person())
    end = held.card.not_after
    portal.authority.clock.advance(timedelta(days=3))
    assert not portal.services.renewal.is_due(held.card)
    assert held.renew().card.not_after == end


def test_only_the_old_key_speaks_for_the_new_one(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    held, other = Held(portal, owner), Held(portal, owner, "E-002")
    renewal = portal.services.renewal
    fresh = SoftwareKey.generate()
    begun = renewal.begin(held.identity, held.card.number, pkcs10(fresh))
    another = renewal.begin(held.identity, held.card.number, pkcs10(fresh))
    own, der = held.key, held.card.certificate or b""
    login = make_authentication_token(own, der, ORIGIN, begun.challenge, "tests")["signature"]
    wrong = (
        held.answer(another, fresh),
        held.answer(begun, SoftwareKey.generate()),
        held.answer(begun, fresh, origin="https://evil.example"),
        held.answer(begun, fresh, key=SoftwareKey.generate()),
        other.answer(begun, fresh),
        own.suite.from_raw(base64.b64decode(login)),
        own.sign(begun.challenge.encode()),
        b"",
        b"0" * 100_000,
    )
    for answer in wrong:
        with pytest.raises(Unauthenticated, match=r"renewal\.signature"):
            renewal.finish(held.identity, begun.id, answer)
    assert portal.events(held.card.number).count("card.renewal-refused") == len(wrong)
    right = held.answer(begun, fresh)
    with pytest.raises(Forbidden, match=r"card\.foreign"):
        renewal.finish(other.identity, begun.id, right)
    with pytest.raises(NotFound, match=r"renewal\.unknown"):
        renewal.finish(held.identity, "f" * 32, right)
    assert renewal.finish(held.identity, begun.id, right).card.state is CardState.ACTIVE
    with pytest.raises(Conflict, match=r"renewal\.over"):
        renewal.finish(held.identity, begun.id, right)


def test_what_may_not_be_renewed(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    held = Held(portal, owner)
    renewal, life = portal.services.renewal, portal.services.life
    with pytest.raises(Conflict, match=r"renewal\.same-key"):
        renewal.begin(held.identity, held.card.number, pkcs10(held.key))
    with pytest.raises(Forbidden, match=r"card\.foreign"):
        renewal.begin(owner, held.card.number, pkcs10())
    fresh = SoftwareKey.generate()
    begun = renewal.begin(held.identity, held.card.number, pkcs10(fresh))
    life.freeze(owner, held.card.number, "leave")
    with pytest.raises(Conflict, match=r"card\.state"):
        renewal.begin(held.identity, held.card.number, pkcs10())
    with pytest.raises(Conflict, match=r"card\.state"):
        renewal.finish(held.identity, begun.id, held.answer(begun, fresh))
    life.unfreeze(owner, held.card.number, "back")
    late = renewal.begin(held.identity, held.card.number, pkcs10(fresh))
    portal.authority.clock.advance(LIFETIME)
    with pytest.raises(Conflict, match=r"renewal\.over"):
        renewal.finish(held.identity, late.id, held.answer(late, fresh))


def test_after_three_times_an_officer_looks_again(portal: PortalWorld) -> None:
    held = Held(portal, portal.legal_person())
    for _ in range(3):
        held.renew()
    with pytest.raises(Conflict, match=r"renewal\.too-often"):
        held.renew()
    by = portal.legal_person_of(held.card)
    code = portal.services.cards.replace(by, held.card.number)[1] or ""
    held.key = SoftwareKey.generate()
    held.card = portal.services.enrolment.enrol(code, pkcs10(held.key)).card
    assert held.renew().card.state is CardState.ACTIVE


@pytest.mark.parametrize("step", ["_hand_over", "_settled"])
def test_dying_midway_leaves_nothing_usable_that_should_not_be(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    held = Held(portal, portal.legal_person())
    old, renewal = held.card, portal.services.renewal

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Renewal, step, die)
        with pytest.raises(KeyboardInterrupt):
            held.renew()
    portal.authority.clock.advance(LIFETIME + timedelta(seconds=1))
    assert renewal.settle() == 1
    assert renewal.settle() == 0
    inventory = Inventory(portal.authority.database)
    good = [
        record.reference
        for number in (old.number, *_following(portal, old))
        for record in inventory.by_reference(number)
        if record.state is CertificateState.ISSUED
    ]
    live = [card.number for card in portal.cards_of(old.holder) if card.is_made]
    assert good == live
    assert len(live) == 1


def _following(portal: PortalWorld, old: Card) -> list[str]:
    return portal.column("renewals", "following")


def test_a_death_before_the_old_card_s_sessions_end_is_made_up_for(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(portal, portal.legal_person())
    old = held.card

    def die(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Revocation, "revoke", die)
        with pytest.raises(KeyboardInterrupt):
            held.renew()
    assert portal.ended == []
    assert portal.services.renewal.settle() == 1
    assert [card.number for card in portal.ended] == [old.number]
    assert state(portal, old) == (CertificateState.REVOKED, RevocationReason.SUPERSEDED)


def test_one_renewal_that_fails_holds_no_other_up(
    portal: PortalWorld, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held(portal, portal.legal_person())
    renewal = portal.services.renewal
    renewal.begin(held.identity, held.card.number, pkcs10())
    with portal.authority.database.transaction() as connection:
        row = connection.execute(select(renewals)).one()._mapping
        now = portal.authority.clock.now()
        # The first in the walk, and of a card that is nowhere.
        poison = {"id": "0" * 32, "card": "OP-0000-NOWHERE2", "finished_at": now}
        connection.execute(insert(renewals), {**row, **poison})
    portal.authority.clock.advance(LIFETIME + timedelta(seconds=1))
    assert renewal.settle(limit=1) == 1
    assert "1 done, 1 failed" in caplog.text
    assert renewal.settle(limit=1) == 0


def test_an_attempt_that_died_is_taken_over_with_the_same_answer(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, fresh = Held(portal, portal.legal_person()), SoftwareKey.generate()
    renewal = portal.services.renewal
    begun = renewal.begin(held.identity, held.card.number, pkcs10(fresh))
    answer = held.answer(begun, fresh)

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Renewal, "_hand_over", die)
        with pytest.raises(KeyboardInterrupt):
            renewal.finish(held.identity, begun.id, answer)
    made = renewal.finish(held.identity, begun.id, answer)
    records = Inventory(portal.authority.database).by_reference(made.card.number)
    assert [record.serial for record in records] == [made.certificate.serial]
