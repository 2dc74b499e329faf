"""An enterprise's operators and their rights, now and at any moment before."""

from datetime import timedelta

import pytest

from kernel.refusals import Conflict, Forbidden, NotFound, Unprocessable
from ra_portal.fields import InvalidFields
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, pkcs10


def test_an_operator_is_added_with_rights_and_a_requested_card(any_portal: PortalWorld) -> None:
    owner = any_portal.legal_person()
    added = any_portal.operator(owner, "declare-import", "file-manifest")
    assert added.view.rights == ("declare-import", "file-manifest")
    assert added.view.card is not None
    assert added.view.card.number.startswith("OP-")
    home = any_portal.services.operators.page(owner)
    assert [each.operator for each in home.operators] == [added.view.operator]
    assert any_portal.events(f"operator:{added.view.operator.id}") == [
        "operator.added",
        "operator.rights-granted",
    ]


def test_rights_at_a_past_moment_are_answered_as_they_were(any_portal: PortalWorld) -> None:
    portal, clock = any_portal, any_portal.authority.clock
    owner = portal.legal_person()
    added = portal.operator(owner, "declare-import")
    certificate = portal.services.enrolment.enrol(added.activation_code, pkcs10()).certificate
    operator = added.view.operator.id
    first = clock.now()
    clock.advance(timedelta(hours=1))
    portal.services.operators.set_rights(owner, operator, ["declare-export", "declare-import"])
    clock.advance(timedelta(hours=1))
    withdrawn = clock.now()
    portal.services.operators.set_rights(owner, operator, [])

    def rights(at_hours: float) -> tuple[str, ...]:
        at = first + timedelta(hours=at_hours)
        found = portal.services.directory.by_certificate(certificate, at)
        assert found is not None
        assert tuple(each.right for each in found.grants) == found.rights
        assert all(each.holds_at(at) for each in found.grants)
        return found.rights

    assert rights(-1) == ()
    assert rights(0) == ("declare-import",)
    assert rights(1) == rights(1.9) == ("declare-export", "declare-import")
    assert withdrawn == first + timedelta(hours=2)
    assert rights(2) == rights(100) == ()


def test_the_directory_names_holder_enterprise_and_the_cards_state_of_the_moment(
    portal: PortalWorld,
) -> None:
    owner = portal.legal_person()
    added = portal.operator(owner, "declare-import")
    enrolled = portal.services.enrolment.enrol(added.activation_code, pkcs10())
    clock, number = portal.authority.clock, enrolled.card.number
    signed_at = clock.now() + timedelta(minutes=1)
    clock.advance(timedelta(minutes=2))
    portal.services.cards.revoke(portal.officer(Role.ADMINISTRATOR), number, "unspecified")

    certificate = enrolled.certificate
    then = portal.services.directory.by_certificate(certificate, signed_at)
    now = portal.services.directory.by_certificate(certificate, clock.now())
    assert then is not None
    assert now is not None
    assert (then.card_state, now.card_state) == ("active", "revoked")
    assert (then.kind, then.name, then.card) == (HolderKind.OPERATOR, "张操作", number)
    assert (then.enterprise_uscc, then.customs_code) == (samples.uscc(), "3302900001")
    assert (then.employee_number, then.grants) == ("E-001", added.view.history)
    stranger = portal.authority.authorities.tsa.certificate
    assert portal.services.directory.by_certificate(stranger, clock.now()) is None


def test_an_unknown_right_is_not_granted(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    with pytest.raises(InvalidFields) as refused:
        portal.operator(owner, "declare-war")
    assert refused.value.facts == {"rights": "right.unknown"}
    added = portal.operator(owner)
    with pytest.raises(Unprocessable, match=r"right\.unknown"):
        portal.services.operators.set_rights(owner, added.view.operator.id, ["declare-war"])


def test_an_employee_number_is_taken_once_in_an_enterprise(any_portal: PortalWorld) -> None:
    one, two = any_portal.legal_person(1), any_portal.legal_person(2)
    any_portal.operator(one)
    any_portal.operator(two)
    with pytest.raises(Conflict, match=r"operator\.employee-number-taken"):
        any_portal.operator(one, name="另一人")


def test_an_enterprise_cannot_touch_anothers_operators(portal: PortalWorld) -> None:
    one, two = portal.legal_person(1), portal.legal_person(2)
    operator = portal.operator(one, "declare-import").view.operator.id
    operators = portal.services.operators
    for attempt in (
        lambda: operators.show(two, operator),
        lambda: operators.set_rights(two, operator, []),
        lambda: operators.new_activation_code(two, operator),
    ):
        with pytest.raises(NotFound, match=r"operator\.unknown"):
            attempt()
    assert operators.show(one, operator).rights == ("declare-import",)


def test_an_operator_grants_nobody_anything(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    operator = portal.operator(owner).view.operator
    itself = Identity(
        HolderKind.OPERATOR, operator.id, operator.name, enterprise_id=owner.enterprise_id
    )
    with pytest.raises(Forbidden, match=r"legal-person\.required"):
        portal.services.operators.set_rights(itself, operator.id, ["declare-import"])


@pytest.mark.parametrize("number", ["11010519491231002X", "a b", "", "x" * 33])
def test_an_employee_number_is_no_identity_number(portal: PortalWorld, number: str) -> None:
    with pytest.raises(InvalidFields):
        portal.operator(portal.legal_person(), employee_number=number)
