"""The service as a holder's program sees it: HTTP, with one sign-in session."""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from kernel.asn1.certificate import Certificate
from kernel.identifiers import Serial, serial_text
from kernel.refusals import Forbidden, Malformed, Refusal, TooLarge, Unavailable
from portseal.holder.card import Card
from portseal.holder.upload import FormUpload
from portseal.holder.wish import base64_of, wish
from signing_service.formats.bundle import Part
from signing_service.formats.coverage import covers
from signing_service.formats.coverage_bundle import covers_bundle
from signing_service.formats.document import StreamedDocument
from signing_service.formats.manner import Manner, Subject
from signing_service.validation.evidence import SignatureFormat, SignatureLevel

_TIMEOUT_SECONDS = 30
_SLOWEST_BYTES_A_SECOND = 8 << 20
_PASSES = 4
_MAX_ANSWER_BYTES = 64 << 20
_PIECE_BYTES = 1 << 16


class ServiceRefusal(Refusal):
    """What the service refused, with its own code and words."""

    def __init__(self, http_status: int, code: str, detail: str, **facts: Any) -> None:
        super().__init__(code, detail, **facts)
        self.http_status = http_status


@dataclass(frozen=True)
class Signed:
    """A signature that the service accepted."""

    id: str
    in_message: bytes | None
    """None: too large for one. `Service.save` writes it to a file."""
    size: int
    indication: str

    @property
    def signature(self) -> bytes:
        """Raises TooLarge `signature.too-large`."""
        if self.in_message is None:
            raise TooLarge("signature.too-large", "a signature file this large goes to a file")
        return self.in_message


@dataclass(frozen=True)
class SignedPart:
    """One declaration's proof out of a signed bundle."""

    id: str
    recipient: str
    proof: bytes
    indication: str


class Service:
    """One conversation. Raises ServiceRefusal, and Unavailable `service.unreachable`."""

    def __init__(self, origin: str) -> None:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise Malformed("service.origin", "an origin is scheme://host[:port]")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.session = requests.Session()
        self.session.headers.update({"Accept": "application/json", "Origin": self.origin})
        self.session.trust_env = False

    def call(self, method: str, path: str, body: object = None, **options: Any) -> dict[str, Any]:
        """One JSON call; an empty answer is an empty dict."""
        if body is not None:
            options["json"] = body
        response = self.fetch(method, path, **options)
        if not response.content:
            return {}
        if not response.headers.get("Content-Type", "").startswith("application/json"):
            raise Unavailable("service.unreachable", "the service did not answer in JSON")
        answer = response.json()
        return answer if isinstance(answer, dict) else {"items": answer}

    def fetch(self, method: str, path: str, **options: Any) -> requests.Response:
        """One call with any answer, of a size that is held in memory; redirects are not
        followed."""
        try:
            response = self.session.request(
                method,
                self.origin + path,
                allow_redirects=False,
                stream=True,
                **{"timeout": _TIMEOUT_SECONDS, **options},
            )
            _read(response)
        except requests.RequestException as error:
            raise _unreachable(self.origin, error) from error
        if response.status_code >= 400:
            raise _refusal(response)
        return response

    def enrol(self, card: Card, activation_code: str) -> dict[str, Any]:
        """Bring the credential onto the card; returns the service's record of the card."""
        body = {
            "activation_code": activation_code,
            "pkcs10": base64.b64encode(card.request()).decode("ascii"),
        }
        answer = self.call("POST", "/api/v1/enrolments", body)
        card.store(Certificate.parse(answer["certificate"]))
        return answer

    def fetch_certificate(self, card: Card) -> Certificate:
        """Bring the newest certificate of the card's key onto it, as after a re-issue; safe to
        repeat. Raises Conflict `card.other-key`."""
        path = f"/api/v1/card-certificates/{card.key.public_key.fingerprint}"
        newest = Certificate.parse(self.call("GET", path)["certificate"])
        card.store(newest)
        return newest

    def fetch_encryption_key(self, card: Card) -> Certificate:
        """Bring the card's encryption key onto it (docs/key-centre.md); its certificate. Safe to
        repeat: the same key comes again."""
        signing = card.certificate
        asked = card.encryption.ask(signing, self.origin)
        return self._install(card, self.call("POST", "/api/v1/encryption-keys", asdict(asked)))

    def ask_for_recovery(self, card: Card, serial: Serial, reason: str) -> dict[str, Any]:
        """Ask for the key of an older encryption certificate; an officer decides."""
        asked = card.encryption.ask(card.certificate, self.origin, serial)
        body = {**asdict(asked), "serial": serial_text(serial), "reason": reason}
        return self.call("POST", "/api/v1/key-recoveries", body)

    def fetch_recovered_key(self, card: Card, recovery: str) -> Certificate:
        """What an approved recovery gives, onto the card that asked."""
        path = f"/api/v1/key-recoveries/{quote(recovery, safe='')}/delivery"
        return self._install(card, self.call("POST", path, {}), recovered=True)

    def _install(
        self, card: Card, answer: dict[str, Any], *, recovered: bool = False
    ) -> Certificate:
        certificate = Certificate.parse(answer["certificate"])
        envelope = base64.b64decode(answer["envelope"], validate=True)
        card.encryption.install(certificate, envelope, card.certificate, recovered=recovered)
        return certificate

    def sign_in(self, card: Card) -> dict[str, Any]:
        """Prove possession of the card; the session's cookie stays with this object."""
        challenge = self.call("POST", "/api/v1/sign-in/challenges", {})
        if challenge["origin"] != self.origin:
            raise Forbidden(
                "service.other-origin",
                "the service asks for a sign-in to another origin",
                asked=str(challenge["origin"]),
            )
        token = card.answer(self.origin, challenge["nonce"])
        return self.call("POST", "/api/v1/sign-in", {"token": token})

    def sign(
        self,
        card: Card,
        document: bytes,
        format_: SignatureFormat,
        level: SignatureLevel = SignatureLevel.B_T,
        *,
        item: tuple[str, int] | None = None,
    ) -> Signed:
        """Sign one declaration or document with the card, in the format's usual manner.

        `item` is the job and the position of an item that was claimed. Raises as `make`.
        """
        return self.make(card, Subject.of(document), Manner(format_), level, item=item)

    def make(
        self,
        card: Card,
        subject: Subject,
        manner: Manner,
        level: SignatureLevel | None = None,
        *,
        qr_code: bool = False,
        item: tuple[str, int] | None = None,
    ) -> Signed:
        """One signature in any manner. The session must be the card's.

        Raises Forbidden `service.other-document` when the service asks the card to sign
        something that is not this document, or to claim what the manner does not.
        """
        uploads = {name: self._send_ahead(each) for name, each in subject.large.items()}
        body = wish(manner, subject, level, qr_code=qr_code, uploads=uploads)
        body["certificate"] = base64_of(card.certificate.der)
        seconds = _seconds_for(subject.large.values())
        prepared = self.call("POST", "/api/v1/signatures/prepare", body, timeout=seconds)
        to_be_signed, context = _octets(prepared, "to_be_signed"), _octets(prepared, "context")
        key = card.key_under(manner.suite)
        if not covers(manner, subject, to_be_signed, key.suite, card.certificate, context):
            raise _other_document()
        finished: dict[str, Any] = {
            "id": prepared["id"],
            "signature_value": base64_of(key.sign(to_be_signed)),
        }
        if item is not None:
            finished["item"] = {"batch": item[0], "position": item[1]}
        answer = self.call("POST", "/api/v1/signatures/complete", finished, timeout=seconds)
        whole = _octets(answer, "signature") if "signature" in answer else None
        return Signed(answer["id"], whole, int(answer["size"]), answer["indication"])

    def save(self, signed: Signed, path: Path) -> None:
        """Write an accepted signature, of any size, to a file: whole or not at all."""
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                for piece in self._pieces_of(signed):
                    file.write(piece)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _pieces_of(self, signed: Signed) -> Iterator[bytes]:
        if signed.in_message is not None:
            yield signed.in_message
            return
        path = f"/api/v1/signatures/{quote(signed.id, safe='')}/content"
        seen = 0
        try:
            with self.session.get(
                self.origin + path, stream=True, allow_redirects=False, timeout=_TIMEOUT_SECONDS
            ) as response:
                if response.status_code != 200:
                    raise _refusal(response)
                for piece in response.iter_content(1 << 20):
                    seen += len(piece)
                    if seen > signed.size:
                        break
                    yield piece
        except requests.RequestException as error:
            raise _unreachable(self.origin, error) from error
        if seen != signed.size:
            raise Unavailable("service.unreachable", "the signature came in another size")

    def _send_ahead(self, document: StreamedDocument) -> str:
        """Its identifier. Memory stays at one piece."""
        answer = self.call(
            "POST", "/api/v1/documents",
            data=_Sent(document),
            headers={"Content-Type": "application/octet-stream"},
            timeout=_seconds_for([document]),
        )  # fmt: skip
        return str(answer["upload"])

    def sign_bundle(
        self, card: Card, parts: Sequence[Part], level: SignatureLevel = SignatureLevel.B_T
    ) -> list[SignedPart]:
        """One signature over declarations for several agencies; each part's proof, in order.

        Raises Forbidden `service.other-document` when the service asks the card to sign another
        bundle than just these parts.
        """
        body = {
            "certificate": base64_of(card.certificate.der),
            "level": str(level),
            "parts": [
                {"recipient": part.recipient, "document": base64_of(part.document)}
                for part in parts
                if isinstance(part.document, bytes)
            ],
        }
        prepared = self.call("POST", "/api/v1/bundles/prepare", body)
        to_be_signed, key = _octets(prepared, "to_be_signed"), card.key
        proofs = [base64.b64decode(each, validate=True) for each in prepared["proofs"]]
        if not covers_bundle(parts, proofs, to_be_signed, key.suite, card.certificate):
            raise _other_document()
        finished = {
            "id": prepared["id"],
            "signature_value": base64_of(key.sign(to_be_signed)),
        }
        answer = self.call("POST", "/api/v1/bundles/complete", finished)
        return [
            SignedPart(each["id"], each["recipient"], _octets(each, "proof"), each["indication"])
            for each in answer["parts"]
        ]

    def extend(
        self,
        document: bytes,
        signature: bytes | None,
        level: SignatureLevel,
        signer: int = 0,
    ) -> dict[str, Any]:
        """Raise a signature, whoever made it; the answer with `signature` in base64."""
        body = {"level": str(level), "signer": signer, "document": base64_of(document)}
        if signature is not None:
            body["signature"] = base64_of(signature)
        return self.call("POST", "/api/v1/extensions", body)

    def another(self) -> "Service":
        """A second conversation in the same sign-in session, for another thread."""
        other = Service(self.origin)
        other.session.cookies.update(self.session.cookies)
        return other

    def signature(self, identifier: str) -> bytes:
        """A signature that the service accepted from this card before."""
        answer = self.call("GET", f"/api/v1/signatures/{quote(identifier, safe='')}")
        return base64.b64decode(answer["signature"], validate=True)

    def verify(self, document: bytes, signature: bytes | None = None) -> dict[str, Any]:
        """The validation report, JSON."""
        files = {"document": ("document", document)}
        if signature is not None:
            files["signature"] = ("signature", signature)
        return self.call("POST", "/api/v1/verifications", files=files)

    def verify_files(self, document: Path, signature: Path | None) -> dict[str, Any]:
        """The validation report, JSON. Files of any size are sent as they are read."""
        parts = {"document": document} | ({} if signature is None else {"signature": signature})
        upload = FormUpload(parts)
        # The service reads a large document twice: as it comes, and for its digests.
        seconds = _TIMEOUT_SECONDS + _PASSES * len(upload) / _SLOWEST_BYTES_A_SECOND
        return self.call(
            "POST",
            "/api/v1/verifications",
            data=upload,
            headers={"Content-Type": upload.content_type},
            timeout=seconds,
        )

    def revoke(self, card_number: str, reason: str) -> dict[str, Any]:
        """As an administrator."""
        path = f"/api/v1/cards/{quote(card_number, safe='')}/revocation"
        return self.call("POST", path, {"reason": reason})

    def renew(self, card: Card) -> dict[str, Any]:
        """Renew the card that is signed in: a new key on it, for which the old one signs; the
        record of the new card."""
        number = str(self.call("GET", "/sso/session")["card"])
        pkcs10, key = card.next_request()
        path = f"/api/v1/cards/{quote(number, safe='')}/renewals"
        begun = self.call("POST", path, {"pkcs10": base64_of(pkcs10)})
        signature = base64_of(card.vouch_for(key, self.origin, begun["challenge"]))
        made = self.call("POST", f"/api/v1/renewals/{begun['id']}", {"signature": signature})
        card.store(Certificate.parse(made["certificate"]))
        renewed: dict[str, Any] = made["card"]
        return renewed

    def move_card(self, number: str, move: str, **facts: str) -> dict[str, Any]:
        """`freeze`, `unfreeze` (with `reason`) or `loss-report`; the card as it is then."""
        return self.call("POST", f"/api/v1/cards/{quote(number, safe='')}/{move}", facts)

    def card_moves(self, number: str) -> list[dict[str, Any]]:
        """The history of a card, oldest first."""
        answer = self.call("GET", f"/api/v1/cards/{quote(number, safe='')}/moves")
        moves: list[dict[str, Any]] = answer["moves"]
        return moves


class _Sent:
    """A document as the body of a request: its length, and its pieces."""

    def __init__(self, document: StreamedDocument) -> None:
        self._document = document

    def __len__(self) -> int:
        return self._document.size

    def __iter__(self) -> Iterator[bytes]:
        yield from map(bytes, self._document.pieces())


def _seconds_for(documents: Iterable[StreamedDocument]) -> float:
    """How long the service may take: it reads large documents several times."""
    size = sum(each.size for each in documents)
    return _TIMEOUT_SECONDS + _PASSES * size / _SLOWEST_BYTES_A_SECOND


def _unreachable(origin: str, error: Exception) -> Unavailable:
    return Unavailable(
        "service.unreachable", f"no answer from {origin}", error=type(error).__name__
    )


def _octets(answer: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(answer[name], validate=True)


def _other_document() -> Forbidden:
    return Forbidden(
        "service.other-document",
        "the service asks the card to sign something else than the document",
    )


def _read(response: requests.Response) -> None:
    """The answer's content, as `requests` itself keeps it, but no more than is expected of a
    service. Raises Unavailable."""
    content = bytearray()
    with response:
        for piece in response.iter_content(_PIECE_BYTES):
            content += piece
            if len(content) > _MAX_ANSWER_BYTES:
                raise Unavailable("service.unreachable", "the answer is too large")
    response._content = bytes(content)


def _refusal(response: requests.Response) -> Refusal:
    try:
        problem = json.loads(response.content)
        return ServiceRefusal(
            response.status_code,
            str(problem["code"]),
            str(problem["detail"]),
            **problem.get("facts", {}),
        )
    except (ValueError, KeyError, TypeError):
        return ServiceRefusal(
            response.status_code, "service.failed", f"the service answered {response.status_code}"
        )
