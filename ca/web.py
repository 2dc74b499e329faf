"""Status over HTTP, as bare WSGI: `/ocsp`, `/crl/<authority>.crl`, `/certs/<authority>.cer`.

Parts of a partitioned list are `/crl/<authority>/<part>.crl`; delta lists `.../delta.crl` and
`.../<part>-delta.crl`.

The path is read from PATH_INFO whole; the front hall mounts the application at the root.
"""

import base64
import binascii
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import unquote

from ca.crl.archive import CrlArchive, StoredCrl
from ca.ocsp.cache import Headers, OcspAnswer
from ca.ocsp.messages import MAX_REQUEST_BYTES, ResponseStatus, error_response
from ca.ocsp.responder import http_date
from ca.ocsp.service import Answering
from kernel.asn1.certificate import Certificate
from kernel.refusals import Unavailable

Environ = dict[str, Any]
StartResponse = Callable[[str, Headers], object]
_CERTIFICATE_PATH = re.compile(r"/certs/([a-z][a-z0-9-]{0,39})\.cer")
_CRL_PATH = re.compile(
    r"/crl/(?P<authority>[a-z][a-z0-9-]{0,39})"
    r"(/((?P<shard>[1-9]\d{0,3})-)?(?P<delta>delta)|/(?P<part>[1-9]\d{0,3}))?\.crl"
)
_Scope = tuple[str, int, bool]
"""Authority, part (0: everything), whether a delta list."""
_OCSP_RESPONSE = ("Content-Type", "application/ocsp-response")
_MALFORMED = OcspAnswer(error_response(ResponseStatus.MALFORMED_REQUEST))
_LONGEST_PATH = 4 * MAX_REQUEST_BYTES
_CRL_POLL_SECONDS = 0.2


class Application(Protocol):
    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]: ...


class OcspApplication:
    """GET and POST (RFC 6960, appendix A; RFC 5019, 5 and 6). One look-up when cached."""

    def __init__(self, responder: Answering, prefix: str = "/ocsp") -> None:
        self._responder = responder
        self._prefix = prefix + "/"

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method == "GET":
            return self._get(environ, start_response)
        if method == "POST":
            return self._post(environ, start_response)
        return _plain(start_response, "405 Method Not Allowed", [("Allow", "GET, POST")])

    def _post(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            length = int(environ.get("CONTENT_LENGTH") or 0)
        except ValueError:
            return _plain(start_response, "400 Bad Request")
        if not 0 <= length <= MAX_REQUEST_BYTES:
            return _plain(start_response, "413 Content Too Large")
        if environ.get("CONTENT_TYPE") != "application/ocsp-request":
            return _plain(start_response, "415 Unsupported Media Type")
        body = environ["wsgi.input"].read(length)
        answer = self._responder.cached(body) or self._responder.answer(body, body)
        der = answer.der
        headers = [
            _OCSP_RESPONSE,
            ("Content-Length", str(len(der))),
            ("Cache-Control", "no-store"),
        ]
        start_response("200 OK", headers)
        return (der,)

    def _get(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        answer = self._responder.cached(path)
        if answer is None:
            if len(path) > _LONGEST_PATH:
                return _plain(start_response, "414 URI Too Long")
            request = self._from_path(path)
            # Base64 can be written in several ways; the answer is kept for the usual one.
            key = path if request and path == self._path_of(request) else None
            answer = _MALFORMED if request is None else self._responder.answer(request, key)
        if not answer.headers:
            length = ("Content-Length", str(len(answer.der)))
            start_response("200 OK", [_OCSP_RESPONSE, length, ("Cache-Control", "no-store")])
            return (answer.der,)
        if environ.get("HTTP_IF_NONE_MATCH") == answer.etag:
            start_response("304 Not Modified", answer.headers[2:])
            return ()
        start_response("200 OK", answer.headers[:])
        return (answer.der,)

    def _path_of(self, request: bytes) -> str:
        return self._prefix + base64.b64encode(request).decode()

    def _from_path(self, path: str) -> bytes | None:
        """The base64 of a request, after the prefix (RFC 6960, A.1)."""
        encoded = unquote(path.removeprefix(self._prefix))
        try:
            request = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except (ValueError, binascii.Error):
            return None
        return request if len(request) <= MAX_REQUEST_BYTES else None


class CrlApplication:
    """The latest revocation lists and the authorities' certificates, with validators."""

    def __init__(self, archive: CrlArchive, certificates: Mapping[str, Certificate]) -> None:
        self._archive = archive
        self._certificates = dict(certificates)
        self._latest: dict[_Scope, StoredCrl] = {}
        self._looked: dict[_Scope, float] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _plain(start_response, "405 Method Not Allowed", [("Allow", "GET, HEAD")])
        path: str = environ["PATH_INFO"]
        found = _CRL_PATH.fullmatch(path)
        if found is not None and found["authority"] in self._certificates:
            shard = int(found["shard"] or found["part"] or 0)
            scope = found["authority"], shard, found["delta"] is not None
            return self._send_crl(scope, environ, start_response)
        found = _CERTIFICATE_PATH.fullmatch(path)
        if found is not None and found[1] in self._certificates:
            return self._send_certificate(self._certificates[found[1]], environ, start_response)
        return _plain(start_response, "404 Not Found")

    def _send_certificate(
        self, certificate: Certificate, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        headers = [
            ("Content-Type", "application/pkix-cert"),
            ("Last-Modified", http_date(certificate.not_before)),
            ("Cache-Control", "max-age=86400, public"),
        ]
        return _send(certificate.der, certificate.fingerprint, headers, environ, start_response)

    def _send_crl(
        self, scope: _Scope, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        try:
            crl = self._latest_crl(scope)
        except Unavailable:
            return _plain(start_response, "503 Service Unavailable", [("Retry-After", "5")])
        if crl is None:
            return _plain(start_response, "404 Not Found")
        headers = [
            ("Content-Type", "application/pkix-crl"),
            ("Last-Modified", http_date(crl.this_update)),
            ("Expires", http_date(crl.next_update)),
            ("Cache-Control", "no-cache, public"),
        ]
        return _send(crl.der, crl.fingerprint, headers, environ, start_response)

    def _latest_crl(self, scope: _Scope) -> StoredCrl | None:
        authority, shard, delta = scope
        with self._lock:
            now = time.monotonic()
            known = self._latest.get(scope)
            if now - self._looked.get(scope, float("-inf")) < _CRL_POLL_SECONDS:
                return known
            try:
                number = self._archive.latest_number(authority, shard, delta=delta)
                if number and (known is None or number != known.number):
                    known = self._archive.latest(authority, shard, delta=delta)
            except Unavailable:
                if known is None:
                    raise
            if known is not None:  # what never stood is not remembered: scopes are many
                self._latest[scope] = known
                self._looked[scope] = now
            return known


class StatusApplication:
    """All of it under one roof."""

    def __init__(self, ocsp: OcspApplication, crls: CrlApplication) -> None:
        self._ocsp = ocsp
        self._crls = crls

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path.startswith("/ocsp") and path[5:6] in ("", "/"):
            return self._ocsp(environ, start_response)
        return self._crls(environ, start_response)


def _send(
    body: bytes,
    fingerprint: str,
    headers: Headers,
    environ: Environ,
    start_response: StartResponse,
) -> Iterable[bytes]:
    etag = f'"{fingerprint}"'
    headers.append(("ETag", etag))
    if environ.get("HTTP_IF_NONE_MATCH") == etag:
        start_response("304 Not Modified", headers)
        return ()
    start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return () if environ["REQUEST_METHOD"] == "HEAD" else (body,)


def _plain(
    start_response: StartResponse, status: str, headers: Headers | None = None
) -> Iterable[bytes]:
    body = status.encode() + b"\n"
    start_response(
        status,
        [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *(headers or [])],
    )
    return (body,)
