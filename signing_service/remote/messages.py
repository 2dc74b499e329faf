"""Requests of the CSC API, read strictly: known members only, each once, of the right type.

The names of API version 1 (`hash`, `hashAlgo`) are accepted beside those of version 2, because
clients in the field send them; never both at once.
"""

import base64
import binascii
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel.json_bodies import read_object
from kernel.refusals import Malformed
from signing_service.remote.activation import MOST_SIGNATURES

Text = Annotated[str, Field(max_length=500)]
Oid = Annotated[str, Field(pattern=r"^[0-2](\.(0|[1-9]\d{0,9})){1,15}$")]
Base64Hash = Annotated[str, Field(min_length=1, max_length=128)]
Hashes = Annotated[list[Base64Hash], Field(min_length=1, max_length=MOST_SIGNATURES)]
CredentialId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Sad = Annotated[str, Field(min_length=1, max_length=200)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    lang: Text | None = None
    clientData: Text | None = None  # noqa: N815 - the standard's spelling, here and below


class InfoRequest(Body):
    pass


class _Selection(Body):
    certificates: Literal["none", "single", "chain"] = "single"
    certInfo: bool = False  # noqa: N815
    authInfo: bool = False  # noqa: N815


class ListRequest(_Selection):
    credentialInfo: bool = False  # noqa: N815
    onlyValid: bool = False  # noqa: N815
    maxResults: Annotated[int, Field(ge=1, le=100)] = 100  # noqa: N815
    pageToken: CredentialId | None = None  # noqa: N815


class CredentialRequest(_Selection):
    credentialID: CredentialId  # noqa: N815


class ChallengeRequest(Body):
    credentialID: CredentialId  # noqa: N815


class AuthObject(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: Literal["card", "challenge"]
    value: Annotated[str, Field(max_length=2000)]


class _Hashed(Body):
    hashes: Hashes | None = None
    hash: Hashes | None = None
    hashAlgorithmOID: Oid | None = None  # noqa: N815
    hashAlgo: Oid | None = None  # noqa: N815

    def all_hashes(self) -> tuple[bytes, ...]:
        """Raises Malformed `remote.request`, `remote.hash`."""
        given = one_of("hashes", self.hashes, self.hash)
        if given is None:
            raise Malformed("remote.request", "Missing (or invalid type) array parameter hashes")
        return tuple(octets(each, "remote.hash", "Invalid Base64 hash string") for each in given)

    @property
    def digest_oid(self) -> str | None:
        return one_of("hashAlgorithmOID", self.hashAlgorithmOID, self.hashAlgo)


class AuthorizeRequest(_Hashed):
    credentialID: CredentialId  # noqa: N815
    numSignatures: Annotated[int, Field(ge=1, le=MOST_SIGNATURES)]  # noqa: N815
    authData: Annotated[list[AuthObject], Field(min_length=2, max_length=2)]  # noqa: N815
    description: Text | None = None

    def proof(self) -> tuple[str, bytes]:
        """Challenge and signature. Raises Malformed `remote.auth-data`."""
        values = {each.id: each.value for each in self.authData}
        if len(values) != 2:
            raise Malformed("remote.auth-data", "authData holds one challenge and one card")
        signature = octets(values["card"], "remote.auth-data", "authData: card is Base64")
        return values["challenge"], signature


class SignHashRequest(_Hashed):
    credentialID: CredentialId  # noqa: N815
    SAD: Sad | None = None
    signAlgo: Oid  # noqa: N815
    signAlgoParams: Annotated[str, Field(max_length=400)] | None = None  # noqa: N815
    operationMode: Literal["S"] = "S"  # noqa: N815


class PropertyMember(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    attribute_name: Annotated[str, Field(min_length=1, max_length=64)]
    attribute_value: Annotated[str, Field(max_length=8192)] | None = None


class _Signed(BaseModel):
    """What `documents` and `documentDigests` have in common."""

    model_config = ConfigDict(extra="forbid", strict=True)

    signature_format: Literal["C", "X", "P", "J"]
    conformance_level: Annotated[str, Field(pattern=r"^Ad(ES|es)-(B-)?(B|T|LT|LTA)$")] = "AdES-B-B"
    signed_envelope_property: (
        Literal[
            "Attached", "Certification", "Detached", "Enveloped", "Enveloping", "Parallel",
            "Revision",
        ]
        | None
    ) = None  # fmt: skip
    signed_props: Annotated[list[PropertyMember], Field(max_length=16)] = []
    signAlgo: Oid | None = None  # noqa: N815
    signAlgoParams: Annotated[str, Field(max_length=400)] | None = None  # noqa: N815


class DocumentMember(_Signed):
    document: str


class DigestsMember(_Signed):
    hashes: Hashes
    hashAlgorithmOID: Oid | None = None  # noqa: N815


class SignDocRequest(Body):
    """Asynchronous operation is not offered, nor a choice of a credential by its qualifier: the
    members that belong to these are known, and refused with any value."""

    credentialID: CredentialId  # noqa: N815
    SAD: Sad | None = None
    documents: Annotated[list[DocumentMember], Field(max_length=MOST_SIGNATURES)] | None = None
    documentDigests: (  # noqa: N815
        Annotated[list[DigestsMember], Field(max_length=MOST_SIGNATURES)] | None
    ) = None
    operationMode: Literal["S"] = "S"  # noqa: N815
    returnValidationInfo: bool = False  # noqa: N815
    signatureQualifier: None = None  # noqa: N815
    validity_period: None = None
    response_uri: None = None


class TimestampRequest(Body):
    hash: Base64Hash
    hashAlgo: Oid | None = None  # noqa: N815
    hashAlgorithmOID: Oid | None = None  # noqa: N815

    @property
    def digest_oid(self) -> str:
        """Raises Malformed `remote.request`."""
        given = one_of("hashAlgorithmOID", self.hashAlgorithmOID, self.hashAlgo)
        if given is None:
            raise Malformed("remote.request", "Missing (or invalid type) parameter hashAlgo")
        return given


BodyT = TypeVar("BodyT", bound=Body)
ValueT = TypeVar("ValueT")


def read(model: type[BodyT], data: bytes) -> BodyT:
    """A request's body. Raises Malformed `request.malformed`, `remote.request`."""
    value = read_object(data)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        told = dict.fromkeys(_fault(fault["type"], fault["loc"]) for fault in error.errors()[:8])
        raise Malformed("remote.request", "; ".join(told)) from None


def _fault(kind: str, location: tuple[int | str, ...]) -> str:
    """In the words of the specification's tables; a name that it does not know is not repeated."""
    name = str(next((each for each in reversed(location) if isinstance(each, str)), ""))
    if kind == "extra_forbidden":
        return "Unknown parameter"
    if kind == "missing" or kind.endswith("_type"):
        return f"Missing (or invalid type) parameter {name}"
    return f"Invalid parameter {name}"


def octets(text: str, code: str, detail: str) -> bytes:
    """Base64 (RFC 4648, 4), strictly. Raises Malformed with `code` and `detail`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(code, detail) from None


def one_of(name: str, first: ValueT | None, second: ValueT | None) -> ValueT | None:
    """The member under its name of version 2 or of version 1.

    Raises Malformed `remote.request` for both.
    """
    if first is not None and second is not None:
        raise Malformed("remote.request", f"{name} is given twice, by two names")
    return first if first is not None else second
