"""Officers with cards, for tests of what officers do."""

from ra_portal.people.identity import HolderKind, Identity, Role, console
from tests.ra_portal.world import PortalWorld, pkcs10


def with_card(portal: PortalWorld, *roles: Role, name: str = "李审核") -> Identity:
    """An officer whose card is made; by the console, which says why."""
    added = portal.services.officers.add(console("tests"), name, roles, emergency="for the tests")
    assert added.activation_code is not None
    portal.services.enrolment.enrol(added.activation_code, pkcs10())
    return Identity(HolderKind.OFFICER, added.officer.id, name, frozenset(roles))
