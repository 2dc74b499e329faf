"""Status fetched over HTTP from real servers: limits, addresses of one's own network, caching."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from kernel.refusals import Unavailable
from signing_service.fetching import FetchLimits, HttpFetcher, is_public
from signing_service.ports import CertificateStatus
from signing_service.validation.engine import SignatureValidation, ValidationEngine
from signing_service.validation.online_status import CacheLimits, OnlineStatus
from tests.signing_service.validation.scenery import DAY, START, Card, World
from tests.signing_service.validation.test_engine import verdict
from tests.signing_service.validation.test_revocation import a_crl, an_ocsp

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """An HTTP server of this process, on a free port of loopback."""

    pages: dict[str, bytes | Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            page = found.pages.get(self.path)
            if callable(page):
                page(self)
            elif page is None:
                self.send_error(404)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *args: Any) -> None:
            """A client that hangs up is what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


def fetcher(seconds: float = 5.0) -> HttpFetcher:
    return HttpFetcher(FetchLimits(seconds=seconds, allowed_networks=LOOPBACK))


def redirect(to: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def broken_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"half")


def refused_with(code: str, http: HttpFetcher, url: str, max_bytes: int = 1000) -> None:
    with pytest.raises(Unavailable) as refusal:
        http.get(url, max_bytes)
    assert refusal.value.code == code


# -- limits ----------------------------------------------------------------------------------------


def test_a_page_is_fetched_and_a_redirect_followed(site: Site) -> None:
    site.pages = {"/a": redirect("/b"), "/b": b"hello"}
    assert fetcher().get(site.url("/a"), 1000).body == b"hello"


def test_redirects_have_an_end(site: Site) -> None:
    site.pages = {"/a": redirect("/a")}
    refused_with("fetch.refused", fetcher(), site.url("/a"))
    assert len(site.asked) == 3


def test_a_post_is_not_redirected(site: Site) -> None:
    site.pages = {"/a": redirect("/b"), "/b": b"hello"}
    with pytest.raises(Unavailable):
        fetcher().post(site.url("/a"), b"request", "text/plain", 1000)


@pytest.mark.parametrize("page", [b"x" * 1001, endless], ids=["told", "endless"])
def test_a_page_that_is_too_large_is_not_read(site: Site, page: bytes | Answer) -> None:
    site.pages = {"/a": page}
    refused_with("fetch.too-large", fetcher(), site.url("/a"))


def test_a_server_that_drips_is_left_in_time(site: Site) -> None:
    site.pages = {"/a": dripping}
    before = time.monotonic()
    refused_with("fetch.too-slow", fetcher(seconds=0.3), site.url("/a"))
    assert time.monotonic() - before < 2


def test_a_name_that_is_not_resolved_in_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, asked = threading.Event(), threading.Event()

    def silent(*arguments: Any, **named: Any) -> list[Any]:
        asked.set()
        assert answers.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    try:
        refused_with("fetch.too-slow", fetcher(seconds=0.1), "http://slow.example/a")
        assert asked.is_set()
    finally:
        answers.set()


def test_a_connection_whose_handshake_fails_is_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []
    connect = socket.create_connection

    def noted(*arguments: Any, **named: Any) -> socket.socket:
        opened.append(connect(*arguments, **named))
        return opened[-1]

    monkeypatch.setattr(socket, "create_connection", noted)
    address = site.url("/a").replace("http://", "https://")  # which it does not speak
    refused_with("fetch.failed", fetcher(), address)
    assert [each.fileno() for each in opened] == [-1]


def test_a_handshake_gets_what_the_connection_left_of_the_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that lets one wait for the connection does not get the whole time once more."""
    connect, wait = socket.create_connection, 0.4
    left: list[float | None] = []

    def slowly(*arguments: Any, **named: Any) -> socket.socket:
        time.sleep(wait)  # what a server does that takes its time: the subject of this test
        return connect(*arguments, **named)

    def noted(context: ssl.SSLContext, sock: socket.socket, **named: Any) -> ssl.SSLSocket:
        left.append(sock.gettimeout())
        raise ssl.SSLError

    monkeypatch.setattr(socket, "create_connection", slowly)
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", noted)
    address = site.url("/a").replace("http://", "https://")
    refused_with("fetch.failed", fetcher(seconds=5.0), address)
    (seconds,) = left
    assert seconds is not None
    assert 0 < seconds <= 5.0 - wait


def test_an_answer_that_breaks_off_is_no_answer(site: Site) -> None:
    site.pages = {"/a": broken_off}
    refused_with("fetch.failed", fetcher(), site.url("/a"))


def test_errors_and_silence_are_no_answers(site: Site) -> None:
    refused_with("fetch.failed", fetcher(), site.url("/nothing"))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    refused_with("fetch.failed", fetcher(), f"http://127.0.0.1:{port}/")


# -- addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a",
        "file:///etc/passwd",
        "http:///a",
        "http://user@example.com/",
        "http://example.com:99999/",
        "http://example.com/a b",
        "http://exämple.com/",
        "http://example.com/\r\nHost: other",
        "http://[::1/",
        "http://example.com/" + "a" * 3000,
        "gopher://127.0.0.1:25/",
    ],
)
def test_what_is_no_plain_address_is_not_fetched(url: str) -> None:
    refused_with("fetch.refused", fetcher(), url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001"])
def test_our_own_network_is_not_reached_unless_configured(site: Site, host: str) -> None:
    site.pages = {"/a": b"secret"}
    refused_with("fetch.refused", HttpFetcher(), f"http://{host}:{site.port}/a")
    assert site.asked == []


def test_a_redirect_does_not_lead_into_our_own_network(site: Site) -> None:
    only = FetchLimits(allowed_networks=(ipaddress.ip_network("127.0.0.1/32"),))
    site.pages = {"/a": redirect(f"http://127.0.0.2:{site.port}/b"), "/b": b"secret"}
    refused_with("fetch.refused", HttpFetcher(only), site.url("/a"))
    assert site.asked == ["/a"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False),
        ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("255.255.255.255", False), ("::1", False), ("::", False),
        ("fe80::1", False), ("fd00::1", False), ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("ff02::1", False),
        ("nonsense", False), ("fec0::1", False), ("::127.0.0.1", False), ("5f00::1", False),
        ("64:ff9b:1::7f00:1", False), ("::ffff:0:127.0.0.1", False), ("192.0.0.192", False),
        ("192.88.99.1", False), ("64:ff9b::5db8:d822", True), ("::ffff:93.184.216.34", True),
    ],
)  # fmt: skip
def test_addresses_of_ones_own_network_are_known(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_configured_network_may_be_reached() -> None:
    allowed = (ipaddress.ip_network("10.0.0.0/8"),)
    assert is_public("10.1.2.3", allowed)
    assert is_public("::ffff:10.1.2.3", allowed)
    assert is_public("64:ff9b::a01:203", allowed)
    assert not is_public("127.0.0.1", allowed)


# -- status ----------------------------------------------------------------------------------------


class Online(World):
    """Strangers' cards whose status is to be had over HTTP alone."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.book.issuers = {self.root.certificate.fingerprint}
        self.status = OnlineStatus(self.clock, fetcher())

    def online_card(self, *, ocsp: str | None = None, crl: str | None = None) -> Card:
        extra: list[x509.ExtensionType] = []
        if ocsp:
            location = x509.UniformResourceIdentifier(self.site.url(ocsp))
            access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)
            extra.append(x509.AuthorityInformationAccess([access]))
        if crl:
            name = x509.UniformResourceIdentifier(self.site.url(crl))
            point = x509.DistributionPoint([name], None, None, None)
            extra.append(x509.CRLDistributionPoints([point]))
        return self.issuing.card(critical=tuple(extra))

    def ask(self, card: Card, after: timedelta = timedelta()) -> SignatureValidation:
        self.clock.advance(after)
        engine = ValidationEngine(self.anchors(), (self.book,), self.policy, self.status)
        return engine.validate(self.signed(card), self.clock.now())


@pytest.fixture
def world(site: Site) -> Online:
    return Online(site)


def test_an_ocsp_responder_is_asked_once_while_its_answer_lasts(world: Online) -> None:
    card = world.online_card(ocsp="/ocsp")
    world.site.pages["/ocsp"] = an_ocsp(card, world.issuing, world.issuing)
    assert [verdict(world.ask(card)) for _ in range(3)] == ["TOTAL-PASSED"] * 3
    assert world.site.asked == ["/ocsp"]
    world.site.pages["/ocsp"] = an_ocsp(
        card, world.issuing, world.issuing, this_update=START + timedelta(hours=2)
    )
    assert verdict(world.ask(card, timedelta(hours=2))) == "TOTAL-PASSED"
    assert world.site.asked == ["/ocsp"] * 2


def test_a_crl_is_fetched_where_no_responder_answers(world: Online) -> None:
    card = world.online_card(ocsp="/dead", crl="/list")
    world.site.pages["/list"] = a_crl(world.issuing, (card.certificate.serial,))
    validation = world.ask(card)
    assert verdict(validation) == "INDETERMINATE/REVOKED_NO_POE"
    assert validation.basic.certificate is not None
    answer = validation.basic.certificate.revocation[0].answer
    assert answer is not None
    assert answer.status is CertificateStatus.REVOKED


def test_a_dead_responder_is_not_asked_again_at_once(world: Online) -> None:
    card = world.online_card(ocsp="/dead")
    assert verdict(world.ask(card)) == "INDETERMINATE/TRY_LATER"
    assert verdict(world.ask(card)) == "INDETERMINATE/TRY_LATER"
    assert world.site.asked == ["/dead"]
    world.site.pages["/dead"] = an_ocsp(card, world.issuing, world.issuing)
    assert verdict(world.ask(card, timedelta(minutes=2))) == "TOTAL-PASSED"


def test_an_old_answer_that_is_played_back_does_not_count(world: Online) -> None:
    card = world.online_card(ocsp="/ocsp")
    world.site.pages["/ocsp"] = an_ocsp(card, world.issuing, world.issuing)
    late = world.ask(card, 30 * DAY)
    assert verdict(late) == "INDETERMINATE/TRY_LATER"
    assert late.conclusion.reason == "revocation.stale"


def test_somebody_elses_answer_does_not_count(world: Online) -> None:
    card, other = world.online_card(ocsp="/ocsp"), world.issuing.card()
    world.site.pages["/ocsp"] = an_ocsp(other, world.issuing, world.issuing)
    assert verdict(world.ask(card)) == "INDETERMINATE/TRY_LATER"
    world.site.pages["/ocsp"] = an_ocsp(card, world.issuing, other)
    assert verdict(world.ask(card, timedelta(hours=2))) == "INDETERMINATE/TRY_LATER"


def test_nothing_is_fetched_where_the_signature_brings_fresh_status(world: Online) -> None:
    card = world.online_card(ocsp="/ocsp")
    response = an_ocsp(card, world.issuing, world.issuing)
    evidence = world.signed(card, embedded_ocsp=(response,))
    engine = ValidationEngine(world.anchors(), (world.book,), world.policy, world.status)
    assert verdict(engine.validate(evidence, START)) == "TOTAL-PASSED"
    assert world.site.asked == []


def test_the_memory_of_answers_is_bounded(world: Online) -> None:
    status = OnlineStatus(world.clock, fetcher(), CacheLimits(entries=3, octets=10_000))
    for number in range(10):
        card = world.online_card(crl=f"/list{number}")
        world.site.pages[f"/list{number}"] = a_crl(world.issuing)
        assert status.fetch(card.certificate, world.issuing.certificate) is not None
    assert len(status._kept) == 3
    assert status._octets < 10_000
