"""The officers' day: take the next one, decide, go on; what is like it and what was before."""

import html
import re
from datetime import timedelta

import pytest

from ra_portal.cards.card import Holder
from ra_portal.people.identity import HolderKind, Identity, Role, console
from tests.ra_portal import samples
from tests.ra_portal.web.browser import Browser
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld, pkcs10

QUEUE = "/officer/applications"


def waiting(portal: PortalWorld, count: int) -> list[str]:
    """Addresses of their reviews, the longest waiting first."""
    made = []
    for number in range(1, count + 1):
        portal.authority.clock.advance(timedelta(seconds=1))
        registration = portal.services.registration
        made.append(registration.apply(samples.details(number), samples.scan()).application.id)
    return [f"{QUEUE}/{identifier}" for identifier in made]


def test_after_a_decision_the_next_one_opens(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    first, second, third = waiting(portal, 3)
    seat.identity = portal.officer(Role.REGISTRAR)
    taken = browser.send(QUEUE, {}, f"{QUEUE}/next")
    assert taken.location == f"{first}?then=next"
    page = browser.text(taken.location)
    assert re.search(r'name="then" value="next" checked', page)
    decided = browser.send(first, {"decision": "register", "then": "next"}, f"{first}/decision")
    assert decided.location == f"{second}?then=next"
    place = re.search(r'name="skipped" value="([^"]+)"', browser.text(second))
    assert place is not None
    skipped = browser.send(second, {"skipped": place[1]}, f"{QUEUE}/next")
    assert skipped.location == f"{third}?then=next"
    alone = browser.send(third, {"decision": "register"}, f"{third}/decision")
    assert alone.location == third
    assert "checked" not in browser.text(third).partition('name="then"')[2][:40]
    last = browser.send(second, {"decision": "register", "then": "next"}, f"{second}/decision")
    assert last.location == QUEUE
    assert "Nothing more waits for you." in browser.text(QUEUE)
    refused = browser.send(QUEUE, {"skipped": "nonsense"}, f"{QUEUE}/next")
    assert refused.status_code == 400


def test_the_same_person_and_the_past_stand_beside_the_fields(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    person = samples.identity_number()
    registration = portal.services.registration
    one, other = (
        registration.apply(samples.details(n, identity_number=person), samples.scan()).application
        for n in (1, 2)
    )
    officer = seat.identity = portal.officer(Role.REGISTRAR, name="周登记")
    registration.send_back(officer, one.id, "<b>扫描不清</b>", {"name": "differs-from-licence"})
    registration.resubmit(one.id, samples.details(1, name="宁波更正有限公司"), None)
    page = browser.text(f"{QUEUE}/{one.id}")
    assert "There is more of the same" in page
    assert f'href="{QUEUE}/{other.id}"' in page
    assert person not in page
    past = page.split('details class="past"')[1].split("</details>")[0]
    assert past.index("Corrected and handed in again") < past.index("Returned for correction")
    assert "&lt;b&gt;扫描不清" in past
    assert "It differs from the licence" in past
    assert "(周登记)" in past
    free = registration.apply(samples.details(9), samples.scan()).application.id
    assert "There is more of the same" not in browser.text(f"{QUEUE}/{free}")


@pytest.mark.parametrize("roles", [(Role.ADMINISTRATOR,), (Role.APPROVER,)])
def test_the_queue_is_narrowed_to_a_branch_and_to_what_nobody_has(
    browser: Browser, portal: PortalWorld, seat: Seat, roles: tuple[Role, ...]
) -> None:
    administrator = portal.officer(Role.ADMINISTRATOR)
    branch = portal.services.branches.add(administrator, "2201", "宁波制卡点", "浙江")
    registrar = portal.officer(Role.REGISTRAR)
    registration = portal.services.registration
    here = registration.apply(samples.details(1, branch="2201"), samples.scan()).application
    there = registration.apply(samples.details(2), samples.scan()).application
    portal.services.assignments.assign(registrar, there.id, registrar.subject)
    seat.identity = portal.officer(*roles)
    for narrowed in ("?branch=2201", "?unassigned=1", "?branch=2201&unassigned=1"):
        page = browser.text(QUEUE + narrowed)
        assert here.reference in page
        assert there.reference not in page
    assert there.reference in browser.text(QUEUE)
    assert ("Take the next one" in page) is (Role.APPROVER in roles)
    portal.authority.clock.advance(timedelta(hours=30))
    assert "1 day" in browser.text(QUEUE)
    seat.identity = portal.officer_at(branch, Role.REGISTRAR)
    assert 'name="branch"' not in browser.text(QUEUE)
    assert there.reference not in browser.text(QUEUE + "?branch=")


def test_whoever_has_left_stands_apart_and_everybody_with_the_branch(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    administrator = seat.identity = portal.officer(Role.ADMINISTRATOR, name="陈管理")
    branch = portal.services.branches.add(administrator, "2201", "宁波制卡点", "浙江")
    leaver = portal.officer_at(branch, Role.REGISTRAR)
    page = browser.text("/admin/officers")
    assert "宁波制卡点" in page
    assert "without a card" not in page
    (card,) = portal.cards_of(Holder(HolderKind.OFFICER, leaver.subject))
    portal.services.cards.revoke(console("root"), card.number, "affiliationChanged")
    here, gone = browser.text("/admin/officers").split("1 officer without a card")
    assert card.number not in here
    assert card.number in gone


def test_the_policies_tell_how_applications_are_dealt_with(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    page = html.unescape(browser.text("/admin/policies"))
    rules = portal.services.policy
    for hours in (rules.remind_after_hours, rules.escalate_after_hours):
        assert f"after {hours} hours without a move" in page
    assert all(reason.name_en in page for reason in rules.reasons)
    assert 'href="/cps"' in page


def test_a_note_is_left_for_the_next_officer_and_not_for_the_applicant(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    browser.send("/apply", samples.details(), upload=samples.scan())
    seat.identity = portal.officer(Role.REGISTRAR, name="周登记")
    review = browser.text(QUEUE).partition(f'href="{QUEUE}/')[2][:32]
    address = f"{QUEUE}/{review}"
    left = browser.send(address, {"note": "<i>已致电</i>"}, f"{address}/notes")
    assert left.status_code == 302
    page = browser.text(address)
    assert "&lt;i&gt;已致电" in page
    assert browser.send(address, {"note": ""}, f"{address}/notes").status_code == 400
    seat.identity = None
    assert "已致电" not in browser.text("/application")


def test_an_officers_roles_are_changed_on_the_officers_page_by_two(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    one, other = portal.officer(Role.ADMINISTRATOR), portal.officer(Role.ADMINISTRATOR)
    portal.services.branches.add(one, "2900", "宁波制卡点", "浙江 宁波")
    clerk = portal.officer(Role.REGISTRAR, name="孙登记")
    seat.identity, page = one, f"/admin/officers/{clerk.subject}"
    assert f'href="{page}"' in browser.text("/admin/officers")
    assert "Recovery officer" not in browser.text(page), "roles of other families are not offered"
    for values, told in (
        ({"why": "x"}, "choose at least one of the roles"),
        ({"roles": "registrar", "why": "x"}, "nothing would change"),
        ({"roles": "approver", "why": ""}, "this field must be filled in"),
    ):
        refused = browser.send(page, {"act": "change", **values})
        assert refused.status_code == 422
        assert told in refused.text
    proposed = browser.send(
        page, {"act": "change", "roles": "approver", "branch": "2900", "why": "调至宁波"}
    )
    assert proposed.location == "/admin/officer-changes"
    waiting = browser.get(proposed.location)
    assert "调至宁波" in waiting.text
    assert 'value="confirm"' not in waiting.text, "who proposed it only takes it back"
    assert browser.send(page, {"act": "leave", "why": "离职"}).status_code == 422
    seat.identity = other
    done = browser.press(browser.get("/admin/officer-changes"), "Confirm")
    assert "No change waits" in done.text
    shown = browser.text(page)
    assert re.search(r"宁波制卡点", shown)
    leaving = browser.press(browser.get(page), "Propose that the officer leaves", {"why": "离职"})
    assert "Withdraw" in leaving.text
    seat.identity = one
    browser.press(browser.get("/admin/officer-changes"), "Confirm")
    assert "Propose the change" not in browser.text(page)
    assert browser.text("/admin/officers").partition("<details>")[2].count("孙登记") == 1
    assert "Nobody changes the own roles" in browser.text(f"/admin/officers/{one.subject}")


def test_an_administrators_card_is_ended_by_two_from_its_page(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    def with_card(role: Role, name: str) -> tuple[Identity, str]:
        by = console("tests")
        added = portal.services.officers.add(by, name, [role], emergency="for the tests")
        assert added.activation_code is not None
        portal.services.enrolment.enrol(added.activation_code, pkcs10())
        return Identity(
            HolderKind.OFFICER, added.officer.id, name, frozenset({role})
        ), added.card.number

    one, own = with_card(Role.ADMINISTRATOR, "赵管理")
    _, number = with_card(Role.ADMINISTRATOR, "钱管理")
    approver, _ = with_card(Role.APPROVER, "孙审核")
    seat.identity = one
    page = browser.get(f"/cards/{number}")
    assert "two officers end it" in page.text
    for gone in ("Revoke the card", "Replace the card", "Report the card lost"):
        assert gone not in page.text
    assert "Freeze the card" in page.text
    act = "Propose that the card ends"
    wrong = browser.press(page, act, {"why": ""})
    assert wrong.status_code == 422
    for field in ("reason", "why"):
        assert f'href="#{field}"' in wrong.text
        assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', wrong.text)
    led_to = browser.press(page, act, {"reason": "keyCompromise", "why": "USB Key 遗失"})
    assert led_to.request.path == "/admin/officer-changes"
    assert f'href="/cards/{number}"' in led_to.text
    for refused in ("revocation", "loss-report", "replacement"):
        values = {"confirmation": number, "reason": "keyCompromise"}
        answer = browser.send(f"/cards/{number}", dict(values), f"/cards/{number}/{refused}")
        assert (answer.status_code, "ended by two officers" in answer.text) == (409, True), refused
    assert act not in browser.text(f"/cards/{own}"), "not of the own card"
    assert "Report the card lost" in browser.text(f"/cards/{own}"), "the own loss"
    seat.identity = approver
    waiting = browser.get("/admin/officer-changes")
    assert "The USB key is lost" in html.unescape(waiting.text)
    assert f'href="/cards/{number}"' not in waiting.text, "an approver does not see it"
    browser.press(waiting, "Confirm")
    seat.identity = one
    assert "Revoked" in browser.text(f"/cards/{number}")
