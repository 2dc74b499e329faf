"""Who gets through the agent's HTTP door: raw requests, as hostile pages and programs send them."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kernel.refusals import Forbidden
from key_agent import VERSION
from key_agent.messages import LARGE, SMALL
from key_agent.peers import require_own_user
from tests.key_agent.running import RunningAgent, running_agent
from tests.token import softhsm_configuration, softhsm_module

PAGE = {"Origin": "https://portal.example", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    """One agent for all tests here: none of them gets far enough to change it."""
    directory = tmp_path_factory.mktemp("door")
    configuration = softhsm_configuration(directory / "tokens")
    with running_agent(
        directory / "home", softhsm_module(), {}, SOFTHSM2_CONF=str(configuration)
    ) as running:
        yield running


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def code(self) -> str:
        code: str = json.loads(self.body)["code"]
        return code


def send(
    door: RunningAgent,
    path: str = "/v1/status",
    body: bytes | None = b"{}",
    method: str = "POST",
    host: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request with exactly these headers beside Host and Content-Length."""
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host or f"127.0.0.1:{door.port}")
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def page(**changed: str) -> dict[str, str]:
    """The headers of a page's request, some of them changed or (empty) left out."""
    named = {name.replace("_", "-"): value for name, value in changed.items()}
    return {name: value for name, value in {**PAGE, **named}.items() if value}


def test_a_page_hears_the_version_and_may_read_the_answer(door: RunningAgent) -> None:
    answer = send(door, headers=page())
    told = json.loads(answer.body)
    assert (answer.status, told["version"], told["origin"]) == (200, VERSION, "unknown")
    assert answer.headers["access-control-allow-origin"] == PAGE["Origin"]
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:61235", "127.0.0.1", "127.0.0.1:1", "[::1]:80"]
)
def test_a_name_that_was_rebound_to_loopback_is_not_answered(door: RunningAgent, host: str) -> None:
    answer = send(door, host=host, headers=page())
    assert (answer.status, answer.code) == (421, "host.unknown")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("", "origin.missing"),
        ("null", "origin.unacceptable"),
        ("http://portal.example", "origin.unacceptable"),
        ("http://10.0.0.8", "origin.unacceptable"),
        ("file://", "origin.unacceptable"),
        ("chrome-extension://abcdefghijklmnop", "origin.unacceptable"),
        ("https://portal.example/", "origin.unacceptable"),
        ("https://portal.example/path", "origin.unacceptable"),
        ("https://user@portal.example", "origin.unacceptable"),
        ("https://PORTAL.example", "origin.unacceptable"),
        ("https://portal.example:443", "origin.unacceptable"),
        ("https://portal.example:0x50", "origin.unacceptable"),
        ("https://portal.example, https://other.example", "origin.unacceptable"),
        ("https://", "origin.unacceptable"),
    ],
)
def test_only_an_origin_as_browsers_write_it_is_heard(
    door: RunningAgent, origin: str, code: str
) -> None:
    answer = send(door, headers=page(Origin=origin))
    assert (answer.status, answer.code) == (403, code)
    assert "access-control-allow-origin" not in answer.headers


def test_two_origins_in_one_request_are_none(door: RunningAgent) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)
    connection.putrequest("POST", "/v1/status")
    for origin in ("https://portal.example", "https://other.example"):
        connection.putheader("Origin", origin)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "2")
    connection.endheaders(b"{}")
    assert Answer(connection.getresponse()).code == "origin.unacceptable"
    connection.close()


def test_a_preflight_is_answered_for_this_origin_by_name(door: RunningAgent) -> None:
    asked = {"Origin": PAGE["Origin"], "Access-Control-Request-Method": "POST"}
    plain = send(door, "/v1/sign", None, "OPTIONS", headers=asked)
    assert plain.status == 204
    assert plain.headers["access-control-allow-origin"] == PAGE["Origin"]
    assert plain.headers["access-control-allow-methods"] == "POST"
    assert plain.headers["access-control-allow-headers"] == "content-type"
    assert "access-control-allow-private-network" not in plain.headers
    private = {**asked, "Access-Control-Request-Private-Network": "true"}
    answer = send(door, "/v1/sign", None, "OPTIONS", headers=private)
    assert answer.headers["access-control-allow-private-network"] == "true"


def test_a_preflight_of_a_foreign_scheme_gets_no_permission(door: RunningAgent) -> None:
    answer = send(door, "/v1/sign", None, "OPTIONS", headers={"Origin": "http://portal.example"})
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "media",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"],
)
def test_what_a_form_of_another_site_can_send_is_refused(door: RunningAgent, media: str) -> None:
    answer = send(door, headers=page(Content_Type=media))
    assert (answer.status, answer.code) == (400, "request.media-type")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_only_post_does_anything(door: RunningAgent, method: str) -> None:
    assert send(door, method=method, headers=page()).status == 405


@pytest.mark.parametrize(
    "path", ["/", "/v1/", "/v1/sign_hash", "/v1/status?x=1", "/v2/status", "/v1/../v1/status"]
)
def test_there_is_no_other_method(door: RunningAgent, path: str) -> None:
    answer = send(door, path, headers=page())
    assert (answer.status, answer.code) == (404, "method.unknown")


def test_no_method_signs_a_bare_digest(door: RunningAgent) -> None:
    for name in ("sign_hash", "sign_digest", "sign_raw", "sign_data", "decrypt", "verify_pin"):
        assert send(door, f"/v1/{name}", headers=page()).code == "method.unknown"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"x"', b'{"token": 5}', b'{"x": 1}', b"\xff\xfe", b'{"a":1}{}',
        b"[" * 20_000,
    ],
)  # fmt: skip
def test_anything_but_exactly_the_members_is_malformed(door: RunningAgent, body: bytes) -> None:
    answer = send(door, "/v1/tokens", body, headers=page())
    assert (answer.status, answer.code) == (400, "request.malformed")


def test_a_large_request_is_refused_by_its_length(door: RunningAgent) -> None:
    answer = send(door, "/v1/sign_in", b" " * (SMALL + 1), headers=page())
    assert (answer.status, answer.code) == (413, "request.too-large")


def test_what_is_larger_than_anything_is_not_even_read(door: RunningAgent) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=30) as raw:
        raw.sendall(
            b"POST /v1/sign HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://portal.example\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (LARGE + 1)
        )
        assert raw.recv(64).startswith(b"HTTP/1.1 413 ")


def test_headers_without_end_are_refused(door: RunningAgent) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=30) as raw:
        raw.sendall(b"POST /v1/status HTTP/1.1\r\nX: " + b"a" * 70_000)
        assert raw.recv(64).startswith(b"HTTP/1.0 431 ") or raw.recv(64) == b""


def test_a_flood_of_requests_is_slowed_down_and_others_are_heard(door: RunningAgent) -> None:
    flood = "https://flood.example"
    codes = [send(door, "/v1/tokens", headers=page(Origin=flood)).code for _ in range(70)]
    assert codes.count("origin.unknown") == 60
    assert codes[60:] == ["request.too-many"] * 10
    assert send(door, headers=page()).status == 200


def test_every_refusal_can_be_read_by_the_page_that_was_refused(door: RunningAgent) -> None:
    answer = send(door, "/v1/tokens", headers=page())
    assert (answer.status, answer.code) == (403, "origin.unknown")
    assert answer.headers["access-control-allow-origin"] == PAGE["Origin"]


def test_the_agent_listens_on_loopback_alone(door: RunningAgent) -> None:
    listening = Path(f"/proc/{door.process.pid}/net/tcp").read_text().splitlines()[1:]
    own = [line.split() for line in listening if f":{door.port:04X} " in line]
    assert {fields[1] for fields in own if fields[3] == "0A"} == {f"0100007F:{door.port:04X}"}


def test_a_connection_of_another_user_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        own_port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", own_port)) as client:
            peer_port = client.getsockname()[1]
            require_own_user(peer_port, own_port)
            somebody = os.getuid() + 1
            monkeypatch.setattr(os, "getuid", lambda: somebody)
            with pytest.raises(Forbidden, match=r"peer\.other-user"):
                require_own_user(peer_port, own_port)


_AS_SOMEBODY = """
import encodings.idna, http.client, os, sys
os.setgid(65534)
os.setuid(65534)
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
headers = {"Origin": "https://portal.example", "Content-Type": "application/json"}
connection.request("POST", "/v1/status", b"{}", headers)
print(connection.getresponse().read().decode())
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start another user's process")
def test_another_users_process_is_refused(door: RunningAgent) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _AS_SOMEBODY, str(door.port)],
        cwd="/", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout)["code"] == "peer.other-user", done.stderr


def test_a_second_agent_says_that_one_is_running(door: RunningAgent) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        door.command("run", "--port", str(door.port), "--pinentry", "true")
    assert failure.value.returncode == 3
    assert "agent.port" in failure.value.stderr


def test_many_pages_at_once_get_their_answers(door: RunningAgent) -> None:
    answers: list[int] = []

    def ask(number: int) -> None:
        answers.append(send(door, headers=page(Origin=f"https://p{number}.example")).status)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 24


SLOW = 50
"""Connections that say little and never finish; a browser opens six to one host for a page."""


@pytest.mark.parametrize(
    "begun",
    [
        b"POST /v1/status HT",
        b"POST /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://slow.example\r\nX: ",
        b"POST /v1/sign HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://slow.example\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n{" % LARGE,
    ],
    ids=["request line", "headers", "body"],
)
def test_requests_that_never_end_keep_no_other_waiting(door: RunningAgent, begun: bytes) -> None:
    """Slow clients hold no thread: a request is worked on when it is whole."""
    held = [socket.create_connection(("127.0.0.1", door.port), timeout=30) for _ in range(SLOW)]
    try:
        for each in held:
            each.sendall(begun)
        for number in range(10):
            answer = send(door, headers=page(Origin=f"https://quick{number}.example"))
            assert answer.status == 200
    finally:
        for each in held:
            each.close()
    assert send(door, headers=page()).status == 200
