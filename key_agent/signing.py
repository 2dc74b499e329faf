"""Signing in, and signing documents that are shown first."""

from collections.abc import Sequence
from typing import Any

from kernel.algorithms import AlgorithmSuite
from kernel.clock import Clock
from kernel.refusals import Conflict, Forbidden, Malformed, NotFound, TooLarge
from key_agent import VERSION
from key_agent.asking import Asking, Request
from key_agent.cards import Cards, HeldCertificate
from key_agent.display import show
from key_agent.drafts import check_counter_draft, check_draft
from key_agent.messages import (
    BesideBody,
    ItemBody,
    SignBody,
    SignBundleBody,
    SignInBody,
    SignTreeBody,
    octets,
    text_of,
)
from key_agent.origins import Origins
from key_agent.reading import Copies
from key_agent.telling import LIST, Checked, Telling, Told
from key_agent.windows import whole
from signing_service.formats.bundle import Part
from signing_service.formats.coverage_bundle import covers_bundle
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
        files = checked.files("document")
        with self._copies.laid_out(files) as directory:
            copies = (self._asking.words("copy", path=directory / name) for name in files)
            lines = (
                self._asking.words("sign", kind=checked.told.shown.name),
                *checked.told.shown.lines,
                *(line for copy in copies for line in whole(copy)),
                *self._telling.of_signature(checked),
                *self._asking.of_certificate(held),
            )
            values = self._sign(request, held, checked.documents, [checked.to_be_signed], lines)
        return {"signature_value": text_of(values[0]), "suite": suite.name}

    def sign_bundle(self, request: Request, body: SignBundleBody) -> dict[str, Any]:
        """Several after one question, with one PIN; all are checked before the first is signed."""
        held = self._signing_certificate(request, body.certificate)
        suite = held.certificate.public_key.default_suite()
        checked = [self._check(item, held, suite) for item in body.items]
        with self._copies.laid_out(self._telling.to_read(checked)) as directory:
            told = self._telling.of_bundle(checked, str(directory / LIST))
            lines = (*told, *self._asking.of_certificate(held))
            documents = [told for each in checked for told in each.documents]
            octets_to_sign = [each.to_be_signed for each in checked]
            values = self._sign(request, held, documents, octets_to_sign, lines)
        return {"signature_values": [text_of(value) for value in values], "suite": suite.name}

    def sign_tree(self, request: Request, body: SignTreeBody) -> dict[str, Any]:
        """One value over the manifest of a bundle (`formats.bundle`), after every document of it
        was shown: the root is computed here, from the documents and the agencies.

        Raises Forbidden `draft.other-document`; TooLarge `document.too-large`.
        """
        held = self._signing_certificate(request, body.certificate)
        suite = held.certificate.public_key.default_suite()
        parts = [self._told(each, each.recipient) for each in body.parts]
        to_be_signed = octets(body.to_be_signed)
        if not covers_bundle(
            [Part(each.recipient or "", each.document) for each in parts],
            [octets(each) for each in body.proofs],
            to_be_signed,
            suite,
            held.certificate,
        ):
            raise Forbidden(
                "draft.other-document",
                "the service asks the card to sign another bundle than these documents",
            )
        with self._copies.laid_out(self._telling.tree_to_read(parts)) as directory:
            told = self._telling.of_tree(parts, str(directory / LIST))
            lines = (*told, *self._asking.of_certificate(held))
            values = self._sign(request, held, parts, [to_be_signed], lines)
        return {"signature_value": text_of(values[0]), "suite": suite.name}

    def _check(self, item: ItemBody, held: HeldCertificate, suite: AlgorithmSuite) -> Checked:
        try:
            format_ = SignatureFormat(item.format)
        except ValueError:
            raise Malformed("request.malformed", "no such format") from None
        document, to_be_signed = _document(item.document), octets(item.to_be_signed)
        beside = tuple(self._told(each) for each in item.beside)
        drafted = octets(item.draft)
        asked = (format_, document, to_be_signed, drafted, held.certificate, suite)
        if item.act == "counter":
            if beside:
                raise Malformed("request.malformed", "a counter-signature is upon one document's")
            draft = check_counter_draft(*asked)
        else:
            draft = check_draft(*asked, beside=[each.document for each in beside])
        # What is shown is what is signed: of a part, the part.
        signed = document if draft.part is None else draft.part
        told = Told(signed, show(signed, item.name, self._asking.words), item.name)
        return Checked(told, draft, format_, drafted, to_be_signed, beside)

    def _told(self, body: BesideBody, recipient: str | None = None) -> Told:
        document = _document(body.document)
        shown = show(document, body.name, self._asking.words)
        return Told(document, shown, body.name, recipient)

    def _sign(
        self,
        request: Request,
        held: HeldCertificate,
        documents: Sequence[Told],
        to_be_signed: Sequence[bytes],
        lines: Sequence[str],
    ) -> list[bytes]:
        request.facts.update(
            token=held.token.label,
            certificate=held.certificate.fingerprint,
            documents=[{"kind": each.shown.kind, "sha256": each.sha256} for each in documents],
            shown=list(lines),
        )
        short = self._telling.in_short(documents)
        pin = self._asking.pin(request, held.token, *lines, summary=short)
        with request.using_token(), self._cards.opened(held.token, pin) as token:
            key = token.key(str(held.key))
            return [key.sign(each) for each in to_be_signed]

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


def _document(text: str) -> bytes:
    """Raises TooLarge `document.too-large`."""
    document = octets(text)
    if len(document) > MAX_DOCUMENT_BYTES:
        raise TooLarge("document.too-large", "the document is too large")
    return document
