"""A TLS client certificate as our proxy hands it on.

Whoever reaches us directly can write any header, so the header counts only when the connection
itself comes from a configured proxy, which overwrites it on every request, and carries the secret
that we share with the proxy: an address alone can be taken by any process of the same machine. The
proxy saw the key used in the TLS handshake; what the certificate is worth is for us to judge.
"""

import hmac
import logging
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import request

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed
from signing_service.sso.settings import SsoSettings

CERTIFICATE_HEADER = "X-Client-Certificate"
"""PEM, percent-encoded: nginx's `$ssl_client_escaped_cert`."""
VERDICT_HEADER = "X-Client-Verify"
"""nginx's `$ssl_client_verify`: `SUCCESS` when the proxy's own trust list knows the issuer."""
SECRET_HEADER = "X-PortSeal-Proxy"
"""The secret that the proxy shares with us."""
_MAX_CHARACTERS = 12_000
_log = logging.getLogger("portseal.sso")


@dataclass(frozen=True)
class ClientCertificate:
    certificate: Certificate
    trusted_by_proxy: bool

    @property
    def subject(self) -> str:
        """RFC 4514."""
        return x509.load_der_x509_certificate(self.certificate.der).subject.rfc4514_string()


def thumbprint(settings: SsoSettings) -> bytes | None:
    """SHA-256 of the certificate of this request's connection, to which tokens are bound
    (RFC 8705, 3). Raises as `presented`."""
    certificate = presented(settings)
    return None if certificate is None else bytes.fromhex(certificate.certificate.fingerprint)


def presented(settings: SsoSettings) -> ClientCertificate | None:
    """The certificate of this request's connection; None: none, or nobody we trust says so.

    Raises Malformed `signin.certificate` when the proxy hands on what is no certificate.
    """
    handed_on = request.headers.get(CERTIFICATE_HEADER)
    if not handed_on or not _from_proxy(settings):
        return None
    if not _knows_secret(settings):
        _log.warning("a client certificate came from a proxy's address without the shared secret")
        return None
    try:
        if len(handed_on) > _MAX_CHARACTERS:
            raise ValueError("too long")
        parsed = x509.load_pem_x509_certificate(unquote(handed_on, errors="strict").encode())
        certificate = Certificate.parse(parsed.public_bytes(Encoding.DER))
    except (ValueError, Malformed):
        raise Malformed("signin.certificate", "not an X.509 certificate") from None
    return ClientCertificate(certificate, request.headers.get(VERDICT_HEADER) == "SUCCESS")


def _knows_secret(settings: SsoSettings) -> bool:
    given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
    secret = settings.proxy_secret
    return bool(secret) and hmac.compare_digest(given, secret.encode())


def _from_proxy(settings: SsoSettings) -> bool:
    """Whether the peer of the connection is a proxy of ours, whatever X-Forwarded-For says."""
    before = request.environ.get("werkzeug.proxy_fix.orig", {})
    peer = before.get("REMOTE_ADDR", request.remote_addr)
    try:
        return str(ip_address(peer or "")) in settings.certificate_proxies
    except ValueError:
        return False
