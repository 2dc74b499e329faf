"""A change of data in the pages: proposed with the new licence, reviewed, refused, read."""

import html

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
