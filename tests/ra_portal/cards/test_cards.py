"""The end of cards, and who has charge of them."""

from datetime import timedelta

import pytest

from ca.inventory import CertificateState, Inventory, RevocationReason
from kernel.asn1.certificate import Certificate
from kernel.identifiers import parse_serial
from kernel.refusals import Conflict, Forbidden, NotFound, Unauthenticated, Unprocessable
from ra_portal.cards.card import Card, CardState
from ra_portal.cards.cards import Cards
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.ra_portal.world import PortalWorld, pkcs10


def operator_card(portal: PortalWorld, by: Identity) -> Card:
    added = portal.operator(by, "declare-import")
    return portal.services.enrolment.enrol(added.activation_code, pkcs10()).card


def test_revoking_ends_certificate_card_and_sessions(any_portal: PortalWorld) -> None:
    card = operator_card(any_portal, any_portal.legal_person())
    administrator = any_portal.officer(Role.ADMINISTRATOR)

    ended = any_portal.services.cards.revoke(administrator, card.number, "keyCompromise")

    assert ended.state is CardState.REVOKED
    assert any_portal.ended == [ended]
    record = Inventory(any_portal.authority.database).by_serial(parse_serial(card.serial or ""))
    assert record is not None
    assert (record.state, record.reason) == (
        CertificateState.REVOKED,
        RevocationReason.KEY_COMPROMISE,
    )
    assert any_portal.events(card.number)[-1] == "card.revoked"
    with pytest.raises(Conflict, match=r"card\.state"):
        any_portal.services.cards.revoke(administrator, card.number, "superseded")


def test_a_revocation_that_died_halfway_can_be_repeated(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = operator_card(portal, portal.legal_person())
    administrator = portal.officer(Role.ADMINISTRATOR)

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Cards, "_end", die)
        with pytest.raises(KeyboardInterrupt):
            portal.services.cards.revoke(administrator, card.number, "unspecified")
    ended = portal.services.cards.revoke(administrator, card.number, "superseded")
    assert ended.state is CardState.REVOKED


def test_only_an_administrator_revokes_and_only_for_a_known_reason(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    card = operator_card(portal, owner)
    holder = Identity(HolderKind.OPERATOR, card.holder.id, "张操作")
    for by in (holder, portal.officer(Role.REGISTRAR, Role.APPROVER)):
        with pytest.raises(Forbidden, match=r"role\.missing"):
            portal.services.cards.revoke(by, card.number, "unspecified")
    with pytest.raises(Unprocessable, match=r"card\.reason"):
        portal.services.cards.revoke(
            portal.officer(Role.ADMINISTRATOR), card.number, "cACompromise"
        )


def test_a_card_is_seen_by_its_holder_and_who_has_charge_of_it(portal: PortalWorld) -> None:
    owner, stranger = portal.legal_person(1), portal.legal_person(2)
    card = operator_card(portal, owner)
    holder = Identity(HolderKind.OPERATOR, card.holder.id, "张操作")
    for by in (owner, holder, portal.officer(Role.ADMINISTRATOR), portal.officer(Role.APPROVER)):
        assert portal.services.cards.show(by, card.number.lower()) == card
    for by in (stranger, Identity(HolderKind.OPERATOR, "x", "x")):
        with pytest.raises(Forbidden, match=r"card\.foreign"):
            portal.services.cards.show(by, card.number)
    with pytest.raises(NotFound, match=r"card\.unknown"):
        portal.services.cards.show(owner, "OP-2026-22222222")


def test_a_replaced_card_hands_over_to_one_other(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    card = operator_card(portal, owner)
    new, code = portal.services.cards.replace(owner, card.number)
    assert portal.services.cards.show(owner, card.number).state is CardState.REPLACED
    assert portal.ended[-1].number == card.number
    made = portal.services.enrolment.enrol(code or "", pkcs10()).card
    assert (made.number, made.holder) == (new.number, card.holder)


def test_a_legal_person_cannot_replace_its_own_card(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    own = portal.services.operators.page(owner).card
    assert own is not None
    with pytest.raises(Forbidden, match=r"card\.foreign"):
        portal.services.cards.replace(owner, own.number)


def test_a_revoked_operator_gets_another_card_on_request(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    card = operator_card(portal, owner)
    operators = portal.services.operators
    with pytest.raises(Conflict, match=r"card\.state"):
        operators.new_activation_code(owner, card.holder.id)
    portal.services.cards.revoke(portal.officer(Role.ADMINISTRATOR), card.number, "unspecified")
    another, _ = operators.new_activation_code(owner, card.holder.id)
    assert another.number != card.number


def test_cards_expire_with_their_certificates(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    card = operator_card(portal, owner)
    assert portal.services.cards.expire_overdue() == 0
    assert card.not_after is not None
    portal.authority.clock.advance(card.not_after - portal.authority.clock.now() + timedelta(1))
    assert portal.services.cards.expire_overdue() == 1
    assert portal.services.cards.show(owner, card.number).state is CardState.EXPIRED


def test_cards_are_found_by_holder_number_and_state(any_portal: PortalWorld) -> None:
    owner = any_portal.legal_person()
    card = operator_card(any_portal, owner)
    administrator = any_portal.officer(Role.ADMINISTRATOR)
    search = any_portal.services.cards.search
    for text in ("张操作", card.number, card.serial or ""):
        assert [found.number for found, _ in search(administrator, None, text).cards] == [
            card.number
        ]
    active = search(administrator, CardState.ACTIVE)
    assert [(found.number, name) for found, name in active.cards] == [(card.number, "张操作")]
    assert search(administrator, None, "有限公司").total == 1


def test_a_legal_person_reports_the_loss_of_its_own_operators_cards_only(
    portal: PortalWorld,
) -> None:
    owner, stranger = portal.legal_person(1), portal.legal_person(2)
    card = operator_card(portal, owner)
    own = portal.services.operators.page(owner).card
    assert own is not None
    for by, number in ((stranger, card.number), (owner, own.number)):
        with pytest.raises(Forbidden, match=r"card\.foreign"):
            portal.services.cards.revoke(by, number, "keyCompromise")
    ended = portal.services.cards.revoke(owner, card.number, "keyCompromise")
    assert ended.state is CardState.REVOKED
    assert portal.ended == [ended]


def test_a_closed_enterprises_operators_are_shut_out(any_portal: PortalWorld) -> None:
    portal = any_portal
    owner, clock = portal.legal_person(), portal.authority.clock
    card = operator_card(portal, owner)
    pending = portal.operator(owner, employee_number="E-002").activation_code
    own = portal.services.operators.page(owner).card
    assert own is not None
    before = clock.now()
    clock.advance(timedelta(minutes=1))
    administrator = portal.officer(Role.ADMINISTRATOR)
    portal.services.cards.revoke(administrator, own.number, "cessationOfOperation")

    find = portal.services.directory.by_certificate
    certificate = Certificate.parse(card.certificate or b"")
    then, now = find(certificate, before), find(certificate, clock.now())
    assert then is not None
    assert now is not None
    assert (then.card_state, now.card_state) == ("active", "revoked")
    assert portal.events(str(own.holder)) == ["enterprise.closed"]
    with pytest.raises(Unauthenticated, match=r"enrolment\.code"):
        portal.services.enrolment.enrol(pending, pkcs10())
    with pytest.raises(Conflict, match=r"enterprise\.closed"):
        portal.services.cards.replace(administrator, own.number)


def test_a_lost_legal_person_card_does_not_close_the_enterprise(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    card = operator_card(portal, owner)
    own = portal.services.operators.page(owner).card
    assert own is not None
    portal.services.cards.revoke(portal.officer(Role.ADMINISTRATOR), own.number, "keyCompromise")
    found = portal.services.directory.by_card(card.number, portal.authority.clock.now())
    assert found.card_state == "active"
