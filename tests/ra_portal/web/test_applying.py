"""Applying in the browser: drafts, papers, returns field by field, corrections that are marked."""

import io

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ra_portal.applications.queue import Asked
from ra_portal.notices.channels import Channel
from ra_portal.papers.documents import DocumentKind
from ra_portal.people.identity import Role
from tests.ra_portal import samples
from tests.ra_portal.web.browser import Browser, between
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld

NUMBER = samples.identity_number()
OTHER_NUMBER = "11010519491231002X"
"""The sample of GB 11643."""


def save(browser: Browser, values: dict[str, str], **files: tuple[bytes, str]) -> TestResponse:
    """As the page's script does."""
    page = browser.text("/apply")
    token = between(r'name="csrf_token" value="([^"]+)"', page)
    version = between(r'name="draft_version" value="([0-9]+)"', page)
    data: dict[str, object] = {"draft_version": version, **values, "csrf_token": token}
    data |= {name: (io.BytesIO(content), named) for name, (content, named) in files.items()}
    return browser.client.post(
        "/apply/draft", data=data, headers={"Accept": "application/json", "Accept-Language": "en"}
    )


def test_what_is_typed_is_saved_and_waits_in_the_form(browser: Browser) -> None:
    saved = save(browser, {"name": "半个企业", "uscc": "123", "identity_number": NUMBER})
    assert saved.status_code == 200
    assert saved.get_json()["saved"].startswith("Saved at ")
    page = browser.text("/apply")
    assert 'value="半个企业"' in page
    assert 'value="123"' in page  # nothing of a draft is examined yet


def test_without_a_script_the_button_saves(browser: Browser) -> None:
    answer = browser.send("/apply", {"name": "按钮企业"}, "/apply/draft")
    assert answer.headers["Location"] == "/apply"
    page = browser.text("/apply")
    assert 'value="按钮企业"' in page
    assert "The draft is saved" in page


def test_of_two_tabs_the_later_save_is_refused_and_both_are_offered(browser: Browser) -> None:
    """With a script and without; also where neither tab had a draft when it was opened."""
    first, second = browser.get("/apply"), browser.get("/apply")
    kept = browser.press(first, "Save the draft", {"name": "先存的企业", "region": "浙江 宁波"})
    refused = browser.press(second, "Save the draft", {"name": "后存的企业", "region": "浙江 宁波"})
    assert refused.status_code == 409
    assert "draft.changed" in refused.text
    assert 'value="后存的企业"' in refused.text  # what was typed is kept
    stands = between(r"(?s)<dl class=\"facts\">(.*?)</dl>", refused.text)
    assert "先存的企业" in stands
    assert "浙江 宁波" not in stands  # it is the same in both
    assert 'value="先存的企业"' in browser.text("/apply")

    by_script = save(browser, {"name": "脚本", "draft_version": "0"})
    assert (by_script.status_code, by_script.get_json()["code"]) == (409, "draft.changed")
    handed_in = browser.press(kept, "Hand in the application", {"name": "先存的企业"})
    assert handed_in.status_code == 422  # the newest version: only the fields are looked at
    overwritten = browser.press(refused, "Save the draft")
    assert overwritten.status_code == 200
    assert 'value="后存的企业"' in browser.text("/apply")
    stale = browser.press(kept, "Hand in the application", {"name": "先存的企业"})
    assert stale.status_code == 409
    assert 'value="后存的企业"' in browser.text("/apply")


def test_one_tab_goes_on_with_the_version_of_each_answer(browser: Browser) -> None:
    version = "0"
    for name in ("一", "一个", "一个企业"):
        answer = save(browser, {"name": name, "draft_version": version}).get_json()
        version = str(answer["version"])
    assert version == "3"
    assert 'value="一个企业"' in browser.text("/apply")


def test_a_scan_is_examined_when_it_is_chosen_and_goes_with_the_application(
    browser: Browser, portal: PortalWorld
) -> None:
    refused = save(browser, {}, licence=(b"MZ" + bytes(9000), "licence.png"))
    assert refused.status_code == 422
    assert refused.get_json()["errors"]["licence"] == "the scan must be a PNG, JPEG or PDF file"
    kept = save(browser, {}, licence=(samples.png(), "licence.png"))
    shown = kept.get_json()["papers"]["licence"]
    assert shown["file_name"] == "licence.png"
    assert browser.get(shown["address"]).data.startswith(b"\xff\xd8\xff")
    save(browser, {}, attorney=(samples.pdf(), "attorney.pdf"))

    sent = browser.send("/apply", samples.details())
    assert sent.status_code == 200
    assert 'value="宁波' not in browser.text("/apply")  # the draft is used up
    (application,) = portal.services.queue.page(
        portal.officer(Role.REGISTRAR), Asked()
    ).applications
    papers = portal.services.registration.papers_of(application)
    assert {kind: paper.file_name for kind, paper in papers.items()} == {
        DocumentKind.LICENCE: "licence.png",
        DocumentKind.ATTORNEY: "attorney.pdf",
    }


def test_a_draft_is_continued_on_another_computer_with_its_code(
    browser: Browser, client: FlaskClient
) -> None:
    save(browser, {"name": "带走的企业"})
    shown = browser.send("/apply", {}, "/apply/draft/code").text
    code = between(r'id="draft-code">([^<]+)', shown)
    elsewhere = Browser(client.application.test_client())
    assert elsewhere.send("/apply/continue", {"code": "AAAA-AAAA"}).status_code == 401
    assert elsewhere.send("/apply/continue", {"code": code.lower()}).status_code == 302
    assert 'value="带走的企业"' in elsewhere.text("/apply")
    browser.send("/apply", {}, "/apply/draft/erasure")
    assert 'value="带走的企业"' not in elsewhere.text("/apply")


def test_papers_of_a_draft_are_its_browsers_alone(browser: Browser, client: FlaskClient) -> None:
    kept = save(browser, {}, licence=(samples.png(), "licence.png"))
    address = kept.get_json()["papers"]["licence"]["address"]
    stranger = Browser(client.application.test_client())
    assert stranger.get(address).status_code == 404
    assert stranger.get("/application/papers/licence/1").status_code == 404


def test_a_correction_is_saved_as_it_is_typed_and_waits_on_another_computer(
    browser: Browser, client: FlaskClient, portal: PortalWorld
) -> None:
    page = browser.send("/apply", samples.details(), upload=samples.scan())
    named = {
        "reference": between(r'id="reference">([^<]+)', page.text),
        "access_code": between(r'id="access-code">([^<]+)', page.text),
    }
    found = portal.services.registration.open(*named.values())
    remarks = {"region": "differs-from-licence"}
    portal.services.registration.send_back(portal.officer(Role.REGISTRAR), found.id, "", remarks)
    typed: dict[str, object] = {"region": "浙江 舟山", "identity_number": NUMBER}
    address = "/application/correction/draft"
    opened = browser.get("/application/correction")
    saved = browser.send("/application/correction", typed, address)
    assert saved.location == "/application/correction"
    stale = browser.press(opened, "Save for later", {"region": "浙江 温州"})
    assert (stale.status_code, "浙江 舟山" in stale.text) == (409, True)
    assert NUMBER not in portal.everything_written()

    elsewhere = Browser(client.application.test_client())
    assert elsewhere.send("/apply", typed, address).location == "/status", "not opened there"
    assert elsewhere.send("/status", dict(named)).status_code == 302
    assert 'value="浙江 舟山"' in elsewhere.text("/application/correction")
    assert portal.services.registration.open(*named.values()).details.region == "浙江 宁波"
    corrected = samples.details(region="浙江 舟山")
    assert elsewhere.send("/application/correction", corrected).status_code == 302
    assert portal.column("drafts", "id") == []
    assert portal.column("documents", "id"), "the papers stay"


def test_an_application_comes_back_field_by_field_and_what_changed_is_marked(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    values = samples.details(identity_number=NUMBER)
    browser.send("/apply", values, upload=samples.scan())
    seat.identity = portal.officer(Role.REGISTRAR)
    review = between(
        r'href="(/officer/applications/[0-9a-f]{32})"', browser.text("/officer/applications")
    )
    page = browser.text(review)
    for name in ("name", "licence", "identity_number", "region"):
        assert f'name="remark-{name}" form="decision"' in page
    assert NUMBER not in page
    assert f"{NUMBER[:6]}********{NUMBER[-4:]}" in page
    decision: dict[str, object] = {
        "decision": "return",
        "remark-licence": "licence-illegible",
        "remark-region": "differs-from-licence",
    }
    assert browser.send(review, decision, f"{review}/decision").status_code == 302

    seat.identity = None
    standing = browser.text("/application")
    assert "The scan cannot be read" in standing
    assert "It differs from the licence" in standing
    form = browser.text("/application/correction")
    assert NUMBER not in form
    assert form.count("Why it came back:") == 2
    changed = samples.details(region="浙江 <b>舟山</b>")
    assert browser.send("/application/correction", changed).status_code == 302

    seat.identity = portal.officer(Role.REGISTRAR)
    page = browser.text(review)
    assert '<mark class="changed">浙江 &lt;b&gt;舟山&lt;/b&gt;</mark>' in page
    assert "浙江 宁波</del>" in page
    assert page.count('<mark class="changed">') == 1


def test_the_queue_searches_by_identity_number_in_the_body_alone(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    details = samples.details(identity_number=NUMBER)
    portal.services.registration.apply(details, samples.scan())
    seat.identity = portal.officer(Role.REGISTRAR)
    path = "/officer/applications"
    found = browser.press(browser.get(path), "Search", {"identity_number": NUMBER})
    assert str(details["name"]) in found.text
    assert NUMBER not in found.text
    none = browser.press(found, "Search", {"identity_number": OTHER_NUMBER})
    assert "No application names this identity number." in none.text
    assert "shorter part of the name" not in none.text
    assert OTHER_NUMBER not in none.text
    other = browser.press(found, "Search", {"q": "somebody else"})  # beside that result
    assert other.request.path == path
    assert str(details["name"]) not in other.text
    refused = browser.get(f"{path}?q={NUMBER}")
    assert refused.status_code == 422
    assert "identity numbers are searched in their own field" in refused.text


@pytest.mark.parametrize("query", ["after=x", "before=-1-a", "state=nonsense&q=%00"])
def test_a_queue_address_of_nonsense_is_answered(
    browser: Browser, portal: PortalWorld, seat: Seat, query: str
) -> None:
    seat.identity = portal.officer(Role.REGISTRAR)
    assert browser.get(f"/officer/applications?{query}").status_code in (200, 400)


def test_the_reference_is_asked_for_again_and_nothing_is_shown(
    browser: Browser, portal: PortalWorld
) -> None:
    made = portal.services.registration.apply(samples.details(1), samples.scan()).application
    assert 'href="/status/reference"' in browser.text("/status")
    wrong = browser.press(browser.get("/status/reference"), "Send me the reference", {"uscc": "1"})
    assert wrong.status_code == 422
    answers = set()
    for number in (1, 2):  # the second has not applied
        page = browser.get("/status/reference")
        values = {"uscc": samples.uscc(number)}
        answer = browser.press(page, "Send me the reference", values).text
        answers.add(between(r'class="notice toast good"[^>]*>([^<]+)<', answer))
    assert len(answers) == 1
    (letter,) = portal.sent(Channel.MAIL)
    assert made.reference in letter.text


def test_who_applies_reads_whether_the_decision_can_be_told(
    browser: Browser, portal: PortalWorld
) -> None:
    for number, contact, told in (
        (1, {}, "you are told at the address that you left"),
        (2, {"phone": "", "email": ""}, "nobody can tell you of the decision"),
    ):
        details = dict(samples.details(number, **contact))
        page = browser.send("/apply", details, upload=samples.scan())
        assert told in page.text
