"""A locked or expired legal-person card comes back without post, counter or PIN reset."""

import hashlib
import json
import re
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select

from ca.inventory import CertificateState, Inventory, RevocationReason
from ca.revocation import Revocation
from kernel.identifiers import parse_serial
from kernel.refusals import Conflict, Forbidden, Malformed, Unauthenticated
from policies.card_life import card_life_policy
from ra_portal.applications.application import ApplicationState
from ra_portal.applications.queue import Asked
from ra_portal.cards.card import Card, CardState
from ra_portal.cards.card_moves import Move
from ra_portal.cards.recovery_rows import RecoveryState
from ra_portal.cards.tables import recoveries
from ra_portal.imports.columns import ImportKind
from ra_portal.notices.channels import Channel
from ra_portal.papers.documents import Upload
from ra_portal.people import people_rows
from ra_portal.people.identity import Identity, Role
from ra_portal.spreadsheets.writing import SheetFormat, write
from records.journal import records
from tests.at_once import at_once
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, pkcs10

COOLING = timedelta(days=card_life_policy().recovery.contact_days)
WHY, CHECKED = "PIN 输错被锁定", "licence seen, called back"


def enterprise(portal: PortalWorld) -> tuple[Identity, Card]:
    """With a made legal-person card, reachable both ways."""
    owner = portal.legal_person()
    card = portal.services.operators.page(owner).card
    assert card is not None
    portal.services.cards.new_activation_code(portal.officer(Role.ADMINISTRATOR), card.number)
    code = portal.services.cards.confirm_code(portal.officer(Role.APPROVER), card.number)[1]
    made = portal.services.enrolment.enrol(code, pkcs10()).card
    contact = {"phone": "+8613900000000", "email": "legal@example.com"}
    portal.services.contacts.change(owner, made.number, contact)
    portal.authority.clock.advance(COOLING)
    return owner, made


def half(portal: PortalWorld, channel: Channel) -> str:
    found = re.search(
        r"(?:[2-9A-HJ-NP-Z]{4}-){2,3}[2-9A-HJ-NP-Z]{4}", portal.sent(channel)[-1].text
    )
    assert found is not None
    return found[0]


def secret_was_sent(portal: PortalWorld) -> bool:
    letters = [letter for channel in Channel for letter in portal.sent(channel)]
    return any("一次性密码" in letter.text for letter in letters)


def test_two_officers_and_two_channels_bring_a_locked_card_back(any_portal: PortalWorld) -> None:
    portal = any_portal
    owner, old = enterprise(portal)
    recovery = portal.services.recovery
    recovery.ask(samples.uscc(), WHY)
    first, second = portal.officer(Role.APPROVER), portal.officer(Role.ADMINISTRATOR)
    (case,) = recovery.waiting(first).shown
    assert (case.card, case.needed, case.contact.email) == (old.number, 2, "l***@example.com")

    assert recovery.approve(first, case.id, CHECKED).state is RecoveryState.ASKED
    assert not secret_was_sent(portal)
    assert portal.services.cards.show(owner, old.number).state is CardState.ACTIVE
    granted = recovery.approve(second, case.id, CHECKED)

    assert granted.state is RecoveryState.GRANTED
    halves = half(portal, Channel.MAIL), half(portal, Channel.SMS)
    for alone in (*halves, halves[1] + halves[0], halves[0] * 2):
        with pytest.raises(Unauthenticated, match=r"enrolment\.code"):
            portal.services.enrolment.enrol(alone, pkcs10())
    made = portal.services.enrolment.enrol("".join(halves), pkcs10()).card
    assert (made.holder, made.predecessor, made.state) == (
        old.holder,
        old.number,
        CardState.ACTIVE,
    )
    record = Inventory(portal.authority.database).by_serial(parse_serial(old.serial or ""))
    assert record is not None
    assert (record.state, record.reason) == (
        CertificateState.REVOKED,
        RevocationReason.SUPERSEDED,
    )
    assert [(card.number, card.state) for card in portal.ended] == [
        (old.number, CardState.REPLACED)
    ]
    move = portal.services.life.history(owner, old.number)[-1]
    assert move.move is Move.RECOVER
    assert move.evidence is not None
    told = json.loads(move.evidence.content)
    assert {each["officer"] for each in told["approvals"]} == {first.subject, second.subject}
    assert portal.events(old.number)[-4:] == [
        "recovery.asked",
        "recovery.approved",
        "recovery.approved",
        "card.recovered",
    ]
    everything = portal.everything_written()
    assert all(part.replace("-", "") not in everything.replace("-", "") for part in halves)


def test_an_expired_card_is_recovered_too(portal: PortalWorld) -> None:
    owner, old = enterprise(portal)
    assert old.not_after is not None
    portal.authority.clock.advance(old.not_after - portal.authority.clock.now() + timedelta(1))
    portal.services.cards.expire_overdue()
    recovery = portal.services.recovery
    recovery.ask(samples.uscc(), "已过期")
    (case,) = recovery.waiting(portal.officer(Role.APPROVER)).shown
    for _ in range(2):
        recovery.approve(portal.officer(Role.APPROVER), case.id, CHECKED)
    assert portal.services.cards.show(owner, old.number).state is CardState.EXPIRED
    both = half(portal, Channel.MAIL) + half(portal, Channel.SMS)
    assert portal.services.enrolment.enrol(both, pkcs10()).card.state is CardState.ACTIVE


def test_nobody_agrees_twice_and_not_everybody_may(portal: PortalWorld) -> None:
    owner, _ = enterprise(portal)
    recovery = portal.services.recovery
    recovery.ask(samples.uscc(), WHY)
    officer = portal.officer(Role.APPROVER)
    (case,) = recovery.waiting(officer).shown
    recovery.approve(officer, case.id, CHECKED)
    with pytest.raises(Forbidden, match=r"recovery\.same-officer"):
        recovery.approve(officer, case.id, CHECKED)
    for by in (owner, portal.officer(Role.REGISTRAR)):
        with pytest.raises(Forbidden, match=r"role\.missing"):
            recovery.approve(by, case.id, CHECKED)
    with pytest.raises(Malformed):
        recovery.approve(portal.officer(Role.APPROVER), case.id, " ")
    recovery.refuse(portal.officer(Role.APPROVER), case.id, "nobody answers")
    with pytest.raises(Conflict, match=r"recovery\.decided"):
        recovery.approve(portal.officer(Role.APPROVER), case.id, CHECKED)
    assert not secret_was_sent(portal)


def test_who_cannot_be_reached_both_ways_comes_to_the_counter(portal: PortalWorld) -> None:
    owner, card = enterprise(portal)
    contact = {"phone": "", "email": "a@example.com"}
    portal.services.contacts.change(owner, card.number, contact)
    recovery = portal.services.recovery
    recovery.ask(samples.uscc(), WHY)
    (case,) = recovery.waiting(portal.officer(Role.APPROVER)).shown
    with pytest.raises(Conflict, match=r"recovery\.unreachable"):
        recovery.approve(portal.officer(Role.APPROVER), case.id, CHECKED)


def test_a_stranger_learns_nothing_and_floods_nobody(portal: PortalWorld) -> None:
    enterprise(portal)
    recovery, officer = portal.services.recovery, portal.officer(Role.APPROVER)
    recovery.ask(samples.uscc(9), WHY)
    recovery.ask("' OR 1=1", WHY)
    assert recovery.waiting(officer).shown == []
    for _ in range(6):
        recovery.ask(samples.uscc(), WHY)
        for case in recovery.waiting(officer).shown:
            recovery.refuse(officer, case.id, "again")
    events = portal.events(portal.column("recoveries", "card")[0])
    assert events.count("recovery.asked") == 3


def test_asking_is_the_same_work_whether_there_is_a_card(portal: PortalWorld) -> None:
    """What is read and written would tell a stranger by the time that it takes."""
    enterprise(portal)
    asked, deeds = portal.services.recoveries_asked, list[list[str]]()

    def see(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            deeds[-1].append(" ".join(statement.split()[:3]))

    engine = portal.authority.database.engine
    event.listen(engine, "before_cursor_execute", see)
    try:
        for uscc in (samples.uscc(), samples.uscc(9), "' OR 1=1", "\x00\ud800"):
            deeds.append([])
            asked.ask(uscc, WHY)
    finally:
        event.remove(engine, "before_cursor_execute", see)
    assert deeds == [["INSERT INTO outbox"]] * 4
    officer = portal.officer(Role.APPROVER)
    assert portal.services.recovery.waiting(officer).shown == []
    asked.begin_asked()
    (case,) = portal.services.recovery.waiting(officer).shown
    assert case.why == WHY
    with pytest.raises(Malformed):
        asked.ask(samples.uscc(), "")


def test_what_was_asked_long_ago_is_not_begun(portal: PortalWorld) -> None:
    enterprise(portal)
    portal.services.recoveries_asked.ask(samples.uscc(), WHY)
    portal.authority.clock.advance(timedelta(days=1))
    portal.services.recoveries_asked.begin_asked()
    assert portal.services.recovery.waiting(portal.officer(Role.APPROVER)).shown == []


def test_the_halves_hold_two_days(portal: PortalWorld) -> None:
    enterprise(portal)
    recovery = portal.services.recovery
    recovery.ask(samples.uscc(), WHY)
    (case,) = recovery.waiting(portal.officer(Role.APPROVER)).shown
    for _ in range(2):
        recovery.approve(portal.officer(Role.APPROVER), case.id, CHECKED)
    both = half(portal, Channel.MAIL) + half(portal, Channel.SMS)
    portal.authority.clock.advance(timedelta(hours=48))
    with pytest.raises(Unauthenticated, match=r"enrolment\.code"):
        portal.services.enrolment.enrol(both, pkcs10())


OTHER = {"phone": "+8613900000009", "email": "clerk@example.com"}


def asked(portal: PortalWorld) -> str:
    portal.services.recovery.ask(samples.uscc(), WHY)
    (case,) = portal.services.recovery.waiting(portal.officer(Role.APPROVER)).shown
    return case.id


@pytest.mark.parametrize(
    "changed",
    [OTHER, {**OTHER, "phone": "+8613900000000"}, {**OTHER, "email": "legal@example.com"}],
)
def test_who_put_in_where_the_secret_goes_has_no_say(
    any_portal: PortalWorld, changed: dict[str, str]
) -> None:
    """Neither soon nor late, and whoever changes the rest later does not lift it."""
    portal = any_portal
    owner, card = enterprise(portal)
    clerk = portal.officer(Role.ADMINISTRATOR)
    portal.services.contacts.change(clerk, card.number, changed)
    recovery, case = portal.services.recovery, asked(portal)
    for _ in range(2):
        with pytest.raises(Forbidden, match=r"recovery\.own-contact"):
            recovery.approve(clerk, case, CHECKED)
        portal.authority.clock.advance(COOLING)
    portal.services.contacts.change(portal.officer(Role.ADMINISTRATOR), card.number, changed)
    with pytest.raises(Forbidden, match=r"recovery\.own-contact"):
        recovery.approve(clerk, case, CHECKED)
    own = {"phone": "+8613900000001", "email": "own@example.com"}
    portal.services.contacts.change(owner, card.number, own)
    assert recovery.approve(clerk, case, CHECKED).state is RecoveryState.ASKED


def test_an_approval_does_not_outlive_a_change_of_contact(portal: PortalWorld) -> None:
    """Or an administrator would agree first and change it afterwards."""
    _, card = enterprise(portal)
    recovery, case = portal.services.recovery, asked(portal)
    clerk, honest = portal.officer(Role.ADMINISTRATOR), portal.officer(Role.APPROVER)
    recovery.approve(clerk, case, CHECKED)
    portal.authority.clock.advance(timedelta(minutes=1))
    portal.services.contacts.change(clerk, card.number, OTHER)
    seen = recovery.approve(honest, case, CHECKED)
    assert (seen.state, [each.officer for each in seen.approvals], seen.needed) == (
        RecoveryState.ASKED,
        [honest.subject],
        3,
    )
    assert not secret_was_sent(portal)


def test_after_a_change_of_contact_one_officer_more_must_agree_for_a_while(
    portal: PortalWorld,
) -> None:
    owner, card = enterprise(portal)
    portal.services.contacts.change(owner, card.number, OTHER)
    recovery, case = portal.services.recovery, asked(portal)
    portal.authority.clock.advance(COOLING - timedelta(seconds=1))
    for _ in range(2):
        seen = recovery.approve(portal.officer(Role.APPROVER), case, CHECKED)
        assert (seen.state, seen.needed) == (RecoveryState.ASKED, 3)
    assert not secret_was_sent(portal)
    granted = recovery.approve(portal.officer(Role.APPROVER), case, CHECKED)
    assert granted.state is RecoveryState.GRANTED
    assert secret_was_sent(portal)


def test_a_contact_that_has_stood_a_while_takes_the_usual_number(portal: PortalWorld) -> None:
    owner, card = enterprise(portal)
    portal.services.contacts.change(owner, card.number, OTHER)
    recovery, case = portal.services.recovery, asked(portal)
    portal.authority.clock.advance(COOLING)
    recovery.approve(portal.officer(Role.APPROVER), case, CHECKED)
    granted = recovery.approve(portal.officer(Role.APPROVER), case, CHECKED)
    assert granted.state is RecoveryState.GRANTED


def test_what_a_stranger_wrote_stands_in_no_journal(portal: PortalWorld) -> None:
    owner, old = enterprise(portal)
    recovery = portal.services.recovery
    slander = "王小明 330201 偷了 USB Key"
    recovery.ask(samples.uscc(), slander)
    (case,) = recovery.waiting(portal.officer(Role.APPROVER)).shown
    assert case.why == slander
    for _ in range(2):
        recovery.approve(portal.officer(Role.APPROVER), case.id, CHECKED)
    with portal.authority.database.reading() as connection:
        told = "\n".join(record.facts for record in records(connection, old.number))
    assert hashlib.sha256(slander.encode()).hexdigest() in told
    assert "王小明" not in told
    assert json.dumps("王小明").strip('"') not in told
    assert portal.services.life.history(owner, old.number)[-1].why == f"recovery {case.id}"


def test_a_death_before_the_sessions_end_is_made_up_for(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, old = enterprise(portal)
    case = asked(portal)
    recovery = portal.services.recovery
    recovery.approve(portal.officer(Role.APPROVER), case, CHECKED)

    def die(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Revocation, "revoke", die)
        with pytest.raises(KeyboardInterrupt):
            recovery.approve(portal.officer(Role.APPROVER), case, CHECKED)
    assert portal.ended == []
    assert recovery.withdraw_old() == 1
    assert [card.number for card in portal.ended] == [old.number]
    assert recovery.withdraw_old() == 0


def test_one_row_that_fails_holds_no_other_up(
    portal: PortalWorld, caplog: pytest.LogCaptureFixture
) -> None:
    enterprise(portal)
    recovery = portal.services.recovery
    case = asked(portal)
    for _ in range(2):
        recovery.approve(portal.officer(Role.APPROVER), case, CHECKED)
    with portal.authority.database.transaction() as connection:
        row = connection.execute(select(recoveries)).one()._mapping
        # The first in the walk, and of a card that is nowhere.
        poison = {**row, "id": "0" * 32, "card": "LP-0000-NOWHERE2"}
        connection.execute(insert(recoveries), poison)
    assert recovery.withdraw_old(limit=1) == 1
    assert "1 done, 1 failed" in caplog.text
    assert recovery.withdraw_old(limit=1) == 0
    assert portal.column("recoveries", "settled_at").count(None) == 1  # type: ignore[arg-type]


def test_the_branch_s_own_are_found_behind_any_number_of_others(portal: PortalWorld) -> None:
    head = portal.officer(Role.ADMINISTRATOR)
    branch = portal.services.branches.add(head, "2900", "宁波制卡点", "浙江 宁波")
    enterprise(portal)
    recovery, clock = portal.services.recovery, portal.authority.clock
    recovery.ask(samples.uscc(), WHY)
    with portal.authority.database.transaction() as connection:
        row = connection.execute(select(recoveries)).one()._mapping
        others = [
            {
                **row,
                "id": f"{number:032x}",
                "open_enterprise": f"{number:032x}",
                "asked_at": clock.now() - timedelta(hours=number),
            }
            for number in range(1, 121)
        ]
        connection.execute(insert(recoveries), others)
        own = people_rows.enterprise(connection, row["enterprise_id"])
        twin = replace(own, id="e" * 32, uscc=samples.uscc(7), branch_id=branch.id, identity=None)
        people_rows.add_enterprise(connection, twin)
        mine = {**row, "id": "f" * 32, "enterprise_id": twin.id, "open_enterprise": twin.id}
        connection.execute(insert(recoveries), mine)
    here = portal.officer_at(branch, Role.APPROVER)
    assert [case.id for case in recovery.waiting(here).shown] == ["f" * 32]
    page, seen = recovery.waiting(head), []
    seen += page.shown
    while page.later is not None:
        page = recovery.waiting(head, page.later)
        seen += page.shown
    assert len({case.id for case in seen}) == len(seen) == 122
    assert [case.asked_at for case in seen] == sorted(case.asked_at for case in seen)
    back = recovery.waiting(head, page.earlier, backwards=True)
    assert [case.id for case in back.shown] == [case.id for case in seen[100:120]]


def imported(portal: PortalWorld, clerk: Identity) -> Card:
    """The made legal-person card of an enterprise that an officer typed into a spreadsheet."""
    imports, registration = portal.services.imports, portal.services.registration
    details = samples.details(5)
    head = ["企业名称", "统一社会信用代码", "海关注册编码", "法定代表人", "所在地区", "电话"]
    names = ("name", "uscc", "customs_code", "legal_representative", "region", "phone")
    rows = [[*head, "电子邮箱"], [*(str(details[name]) for name in names), "typed@example.com"]]
    sheet = Upload(write(rows, SheetFormat.XLSX), "导入.xlsx")
    imports.confirm(clerk, imports.preview(clerk, ImportKind.ENTERPRISES, sheet).id)
    registered = Asked((ApplicationState.REGISTERED,))
    (waiting,) = portal.services.queue.page(clerk, registered).applications
    card = registration.approve(portal.officer(Role.APPROVER), waiting.id)[1]
    portal.services.cards.new_activation_code(portal.officer(Role.ADMINISTRATOR), card.number)
    code = portal.services.cards.confirm_code(portal.officer(Role.APPROVER), card.number)[1]
    return portal.services.enrolment.enrol(code, pkcs10()).card


@pytest.mark.parametrize("changed", [{}, {"phone": "+8613900000007"}])
def test_who_imported_where_the_secret_goes_has_no_say(
    portal: PortalWorld, changed: dict[str, str]
) -> None:
    """Nor when somebody else changes the rest of it."""
    clerk = portal.officer(Role.REGISTRAR, Role.APPROVER)
    card = imported(portal, clerk)
    owner = Identity(card.holder.kind, card.holder.id, "x", enterprise_id=card.holder.id)
    if changed:
        kept = {"email": "typed@example.com", **changed}
        portal.services.contacts.change(owner, card.number, kept)
    portal.authority.clock.advance(COOLING)
    recovery = portal.services.recovery
    recovery.ask(samples.uscc(5), WHY)
    (case,) = recovery.waiting(clerk).shown
    assert clerk.actor in case.contact_set_by
    with pytest.raises(Forbidden, match=r"recovery\.own-contact"):
        recovery.approve(clerk, case.id, CHECKED)
    for _ in range(2):
        case = recovery.approve(portal.officer(Role.APPROVER), case.id, CHECKED)
    assert case.state is RecoveryState.GRANTED


# -- several at the same time ----------------------------------------------------------------------


def test_many_who_ask_at_once_begin_one_recovery(postgresql_portal: PortalWorld) -> None:
    portal = postgresql_portal
    _, card = enterprise(portal)
    assert at_once(*(lambda: portal.services.recovery.ask(samples.uscc(), WHY),) * 6) == []
    assert len(portal.services.recovery.waiting(portal.officer(Role.APPROVER)).shown) == 1
    assert portal.events(card.number).count("recovery.asked") == 1


def test_an_officer_who_agrees_twice_at_once_counts_once(postgresql_portal: PortalWorld) -> None:
    portal = postgresql_portal
    enterprise(portal)
    recovery, officer = portal.services.recovery, portal.officer(Role.APPROVER)
    recovery.ask(samples.uscc(), WHY)
    (case,) = recovery.waiting(officer).shown
    refused = at_once(*(lambda: recovery.approve(officer, case.id, CHECKED),) * 4)
    assert [each.code for each in refused] == ["recovery.same-officer"] * 3
    assert not secret_was_sent(portal)


def test_officers_who_agree_at_once_bring_one_card(postgresql_portal: PortalWorld) -> None:
    """Two are needed; of five who agree in the same moment the others come too late."""
    portal = postgresql_portal
    owner, old = enterprise(portal)
    recovery = portal.services.recovery
    officers = [portal.officer(Role.APPROVER, name=f"审核员{each}") for each in range(5)]
    recovery.ask(samples.uscc(), WHY)
    (case,) = recovery.waiting(officers[0]).shown
    acts = [partial(recovery.approve, officer, case.id, CHECKED) for officer in officers]
    refused = at_once(*acts)
    assert [each.code for each in refused] == ["recovery.decided"] * 3
    halves = [
        letter for channel in Channel for letter in portal.sent(channel)
        if "一次性密码" in letter.text
    ]  # fmt: skip
    assert len(halves) == len(Channel), "each half went once"
    assert portal.events(old.number).count("recovery.approved") == 2
    assert portal.ended == [portal.services.cards.show(owner, old.number)]
