"""Proof that somebody holds a card: the checks, in their order, and the journal of each try."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from kernel.algorithms import SUITES_BY_JOSE, AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import serial_text
from kernel.refusals import (
    Forbidden,
    Malformed,
    Refusal,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from records.database import Database
from records.events import Event
from records.journal import Journal
from signing_service.ports import CertificateStatus, Holder, Holders, StatusSource
from signing_service.sso.authentication_token import (
    CONFIRMATION_FORMAT,
    FORMAT,
    AuthenticationToken,
    read_authentication_token,
    signed_value,
)
from signing_service.sso.card_states import not_active, why_revoked
from signing_service.sso.challenges import Challenge, Challenges
from signing_service.sso.settings import SsoSettings

_log = logging.getLogger("portseal.signin")
_CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
_ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class ProvenCard:
    """A certificate whose key just answered our challenge, and who holds it."""

    certificate: Certificate
    holder: Holder
    purpose: str | None = None
    """What the challenge was made for (SHA-256, hexadecimal); None: for signing in alone."""


class CardCheck:
    """Whether a certificate may be signed in with at a time. Asks nothing of its key."""

    def __init__(
        self,
        clock: Clock,
        holders: Holders,
        status_source: StatusSource,
        pinned_issuers: tuple[Certificate, ...],
        settings: SsoSettings,
    ) -> None:
        self._clock = clock
        self._holders = holders
        self._status_source = status_source
        self._pinned = pinned_issuers
        self._settings = settings

    def purpose(self, certificate: Certificate) -> None:
        """Key usage, extended key usage, policies (RFC 5280, 4.2.1.3, 4.2.1.12, 4.2.1.4).

        Raises Unauthenticated `signin.key-usage`, `signin.extended-key-usage`,
        `signin.policy`, `signin.critical-extension`.
        """
        if certificate.is_ca or "digitalSignature" not in certificate.key_usage:
            raise _refused("signin.key-usage", "the certificate is not for signing in")
        purposes = certificate.extended_key_usage
        if purposes and _CLIENT_AUTH not in purposes:
            raise _refused("signin.extended-key-usage", "the certificate is not for signing in")
        if self._settings.accepted_policies.isdisjoint(certificate.policies):
            raise _refused("signin.policy", "no card of this kind may sign in")
        if certificate.critical_unknown_extensions:
            raise _refused("signin.critical-extension", "a critical extension is not understood")

    def trusted_issuer(self, certificate: Certificate) -> Certificate:
        """Validity, and the pinned certificate that issued it.

        Raises Unauthenticated `signin.not-valid-now`, `signin.issuer`.
        """
        now = self._clock.now()
        if not certificate.not_before <= now <= certificate.not_after:
            raise _refused("signin.not-valid-now", "the certificate is expired or not yet valid")
        for issuer in self._pinned:
            if issuer.not_before <= now <= issuer.not_after and certificate.is_signed_by(issuer):
                return issuer
        raise _refused("signin.issuer", "the certificate comes from no authority trusted here")

    def is_ours(self, certificate: Certificate) -> bool:
        """Whether a pinned issuer signed it, whatever else is wrong with it."""
        return any(certificate.is_signed_by(issuer) for issuer in self._pinned)

    def not_revoked(self, certificate: Certificate, issuer: Certificate) -> None:
        """For whoever has proven the key: says what became of the card, and since when.

        Raises Forbidden `signin.frozen`, `signin.lost`; Unauthenticated `signin.revoked`,
        `signin.status-unknown`; Unavailable `signin.status-unavailable`, `signin.status-stale`.
        """
        answer = self._status_source.status(certificate, issuer)
        if answer is None:
            raise Unavailable("signin.status-unavailable", "nobody tells the certificate's status")
        now, settings = self._clock.now(), self._settings
        age = now - answer.this_update
        if not (
            -timedelta(seconds=settings.status_skew_seconds)
            <= age
            <= timedelta(seconds=settings.status_max_age_seconds)
        ):
            raise Unavailable("signin.status-stale", "the certificate's status is not fresh")
        if answer.status is CertificateStatus.REVOKED:
            holder = self._holders.by_certificate(certificate, now)
            raise why_revoked(holder, answer)
        if answer.status is not CertificateStatus.GOOD:
            raise _refused("signin.status-unknown", "the authority does not know the certificate")

    def holder(self, certificate: Certificate, at: datetime) -> Holder:
        """Raises Forbidden `signin.unknown-holder`, `signin.frozen`, `signin.lost`,
        `signin.card-state`."""
        holder = self._holders.by_certificate(certificate, at)
        if holder is None:
            raise Forbidden("signin.unknown-holder", "nobody is registered with this card")
        if holder.card_state != "active":
            raise not_active(holder)
        return holder

    def still_good(self, certificate: Certificate) -> Holder:
        """All that can change while a session lasts. Raises as the above."""
        issuer = self.trusted_issuer(certificate)
        self.not_revoked(certificate, issuer)
        return self.holder(certificate, self._clock.now())


class CardLogin:
    """Turns an answered challenge into a proven card."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        challenges: Challenges,
        check: CardCheck,
        settings: SsoSettings,
        on_refused: Callable[[str], None] = lambda code: None,
    ) -> None:
        """`on_refused` is told the code of every refusal, to count them."""
        self._on_refused = on_refused
        self._database = database
        self._journal = journal
        self._clock = clock
        self._challenges = challenges
        self._check = check
        self._settings = settings
        self._suites = {name: SUITES_BY_JOSE[name] for name in settings.algorithms}

    def prove(self, browser: str | None, text: str, nonce: str | None = None) -> ProvenCard:
        """Check an authentication token against a challenge of this browser.

        The challenge is spent whatever comes of it. A refusal is journalled when the key of a
        certificate of ours has signed, and counted in any case: certificates are public, so
        showing one says nothing of who shows it: strangers must not fill the journal, nor learn
        what state another's card is in.
        `nonce` only selects among the browser's challenges; what was signed is computed from our
        own origin.
        Raises Malformed, Unauthenticated, Forbidden, Unavailable, all `signin.*`.
        """
        shown: Certificate | None = None
        try:
            challenge = self._challenges.take(browser, nonce)
            token = read_authentication_token(text)
            shown = certificate = _certificate(token)
            self._check.purpose(certificate)
            issuer = self._check.trusted_issuer(certificate)
            self._verify(token, certificate, challenge)
            self._check.not_revoked(certificate, issuer)  # told to whoever has proven the key
            holder = self._check.holder(certificate, self._clock.now())
            return ProvenCard(certificate, holder, challenge.purpose)
        except Refusal as refusal:
            proven = None
            if shown is not None and self._check.is_ours(shown):
                with suppress(Refusal):
                    self._verify(token, shown, challenge)
                    proven = shown
            self._record_refusal(refusal, proven)
            raise

    def _verify(
        self, token: AuthenticationToken, certificate: Certificate, challenge: Challenge
    ) -> None:
        """Raises Unauthenticated `signin.act-unshown`, `signin.algorithm`, `signin.signature`."""
        if challenge.confirmed is not None and token.format != CONFIRMATION_FORMAT:
            raise _refused("signin.act-unshown", "the card did not sign the act that was asked for")
        origin = self._settings.origin
        verify_answer(
            token, certificate, self._suites, origin, challenge.nonce, challenge.confirmed
        )

    def accept_tls(
        self, browser: str | None, nonce: str | None, certificate: Certificate
    ) -> ProvenCard:
        """A certificate whose key a proxy of ours saw used in this browser's TLS handshake.

        The browser's challenge is spent, so the request comes from our own page. A challenge for
        one purpose is not met: a handshake says nothing of what it is for.
        Raises as `prove`; Unauthenticated `signin.purpose`.
        """
        try:
            challenge = self._challenges.take(browser, nonce)
            if challenge.purpose is not None:
                raise _refused("signin.purpose", "this needs the card itself, with its PIN")
            self._check.purpose(certificate)
            issuer = self._check.trusted_issuer(certificate)
            self._check.not_revoked(certificate, issuer)
            if certificate.public_key.weakness() is not None:
                raise _refused("signin.algorithm", "the certificate's key is too weak")
            return ProvenCard(certificate, self._check.holder(certificate, self._clock.now()))
        except Refusal as refusal:
            self._record_refusal(refusal, certificate)
            raise

    def _record_refusal(self, refusal: Refusal, certificate: Certificate | None) -> None:
        """`certificate`: whose key was seen at work; None: nobody has proven anything."""
        self._on_refused(refusal.code)
        if certificate is None or not self._check.is_ours(certificate):
            _log.info("a sign-in was refused: %s", refusal.code)
            return
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.SIGNIN_REFUSED,
                subject=certificate.fingerprint,
                actor=_ANONYMOUS,
                code=refusal.code,
                serial=serial_text(certificate.serial),
            )


def verify_answer(
    token: AuthenticationToken,
    certificate: Certificate,
    suites: Mapping[str, AlgorithmSuite],
    origin: str,
    nonce: str,
    confirmed: str | None = None,
) -> None:
    """That the certificate's key signed this origin and challenge, and with them the acts of the
    digest `confirmed`, by one of `suites` (by their JOSE names). Raises Unauthenticated
    `signin.algorithm`, `signin.signature`."""
    suite = suites.get(token.algorithm)
    try:
        key = certificate.public_key
    except (Malformed, Unprocessable):
        raise _refused("signin.algorithm", "the certificate's key is not supported") from None
    if suite is None or not key.fits(suite) or key.weakness() is not None:
        raise _refused("signin.algorithm", "the algorithm does not fit the certificate's key")
    try:
        signature = suite.from_raw(token.signature)
    except Malformed:
        raise _refused("signin.signature", "the signature has the wrong shape") from None
    expected = FORMAT if confirmed is None else CONFIRMATION_FORMAT
    signed = signed_value(suite, origin, nonce, confirmed)
    if token.format != expected or not key.verify(suite, signature, signed):
        raise _refused("signin.signature", "the signature is not over what was asked for")


def _certificate(token: AuthenticationToken) -> Certificate:
    if token.certificate_der[:1] != b"\x30":
        raise Malformed("signin.certificate", "not a DER certificate")
    try:
        return Certificate.parse(token.certificate_der)
    except Malformed:
        raise Malformed("signin.certificate", "not an X.509 certificate") from None


def _refused(code: str, detail: str) -> Unauthenticated:
    return Unauthenticated(code, detail)
