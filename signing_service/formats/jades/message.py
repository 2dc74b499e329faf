"""A JWS taken apart and put together: compact, flattened and general JSON (RFC 7515, 7).

The octets of every protected header and of every unsigned component are kept as they came, so
that what was signed or stamped is never written anew.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.formats.jades import jose_json as json
from signing_service.formats.prepared import MAX_SIGNATURE_BYTES

MAX_SIGNATURES = 16
MAX_HEADER_BYTES = 256 * 1024
MAX_COMPONENTS = 128
_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)")
_UNPROTECTED = frozenset({"etsiU", "kid"})
"""An unprotected `kid` is a hint of other systems; nothing is done with it."""

Component = str | dict[str, Any]
"""An unsigned component: base64url-encoded (5.3.1, recommended), or in clear."""


class Serialisation(StrEnum):
    COMPACT = "compact"
    FLATTENED = "flattened"
    GENERAL = "general"


@dataclass(frozen=True, slots=True)
class JwsSignature:
    """One signature: protected header, value, unsigned components."""

    protected: str
    """base64url, as signed."""
    value: str
    """base64url of the signature in the raw shape."""
    components: tuple[Component, ...] = ()
    """The elements of `etsiU`."""
    unprotected: Mapping[str, Any] = field(default_factory=dict)
    """Unprotected header parameters beside `etsiU`."""

    @property
    def header(self) -> dict[str, Any]:
        """The protected header. Raises Malformed `json.*`; TooLarge `jades.too-large`."""
        return json.parse_object(json.decode(self.protected), max_bytes=MAX_HEADER_BYTES)

    def with_component(self, name: str, value: object) -> "JwsSignature":
        """With one more unsigned component, in the manner of those that are there."""
        component: Component = {name: value}
        if not any(isinstance(each, dict) for each in self.components):
            component = json.encode(json.serialise({name: value}))
        if len(self.components) >= MAX_COMPONENTS:
            raise Unprocessable(
                "jades.too-many", "at most {most} unsigned components", most=MAX_COMPONENTS
            )
        return replace(self, components=(*self.components, component))


@dataclass(frozen=True, slots=True)
class JwsMessage:
    serialisation: Serialisation
    payload: str | None
    """base64url; None or empty where the payload is detached."""
    signatures: tuple[JwsSignature, ...]

    @classmethod
    def read(cls, data: bytes) -> "JwsMessage":
        """Raises TooLarge `jades.too-large`; Malformed `json.*`, `jades.structure`,
        `jades.unprotected-header`, `jades.too-many`."""
        text = data.strip(b" \t\r\n")
        if not text.startswith(b"{"):
            return cls._read_compact(text)
        value = json.parse_object(text)
        payload = None if "payload" not in value else json.text_of(value["payload"])
        if "signatures" not in value:
            if not value.keys() <= {"payload", "protected", "header", "signature"}:
                raise _structure("members that a flattened JWS does not have")
            return cls(Serialisation.FLATTENED, payload, (read_signature(value),))
        if not value.keys() <= {"payload", "signatures"}:
            raise _structure("members that a general JWS does not have")
        signatures = json.array_of(value["signatures"])
        if not 1 <= len(signatures) <= MAX_SIGNATURES:
            raise Malformed("jades.too-many", "1 to {most} signatures", most=MAX_SIGNATURES)
        return cls(
            Serialisation.GENERAL, payload, tuple(map(read_signature, map(_members, signatures)))
        )

    @classmethod
    def _read_compact(cls, text: bytes) -> "JwsMessage":
        if len(text) > json.MAX_JSON_BYTES:
            raise TooLarge("jades.too-large", "the signature is too large")
        found = _COMPACT.fullmatch(text)
        if found is None:
            raise _structure("neither a compact JWS nor one in JSON")
        protected, payload, value = (part.decode("ascii") for part in found.groups())
        return cls(Serialisation.COMPACT, payload, (JwsSignature(protected, value),))

    def signature(self, signer: int) -> JwsSignature:
        """Raises Malformed `jades.no-signature`."""
        if not 0 <= signer < len(self.signatures):
            raise Malformed("jades.no-signature", "there is no such signature")
        return self.signatures[signer]

    def with_signature(self, signer: int, signature: JwsSignature) -> "JwsMessage":
        signatures = (*self.signatures[:signer], signature, *self.signatures[signer + 1 :])
        return replace(self, signatures=signatures)

    def encode(self) -> bytes:
        """In its serialisation; a compact one that got unsigned components becomes flattened,
        because compact has no place for them."""
        first = self.signatures[0]
        if self.serialisation is Serialisation.COMPACT and not first.components:
            return f"{first.protected}.{self.payload or ''}.{first.value}".encode("ascii")
        value: dict[str, Any] = {} if self.payload is None else {"payload": self.payload}
        if self.serialisation is Serialisation.GENERAL:
            value["signatures"] = list(map(signature_members, self.signatures))
        else:
            value |= signature_members(first)
        encoded = json.serialise(value)
        if len(encoded) - len(self.payload or "") > MAX_SIGNATURE_BYTES * len(self.signatures):
            raise TooLarge("jades.too-large", "the signature would become too large")
        return encoded


def read_signature(members: Mapping[str, Any]) -> JwsSignature:
    """From `protected`, `header` and `signature`. Raises as `JwsMessage.read`."""
    if "protected" not in members or "signature" not in members:
        raise _structure("a signature has a protected header and a value")
    unprotected = json.object_of(members.get("header", {}))
    if not unprotected.keys() <= _UNPROTECTED:
        # A parameter that decides something must be signed (TS 119 182-1, 5.1.1).
        raise Malformed("jades.unprotected-header", "unsigned header parameters are not accepted")
    components = json.array_of(unprotected.get("etsiU", []), MAX_COMPONENTS)
    if {type(each) for each in components} not in (set(), {str}, {dict}):
        raise _structure("unsigned components are all encoded or all in clear")
    return JwsSignature(
        json.text_of(members["protected"]),
        json.text_of(members["signature"]),
        tuple(components),
        {name: value for name, value in unprotected.items() if name != "etsiU"},
    )


def signature_members(signature: JwsSignature) -> dict[str, Any]:
    """The members of one signature in JSON."""
    members: dict[str, Any] = {"protected": signature.protected}
    header = dict(signature.unprotected)
    if signature.components:
        header["etsiU"] = list(signature.components)
    if header:
        members["header"] = header
    members["signature"] = signature.value
    return members


def counter_signature(value: object) -> tuple[JwsSignature, str | None]:
    """The signature in a `cSig`, compact, as a string, or flattened; and its payload, if it is
    there. Raises Malformed `jades.structure`, `json.*`."""
    if isinstance(value, str):
        message = JwsMessage.read(value.encode())
        return message.signatures[0], message.payload
    members = json.object_of(value)
    if not members.keys() <= {"payload", "protected", "header", "signature"}:
        raise Malformed("jades.structure", "not a flattened JWS")
    payload = members.get("payload")
    return read_signature(members), None if payload is None else json.text_of(payload)


def component_members(component: Component) -> tuple[str, Any]:
    """Name and value of an unsigned component. Raises Malformed `jades.structure`, `json.*`."""
    members = component
    if isinstance(members, str):
        members = json.parse_object(json.decode(members), max_bytes=2 * MAX_SIGNATURE_BYTES)
    if len(members) != 1:
        raise _structure("an unsigned component has one member")
    return next(iter(members.items()))


def _members(value: object) -> dict[str, Any]:
    members = json.object_of(value)
    if not members.keys() <= {"protected", "header", "signature"}:
        raise _structure("members that a JWS signature does not have")
    return members


def _structure(detail: str) -> Malformed:
    return Malformed("jades.structure", detail)
