"""The route of documents that are sent ahead: whole, within the limit, two at once."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kernel.clock import FixedClock
from kernel.refusals import Unauthenticated
from portseal import problems
from records.database import Database
from signing_service.archive.files import FileStore
from signing_service.uploads import Uploads
from signing_service.web.documents import documents_blueprint
from signing_service.web.streams import Streams
from tests.signing_service.validation.scenery import START

LIMIT = 1 << 20


class Desk:
    def __init__(self, database: Database, directory: Path) -> None:
        self.store = FileStore(directory, 0)
        self.streams = Streams()
        self.card: str | None = "card-1"
        app = Flask("documents")
        problems.install(app)
        uploads = Uploads(database, self.store, FixedClock(START), LIMIT)
        app.register_blueprint(documents_blueprint(uploads, self.streams, self._card))
        self.client: FlaskClient = app.test_client()

    def _card(self) -> str:
        if self.card is None:
            raise Unauthenticated("signin.required", "sign in")
        return self.card

    def send(self, body: bytes, **given: object) -> TestResponse:
        """As the server in front hands a request on: the body ends by itself."""
        environment = {
            "wsgi.input_terminated": True,
            "CONTENT_TYPE": "application/octet-stream",
            "CONTENT_LENGTH": str(len(body)),
        }
        return self.client.post(
            "/api/v1/documents", data=body, environ_overrides={**environment, **given}
        )


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path / "archive")


@pytest.mark.parametrize("size", [1, LIMIT - 1, LIMIT])
def test_up_to_the_limit_it_is_taken(desk: Desk, size: int) -> None:
    answer = desk.send(b"x" * size)
    assert answer.status_code == 201, answer.text
    told = answer.get_json()
    assert told["size"] == size
    assert list(desk.store.addresses()) == [told["sha256"]]


@pytest.mark.parametrize(
    ("body", "given", "status", "code"),
    [
        (b"x" * (LIMIT + 1), {}, 413, "document.too-large"),
        (b"x", {"CONTENT_LENGTH": str(LIMIT + 1)}, 413, "document.too-large"),
        (b"x" * 100, {"CONTENT_LENGTH": "101"}, 400, "request.malformed"),
        (b"x" * 100, {"CONTENT_LENGTH": "99"}, 400, "request.malformed"),
        (b"", {}, 400, "document.empty"),
        (b"x", {"CONTENT_TYPE": "text/plain"}, 400, "request.malformed"),
    ],
)
def test_what_is_not_whole_or_too_much_is_refused(
    desk: Desk, body: bytes, given: dict[str, object], status: int, code: str
) -> None:
    answer = desk.send(body, **given)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert not [each for each in desk.store.addresses() if body]


def test_nobody_sends_without_a_card(desk: Desk) -> None:
    desk.card = None
    assert desk.send(b"x").status_code == 401


def test_only_so_many_are_on_their_way_at_once(desk: Desk) -> None:
    with desk.streams.one("a"), desk.streams.one("b"):
        answer = desk.send(b"x")
        assert (answer.status_code, answer.get_json()["code"]) == (503, "document.busy")
    assert desk.send(b"x").status_code == 201
