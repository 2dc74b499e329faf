"""The web application: bare WSGI for status and timestamps, Flask for the rest."""

import atexit
import gc
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from portseal import logs
from portseal.metrics.files import is_counting
from portseal.settings import read_settings
from portseal.web.app import create_flask
from portseal.web.health import create_health
from portseal.wiring import House
from signing_service.timestamping.web import TimestampApplication

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Front:
    """Chooses by the first segment of the path; OCSP answers never pass through Flask."""

    def __init__(self, rooms: dict[str, "WSGIApplication"], rest: "WSGIApplication") -> None:
        self._rooms = rooms
        self._rest = rest

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        room = self._rooms.get(path.split("/", 2)[1] if path.startswith("/") else "")
        return (room or self._rest)(environ, start_response)


def create() -> Callable[..., Iterable[bytes]]:
    """What granian loads in each worker process, after the fork."""
    house = _open_house()
    rooms: dict[str, WSGIApplication] = {
        "ocsp": house.status_application,
        "crl": house.status_application,
        "certs": house.status_application,
        "tsa": TimestampApplication(house.timestamp_authority),
    }
    return _ready(house, Front(rooms, create_flask(house)))


def create_timestamps() -> Callable[..., Iterable[bytes]]:
    """The same for `portseal serve --timestamps`: /tsa, and /health for the load balancer."""
    house = _open_house()
    rooms: dict[str, WSGIApplication] = {"tsa": TimestampApplication(house.timestamp_authority)}
    return _ready(house, Front(rooms, create_health(house)))


def _open_house() -> House:
    settings = read_settings()
    logs.install(settings.log)
    house = House(settings)
    house.self_test()
    atexit.register(house.key_uses.close)
    return house


def _ready(house: House, front: Front) -> Callable[..., Iterable[bytes]]:
    # What was made until now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    if not is_counting():
        return front
    from portseal.metrics.counts import Counted, count_signature

    house.token.on_signature(count_signature)
    return Counted(front)
