"""The report that the page for verifying leads to may be loaded anew without the file."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portseal.web import app as web_module
from tests.database import create_tables

ORIGIN = "http://127.0.0.1:8080"


@pytest.fixture
def app(make_flask: Callable[..., Flask], tmp_path: Path) -> Flask:
    create_tables(f"sqlite:///{tmp_path / 'portseal.db'}")
    return make_flask(ORIGIN)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def verify(client: FlaskClient, path: str = "/verify", **headers: str) -> TestResponse:
    document = (io.BytesIO(b"no signature at all"), "letter.txt")
    return client.post(path, data={"document": document}, headers=headers)


def test_a_report_is_loaded_anew_without_the_file(app: Flask, client: FlaskClient) -> None:
    sent = verify(client, Origin=ORIGIN)
    assert sent.status_code == 303
    pages = [client.get(sent.location) for _ in range(2)]
    assert pages[0].data == pages[1].data
    assert b'action="/verify/report.pdf"' in pages[0].data
    assert pages[0].headers["Cache-Control"] == "no-store"
    assert app.test_client().get(sent.location).status_code == 404, "another browser"


@pytest.mark.parametrize("headers", [{}, {"Origin": "null"}, {"Origin": "https://other.example"}])
def test_another_sites_form_gets_its_answer_once_and_no_cookie(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    """Its request brings none of ours along: one that we set would replace the visitor's."""
    answer = verify(client, **headers)
    assert (answer.status_code, b"report.pdf" in answer.data) == (200, True)
    assert "Set-Cookie" not in answer.headers


def test_a_page_that_is_too_large_to_be_kept_comes_once(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_module, "_LARGEST_KEPT_REPORT", 100)
    assert verify(client, Origin=ORIGIN).status_code == 200


def test_programs_and_refusals_are_answered_as_before(client: FlaskClient) -> None:
    told = verify(client, "/api/v1/verifications", Origin=ORIGIN)
    assert (told.status_code, told.mimetype) == (200, "application/json")
    nothing = client.post("/verify", data={}, headers={"Origin": ORIGIN})
    assert nothing.status_code == 400
    assert "Location" not in nothing.headers
