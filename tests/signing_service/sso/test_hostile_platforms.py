"""What a registered platform can do to the service that tells it of the end of a session."""

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network

import pytest

from kernel.refusals import Unavailable
from records.database import Database
from signing_service.fetching import FetchLimits, HttpFetcher
from signing_service.sso import back_channel
from signing_service.sso.card_login import ProvenCard
from signing_service.sso.end_notices import channel_of
from signing_service.sso.platform import PlatformTerms
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card
from tests.signing_service.sso.flow import registered

PUBLIC = "https://id.example"
"""Where the service is: not on loopback, as the demonstration is."""


class Listener:
    """A server that is given over to `behave`, which has the connection to itself."""

    def __init__(self, behave: Callable[[socket.socket], None]) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._behave = behave
        self.heard: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._hear, args=(connection,), daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        with connection:
            self.heard.append(connection.recv(65536))
            try:
                self._behave(connection)
            except OSError:
                return

    def close(self) -> None:
        self._server.close()


def welcoming(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def dripping(connection: socket.socket) -> None:
    """One header after another, none of them late."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(600):
        connection.sendall(b"X-%d: y\r\n" % number)
        time.sleep(0.05)


@contextmanager
def listening(behave: Callable[[socket.socket], None]) -> Iterator[Listener]:
    made = Listener(behave)
    try:
        yield made
    finally:
        made.close()


def told_at(services: SsoServices, client_id: str, address: str) -> dict[str, str]:
    """A platform with this address; the notice for it."""
    registered(services, client_id=client_id, backchannel_logout_uri=address)
    return {"client_id": client_id, "sid": "s" * 32, "sub": "op-1"}


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_no_address_of_our_own_network_is_told_anything(
    database: Database, make_services: Callable[..., SsoServices], name: str
) -> None:
    """Server-side request forgery: whatever was registered, and whatever a name means today."""
    services = make_services(database, origin=PUBLIC)
    with listening(welcoming) as inner:
        address = f"https://{name}:{inner.port}/admin/delete"
        notice = told_at(services, "inner", address)
        with pytest.raises(Unavailable) as refused:
            services.back_channel.send(notice)
        terms = PlatformTerms(cas_services=(address,))
        registered(services, client_id="old", redirect_uris=(), terms=terms)
        ticket = {"client_id": "old", "sub": "op-1", "ticket": "ST-1", "service": address}
        with pytest.raises(Unavailable):
            services.back_channel.send(ticket)
    assert refused.value.facts["why"] == "fetch.refused"
    assert inner.heard == []


def test_a_network_of_ones_own_may_be_named_in_which_platforms_are(
    database: Database, make_services: Callable[..., SsoServices]
) -> None:
    ours = (ip_network("127.0.0.1/32"),)
    services = make_services(database, origin=PUBLIC, platform_networks=ours)
    with listening(welcoming) as platform:
        services.back_channel.send(
            told_at(services, "ours", f"http://127.0.0.1:{platform.port}/logout")
        )
    assert platform.heard[0].startswith(b"POST /logout HTTP/1.1\r\n")


def test_a_name_that_is_rebound_between_look_and_connection_leads_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name is looked up once, and the connection goes to what was judged."""
    allowed = FetchLimits(allowed_networks=(ip_network("127.0.0.1/32"),))
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, *rest: object, **more: object) -> object:
        if host != "rebound.example":
            return real(host, *rest, **more)  # type: ignore[arg-type]
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with listening(welcoming) as judged:
        status = HttpFetcher(allowed).tell(
            f"http://rebound.example:{judged.port}/", b"a=b", back_channel.FORM
        )
    assert (status, len(asked), len(judged.heard)) == (204, 1, 1)
    with pytest.raises(Unavailable, match=r"fetch\.refused"):
        HttpFetcher(allowed).tell(f"http://rebound.example:{judged.port}/", b"", back_channel.FORM)


def test_a_redirect_is_not_followed(services: SsoServices) -> None:
    with listening(welcoming) as target:

        def elsewhere(connection: socket.socket) -> None:
            where = f"http://127.0.0.1:{target.port}/".encode()
            connection.sendall(b"HTTP/1.1 307 Temporary\r\nLocation: " + where + b"\r\n\r\n")

        with listening(elsewhere) as platform, pytest.raises(Exception, match=r"logout\.refused"):
            services.back_channel.send(
                told_at(services, "turning", f"http://127.0.0.1:{platform.port}/logout")
            )
    assert target.heard == []


def test_platforms_that_hang_or_drip_keep_the_others_waiting_for_seconds_at_most(
    database: Database,
    make_services: Callable[..., SsoServices],
    card: Card,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Notices to several go out at the same time, and each has its end in time."""
    monkeypatch.setattr("signing_service.sso.services.LONGEST_SECONDS", 2.0)
    services = make_services(database)
    events: queue.SimpleQueue[str] = queue.SimpleQueue()

    def drip(connection: socket.socket) -> None:
        events.put("heard")
        try:
            dripping(connection)
        except OSError:
            events.put("given up")

    def welcome(connection: socket.socket) -> None:
        events.put("heard")
        welcoming(connection)

    with ExitStack() as stack:
        bad = [stack.enter_context(listening(drip)) for _ in range(4)]
        good = stack.enter_context(listening(welcome))
        opened = services.sessions.open(ProvenCard(card.certificate, card.holder))
        for number, each in enumerate((*bad, good)):
            notice = told_at(services, f"p{number}", f"http://127.0.0.1:{each.port}/logout")
            with services.database.transaction() as connection:
                channel = channel_of(notice["client_id"])
                services.outbox.put(
                    connection, channel, {**notice, "sid": opened.signed_in.session}
                )
        done = services.back_channel.deliver()
        told = [events.get(timeout=30) for _ in range(5 + 4)]
    assert sorted(each.delivered for each in done) == [0, 0, 0, 0, 1]
    assert len(good.heard) == 1
    assert told == ["heard"] * 5 + ["given up"] * 4, "all are told before the first is given up"
