"""The pages: what each person sees, may do, and is told."""

import io
import re

import pytest
from flask.testing import FlaskClient

from ra_portal.applications.application import ApplicationState
from ra_portal.days import day_of
from ra_portal.notices.channels import Channel, Letter
from ra_portal.papers.documents import Upload
from ra_portal.people.identity import Identity, Role
from records.outbox import Undeliverable
from tests.ra_portal import samples
from tests.ra_portal.web.browser import Browser, between
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld, pkcs10

SHOW, PROPOSE = "Show what would happen", "Propose it to another officer"


def test_an_enterprise_applies_and_follows_its_application(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    page = browser.send("/apply", samples.details(), upload=samples.scan())
    assert page.status_code == 200
    reference = between(r'id="reference">([^<]+)', page.text)
    code = between(r'id="access-code">([^<]+)', page.text)
    assert page.headers["Cache-Control"] == "no-store"
    assert "Waiting for examination" in browser.text("/application")

    seat.identity = portal.officer(Role.REGISTRAR)
    queue = browser.text("/officer/applications?state=applied")
    review = between(r'href="(/officer/applications/[0-9a-f]{32})"', queue)
    assert samples.uscc() in browser.text(review)
    sent = browser.send(
        review, {"decision": "return", "reasons": "<b>unclear</b> scan"}, f"{review}/decision"
    )
    assert sent.status_code == 302

    seat.identity = None
    browser.client.delete_cookie("session")
    opened = browser.send("/status", {"reference": reference, "access_code": code})
    assert opened.headers["Location"] == "/application"
    returned = browser.text("/application")
    assert "&lt;b&gt;unclear&lt;/b&gt; scan" in returned
    corrected = browser.send("/application/correction", samples.details(region="浙江 舟山"))
    assert corrected.status_code == 302
    found = portal.services.registration.open(reference, code)
    assert (found.state, found.details.region) == (ApplicationState.APPLIED, "浙江 舟山")


def test_after_two_officers_the_activation_code_is_shown_once(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    browser.send("/apply", samples.details(), upload=samples.scan())
    seat.identity = both = portal.officer(Role.REGISTRAR, Role.APPROVER)
    review = between(
        r'href="(/officer/applications/[0-9a-f]{32})"', browser.text("/officer/applications")
    )
    browser.send(review, {"decision": "register"}, f"{review}/decision")
    refused = browser.send(review, {"decision": "approve"}, f"{review}/decision")
    assert refused.status_code == 403
    assert "registration.same-officer" in refused.text
    assert 'value="approve"' not in browser.text(review)
    seat.identity = portal.officer(Role.APPROVER)
    assert seat.identity.subject != both.subject
    browser.send(review, {"decision": "approve"}, f"{review}/decision")

    seat.identity = None
    shown = browser.send("/application", {}, "/application/activation-code")
    code = between(r'id="activation-code">([^<]+)', shown.text)
    command = between(r'id="enrol-command">([^<]+)', shown.text)
    assert re.fullmatch(
        r"portseal card enrol --token LP-\d{4}-\w{8} --url https://id\.example", command
    )
    assert code not in browser.text("/application")
    portal.services.enrolment.enrol(code, pkcs10())
    assert "The legal-person card is made" in browser.text("/application")


def test_every_wrong_field_is_marked_and_what_was_typed_stays(browser: Browser) -> None:
    sent = browser.send(
        "/apply", samples.details(uscc="123", name='"><script>'), upload=Upload(b"MZ", "a.png")
    )
    assert sent.status_code == 422
    assert sent.text.count('aria-invalid="true"') == 2
    assert "the scan must be a PNG, JPEG or PDF file" in sent.text
    assert "&#34;&gt;&lt;script&gt;" in sent.text
    assert "<script>" not in sent.text


def test_a_second_application_is_told_in_words(browser: Browser) -> None:
    browser.send("/apply", samples.details(), upload=samples.scan())
    again = browser.send("/apply", samples.details(), upload=samples.scan())
    assert again.status_code == 409
    assert "already on its way" in again.text


@pytest.mark.parametrize(
    "path",
    [
        "/officer/applications",
        "/enterprise",
        "/admin/cards",
        "/admin/journal",
        "/admin/officers",
        "/enterprise/operators/new",
        "/cards/OP-2026-22222222",
    ],
)
def test_who_is_not_signed_in_is_sent_to_sign_in(browser: Browser, path: str) -> None:
    answer = browser.get(path + "?page=2")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/sso/sign-in?next={path}%3Fpage%3D2"


@pytest.mark.parametrize(
    ("who", "path"),
    [
        ("legal-person", "/officer/applications"),
        ("legal-person", "/admin/cards"),
        ("registrar", "/admin/journal"),
        ("administrator", "/admin/journal"),
        ("auditor", "/officer/applications"),
        ("auditor", "/admin/cards"),
        ("auditor", "/admin/officers"),
        ("system-administrator", "/admin/journal"),
        ("system-administrator", "/admin/cards"),
        ("registrar", "/admin/officers"),
        ("registrar", "/enterprise"),
        ("registrar", "/enterprise/operators/new"),
    ],
)
def test_who_may_not_is_told_so(
    browser: Browser, portal: PortalWorld, seat: Seat, who: str, path: str
) -> None:
    seat.identity = portal.legal_person() if who == "legal-person" else portal.officer(Role(who))
    answer = browser.get(path)
    assert answer.status_code == 403
    assert "You may not do this" in answer.text


def test_what_was_uploaded_is_shown_as_a_picture_of_ours_alone(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    content = samples.png()
    upload = Upload(content, "营业执照.png")
    application = portal.services.registration.apply(samples.details(), upload).application
    seat.identity = portal.officer(Role.APPROVER)
    address = f"/officer/applications/{application.id}/papers/licence/1"
    answer = browser.get(address)
    assert answer.data != content
    assert answer.data.startswith(b"\xff\xd8\xff")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "no-store"
    for wrong in ("licence/2", "attorney/1", "passport/1", "licence/0"):
        other = browser.get(f"/officer/applications/{application.id}/papers/{wrong}")
        assert other.status_code == 404
    seat.identity = None
    assert browser.get(address).status_code == 302


def test_the_enterprise_adds_an_operator_and_changes_the_rights(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = portal.legal_person()
    added = browser.send(
        "/enterprise/operators/new",
        {"name": "张操作", "employee_number": "E-7", "rights": ["declare-import"]},
    )
    assert added.status_code == 200
    assert between(r'id="activation-code">([^<]+)', added.text)
    home = browser.text("/enterprise")
    assert "Declare imports" in home
    operator = between(r'href="(/enterprise/operators/[0-9a-f]{32})"', home)
    browser.send(operator, {"rights": ["declare-export"]}, f"{operator}/rights")
    changed = browser.text(operator)
    assert re.search(r'value="declare-export" checked', changed)
    assert not re.search(r'value="declare-import" checked', changed)


def test_a_card_is_revoked_with_reason_and_confirmation(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    code = portal.operator(portal.legal_person(), "declare-import").activation_code
    number = portal.services.enrolment.enrol(code, pkcs10()).card.number
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    page = f"/cards/{number}"
    for values, told in (
        ({"reason": "keyCompromise", "confirmation": ""}, "to confirm"),
        ({"reason": "", "confirmation": number}, "no reason"),
    ):
        refused = browser.send(page, dict(values), f"{page}/revocation")
        assert refused.status_code == 422
        assert told in refused.text
    done = browser.send(
        page, {"reason": "keyCompromise", "confirmation": number.lower()}, f"{page}/revocation"
    )
    assert done.status_code == 302
    assert "Revoked" in browser.text(page)
    assert [card.number for card in portal.ended] == [number]


def test_the_journal_is_read_and_verified(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    portal.approved()
    seat.identity = portal.officer(Role.AUDITOR)
    page = browser.text("/admin/journal?verify=1")
    assert "The chain is intact" in page
    assert "enterprise.approved" in page


def test_the_journal_is_searched_by_action_actor_subject_and_days(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    approved = portal.approved()
    seat.identity = portal.officer(Role.AUDITOR)

    def shown(query: str) -> set[str]:
        return set(re.findall(r">([a-z.-]+)</a></code>", browser.text(f"/admin/journal?{query}")))

    today = f"{day_of(portal.authority.clock.now()):%Y-%m-%d}"
    assert shown("event=enterprise.approved") == {"enterprise.approved"}
    assert f'value="{approved.reference}"' in browser.text(
        f"/admin/journal?subject={approved.reference}"
    ), "what was asked for stands in the form"
    assert shown(f"actor=officer:{approved.decided_by}") == {
        "enterprise.approved",
        "card.requested",
    }
    assert shown(f"event=officer.added&first={today}&last={today}") == {"officer.added"}
    assert shown("event=officer.added&last=2020-01-01") == set()
    for wrong, code in (("event=x", "journal.event"), ("first=31.12.", "field.date")):
        refused = browser.get(f"/admin/journal?{wrong}")
        assert refused.status_code == 400
        assert code in refused.text


def test_a_form_without_its_token_is_refused(
    client: FlaskClient, portal: PortalWorld, seat: Seat
) -> None:
    application = portal.services.registration.apply(samples.details(), samples.scan()).application
    seat.identity = portal.officer(Role.REGISTRAR)
    answer = client.post(
        f"/officer/applications/{application.id}/decision", data={"decision": "register"}
    )
    assert answer.status_code == 400
    standing = portal.services.registration.standing(application.id)
    assert standing.state is ApplicationState.APPLIED


def test_pages_speak_chinese_first_and_english_on_request(client: FlaskClient) -> None:
    assert 'lang="zh-Hans"' in client.get("/").text
    english = client.get("/?lang=en")
    assert 'lang="en"' in english.text
    assert "One card for signing in" in english.text
    assert "HttpOnly" in english.headers["Set-Cookie"]
    assert "One card for signing in" in client.get("/").text
    assert 'lang="zh-Hans"' in client.get("/?lang=zh").text
    assert 'lang="en"' in client.get("/?lang=xx", headers={"Accept-Language": "en"}).text


def test_pages_allow_no_foreign_content(client: FlaskClient) -> None:
    answer = client.get("/apply")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"\s(style|on[a-z]+)=", answer.text)
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["/officer/applications/nonsense", "/cards/nonsense", "/enterprise/operators/x"]
)
def test_an_unknown_thing_is_a_page_not_a_crash(
    browser: Browser, portal: PortalWorld, seat: Seat, path: str
) -> None:
    owner: Identity = portal.legal_person()
    seat.identity = owner if "enterprise" in path else portal.officer(Role.ADMINISTRATOR)
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_an_officer_witnesses_the_making_of_a_card(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    code = portal.operator(portal.legal_person()).activation_code
    number = portal.services.enrolment.enrol(code, pkcs10()).card.number
    seat.identity = portal.officer(Role.APPROVER)
    page = f"/cards/{number}"
    assert "nobody but the holder says so" in browser.text(page)
    wrong = browser.send(page, {"token_model": "", "token_serial": "1"}, f"{page}/witness")
    assert wrong.status_code == 422
    sent = browser.send(page, {"token_model": "ePass", "token_serial": "00A1"}, f"{page}/witness")
    assert sent.status_code == 302
    assert "ePass 00A1" in browser.text(page)
    assert "I saw it made" not in browser.text(page)


def test_a_legal_person_reports_an_operators_card_lost(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = owner = portal.legal_person()
    code = portal.operator(owner).activation_code
    number = portal.services.enrolment.enrol(code, pkcs10()).card.number
    page, why = f"/cards/{number}", "keyCompromise"
    sent = browser.send(page, {"reason": why, "confirmation": number}, f"{page}/revocation")
    assert sent.status_code == 302
    assert "Revoke the card" not in browser.text(page)


def test_a_card_is_frozen_unfrozen_lost_and_replaced_on_its_page(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = owner = portal.legal_person()
    code = portal.operator(owner).activation_code
    number = portal.services.enrolment.enrol(code, pkcs10()).card.number
    page = f"/cards/{number}"
    unsaid = browser.send(page, {"reason": ""}, f"{page}/freeze")
    assert (unsaid.status_code, "must be filled in" in unsaid.text) == (400, True)
    assert browser.send(page, {"reason": "<i>leave"}, f"{page}/freeze").status_code == 302
    frozen = browser.text(page)
    assert "Frozen since" in frozen
    assert "&lt;i&gt;leave" in frozen
    assert browser.send(page, {"reason": "back"}, f"{page}/unfreeze").status_code == 302
    sure: dict[str, object] = {"confirmation": number.lower()}
    unsure: list[dict[str, object]] = [{}, {"confirmation": "OP-2026-22222222"}]
    for ending in ("loss-report", "replacement"):
        asked = browser.text(f"{page}/{ending}")
        assert asked.index("Freeze the card") < asked.index('id="confirmation"')
        for typed in unsure:
            refused = browser.send(f"{page}/{ending}", typed)
            assert (refused.status_code, "card.confirmation" in refused.text) == (422, True)
    assert portal.services.cards.show(owner, number).is_live, "one press ends nothing"
    assert browser.send(f"{page}/loss-report", sure).status_code == 302
    lost = browser.text(page)
    assert "Reported lost" in lost
    assert "timestamped" in lost
    again = browser.send(page, sure, f"{page}/loss-report")
    assert again.status_code == 409
    replaced = browser.send(page, {}, f"{page}/replacement")
    assert replaced.status_code == 200
    assert between(r'id="activation-code">([^<]+)', replaced.text)
    assert "Replace the card" not in replaced.text


def test_a_card_is_reported_lost_from_any_computer(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    owner = portal.legal_person()
    code = portal.operator(owner).activation_code
    number = portal.services.enrolment.enrol(code, pkcs10()).card.number
    seat.identity = owner
    page = f"/cards/{number}"
    browser.send(page, {"phone": "+8613900000000", "email": ""}, f"{page}/contact")
    assert "+86****00" in browser.text(page)
    seat.identity = None
    nothing = browser.send("/lost", {"purpose": "", "channel": "sms", "card": number})
    assert nothing.status_code == 400
    asked = browser.send("/lost", {"purpose": "loss", "channel": "sms", "card": number})
    assert (asked.status_code, asked.location) == (302, "/lost/code")
    request = between(r'name="request" value="([0-9a-f]{32})"', browser.text("/lost/code"))
    (letter,) = portal.sent(Channel.SMS)
    sent = between(r"(\d{4} \d{4} \d{4})", letter.text)
    wrong = browser.send("/lost", {"request": request, "code": "1"}, "/lost/code")
    assert (wrong.status_code, "code is wrong" in wrong.text) == (401, True)
    done = browser.send("/lost/code", {"request": request, "code": sent})
    assert (done.status_code, done.location) == (302, "/lost/done")
    for _ in range(2):  # loaded again, it asks for nothing twice
        told = browser.text("/lost/done")
        assert "Reported lost" in told
        assert number in told
    assert browser.get("/lost/code").location == "/lost"


def test_the_pages_of_a_code_lead_back_to_the_form_where_nothing_was_asked(
    browser: Browser,
) -> None:
    for page in ("/lost/code", "/lost/done"):
        assert browser.get(page).location == "/lost"


def test_an_administrator_sees_what_was_set_aside(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    def refuse(letter: Letter) -> None:
        raise Undeliverable("550")

    portal.post[Channel.MAIL].mood = refuse
    with portal.authority.database.transaction() as connection:
        values = {"card": "OP-1", "days": "7", "date": "2026-12-06"}
        portal.services.notices.put(
            connection, Channel.MAIL, "x@example.com", "card-expires", values, about="OP-1"
        )
    portal.services.notices.deliver()
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    page = browser.text("/admin/dead-letters")
    assert "Undeliverable: 550" in page
    assert "x@example.com" not in page
    retry = between(r'action="(/admin/dead-letters/\d+/retry)"', page)
    assert browser.send("/admin/dead-letters", {}, retry).status_code == 302
    assert "Nothing is set aside" in browser.text("/admin/dead-letters")


def test_many_cards_are_previewed_proposed_and_confirmed(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    owner = portal.legal_person()
    portal.services.enrolment.enrol(portal.operator(owner).activation_code, pkcs10())
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    wanted = {"act": "freeze", "uscc": samples.uscc(), "kind": ""}
    nothing = browser.press(browser.get("/admin/mass"), SHOW, {"act": "freeze"})
    assert (nothing.status_code, "narrow it down" in nothing.text) == (422, True)
    seen = browser.press(nothing, SHOW, wanted)
    assert "1 card is meant" in seen.text
    proposed = browser.press(seen, PROPOSE, {"reason": "leak"})
    assert proposed.status_code == 200
    action = between(r'href="(/admin/mass/[0-9a-f]{32})"', browser.text("/admin/mass"))
    assert proposed.request.path == action
    assert 'value="confirm"' not in browser.text(action)
    seat.identity = portal.officer(Role.APPROVER)
    assert 'name="propose"' not in browser.text("/admin/mass")
    page = browser.text(action)
    assert 'value="confirm"' in page
    assert re.search(r"OP-\d{4}-\w+", page.split("The cards that were written down")[1])
    assert "It is being done." in browser.press(browser.get(action), "Confirm").text
    assert portal.services.mass_actions.run() == 1
    assert "1 / 1" in browser.text(action)
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    assert "Done" in browser.text("/admin/mass")
    undo = browser.press(browser.get(action), "Prepare the unfreezing of these cards")
    assert "1 card is meant" in undo.text
    assert browser.press(undo, PROPOSE, {"reason": "no leak"}).status_code == 200
    assert "Unfreeze: no leak" in browser.text("/admin/mass")


def test_a_list_of_cards_is_pasted_or_uploaded(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    owner = portal.legal_person()
    made = [
        portal.services.enrolment.enrol(
            portal.operator(owner, employee_number=f"E-{number}").activation_code, pkcs10()
        ).card.number
        for number in range(2)
    ]
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    file = (io.BytesIO(b"\xef\xbb\xbf" + made[1].encode() + b"\r\nOP-2026-AAAAAAAA\r\n"), "l.txt")
    values: dict[str, object] = {"act": "freeze", "numbers": made[0], "list": file}
    page = browser.send("/admin/mass", values).text
    assert "2 cards are meant" in page
    assert "1 line of the list is left out:" in page
    assert f"{made[0]}\n{made[1]}\r\nOP-2026-AAAAAAAA</textarea>" in page
    wrong = browser.send("/admin/mass", {"act": "freeze", "numbers": "nobody's"})
    assert (wrong.status_code, "mass.list" in wrong.text) == (400, True)
    long = "A" * 600_000
    assert browser.send("/admin/mass", {"act": "freeze", "numbers": long}).status_code == 413


def test_the_dashboard_draws_charts_with_tables_behind(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    assert "Nothing is counted yet" in browser.text("/admin/dashboard")
    portal.services.figures.count()
    assert browser.text("/admin/dashboard").count("None in this time.") == 7
    owner = portal.legal_person()
    made = portal.services.enrolment.enrol(portal.operator(owner).activation_code, pkcs10()).card
    portal.services.life.freeze(owner, made.number, "leave")
    portal.services.figures.count()
    page = browser.text("/admin/dashboard")
    # made and frozen today; the card ends later than the chart of months goes
    assert page.count('<svg role="img"') == page.count("As a table") == 2
    assert page.count("None in this time.") == 5
    assert not re.search(r"<script|style=", page.split("<main")[1])


def test_profiles_and_policies_are_told_in_words(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    page = browser.text("/admin/policies")
    assert "from 90 days before its end" in page
    assert "<code>legal-person</code>" in page
