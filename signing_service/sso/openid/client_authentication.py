"""Who a platform is that calls one of our endpoints: exactly the way that it registered."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from urllib.parse import unquote_plus

from kernel.clock import Clock
from signing_service.sso.client_certificate import ClientCertificate
from signing_service.sso.openid.client_assertions import TYPE, ClientAssertions
from signing_service.sso.openid.errors import OAuthError, invalid_request
from signing_service.sso.platform import (
    NONE,
    PRIVATE_KEY,
    SECRET,
    SELF_SIGNED_TLS,
    TLS,
    Platform,
)
from signing_service.sso.platforms import Platforms


class ClientAuthentication:
    """Knows platforms by secret, assertion or certificate."""

    def __init__(self, platforms: Platforms, assertions: ClientAssertions, clock: Clock) -> None:
        self._platforms = platforms
        self._assertions = assertions
        self._clock = clock

    def authenticate(
        self,
        authorization: str | None,
        form: Mapping[str, str],
        certificate: ClientCertificate | None,
        *,
        secret_in_body: bool = False,
    ) -> Platform:
        """The platform that sent this request.

        `secret_in_body`: also take the secret as a form field, for who was registered with one
        (RFC 6749, 2.3.1 advises against it; the CSC API allows it).
        Raises OAuthError `invalid_client` (401), or `invalid_request` when several ways are
        mixed.
        """
        basic = authorization is not None
        ways = (basic, "client_assertion" in form, "client_secret" in form)
        if sum(ways) > 1:
            raise invalid_request("A platform authenticates in one way.")
        if basic:
            assert authorization is not None
            platform = self._by_secret(*_basic(authorization))
        elif ways[1]:
            platform = self._by_assertion(form)
        elif ways[2]:
            platform = None
            if secret_in_body:
                platform = self._by_secret(form.get("client_id", ""), form["client_secret"])
        else:
            platform = self._by_certificate(form.get("client_id", ""), certificate)
        if platform is None:
            raise OAuthError("invalid_client", status=401, basic=basic)
        if "client_id" in form and form["client_id"] != platform.client_id:
            raise invalid_request("client_id names another platform.")
        return platform

    def _by_secret(self, client_id: str, secret: str) -> Platform | None:
        platform = self._platforms.find(client_id)
        if platform is None or platform.auth_method != SECRET:
            return None
        return platform if platform.check_client_secret(secret) else None

    def _by_assertion(self, form: Mapping[str, str]) -> Platform | None:
        assertion = form["client_assertion"]
        claimed = self._assertions.claimed_client(assertion)
        if form.get("client_assertion_type") != TYPE or claimed is None:
            return None
        platform = self._platforms.find(claimed)
        if platform is None or platform.auth_method != PRIVATE_KEY:
            return None
        return platform if self._assertions.proves(platform, assertion) else None

    def _by_certificate(
        self, client_id: str, certificate: ClientCertificate | None
    ) -> Platform | None:
        platform = self._platforms.find(client_id)
        if platform is None:
            return None
        if platform.auth_method == NONE:
            return platform
        if certificate is None or not self._is_in_time(certificate):
            return None
        terms = platform.terms
        if terms.auth_method == TLS:
            known = certificate.trusted_by_proxy and certificate.subject == terms.tls_subject
        elif terms.auth_method == SELF_SIGNED_TLS:
            fingerprint = certificate.certificate.fingerprint
            known = hmac.compare_digest(fingerprint, terms.tls_thumbprint or "")
        else:
            known = False
        return platform if known else None

    def _is_in_time(self, certificate: ClientCertificate) -> bool:
        held = certificate.certificate
        return held.not_before <= self._clock.now() <= held.not_after


def _basic(authorization: str) -> tuple[str, str]:
    """Name and secret, form-encoded inside (RFC 6749, 2.3.1). Raises OAuthError."""
    kind, _, value = authorization.partition(" ")
    try:
        if kind.lower() != "basic":
            raise ValueError("another scheme")
        pair = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        name, colon, secret = pair.partition(":")
        if not colon:
            raise ValueError("no colon")
    except (binascii.Error, ValueError):
        raise OAuthError("invalid_client", status=401, basic=True) from None
    return unquote_plus(name), unquote_plus(secret)
