"""The tokens that are plugged in, and one of them at a time opened with a PIN."""

import base64
import hmac
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hsm.module import Module
from hsm.plugged import PluggedToken, plugged_tokens
from hsm.token import Token
from kernel.asn1.certificate import Certificate
from kernel.refusals import Conflict, NotFound, Refusal, Unavailable

KEPT_SECONDS = 120
"""How long a login is kept between making a key and writing its certificate."""
_SIGNING = frozenset({"digitalSignature", "nonRepudiation"})
_ENCRYPTION = frozenset({"keyEncipherment", "dataEncipherment", "keyAgreement"})


@dataclass(frozen=True)
class HeldCertificate:
    """A certificate on a token."""

    token: PluggedToken
    certificate: Certificate
    key: str | None
    """Label of its key, where that is on the token."""

    @property
    def identifier(self) -> str:
        return self.certificate.digest("sha256").hex()

    @property
    def usage(self) -> tuple[str, ...]:
        usage = self.certificate.key_usage
        told = (("signing", _SIGNING), ("encryption", _ENCRYPTION))
        return tuple(name for name, bits in told if usage & bits)

    @property
    def recency(self) -> tuple[datetime, int]:
        """The greater the newer. Certificates of a young issuer begin together, with the issuer's
        own validity; then the number that later keys have in their labels tells."""
        number = (self.key or "").rpartition("-")[2]
        return self.certificate.not_before, int(number) if number.isdecimal() else 1

    def can_sign(self, now: datetime) -> bool:
        """Whether its key signs and it is valid now."""
        certificate = self.certificate
        return (
            self.key is not None
            and not certificate.is_ca
            and "signing" in self.usage
            and certificate.not_before <= now <= certificate.not_after
        )

    def to_json(self) -> dict[str, Any]:
        certificate = self.certificate
        return {
            "id": self.identifier,
            "der": base64.b64encode(certificate.der).decode("ascii"),
            "subject": certificate.subject_text(),
            "issuer": certificate.issuer_text(),
            "serial": f"{certificate.serial:X}",
            "not_before": certificate.not_before.isoformat(),
            "not_after": certificate.not_after.isoformat(),
            "usage": list(self.usage),
            "key": self.key or "",
            "has_key": self.key is not None,
        }


class GivenPin:
    """A PIN that its user just typed; `hsm.pins.PinSource`."""

    attended = True

    def __init__(self, pin: str) -> None:
        self._pin = pin

    def __repr__(self) -> str:
        return "GivenPin()"

    def pin(self, token: str) -> str:
        return self._pin


@dataclass(frozen=True)
class _Kept:
    origin: str
    identifier: str
    token: Token
    until: float


class Cards:
    """All use of the tokens; one at a time, so that nobody works under another's login."""

    def __init__(self, modules: Sequence[str]) -> None:
        """`modules` are paths of PKCS#11 libraries."""
        self._modules = tuple(modules)
        self._lock = threading.RLock()
        self._kept: _Kept | None = None

    @property
    def has_libraries(self) -> bool:
        return bool(self._modules)

    def plugged(self) -> list[PluggedToken]:
        """Raises Unavailable `token.no-library`, `token.module`."""
        if not self._modules:
            raise Unavailable("token.no-library", "no PKCS#11 library is on this computer")
        with self._lock:
            found = plugged_tokens(self._modules)
            if not found and any(Module.load(path).rediscover() for path in self._modules):
                found = plugged_tokens(self._modules)
            return found

    def token(self, identifier: str) -> PluggedToken:
        """Raises Unavailable `token.missing`."""
        for each in self.plugged():
            if hmac.compare_digest(each.identifier, identifier):
                return each
        raise Unavailable("token.missing", "this token is not plugged in")

    def certificates(self) -> list[HeldCertificate]:
        """Every certificate on every token; what cannot be read is left out."""
        return [held for token in self.plugged() for held in certificates_of(token)]

    def certificate(self, identifier: str, seen: frozenset[str]) -> HeldCertificate:
        """Raises NotFound `card.no-certificate` also for one that the origin may not see."""
        for each in self.certificates():
            if each.identifier == identifier and identifier in seen:
                return each
        raise NotFound("card.no-certificate", "no such certificate is plugged in")

    @contextmanager
    def opened(self, plugged: PluggedToken, pin: str) -> Iterator[Token]:
        """The token, logged in for as long as this lasts. Raises Unavailable `token.*`; a wrong
        PIN tells `tries_left` and `tries` ("few" or "one") as far as the token does."""
        with self._lock:
            self._drop()
            token = self._log_in(plugged, pin)
            try:
                yield token
            finally:
                token.close()

    @contextmanager
    def keep(self, origin: str, plugged: PluggedToken, pin: str) -> Iterator[Token]:
        """The token, logged in for as long as this lasts; then, if it ended well, for a while
        longer, for one origin that has more to write. Raises as `opened`."""
        with self._lock:
            self._drop()
            token = self._log_in(plugged, pin)
            try:
                yield token
            except BaseException:
                token.close()
                raise
            until = time.monotonic() + KEPT_SECONDS
            kept = self._kept = _Kept(origin, plugged.identifier, token, until)
            timer = threading.Timer(KEPT_SECONDS, self._expire, (kept,))
            timer.daemon = True
            timer.start()

    @contextmanager
    def kept(self, origin: str, identifier: str) -> Iterator[Token | None]:
        """The login that was kept for this origin and token, which ends here."""
        with self._lock:
            kept = self._kept
            fits = (
                kept is not None
                and (kept.origin, kept.identifier) == (origin, identifier)
                and time.monotonic() < kept.until
            )
            try:
                yield kept.token if kept is not None and fits else None
            finally:
                self._drop()

    def has_kept(self, origin: str, identifier: str) -> bool:
        with self._lock:
            kept = self._kept
            return kept is not None and (kept.origin, kept.identifier) == (origin, identifier)

    def close(self) -> None:
        """Log out."""
        self._drop()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """For calls into a module that log in by themselves."""
        with self._lock:
            self._drop()
            yield

    def _log_in(self, plugged: PluggedToken, pin: str) -> Token:
        if not plugged.initialised:
            raise Conflict("token.blank", "this token is not initialised yet")
        pin_source = GivenPin(pin)
        token = Token(plugged.module, plugged.label, pin_source, sessions=1, serial=plugged.serial)
        try:
            token.login()
        except Refusal as refusal:
            token.close()
            raise self._with_tries(refusal, plugged) from None
        return token

    def _with_tries(self, refusal: Refusal, plugged: PluggedToken) -> Refusal:
        if refusal.code != "token.pin-wrong":
            return refusal
        now = next((t for t in self.plugged() if t.identifier == plugged.identifier), plugged)
        if now.locked:
            return Unavailable("token.locked", "the token is locked after too many wrong PINs")
        left = 1 if now.pin_tries == "one" else None
        return Unavailable(refusal.code, refusal.detail, tries_left=left, tries=now.pin_tries)

    def _expire(self, kept: _Kept) -> None:
        with self._lock:
            if self._kept is kept:
                self._drop()

    def _drop(self) -> None:
        with self._lock:
            kept, self._kept = self._kept, None
            if kept is not None:
                kept.token.close()


def certificates_of(token: PluggedToken) -> list[HeldCertificate]:
    found = []
    for _, der in token.certificates:
        try:
            certificate = Certificate.parse(der)
        except Refusal:
            continue
        found.append(HeldCertificate(token, certificate, token.key_label(certificate.spki)))
    return found
