"""A change of data in the pages: proposed with the new licence, reviewed, refused, read."""

import html
import re

from ra_portal.notices.channels import Channel
from ra_portal.papers.documents import Upload
from ra_portal.people.identity import Role
from tests.ra_portal import samples
from tests.ra_portal.web.browser import Browser, between
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld

NEW = "宁波远航国际物流有限公司"
OWN, LIST = "/enterprise/data", "/officer/changes"


def test_proposed_with_the_licence_reviewed_refused_with_reasons_and_read(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    owner = portal.legal_person()
    seat.identity = owner
    wrong = browser.send(OWN, {"name": NEW, "why": "新执照"}, upload=Upload(b"text", "a.pdf"))
    assert wrong.status_code == 422
    assert 'href="#licence"' in wrong.text
    sent = browser.send(OWN, {"name": NEW, "why": "新执照"}, upload=samples.scan())
    assert sent.location == OWN

    seat.identity = portal.officer(Role.APPROVER, name="陈审核")
    listed = browser.text(LIST)
    assert owner.name in listed
    assert samples.uscc(1) in listed
    assert "Name as on the business licence" in listed
    address = between(rf'href="({LIST}/[0-9a-f]{{32}})"', listed)
    page = browser.get(address)
    assert f'href="/officer/enterprises/{owner.subject}"' in page.text
    assert "the enterprise itself" in page.text
    picture = between(rf'<img class="preview" src="({address}/licence/1)"', page.text)
    assert browser.get(picture).mimetype == "image/jpeg"

    silent = browser.press(page, "Refuse the change")
    assert silent.status_code == 400
    assert 'href="#reasons"' in silent.text
    reasons = {"remark-name": "differs-from-licence", "remark-licence": "licence-illegible"}
    for name, code in reasons.items():  # with the form, though they stand in the table
        choice = between(rf'(?s)<select name="{name}" form="decision"(.*?)</select>', page.text)
        assert f'value="{code}"' in choice
    refusal = {"decision": "refuse", "reasons": "请重新扫描", **reasons}
    assert browser.send(address, dict(refusal)).location == LIST
    assert "Refused." in browser.text(LIST)
    again = browser.send(address, {"decision": "approve"})
    assert again.status_code == 409
    assert "陈审核" in again.text

    seat.identity = owner
    read = html.unescape(browser.text(OWN))
    for told in ("It differs from the licence", "The scan cannot be read", "请重新扫描"):
        assert told in read


def test_a_reason_of_the_list_stands_for_the_whole_change(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    owner = portal.legal_person()
    added = portal.operator(owner)
    changes = portal.services.data_changes
    change = changes.propose(owner, added.view.operator.holder, {"name": "章操作"}, "更名")
    seat.identity = portal.officer(Role.APPROVER)
    page = browser.get(f"{LIST}/{change.id}")
    assert "Operator's name" in html.unescape(page.text)
    assert "No new licence came" not in page.text, "an operator has none"
    browser.press(page, "Refuse the change", {"refusal": "differs-from-document"})
    shown = browser.text(f"{LIST}/{change.id}")
    assert "姓名与身份证件不一致 / The name is not that of the identity document" in shown


def test_who_proposed_a_change_is_told_that_another_must_approve_it(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    added = portal.operator(portal.legal_person())
    seat.identity = portal.officer(Role.REGISTRAR, Role.APPROVER)
    holder = added.view.operator.holder
    change = portal.services.data_changes.propose(seat.identity, holder, {"name": "章"}, "更名")
    page = browser.text(f"{LIST}/{change.id}")
    assert "Another officer who approves must decide on it." in page
    assert 'value="approve"' not in page


def test_an_operators_name_is_changed_from_the_operators_page(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = owner = portal.legal_person()
    operator = portal.operator(owner).view.operator
    own = f"/enterprise/operators/{operator.id}"
    form = browser.get(between(r'href="([^"]+/data)"', browser.text(own)))
    assert form.request.path == f"{own}/data"
    for name, why, field in (("章\u200b操作", "更名", "name"), ("章操作", " ", "why")):
        wrong = browser.press(form, "Propose the change", {"name": name, "why": why})
        assert wrong.status_code == 422
        assert f'href="#{field}"' in wrong.text
        assert re.search(rf'<input id="{field}"[^>]*aria-invalid="true"', wrong.text)
    both = browser.press(form, "Propose the change", {"name": "章\u200b操作", "why": ""})
    assert ('href="#name"' in both.text, 'href="#why"' in both.text) == (True, True), "at once"
    same = browser.press(form, "Propose the change", {"name": operator.name, "why": "更名"})
    assert (same.status_code, "nothing would change" in same.text) == (422, True)

    waits = browser.press(form, "Propose the change", {"name": "章操作", "why": "更名"})
    assert waits.status_code == 200
    told = html.unescape(waits.text)
    assert "The change is on its way to an officer." in told
    assert "Waiting for approval" in told
    twice = browser.press(form, "Propose the change", {"name": "章小操", "why": "更名"})
    assert (twice.status_code, "waits for its decision" in twice.text) == (422, True)
    assert "章操作" not in browser.text(OWN), "the enterprise's own data are another page"

    seat.identity = portal.officer(Role.APPROVER)
    review = browser.get(between(rf'href="({LIST}/[0-9a-f]{{32}})"', browser.text(LIST)))
    assert browser.press(review, "Approve").status_code == 200
    seat.identity = owner
    assert "章操作" in browser.text(own)
    done = browser.text(f"{own}/data")
    assert f'<del class="before">{operator.name}</del>' in done
    assert "Approved" in done
    (letter,) = portal.sent(Channel.MAIL)
    assert f"{own}/data" in letter.text, "it is read where it was proposed"


def test_only_the_own_enterprise_has_the_page_of_an_operators_data(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    operator = portal.operator(portal.legal_person()).view.operator
    page = f"/enterprise/operators/{operator.id}/data"
    seat.identity = portal.legal_person(2)
    assert browser.get(page).status_code == 404
    seat.identity = portal.officer(Role.REGISTRAR)
    assert browser.get(page).status_code == 403
