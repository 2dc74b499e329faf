"""Asking addresses that others name (certificates, platforms), without being led astray.

A name is resolved once, its addresses are checked, and the connection goes to a checked one: an
address of our own network is refused unless it is configured. Size, time and redirects have
limits, whatever the server does.
"""

import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urljoin, urlsplit

from kernel.refusals import Unavailable

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 64 * 1024
_MAX_URL = 2048
_MAX_ADDRESSES = 4


@dataclass(frozen=True)
class FetchLimits:
    seconds: float = 5.0
    """For one fetch, redirects and all."""
    redirects: int = 2
    allowed_networks: tuple[IpNetwork, ...] = ()
    """Networks that may be reached though they are not public (10.0.0.0/8, 127.0.0.1/32)."""


@dataclass(frozen=True)
class Fetched:
    body: bytes
    media_type: str


@dataclass(frozen=True)
class HttpFetcher:
    """GET and POST over http and https. Safe to use from many threads."""

    limits: FetchLimits = field(default_factory=FetchLimits)

    def get(self, url: str, max_bytes: int) -> Fetched:
        """Raises Unavailable `fetch.refused` (we will not), `fetch.failed` (it did not work),
        `fetch.too-large`, `fetch.too-slow`."""
        return self._fetch("GET", url, None, "", max_bytes)

    def post(self, url: str, body: bytes, media_type: str, max_bytes: int) -> Fetched:
        """As `get`; redirects are not followed."""
        return self._fetch("POST", url, body, media_type, max_bytes)

    def tell(self, url: str, body: bytes, media_type: str) -> int:
        """POST what needs no answer: the HTTP status, whatever it is. Nothing further is read,
        and no redirect is followed. Raises as `get`, but for `fetch.too-large`."""
        deadline = time.monotonic() + self.limits.seconds
        exchange = _Exchange(_checked_url(url), self.limits.allowed_networks, deadline)
        return exchange.status("POST", body, media_type)

    def _fetch(
        self, method: str, url: str, body: bytes | None, media_type: str, max_bytes: int
    ) -> Fetched:
        deadline = time.monotonic() + self.limits.seconds
        for _ in range(self.limits.redirects + 1):
            exchange = _Exchange(_checked_url(url), self.limits.allowed_networks, deadline)
            answer = exchange.run(method, body, media_type, max_bytes)
            if isinstance(answer, Fetched):
                return answer
            if method != "GET":
                break
            url = urljoin(url, answer)
        raise Unavailable("fetch.refused", "too many redirects")


def _checked_url(url: str) -> SplitResult:
    refusal = Unavailable("fetch.refused", "not an http address that can be fetched from")
    if len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise refusal
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise refusal from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise refusal
    return parts


def is_public(address: str, allowed: Sequence[IpNetwork] = ()) -> bool:
    """Whether a connection to the address leaves our own network, or is allowed all the same."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    named = (ip, *_inside(ip))
    if any(one in network for network in allowed for one in named):
        return True
    return all(_is_global(one) for one in named)


def _inside(ip: IpAddress) -> tuple[ipaddress.IPv4Address, ...]:
    """The IPv4 address that an IPv6 address leads to, where it is one of that kind."""
    if not isinstance(ip, ipaddress.IPv6Address):
        return ()
    inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
    if ip in _NAT64:
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return () if inner is None else (inner,)


def _is_global(ip: IpAddress) -> bool:
    """The library's lists are not enough: site-local and IPv4-compatible addresses, local
    translators and segments count as global there, and so do anycast addresses of one's own
    network, at which a cloud keeps its secrets."""
    if isinstance(ip, ipaddress.IPv6Address):
        translated = ip.ipv4_mapped is not None or ip in _NAT64
        return translated or (ip in _GLOBAL_UNICAST and ip.is_global)
    local = any(ip in network for network in _LOCAL_ANYCAST)
    return ip.is_global and not ip.is_multicast and not local


def _resolved(host: str, port: int, deadline: float) -> list[str]:
    """The name's addresses. The machine's resolver has no time limit of ours: it is waited for
    in a thread, which is left behind at the deadline. Raises Unavailable."""
    answer: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put([str(one[4][0]) for one in found])
        except (OSError, UnicodeError):
            answer.put(None)
        finally:
            _RESOLVING.release()

    if not _RESOLVING.acquire(timeout=max(0.0, deadline - time.monotonic())):
        raise Unavailable("fetch.too-slow", "names take too long to be resolved")
    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        addresses = answer.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        raise Unavailable("fetch.too-slow", "the server's name takes too long") from None
    if addresses is None:
        raise Unavailable("fetch.failed", "the server's name is not known")
    return addresses


_RESOLVING = threading.BoundedSemaphore(32)
"""Threads that wait for the resolver at once."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""RFC 4291, 2.4: all that was ever given out."""
_LOCAL_ANYCAST = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # RFC 6890, 2.2.2
    ipaddress.IPv4Network("192.88.99.0/24"),  # RFC 7526
)


@dataclass
class _Exchange:
    """One request and its answer, ended by a watchdog at the deadline."""

    url: SplitResult
    allowed: tuple[IpNetwork, ...]
    deadline: float
    _late: bool = False

    def run(
        self, method: str, body: bytes | None, media_type: str, max_bytes: int
    ) -> Fetched | str:
        """The answer, or where it redirects to."""
        with self._answered(method, body, media_type) as response:
            if response.status in _REDIRECTS:
                location = response.getheader("Location")
                if location is None:
                    raise Unavailable("fetch.failed", "a redirect to nowhere")
                return location
            if response.status != 200:
                raise Unavailable(
                    "fetch.failed", "the server answered {status}", status=response.status
                )
            return self._read(response, max_bytes)

    def status(self, method: str, body: bytes | None, media_type: str) -> int:
        with self._answered(method, body, media_type) as response:
            return response.status

    @contextmanager
    def _answered(
        self, method: str, body: bytes | None, media_type: str
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer's status and headers are there; its body is still to be read."""
        connection = self._connect()
        watchdog = threading.Timer(max(self.deadline - time.monotonic(), 0.0), self._give_up)
        watchdog.daemon = True
        self._socket = connection.sock
        watchdog.start()
        try:
            headers = {"Accept": "*/*", "User-Agent": "PortSeal", "Connection": "close"}
            if body is not None:
                headers["Content-Type"] = media_type
            path = (self.url.path or "/") + (f"?{self.url.query}" if self.url.query else "")
            connection.request(method, path, body, headers)
            with closing(connection.getresponse()) as response:
                if self._late:  # cut off among its headers, which then merely seem to end
                    raise Unavailable("fetch.too-slow", "the server took too long")
                yield response
        except (OSError, http.client.HTTPException, ValueError):
            if self._late:
                raise Unavailable("fetch.too-slow", "the server took too long") from None
            raise Unavailable("fetch.failed", "the server could not be talked to") from None
        finally:
            watchdog.cancel()
            connection.close()
            self._socket.close()

    def _read(self, response: http.client.HTTPResponse, max_bytes: int) -> Fetched:
        length = response.getheader("Content-Length", "")
        if length.isdigit() and int(length) > max_bytes:
            raise Unavailable("fetch.too-large", "at most {most} octets are read", most=max_bytes)
        parts, size = [], 0
        while chunk := response.read(_CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise Unavailable(
                    "fetch.too-large", "at most {most} octets are read", most=max_bytes
                )
            parts.append(chunk)
        if self._late:
            raise Unavailable("fetch.too-slow", "the server took too long")
        if length.isdigit() and size < int(length):
            raise Unavailable("fetch.failed", "the answer broke off")
        kind = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
        return Fetched(b"".join(parts), kind)

    def _connect(self) -> http.client.HTTPConnection:
        host, is_tls = self.url.hostname or "", self.url.scheme == "https"
        port = self.url.port or (443 if is_tls else 80)
        addresses = _resolved(host, port, self.deadline)
        if not all(is_public(address, self.allowed) for address in addresses):
            # All of them: who may name a private address beside a public one means no good.
            raise Unavailable("fetch.refused", "the address is not a public one")
        for address in addresses[:_MAX_ADDRESSES]:
            remaining = self.deadline - time.monotonic()
            if remaining <= 0:
                raise Unavailable("fetch.too-slow", "the server took too long")
            try:
                sock = socket.create_connection((address, port), timeout=remaining)
            except OSError:
                continue
            if is_tls:
                try:
                    context = ssl.create_default_context()
                    sock.settimeout(max(self.deadline - time.monotonic(), 0.001))
                    sock = context.wrap_socket(sock, server_hostname=host)
                except (OSError, ValueError):
                    sock.close()
                    continue
            connection = http.client.HTTPConnection(self.url.netloc.rpartition("@")[2])
            connection.sock = sock
            return connection
        raise Unavailable("fetch.failed", "the server cannot be reached")

    def _give_up(self) -> None:
        self._late = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
