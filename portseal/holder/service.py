"""The service as a holder's program sees it: HTTP, with one sign-in session."""

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from kernel.asn1.certificate import Certificate
from kernel.refusals import Forbidden, Malformed, Refusal, Unavailable
from portseal.holder.card import Card
from signing_service.formats.coverage import covers
from signing_service.validation.evidence import SignatureFormat, SignatureLevel

_TIMEOUT_SECONDS = 30
_MAX_ANSWER_BYTES = 64 << 20


class ServiceRefusal(Refusal):
    """What the service refused, with its own code and words."""

    def __init__(self, http_status: int, code: str, detail: str, **facts: Any) -> None:
        super().__init__(code, detail, **facts)
        self.http_status = http_status


@dataclass(frozen=True)
class Signed:
    """A signature that the service accepted."""

    id: str
    signature: bytes
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
        """One call with any answer; redirects are not followed."""
        try:
            response = self.session.request(
                method,
                self.origin + path,
                timeout=_TIMEOUT_SECONDS,
                allow_redirects=False,
                **options,
            )
        except requests.RequestException as error:
            raise Unavailable(
                "service.unreachable", f"no answer from {self.origin}", error=type(error).__name__
            ) from error
        if len(response.content) > _MAX_ANSWER_BYTES:
            raise Unavailable("service.unreachable", "the answer is too large")
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
        """Sign a declaration or document with the card. The session must be the card's.

        `item` is the job and the position of an item that was claimed.

        Raises Forbidden `service.other-document` when the service asks the card to sign
        something that is not this document.
        """
        body = {
            "document": base64.b64encode(document).decode("ascii"),
            "certificate": base64.b64encode(card.certificate.der).decode("ascii"),
            "format": str(format_),
            "level": str(level),
        }
        prepared = self.call("POST", "/api/v1/signatures/prepare", body)
        to_be_signed = base64.b64decode(prepared["to_be_signed"], validate=True)
        key = card.key
        if not covers(format_, to_be_signed, document, key.suite):
            raise Forbidden(
                "service.other-document",
                "the service asks the card to sign something else than the document",
            )
        value = key.sign(to_be_signed)
        finished: dict[str, Any] = {
            "id": prepared["id"],
            "signature_value": base64.b64encode(value).decode("ascii"),
        }
        if item is not None:
            finished["item"] = {"batch": item[0], "position": item[1]}
        answer = self.call("POST", "/api/v1/signatures/complete", finished)
        signature = base64.b64decode(answer["signature"], validate=True)
        return Signed(answer["id"], signature, answer["indication"])

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

    def revoke(self, card_number: str, reason: str) -> dict[str, Any]:
        """As an administrator."""
        path = f"/api/v1/cards/{quote(card_number, safe='')}/revocation"
        return self.call("POST", path, {"reason": reason})

    def move_card(self, number: str, move: str, **facts: str) -> dict[str, Any]:
        """`freeze`, `unfreeze` (with `reason`) or `loss-report`; the card as it is then."""
        return self.call("POST", f"/api/v1/cards/{quote(number, safe='')}/{move}", facts)

    def card_moves(self, number: str) -> list[dict[str, Any]]:
        """The history of a card, oldest first."""
        answer = self.call("GET", f"/api/v1/cards/{quote(number, safe='')}/moves")
        moves: list[dict[str, Any]] = answer["moves"]
        return moves


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
