"""The verification page and its API."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response, jsonify
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kernel.refusals import Refusal, TooMany
from policies.rights import load_rights
from portseal.web.layout import STATIC, TEMPLATES, install_layout
from signing_service import verification as verification_module
from signing_service.formats.cades import whole as cades
from signing_service.formats.xades import whole as xades
from signing_service.reports.etsi_xml import signed_xml_report
from signing_service.validation.report import read_report
from signing_service.web import verification as web_module
from signing_service.web.rate_limit import RateLimit
from signing_service.web.verification import verification_blueprint
from tests.signing_service.validation.scenery import DAY, START, World

DOCUMENT = (Path(__file__).parents[2] / "samples" / "dec-import.xml").read_bytes()


@pytest.fixture(scope="module")
def world() -> World:
    world = World()
    world.registry.enrol(world.card)
    return world


@pytest.fixture(scope="module")
def signed(world: World) -> dict[str, bytes]:
    card, chain = world.card, (world.issuing.certificate,)
    stamper = world.timestamper()
    arguments = (DOCUMENT, card.key, card.certificate, START)
    return {
        "p7s": cades.sign(*arguments, chain=chain, timestamper=stamper),
        "xml": xades.sign(*arguments, chain=chain, timestamper=stamper),
    }


@pytest.fixture
def client(world: World) -> Iterator[FlaskClient]:
    app = Flask("test", template_folder=str(TEMPLATES), static_folder=str(STATIC))
    app.config.update(SECRET_KEY="only-for-this-test", PROPAGATE_EXCEPTIONS=False)
    install_layout(app, lambda: None, "https://id.example")

    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> tuple[Response, int]:
        return jsonify(code=refusal.code), refusal.status

    app.register_blueprint(verification_blueprint(world.verification(load_rights())))
    with app.test_client() as made:
        yield made


def post(client: FlaskClient, path: str, language: str = "en", **files: bytes) -> TestResponse:
    data = {name: (io.BytesIO(content), f"{name}.bin") for name, content in files.items()}
    headers = {"Accept-Language": language, "Accept": "text/html"}
    return client.post(path, data=data, headers=headers, content_type="multipart/form-data")


def test_the_form_asks_for_a_document_and_a_signature(client: FlaskClient) -> None:
    page = client.get("/verify", headers={"Accept-Language": "en"})
    assert page.status_code == 200
    assert 'enctype="multipart/form-data"' in page.text
    assert 'name="document"' in page.text
    assert 'name="signature"' in page.text


def test_the_page_tells_the_verdict_and_all_that_it_rests_on(
    client: FlaskClient, signed: dict[str, bytes]
) -> None:
    cases: list[dict[str, bytes]] = [
        {"document": DOCUMENT, "signature": signed["p7s"]},
        {"document": signed["xml"]},
    ]
    for files in cases:
        page = post(client, "/verify", "en", **files)
        assert page.status_code == 200
        for expected in (
            "The signature is valid",
            "TOTAL-PASSED",
            "张三",
            "上海示例报关有限公司",
            "91310115MA1K3XY208",
            "declare-import",
            "2026-11-20 16:00:00 UTC+8",
            "article 13",
            "What this does not prove",
            "CN=Root CA",
            "CN=TSA",
            "in force",
            "Import declaration",
        ):
            assert expected in page.text, expected
        assert "style=" not in page.text  # the content security policy would drop it


def test_the_report_is_told_in_chinese_too(client: FlaskClient, signed: dict[str, bytes]) -> None:
    page = post(client, "/verify", "zh", document=signed["xml"])
    assert "各项检查均已通过" in page.text
    assert "进口货物报关单" in page.text
    assert "签署后对电子签名的任何改动能够被发现" in page.text
    assert "进口报关（declare-import）" in page.text
    assert "5.2.2 格式检查" in page.text
    assert "认证机构自身的记录" in page.text
    for english in ("format checking", "own records"):
        assert english not in page.text
    unreadable = post(client, "/verify", "zh", document=b"<a/>")
    assert "提交的内容不是可以识别的签名：XML 签名中没有签名。" in unreadable.text


def test_a_tampered_document_is_told_with_what_would_help(
    client: FlaskClient, signed: dict[str, bytes]
) -> None:
    changed = DOCUMENT.replace(b"1840.5", b"9840.5")
    page = post(client, "/verify", document=changed, signature=signed["p7s"])
    assert page.status_code == 200
    assert "The signature is not valid" in page.text
    assert "TOTAL-FAILED/HASH_FAILURE" in page.text
    assert "Obtain the document again" in page.text


def test_what_is_presented_is_never_markup(client: FlaskClient, world: World) -> None:
    card = world.issuing.card("<script>alert(1)</script>")
    xml = xades.sign(DOCUMENT, card.key, card.certificate, START)
    page = post(client, "/verify", document=xml)
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


def test_programs_get_json_of_the_published_shape(
    client: FlaskClient, signed: dict[str, bytes]
) -> None:
    answer = post(client, "/api/v1/verifications", document=DOCUMENT, signature=signed["p7s"])
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    report = read_report(answer.data)
    assert report.passed
    assert report.to_json() == json.loads(answer.data)
    again = post(client, "/api/v1/verifications", document=signed["xml"])
    assert read_report(again.data).signatures[0].packaging == "enveloped"


def test_the_verdict_follows_the_clock(client: FlaskClient, signed: dict[str, bytes]) -> None:
    first = post(client, "/api/v1/verifications", document=signed["xml"])
    assert read_report(first.data).validated_at == START
    assert read_report(first.data).signatures[0].time.proven == START


def test_nothing_presented_is_a_problem_for_programs_and_a_page_for_people(
    client: FlaskClient,
) -> None:
    answer = post(client, "/api/v1/verifications")
    assert answer.status_code == 400
    assert answer.get_json()["code"] == "verification.nothing-presented"
    page = post(client, "/verify")
    assert page.status_code == 400
    assert "This could not be verified" in page.text
    assert 'name="document"' in page.text


@pytest.mark.parametrize("path", ["/verify", "/api/v1/verifications"])
def test_bad_requests_are_refused_and_never_a_500(client: FlaskClient, path: str) -> None:
    wrong_type = client.post(path, data=b"{}", content_type="application/json")
    assert wrong_type.status_code == 400
    assert post(client, path, photograph=b"x").status_code == 400
    broken = client.post(path, data=b"--x\r\n", content_type="multipart/form-data; boundary=x")
    assert broken.status_code == 400
    assert client.post(path, content_type="multipart/form-data").status_code == 400
    twice = {"document": [(io.BytesIO(b"a"), "a"), (io.BytesIO(b"b"), "b")]}
    assert client.post(path, data=twice).status_code == 400


@pytest.mark.parametrize("path", ["/verify", "/api/v1/verifications"])
def test_too_much_is_refused(
    client: FlaskClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (web_module, verification_module):
        monkeypatch.setattr(module, "MAX_PRESENTED_BYTES", 1000)
    assert post(client, path, document=b"x" * 1001).status_code == 413
    assert post(client, path, document=b"x" * 200_000).status_code == 413


def test_the_stylesheet_is_served_and_prints(client: FlaskClient) -> None:
    css = client.get("/verify/static/report.css")
    assert css.status_code == 200
    assert "@media print" in css.text
    css.close()


def test_a_revoked_card_is_told_in_plain_words(world: World) -> None:
    other = World()
    other.registry.enrol(other.card)
    xml = xades.sign(DOCUMENT, other.card.key, other.card.certificate, START)
    other.clock.advance(DAY)
    other.revoke(other.card)
    report = other.verification().verify(xml, None)
    assert "keyCompromise" in report.finding.why.en
    assert report.finding.help.zh


# -- other forms of the report ---------------------------------------------------------------------


def test_the_api_gives_a_pdf_to_who_asks_for_one(
    client: FlaskClient, signed: dict[str, bytes]
) -> None:
    files = {"document": (io.BytesIO(signed["xml"]), "document.xml")}
    answer = client.post(
        "/api/v1/verifications", data=files, headers={"Accept": "application/pdf"},
        content_type="multipart/form-data",
    )  # fmt: skip
    assert answer.status_code == 200
    assert answer.mimetype == "application/pdf"
    assert answer.data.startswith(b"%PDF-")


def test_signed_xml_is_given_where_a_key_signs_it(
    world: World, client: FlaskClient, signed: dict[str, bytes]
) -> None:
    def ask(asked: FlaskClient) -> TestResponse:
        return asked.post(
            "/api/v1/verifications",
            data={"document": (io.BytesIO(signed["xml"]), "document.xml")},
            headers={"Accept": "application/xml"}, content_type="multipart/form-data",
        )  # fmt: skip

    refused = ask(client)
    assert refused.status_code == 422
    assert refused.get_json()["code"] == "report.no-signing-key"
    app = Flask("signing")
    install_layout(app, lambda: None, "https://id.example")
    app.register_blueprint(
        verification_blueprint(
            world.verification(),
            xml_report=lambda report: signed_xml_report(
                report, world.card.key, world.card.certificate
            ),
        )
    )
    answer = ask(app.test_client())
    assert answer.mimetype == "application/xml"
    (evidence,) = xades.read(answer.data)
    assert all(reference.intact for reference in evidence.references)


def test_the_page_offers_its_report_as_pdf(client: FlaskClient, signed: dict[str, bytes]) -> None:
    page = post(client, "/verify", "en", document=signed["xml"])
    found = re.search(r'name="report" value="([^"]+)"', page.text)
    assert found is not None
    for language in ("zh", "en"):
        form = {"report": found[1], "language": language}
        answer = client.post("/verify/report.pdf", data=form)
        assert answer.status_code == 200
        assert answer.data.startswith(b"%PDF-")
    forged = {"report": found[1][:-3] + "abc", "language": "zh"}
    refused = client.post("/verify/report.pdf", data=forged)
    assert (refused.status_code, refused.get_json()["code"]) == (400, "report.not-ours")


# -- the rate limit --------------------------------------------------------------------------------


def test_who_asks_too_often_is_told_to_wait(world: World) -> None:
    now = [0.0]
    limit = RateLimit(per_minute=60, burst=3, monotonic=lambda: now[0])
    app = Flask("limited", template_folder=str(TEMPLATES), static_folder=str(STATIC))
    app.config.update(SECRET_KEY="only-for-this-test")
    install_layout(app, lambda: None, "https://id.example")

    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> tuple[Response, int]:
        return jsonify(code=refusal.code), refusal.status

    app.register_blueprint(verification_blueprint(world.verification(), rate_limit=limit))
    client = app.test_client()
    statuses = [post(client, "/api/v1/verifications", document=b"x").status_code for _ in "1234"]
    assert statuses == [200, 200, 200, 429]
    page = post(client, "/verify", document=b"x")
    assert page.status_code == 429
    assert page.headers["Retry-After"] == "2"
    now[0] = 2.0
    assert post(client, "/verify", document=b"x").status_code == 200
    elsewhere = client.post("/api/v1/verifications", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert elsewhere.status_code == 400  # counted on its own, and nothing presented


def test_the_memory_of_clients_is_bounded_and_a_network_is_one_client() -> None:
    limit = RateLimit(burst=1, clients=3, monotonic=lambda: 0.0)
    for number in range(10):
        limit.check(f"192.0.2.{number}")
    assert len(limit._buckets) == 3
    limit.check("2001:db8::1")
    with pytest.raises(TooMany):
        limit.check("2001:db8::2")
    limit.check("2001:db8:0:1::1")
