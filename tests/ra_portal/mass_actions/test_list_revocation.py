"""Certificates of a list are revoked, those of cards and those of none, whoever dies meanwhile."""

import pytest
from sqlalchemy import select

from ca.inventory import CertificateState, Inventory
from ca.mass.job import MassRevocation
from ca.tables import mass_items
from kernel.identifiers import Serial, parse_serial
from kernel.refusals import Unavailable
from ra_portal.mass_actions import list_revocation
from ra_portal.mass_actions.listed import Listed, sort_out
from ra_portal.mass_actions.mass_actions import MassActions
from tests.ca.world import operator_request
from tests.ra_portal.world import PortalWorld, pkcs10

OFFICERS = ["officer:one", "officer:two"]


def mass_of(portal: PortalWorld) -> MassRevocation:
    world = portal.authority
    return MassRevocation(world.database, world.journal, world.outbox, world.clock)


def list_of(portal: PortalWorld) -> tuple[list[Serial], Listed]:
    """A card's certificate, and one that no card has."""
    added = portal.operator(portal.legal_person(1))
    card = portal.services.enrolment.enrol(added.activation_code, pkcs10()).card
    issuing = portal.authority.issuing
    alone = issuing.issue(issuing.prepare("operator", operator_request())).serial
    serials = [parse_serial(card.serial or ""), alone]
    with portal.authority.database.reading() as connection:
        found = sort_out(connection, serials)
    assert (len(found.of_cards), len(found.without_card)) == (1, 1)
    return serials, found


def states(portal: PortalWorld, serials: list[Serial]) -> list[CertificateState]:
    inventory = Inventory(portal.authority.database)
    return [record.state for each in serials if (record := inventory.by_serial(each)) is not None]


def test_what_has_no_card_is_planned_before_the_cards_are_moved(
    any_portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends in its first turn; what the worker does is all that is done."""
    portal = any_portal
    actions, mass = portal.services.mass_actions, mass_of(portal)
    serials, found = list_of(portal)

    def gone(*_: object) -> int:
        raise Unavailable("database.unavailable", "the database did not answer")

    planned = list_revocation.plan(actions, OFFICERS, found, "keyCompromise")
    with monkeypatch.context() as failing:
        failing.setattr(MassActions, "run", gone)
        with pytest.raises(Unavailable):
            list_revocation.finish(actions, mass, planned)
    assert states(portal, serials) == [CertificateState.ISSUED] * 2
    assert actions.run() == 1
    for job in mass.unfinished():
        mass.go_on(job)
    assert states(portal, serials) == [CertificateState.REVOKED] * 2


@pytest.mark.parametrize("where", [(MassRevocation, "start"), (MassActions, "_record")])
def test_the_list_is_planned_whole_or_not_at_all(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch, where: tuple[type, str]
) -> None:
    _, found = list_of(portal)
    actions, whole, calls = portal.services.mass_actions, getattr(*where), []

    def dies_at_the_second(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(*where, dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        list_revocation.plan(actions, OFFICERS, found, "superseded")
    assert mass_of(portal).unfinished() == []
    assert not actions.has_work()
    assert portal.column("ca_mass_items", "serial") == []


@pytest.mark.parametrize("of_cards", [True, False])
def test_a_command_waits_for_what_another_node_has_in_hand(
    postgresql_portal: PortalWorld, of_cards: bool
) -> None:
    portal = postgresql_portal
    actions, mass = portal.services.mass_actions, mass_of(portal)
    serials, found = list_of(portal)
    planned = list_revocation.plan(actions, OFFICERS, found, "superseded")
    job = planned.job if not of_cards else portal.column("mass_actions", "job")[0]
    waits: list[float] = []
    with portal.authority.database.engine.connect() as other:
        other.execute(select(mass_items).where(mass_items.c.job == job).with_for_update())

        def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 2:
                other.rollback()  # the other node has died
            assert len(waits) < 10

        done = list_revocation.finish(actions, mass, planned, wait)
    assert len(waits) >= 2
    assert min(waits) > 0
    assert (done["cards_revoked"], done["revoked_without_card"]) == (1, 1)
    assert states(portal, serials) == [CertificateState.REVOKED] * 2
