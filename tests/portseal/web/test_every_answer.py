"""What holds for whatever is answered, over the whole url map."""

import logging
import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from werkzeug.test import TestResponse

HTML = {"Accept": "text/html", "Accept-Language": "en"}
JSON = {"Accept": "application/json"}
EVIL = "evil.example"
SECRET = "SELECT pin FROM /var/lib/portseal/secret.key"
KEPT = {"static", "agent.file", "openapi", "sso.jwks", "sso.configuration", "sso.metadata"}
"""What is nobody's in particular, and may be kept."""


def addresses(app: Flask) -> Iterator[tuple[str, str]]:
    """Endpoint and an address of everything that can be opened."""
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or set()):
            yield rule.endpoint, re.sub(r"<[^>]+>", "1", rule.rule)


def is_guarded(answer: TestResponse) -> bool:
    told = answer.headers
    policy = told.get("Content-Security-Policy", "")
    return (
        "default-src 'none'" in policy
        and ("script-src 'self';" in policy or "script-src" not in policy)
        and "frame-ancestors 'none'" in policy
        and "unsafe" not in policy
        and told.get("X-Frame-Options") == "DENY"
        and told.get("X-Content-Type-Options") == "nosniff"
        and told.get("Referrer-Policy") in ("same-origin", "no-referrer")
        and told.get("Cross-Origin-Opener-Policy") == "same-origin"
        and "Access-Control-Allow-Origin" not in told
    )


def test_every_answer_is_guarded_and_none_of_a_person_is_kept(flask: Flask) -> None:
    client, seen = flask.test_client(), 0
    for endpoint, address in addresses(flask):
        for headers in (HTML, JSON):
            answer = client.get(address, headers=headers, buffered=True)
            assert is_guarded(answer), address
            if endpoint not in KEPT or answer.status_code >= 400:
                assert answer.headers["Cache-Control"] == "no-store", address
        seen += 1
    assert seen > 100


@pytest.mark.parametrize("path", ["/static/none.css", "/agent/none.js", "/enterprise/none.css"])
def test_a_file_that_is_not_there_is_not_kept(flask: Flask, path: str) -> None:
    """Web cache deception: the page that says so names who is signed in."""
    answer = flask.test_client().get(path, headers=HTML)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")


def test_no_answer_repeats_the_host_that_was_asked_for(flask: Flask) -> None:
    """Host header injection: links and redirects are of the configured origin, or paths."""
    client, forged = flask.test_client(), {"X-Forwarded-Host": EVIL, "Forwarded": f"host={EVIL}"}
    twice = ["//static//portseal.css", "/static//portseal.css", "/enterprise//operators", "/apply/"]
    for address in [*(each for _, each in addresses(flask)), *twice]:
        answer = client.get(
            address, headers={**HTML, **forged}, base_url=f"http://{EVIL}", buffered=True
        )
        assert EVIL not in answer.headers.get("Location", ""), address
        assert EVIL not in answer.get_data(as_text=True), address


@pytest.fixture
def broken(make_flask: Callable[..., Flask]) -> Flask:
    app = make_flask()

    def fail() -> str:
        raise RuntimeError(SECRET)

    app.add_url_rule("/broken", "broken", fail)
    app.add_url_rule("/api/v1/broken", "broken_api", fail)
    return app


@pytest.mark.parametrize(("path", "headers"), [("/broken", HTML), ("/api/v1/broken", JSON)])
def test_what_nobody_foresaw_tells_a_stranger_its_number_alone(
    broken: Flask,
    caplog: pytest.LogCaptureFixture,
    path: str,
    headers: dict[str, str],
) -> None:
    answer = broken.test_client().get(path, headers=headers)
    assert (answer.status_code, broken.debug) == (500, False)
    for word in (SECRET, "RuntimeError", "Traceback", ".py", "Werkzeug"):
        assert word not in answer.text
    number = answer.headers["X-Request-Id"]
    assert number in answer.text
    (line,) = [each for each in caplog.records if number in each.getMessage() and each.exc_info]
    assert line.exc_info is not None
    assert str(line.exc_info[1]) == SECRET


def test_no_line_of_the_log_is_written_by_who_asks(
    flask: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """Log injection: an address is logged by its rule, and a request's own number only if it is
    letters and digits."""
    client, forged = flask.test_client(), "%0aWARNING portseal: FORGED"
    with caplog.at_level(logging.INFO, "portseal"):
        client.get(f"/nowhere{forged}", headers={**HTML, "X-Request-Id": "12345678\tFORGED"})
        client.get(f"/cards/{forged}?q={forged}", headers={**HTML, "User-Agent": forged})
        client.post("/api/v1/sign-in", json={"token": {"FORGED\nFORGED": "x"}})
    assert len(caplog.records) >= 3
    for record in caplog.records:
        assert "FORGED" not in record.getMessage()
        assert "\n" not in record.getMessage()
