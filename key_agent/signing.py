"""Signing in, and signing documents that are shown first."""

import hashlib
from collections.abc import Sequence
from typing import Any

from kernel.algorithms import AlgorithmSuite
from kernel.clock import Clock
from kernel.refusals import Conflict, Malformed, NotFound, TooLarge
from key_agent import VERSION
from key_agent.asking import Asking, Request
from key_agent.cards import Cards, HeldCertificate
from key_agent.display import show
from key_agent.drafts import check_counter_draft, check_draft
from key_agent.messages import ItemBody, SignBody, SignBundleBody, SignInBody, octets, text_of
from key_agent.origins import Origins
from key_agent.reading import Copies
from key_agent.telling import LIST, Checked, Telling
from key_agent.windows import whole
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.sso.authentication_token import make_authentication_token
from signing_service.sso.confirmation import Confirmation
from signing_service.validation.evidence import SignatureFormat

_APPLICATION = f"https://portseal.example/agent/{VERSION}"


class SigningPurposes:
    """The purposes of this kind."""

    def __init__(
        self, cards: Cards, asking: Asking, origins: Origins, clock: Clock, copies: Copies
    ) -> None:
        self._cards = cards
        self._asking = asking
        self._origins = origins
        self._clock = clock
        self._copies = copies
        self._telling = Telling(asking.words)

    def sign_in(self, request: Request, body: SignInBody) -> dict[str, Any]:
        """An authentication token for the origin that asks; with `confirm`, over the acts that
        the window shows.

        Raises NotFound `card.no-certificate`; Conflict `certificate.several` when the page must
        say which.
        """
        held = self._certificate_for(request, body.certificate)
        request.facts.update(token=held.token.label, certificate=held.certificate.fingerprint)
        confirm = None
        lines: tuple[str, ...] = (self._asking.words("sign-in"),)
        if body.confirm is not None:
            confirm = Confirmation(body.confirm.platform, tuple(body.confirm.acts))
            lines = self._telling.of_confirmation(confirm)
            request.facts["shown"] = list(lines)
        pin = self._asking.pin(request, held.token, *lines, *self._asking.of_certificate(held))
        with request.using_token(), self._cards.opened(held.token, pin) as token:
            answer = make_authentication_token(
                token.key(str(held.key)),
                held.certificate.der,
                request.origin,
                body.nonce,
                _APPLICATION,
                None if confirm is None else confirm.digest,
            )
        return {"token": answer, "certificate": held.to_json()}

    def sign(self, request: Request, body: SignBody) -> dict[str, Any]:
        """The value over what a service prepared for a document, after it was shown.

        Raises as `check_draft`; TooLarge `document.too-large`.
        """
        held = self._signing_certificate(request, body.certificate)
        suite = held.certificate.public_key.default_suite()
        checked = self._check(body, held, suite)
        name = f"document.{checked.suffix}"
        with self._copies.laid_out({name: checked.to_read}) as directory:
            lines = (
                self._asking.words("sign", kind=checked.shown.name),
                *checked.shown.lines,
                *whole(self._asking.words("copy", path=directory / name)),
                *self._telling.of_signature(checked),
                *self._asking.of_certificate(held),
            )
            values = self._sign(request, held, [checked], lines)
        return {"signature_value": text_of(values[0]), "suite": suite.name}

    def sign_bundle(self, request: Request, body: SignBundleBody) -> dict[str, Any]:
        """Several after one question, with one PIN; all are checked before the first is signed."""
        held = self._signing_certificate(request, body.certificate)
        suite = held.certificate.public_key.default_suite()
        checked = [self._check(item, held, suite) for item in body.items]
        with self._copies.laid_out(self._telling.to_read(checked)) as directory:
            told = self._telling.of_bundle(checked, str(directory / LIST))
            lines = (*told, *self._asking.of_certificate(held))
            values = self._sign(request, held, checked, lines)
        return {"signature_values": [text_of(value) for value in values], "suite": suite.name}

    def _check(self, item: ItemBody, held: HeldCertificate, suite: AlgorithmSuite) -> Checked:
        try:
            format_ = SignatureFormat(item.format)
        except ValueError:
            raise Malformed("request.malformed", "no such format") from None
        document, to_be_signed = octets(item.document), octets(item.to_be_signed)
        if len(document) > MAX_DOCUMENT_BYTES:
            raise TooLarge("document.too-large", "the document is too large")
        drafted = octets(item.draft)
        check = check_counter_draft if item.act == "counter" else check_draft
        draft = check(format_, document, to_be_signed, drafted, held.certificate, suite)
        return Checked(
            show(document, item.name, self._asking.words),
            draft,
            format_,
            document,
            drafted,
            to_be_signed,
            hashlib.sha256(document).hexdigest(),
            item.name,
        )

    def _sign(
        self,
        request: Request,
        held: HeldCertificate,
        checked: Sequence[Checked],
        lines: Sequence[str],
    ) -> list[bytes]:
        request.facts.update(
            token=held.token.label,
            certificate=held.certificate.fingerprint,
            documents=[{"kind": each.shown.kind, "sha256": each.sha256} for each in checked],
            shown=list(lines),
        )
        pin = self._asking.pin(request, held.token, *lines)
        with request.using_token(), self._cards.opened(held.token, pin) as token:
            key = token.key(str(held.key))
            return [key.sign(each.to_be_signed) for each in checked]

    def _signing_certificate(self, request: Request, identifier: str) -> HeldCertificate:
        held = self._cards.certificate(identifier, self._origins.may_see(request.origin))
        if not held.can_sign(self._clock.now()):
            raise NotFound("card.no-certificate", "this certificate cannot sign now")
        return held

    def _certificate_for(self, request: Request, identifier: str | None) -> HeldCertificate:
        if identifier is not None:
            return self._signing_certificate(request, identifier)
        seen, now = self._origins.may_see(request.origin), self._clock.now()
        fitting = [
            each
            for each in self._cards.certificates()
            if each.identifier in seen and each.can_sign(now)
        ]
        if not fitting:
            self._cards_present()
            raise NotFound("card.no-certificate", "no certificate that can sign in is plugged in")
        if len({each.token.identifier for each in fitting}) > 1:
            raise Conflict("certificate.several", "several cards are plugged in: say which")
        return max(fitting, key=lambda each: each.recency)

    def _cards_present(self) -> None:
        """Raises NotFound `token.none` when nothing is plugged in at all."""
        if not any(token.initialised for token in self._cards.plugged()):
            raise NotFound("token.none", "no token is plugged in")
