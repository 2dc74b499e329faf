"""`/metrics` on a door of its own, for the networks that the settings allow."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector

from portseal import logs
from portseal.metrics.files import directory_of
from portseal.metrics.records import RecordsCollector
from portseal.settings import read_settings
from portseal.wiring import House

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Door:
    """Answers `/metrics` to whom it may; 403 and 404 to everything else."""

    def __init__(
        self, inner: "WSGIApplication", allowed: Sequence[IPv4Network | IPv6Network]
    ) -> None:
        self._inner = inner
        self._allowed = tuple(allowed)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if not self._may(environ.get("REMOTE_ADDR", "")):
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"not from here\n"]
        if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] != "GET":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"GET /metrics\n"]
        return self._inner(environ, start_response)

    def _may(self, address: str) -> bool:
        try:
            asking = ip_address(address)
        except ValueError:
            return False
        return any(asking in network for network in self._allowed)


def create() -> Door:
    """What granian loads."""
    settings = read_settings()
    logs.install(settings.log)
    registry = CollectorRegistry()
    directory = directory_of(settings)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
    registry.register(RecordsCollector(House(settings)))
    return Door(make_wsgi_app(registry), settings.metrics.allowed_networks)
