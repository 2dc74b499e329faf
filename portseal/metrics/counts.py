"""What is counted as it happens: requests with their durations, signatures by key."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ROOMS = frozenset(
    {"admin", "api", "apply", "cards", "cas", "certs", "crl", "csc", "enterprise", "health"}
    | {"ocsp", "officer", "oidc", "seals", "sso", "static", "tsa", "verify"}
)
_OTHER = "other"
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)

_requests = Histogram(
    "portseal_request_seconds",
    "Requests by the first segment of their address and the class of their status.",
    ["room", "status"],
    buckets=_BUCKETS,
)
_signatures = Counter("portseal_signatures", "Signatures made in the token.", ["key"])
_refused = Counter("portseal_signin_refused", "Sign-ins that were refused, by code.", ["code"])


def count_refused_sign_in(code: str) -> None:
    """`code` of the refusal; most are strangers', and stand nowhere else."""
    _refused.labels(code).inc()


def count_signature(label: str) -> None:
    """`label` of the key; the many keys of enterprises' seals are counted as one."""
    _signatures.labels("seal" if label.startswith("seal-") else label).inc()


class Counted:
    """A WSGI application whose requests are counted."""

    def __init__(self, inner: "WSGIApplication") -> None:
        self._inner = inner
        self._children: dict[tuple[str, str], Callable[[float], None]] = {}

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        started = time.perf_counter()
        told = "5"

        def start(
            status: str, headers: list[tuple[str, str]], error: "OptExcInfo | None" = None
        ) -> Callable[[bytes], object]:
            nonlocal told
            told = status[:1]
            return start_response(status, headers, error)

        try:
            return self._inner(environ, start)
        finally:
            room = environ["PATH_INFO"].split("/", 2)[1:2]
            self._observe(room[0] if room else "", told, time.perf_counter() - started)

    def _observe(self, room: str, status: str, seconds: float) -> None:
        observe = self._children.get((room, status))
        if observe is None:
            known = room if room in _ROOMS else _OTHER
            observe = _requests.labels(known, f"{status}xx").observe
            if known != _OTHER:  # what anybody may ask for is not remembered
                self._children[room, status] = observe
        observe(seconds)
