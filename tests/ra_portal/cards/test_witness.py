"""An officer at the counter sees the key made on a token; nothing else proves that it was."""

from datetime import timedelta

import pytest

from kernel.asn1.certificate import Certificate
from kernel.refusals import Conflict, Forbidden
from ra_portal.cards.card import Card
from ra_portal.fields import InvalidFields
from ra_portal.people.identity import HolderKind, Identity, Role, console
from tests.ra_portal.world import PortalWorld, pkcs10


def made(portal: PortalWorld) -> Card:
    """A card with a plain software key, which any activation code enrols."""
    code = portal.operator(portal.legal_person()).activation_code
    return portal.services.enrolment.enrol(code, pkcs10()).card


def test_a_key_counts_as_a_tokens_from_the_moment_an_officer_saw_it(
    any_portal: PortalWorld,
) -> None:
    card, clock = made(any_portal), any_portal.authority.clock
    assert card.certificate is not None
    certificate = Certificate.parse(card.certificate)
    find = any_portal.services.directory.by_certificate
    before = find(certificate, clock.now())
    assert before is not None
    assert before.key_witness is None

    clock.advance(timedelta(minutes=5))
    officer = any_portal.officer(Role.REGISTRAR, name="李见证")
    seen = any_portal.services.cards.witness(officer, card.number, "ePass 3003", "00A1")
    assert (seen.witnessed_by, seen.token_serial) == (officer.subject, "00A1")
    now, then = (
        find(certificate, clock.now()),
        find(certificate, clock.now() - timedelta(minutes=1)),
    )
    assert now is not None
    assert then is not None
    assert then.key_witness is None
    assert now.key_witness is not None
    assert all(word in now.key_witness for word in ("李见证", "ePass 3003", "00A1"))
    assert any_portal.events(card.number)[-1] == "card.witnessed"
    with pytest.raises(Conflict, match=r"card\.witnessed"):
        any_portal.services.cards.witness(officer, card.number, "ePass 3003", "00A2")


def test_only_a_registrar_or_approver_in_person_witnesses(portal: PortalWorld) -> None:
    card = made(portal)
    holder = Identity(HolderKind.OPERATOR, card.holder.id, "张操作")
    for by in (holder, console("root"), portal.officer(Role.ADMINISTRATOR)):
        with pytest.raises(Forbidden, match=r"role\.missing"):
            portal.services.cards.witness(by, card.number, "ePass", "1")


def test_an_officer_is_no_witness_of_the_own_card(portal: PortalWorld) -> None:
    added = portal.services.officers.add(console("root"), "赵审批", [Role.APPROVER])
    code = added.activation_code or ""
    card = portal.services.enrolment.enrol(code, pkcs10()).card
    roles = frozenset({Role.APPROVER})
    own = Identity(HolderKind.OFFICER, added.officer.id, "赵审批", roles)
    with pytest.raises(Forbidden, match=r"card\.own"):
        portal.services.cards.witness(own, card.number, "ePass", "1")


def test_what_is_not_made_cannot_be_witnessed_nor_by_nothing(portal: PortalWorld) -> None:
    officer = portal.officer(Role.APPROVER)
    requested = portal.operator(portal.legal_person()).view.card
    assert requested is not None
    with pytest.raises(Conflict, match=r"card\.state"):
        portal.services.cards.witness(officer, requested.number, "ePass", "1")
    for model, serial in (("", "1"), ("ePass", " "), ("x" * 33, "1"), ("ePass", "\x00")):
        with pytest.raises(InvalidFields):
            portal.services.cards.witness(officer, requested.number, model, serial)
