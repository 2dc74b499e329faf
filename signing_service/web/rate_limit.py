"""How often one client may ask: a token bucket for each address, in this process's memory.

The service has few processes, and the limit protects the processor, not an account: a shared
store would cost more than it saves. Memory is bounded; who was not seen longest is forgotten.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from kernel.refusals import TooMany

_IPV6_PREFIX = 64
"""One subscriber's network: within it an address costs nothing."""


@dataclass
class RateLimit:
    """`burst` requests at once, then `per_minute` of them. Safe to use from many threads."""

    per_minute: float = 120.0
    burst: int = 60
    clients: int = 10_000
    monotonic: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def check(self, address: str | None) -> None:
        """Count one request. Raises TooMany `request.too-many` with `retry_after` in seconds."""
        now, client = self.monotonic(), _client(address)
        with self._lock:
            tokens, since = self._buckets.pop(client, (float(self.burst), now))
            tokens = min(self.burst, tokens + (now - since) * self.per_minute / 60)
            allowed = tokens >= 1
            self._buckets[client] = (tokens - 1 if allowed else tokens), now
            while len(self._buckets) > self.clients:
                self._buckets.popitem(last=False)
        if not allowed:
            seconds = int((1 - tokens) * 60 / self.per_minute) + 1
            raise TooMany(
                "request.too-many", "too many requests; try again later", retry_after=seconds
            )


def _client(address: str | None) -> str:
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.IPv6Network((ip, _IPV6_PREFIX), strict=False))
    return str(ip)
