"""Officers are added by administrators, the first one at the console."""

import pytest

from kernel.refusals import Forbidden
from ra_portal.fields import InvalidFields
from ra_portal.people.identity import Role, console
from tests.ra_portal.world import PortalWorld, pkcs10


def test_an_administrator_adds_officers(any_portal: PortalWorld) -> None:
    first = any_portal.officer(Role.ADMINISTRATOR, name="首席管理员")
    any_portal.services.officers.add(first, "孙登记", [Role.REGISTRAR])
    listed = any_portal.services.officers.all(first)
    assert {officer.name for officer, _ in listed} == {"首席管理员", "孙登记"}
    assert all(card is not None and card.number.startswith("OF-") for _, card in listed)


def test_no_other_role_adds_officers(portal: PortalWorld) -> None:
    for by in (portal.officer(Role.REGISTRAR, Role.APPROVER), portal.legal_person()):
        with pytest.raises(Forbidden, match=r"role\.missing"):
            portal.services.officers.add(by, "某人", [Role.ADMINISTRATOR])


@pytest.mark.parametrize("roles", [[], ["root"], ["registrar", "root"]])
def test_a_role_is_one_of_the_tables(portal: PortalWorld, roles: list[str]) -> None:
    with pytest.raises(InvalidFields) as refused:
        portal.services.officers.add(console("root"), "某人", roles)
    assert refused.value.facts == {"roles": "officer.role"}


def test_the_console_moves_an_officer_s_card_only_while_nobody_with_a_card_can(
    portal: PortalWorld,
) -> None:
    services, by = portal.services, console("root")
    early = services.officers.add(by, "某人", [Role.REGISTRAR])
    services.cards.revoke(by, early.card.number, "superseded")
    first = services.officers.add(by, "首席管理员", [Role.ADMINISTRATOR])
    assert first.activation_code is not None
    later = services.officers.add(by, "某人", [Role.REGISTRAR])
    services.enrolment.enrol(first.activation_code, pkcs10())
    acts = (
        lambda: services.cards.revoke(by, later.card.number, "superseded"),
        lambda: services.cards.replace(by, later.card.number),
        lambda: services.cards.new_activation_code(by, later.card.number),
        lambda: services.life.freeze(by, first.card.number, "why"),
    )
    for act in acts:
        with pytest.raises(Forbidden, match=r"console\.use-card"):
            act()
