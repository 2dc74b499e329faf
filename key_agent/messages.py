"""What pages send, method by method, read strictly."""

import base64
import binascii
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from kernel.refusals import Malformed
from signing_service.formats.bundle import MAX_RECIPIENT
from signing_service.sso.confirmation import LONGEST_LINE, MOST_ACTS

SMALL = 64 * 1024
LARGE = 64 * 1024 * 1024
MAX_ITEMS = 1000
MAX_BESIDE = 63
_Identifier = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
_Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Small = Annotated[str, Field(max_length=SMALL)]
_PageName = Annotated[str, Field(max_length=200)]
_Large = Annotated[str, Field(max_length=LARGE)]


def _plain(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("printable, without spaces around it")
    return text


_Line = Annotated[str, Field(min_length=1, max_length=LONGEST_LINE), AfterValidator(_plain)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Nothing(Body):
    pass


class InitialiseBody(Body):
    token: _Identifier
    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9 ._-]{1,32}$")]
    recovery_key: dict[str, Any] | None = None


class MakeKeyBody(Body):
    token: _Identifier
    suite: Annotated[str, Field(max_length=40)] = "ecdsa-p256-sha256"
    purpose: Literal["enrol", "renew", "rekey"] = "enrol"


class WriteCertificatesBody(Body):
    token: _Identifier
    certificates: list[_Small] = Field(min_length=1, max_length=4)


class MakeTransportKeyBody(Body):
    token: _Identifier
    certificate: _Fingerprint
    purpose: Annotated[str, Field(pattern=r"^(encryption-key|recovery [0-9A-F]{2,40})$")] = (
        "encryption-key"
    )


class InstallEncryptionKeyBody(Body):
    token: _Identifier
    certificate: _Small
    envelope: _Small


class ConfirmBody(Body):
    """What is signed as it is shown: nothing that a window would drop or change."""

    platform: _Line
    acts: list[_Line] = Field(min_length=1, max_length=MOST_ACTS)


class SignInBody(Body):
    nonce: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+/=-]{43,128}$")]
    certificate: _Fingerprint | None = None
    confirm: ConfirmBody | None = None


class SignRenewalBody(Body):
    certificate: _Fingerprint
    """Of the card as it is."""
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9 ._-]{1,40}$")]
    """Label of the new key, as `make_key` told it."""
    challenge: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]


class BesideBody(Body):
    document: _Large
    name: _PageName | None = None


class ItemBody(Body):
    document: _Large
    beside: list[BesideBody] = Field(default=[], max_length=MAX_BESIDE)
    """More documents under the same signature, in a container that names them in this order."""
    format: Annotated[str, Field(max_length=16)]
    to_be_signed: _Large
    draft: _Large
    name: _PageName | None = None
    act: Literal["first", "counter"] = "first"
    """`counter`: upon a signature over the document, which the draft holds."""


class SignBody(ItemBody):
    certificate: _Fingerprint


class SignBundleBody(Body):
    certificate: _Fingerprint
    items: list[ItemBody] = Field(min_length=1, max_length=MAX_ITEMS)


class PartBody(BesideBody):
    recipient: Annotated[str, Field(min_length=1, max_length=MAX_RECIPIENT)]


class SignTreeBody(Body):
    """Documents for several agencies under one signature over the root of their Merkle tree."""

    certificate: _Fingerprint
    parts: list[PartBody] = Field(min_length=1, max_length=MAX_ITEMS)
    proofs: list[_Small] = Field(min_length=1, max_length=MAX_ITEMS)
    to_be_signed: _Small


class TokenBody(Body):
    token: _Identifier


class UnlockBody(Body):
    token: _Identifier
    envelope: _Small | None = None
    recovery_key: dict[str, Any] | None = None


class WatchBody(Body):
    certificate: _Fingerprint
    secret: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22,128}$")]
    every_seconds: Annotated[int, Field(ge=1, le=100)]


BodyT = TypeVar("BodyT", bound=Body)


def read(model: type[BodyT], data: bytes) -> BodyT:
    """Raises Malformed `request.malformed`, which names the members that are wrong."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        names = sorted({str(part) for fault in error.errors() for part in fault["loc"][:1]})
        told = ", ".join(names) or "not one JSON object"
        raise Malformed("request.malformed", f"check these members: {told}") from None


def octets(text: str) -> bytes:
    """From base64. Raises Malformed `request.malformed`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("request.malformed", "not base64") from None


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
