"""Before a right ends the operator and the enterprise are told, once for each period."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from policies.card_life import card_life_policy
from ra_portal.cards.card import Card, Holder
from ra_portal.notices.channels import Channel
from ra_portal.people import people_rows
from ra_portal.people.identity import HolderKind, Identity, Role
from ra_portal.people.people import Grant
from records.database import new_id
from tests.plans import plan_of
from tests.ra_portal.world import PortalWorld

AHEAD = timedelta(days=card_life_policy().notices.right_days)
LAST_MOMENT = datetime(2030, 12, 31, 16, tzinfo=UTC)
"""Beijing's midnight: the last day is the 31st."""


def granted(portal: PortalWorld, owner: Identity, operator_id: str, until: datetime | None) -> str:
    now = portal.authority.clock.now()
    view = portal.services.operators.grant(owner, operator_id, "declare-import", now, until)
    return view.operator.id


def with_contact(portal: PortalWorld, owner: Identity, card: Card | None, email: str) -> None:
    assert card is not None
    portal.services.contacts.change(owner, card.number, {"email": email, "phone": ""})


def operator(portal: PortalWorld, owner: Identity, number: str = "E-001") -> str:
    added = portal.operator(owner, employee_number=number)
    with_contact(portal, owner, added.view.card, f"{number.lower()}@example.com")
    return added.view.operator.id


def enterprise(portal: PortalWorld, number: int = 1) -> tuple[Identity, Card]:
    owner = portal.legal_person(number)
    (card,) = portal.cards_of(Holder(HolderKind.LEGAL_PERSON, owner.subject))
    with_contact(portal, owner, card, f"owner{number}@example.com")
    return owner, card


def until(portal: PortalWorld, left: timedelta) -> None:
    clock = portal.authority.clock
    clock.advance(LAST_MOMENT - left - clock.now())


def ends(portal: PortalWorld) -> dict[str, list[str]]:
    """What was told of ends of rights, by recipient."""
    told: dict[str, list[str]] = {}
    for letter in portal.sent(Channel.MAIL):
        if "end soon" in letter.subject:
            told.setdefault(letter.to, []).append(letter.text)
    return told


def test_both_are_told_once_which_right_and_its_last_day(any_portal: PortalWorld) -> None:
    portal, give = any_portal, any_portal.services.ending_rights.give_notice
    owner, _ = enterprise(portal)
    worker = operator(portal, owner)
    granted(portal, owner, worker, LAST_MOMENT)
    until(portal, AHEAD + timedelta(minutes=1))
    assert give() == 0
    until(portal, AHEAD)
    assert [give(), give()] == [1, 0]
    until(portal, timedelta(hours=1))
    assert give() == 0
    told = ends(portal)
    assert {to: len(texts) for to, texts in told.items()} == {
        "e-001@example.com": 1, "owner1@example.com": 1,
    }  # fmt: skip
    for (words,) in told.values():
        assert "进口报关（2030-12-31）" in words
        assert "Declare imports (2030-12-31)" in words
        assert "张操作" not in words  # nobody's name leaves by mail
    assert "E-001" in told["owner1@example.com"][0]
    assert portal.events(f"operator:{worker}")[-1] == "operator.right-end-told"


def test_a_right_that_goes_on_is_not_told_until_it_does_not(any_portal: PortalWorld) -> None:
    """The next period follows without a gap; then it is withdrawn before it begins."""
    portal, operators = any_portal, any_portal.services.operators
    owner, _ = enterprise(portal)
    worker = operator(portal, owner)
    granted(portal, owner, worker, LAST_MOMENT)
    view = operators.grant(owner, worker, "declare-import", LAST_MOMENT, None)
    until(portal, timedelta(days=2))
    assert portal.services.ending_rights.give_notice() == 0
    following = next(each for each in view.history if each.valid_until is None)
    operators.withdraw(owner, worker, following.id)
    assert portal.services.ending_rights.give_notice() == 1


def test_what_was_withdrawn_or_has_no_end_or_whose_enterprise_closed_is_not_told(
    portal: PortalWorld,
) -> None:
    owner, card = enterprise(portal)
    gone, stays = operator(portal, owner, "E-001"), operator(portal, owner, "E-002")
    granted(portal, owner, gone, LAST_MOMENT)
    portal.services.operators.set_rights(owner, gone, [])
    granted(portal, owner, stays, None)
    until(portal, timedelta(days=2))
    assert portal.services.ending_rights.give_notice() == 0
    last = operator(portal, owner, "E-003")
    granted(portal, owner, last, LAST_MOMENT)
    administrator = portal.officer(Role.ADMINISTRATOR)
    portal.services.cards.revoke(administrator, card.number, "cessationOfOperation")
    portal.services.ending_rights.give_notice()
    assert ends(portal) == {}


def test_an_enterprise_has_one_message_a_round_and_holds_up_no_other(
    any_portal: PortalWorld,
) -> None:
    portal, give = any_portal, any_portal.services.ending_rights.give_notice
    owner, card = enterprise(portal)
    other, _ = enterprise(portal, 2)
    workers = [operator(portal, owner, f"E-00{number}") for number in (1, 2, 3)]
    for worker in workers:
        granted(portal, owner, worker, LAST_MOMENT)
    granted(portal, other, operator(portal, other, "F-001"), LAST_MOMENT + timedelta(hours=1))
    until(portal, timedelta(days=3))
    with portal.authority.database.transaction() as connection:
        values = {"card": card.number, "time": "-", "act_zh": "-", "act_en": "-"}
        put = portal.services.notices.put
        while put(connection, Channel.MAIL, "x@y.example", "card-moved", values, about=card.number):
            pass
    assert [give(limit=2), give(limit=2)] == [1, 0]  # the day's mails of the first are used up
    assert sorted(ends(portal)) == ["f-001@example.com", "owner2@example.com"]
    portal.authority.clock.advance(timedelta(days=1, seconds=1))
    assert [give(), give()] == [3, 0]
    assert len(ends(portal)["owner1@example.com"]) == 1


def test_ends_are_found_by_their_index(any_portal: PortalWorld) -> None:
    """Whatever was told, withdrawn, is over or has no end."""
    portal, database = any_portal, any_portal.authority.database
    worker = operator(portal, enterprise(portal)[0])
    now = portal.authority.clock.now()
    many = [
        Grant(new_id(), worker, f"right-{number}", now, now + timedelta(days=number % 900), "tests")
        for number in range(5000)
    ]
    with database.transaction() as connection:
        people_rows.add_grants(connection, many)
        if not database.is_sqlite:
            connection.execute(text("ANALYZE grants"))
    plan = plan_of(database, people_rows.ending_grants(now, now + AHEAD, 200))
    assert "ix_grants_ending" in plan, plan
