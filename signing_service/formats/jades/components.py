"""Unsigned components (TS 119 182-1, 5.3): values, and what archive timestamps cover."""

from dataclasses import dataclass, field
from typing import Any

from kernel.refusals import Malformed, Refusal
from signing_service.formats.jades import jose_json as json
from signing_service.formats.jades.content import Octets
from signing_service.formats.jades.message import JwsSignature, component_members
from signing_service.formats.validation_material import ValidationMaterial

MAX_VALUES = 256
MAX_TOKENS = 32
_CERTIFICATES = frozenset({"xVals", "axVals"})
_REVOCATION = frozenset({"rVals", "arVals"})
_BOTH = frozenset({"tstVD", "anyValData"})


def values_in(signature: JwsSignature) -> ValidationMaterial:
    """Certificates and revocation data of all components, DER. Raises Malformed `json.*`,
    `jades.*`."""
    found = ValidationMaterial()
    for component in signature.components:
        found += values_of(*component_members(component))
    return found


def values_of(name: str, value: object) -> ValidationMaterial:
    """What one component holds; nothing where it is of another kind."""
    if name in _CERTIFICATES:
        return ValidationMaterial(certificates=_certificates(value))
    if name in _REVOCATION:
        members = json.object_of(value)
        return ValidationMaterial(ocsp=_vals(members, "ocspVals"), crls=_vals(members, "crlVals"))
    found = ValidationMaterial()
    if name in _BOTH:
        for inner, contained in json.object_of(value).items():
            if inner in _CERTIFICATES | _REVOCATION:
                found += values_of(inner, contained)
    return found


def tokens_of(value: object) -> list[bytes]:
    """The tokens of a tstContainer (5.4.3.3)."""
    tokens = json.array_of(json.object_of(value).get("tstTokens"), MAX_TOKENS)
    return [json.decode_base64(json.object_of(each).get("val")) for each in tokens]


def archive_octets(signature: JwsSignature, content: Octets, count: int) -> Octets:
    """What an arcTst that follows the first `count` components covers (5.3.6.3.1).

    Raises Malformed `jades.clear-components`.
    """
    covered = f".{signature.protected}.{signature.value}."
    return content.followed_by(covered.encode() + _encoded(signature, 0, count))


def previous_archive_octets(signature: JwsSignature, count: int) -> Octets:
    """What an arcTst over the previous one covers: that and what followed it (5.3.6.3.2).

    Raises Malformed `jades.structure`, `jades.clear-components`.
    """
    previous = [
        index
        for index, component in enumerate(signature.components[:count])
        if component_members(component)[0] == "arcTst"
    ]
    if not previous:
        raise Malformed("jades.structure", "there is no previous archive timestamp")
    return Octets((), encoded=False, tail=_encoded(signature, previous[-1], count))


@dataclass(slots=True)
class Components:
    """The unsigned components, read: each kind by its place in `etsiU`."""

    signature_timestamps: list[bytes] = field(default_factory=list)
    archive_timestamps: list[tuple[int, bool, bytes]] = field(default_factory=list)
    """(index of the component, whether over the previous one alone, token)."""
    counter_signatures: list[object] = field(default_factory=list)
    values: ValidationMaterial = field(default_factory=ValidationMaterial)
    observations: list[str] = field(default_factory=list)


def read_components(signature: JwsSignature) -> Components:
    """What cannot be read becomes an observation."""
    found = Components()
    for index, component in enumerate(signature.components):
        try:
            name, value = component_members(component)
            _add(found, index, name, value)
        except Refusal as refusal:
            found.observations.append(f"an unsigned component cannot be read ({refusal.code})")
    return found


def _add(found: Components, index: int, name: str, value: Any) -> None:
    if name == "sigTst":
        found.signature_timestamps += tokens_of(value)
    elif name == "arcTst":
        kind = json.object_of(value).get("timeStamped", "all")
        if kind not in {"all", "previousArcTst"}:
            raise Malformed("jades.structure", "an archive timestamp of an unknown kind")
        previous = kind == "previousArcTst"
        found.archive_timestamps += ((index, previous, token) for token in tokens_of(value))
    elif name == "cSig":
        found.counter_signatures.append(value)
    else:
        found.values += values_of(name, value)


def _encoded(signature: JwsSignature, start: int, end: int) -> bytes:
    chosen = signature.components[start:end]
    if not all(isinstance(each, str) for each in chosen):
        raise Malformed("jades.clear-components", "components in clear would need canonical JSON")
    return "".join(map(str, chosen)).encode()


def _certificates(value: object) -> tuple[bytes, ...]:
    entries = map(json.object_of, json.array_of(value, MAX_VALUES))
    wrapped = (entry["x509Cert"] for entry in entries if "x509Cert" in entry)
    return tuple(json.decode_base64(json.object_of(each).get("val")) for each in wrapped)


def _vals(members: dict[str, Any], name: str) -> tuple[bytes, ...]:
    entries = json.array_of(members.get(name, []), MAX_VALUES)
    return tuple(json.decode_base64(json.object_of(each).get("val")) for each in entries)
