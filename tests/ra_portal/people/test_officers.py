"""Officers are added by administrators, the first one at the console."""

import pytest

from kernel.refusals import Forbidden
from ra_portal.fields import InvalidFields
from ra_portal.people.identity import Role, console
from tests.ra_portal.world import PortalWorld


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
