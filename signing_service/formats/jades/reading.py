"""JAdES signatures read: every signature's evidence, with timestamps and counter-signatures."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal
from signing_service.formats.cms import signed_data
from signing_service.formats.document import Digestible, Document
from signing_service.formats.jades import jose_json as json
from signing_service.formats.jades.components import (
    archive_octets,
    previous_archive_octets,
    read_components,
    tokens_of,
    values_of,
)
from signing_service.formats.jades.content import CoveredContent, content_of, covered_content
from signing_service.formats.jades.header import ReadHeader, read_header
from signing_service.formats.jades.message import (
    JwsMessage,
    JwsSignature,
    component_members,
    counter_signature,
)
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    TimestampEvidence,
    TimestampKind,
)

MAX_TIMESTAMPS = 32
MAX_COUNTER_SIGNATURES = 16
MAX_COUNTER_DEPTH = 3


def read(
    signature: bytes,
    document: Document | Mapping[str, Document] | None = None,
    *,
    known: Sequence[Certificate] = (),
) -> list[SignatureEvidence]:
    """Every signature's evidence. A detached one needs its `document`, or several by the names
    that it has for them; nothing is fetched.

    Raises TooLarge `jades.too-large`, `document.too-large`; Malformed `jades.*`, `json.*`.
    """
    message = JwsMessage.read(signature)
    return [
        _Reader(each, message.payload, document, known, depth=0).evidence()
        for each in message.signatures
    ]


def content(signature: bytes) -> bytes | None:
    """The enveloped document; None where the signature is detached. Raises as `read`."""
    return content_of(JwsMessage.read(signature).payload)


class _Reader:
    """Collects what one signature holds."""

    def __init__(
        self,
        signature: JwsSignature,
        payload: str | None,
        document: Document | Mapping[str, Document] | None,
        known: Sequence[Certificate],
        depth: int,
    ) -> None:
        self._signature = signature
        self._header = read_header(signature.header)
        self._content = covered_content(self._header, payload, document)
        self._packaging = Packaging.ENVELOPING if payload else Packaging.DETACHED
        self._components = read_components(signature)
        self._depth = depth
        self._given = known
        values = self._components.values.certificates
        self._embedded = tuple(dict.fromkeys((*self._header.certificates, *_parsed(values))))
        self._known = (*self._embedded, *known)
        self._observations = [*self._header.observations, *self._components.observations]

    def evidence(self) -> SignatureEvidence:
        header, covered, components = self._header, self._content, self._components
        certificate, reference = header.signing_certificate(self._known)
        suite, name = _suite(header, certificate)
        raw = json.decode(self._signature.value)
        value = raw if suite is None else suite.from_raw(raw)
        timestamps = self._timestamps(value)
        counter_signatures = self._counter_signatures(raw)
        return SignatureEvidence(
            format=SignatureFormat.JADES if reference else SignatureFormat.JWS,
            packaging=self._packaging,
            suite=suite,
            algorithm_name=name,
            signed_bytes=_signing_input(self._signature, covered),
            signature_value=value,
            references=covered.references,
            covers_document=covered.whole,
            signing_certificate=certificate,
            certificate_reference=reference,
            embedded_certificates=self._embedded,
            embedded_crls=components.values.crls,
            embedded_ocsp=components.values.ocsp,
            claimed_signing_time=header.signing_time,
            content_type=covered.content_type,
            timestamps=timestamps,
            counter_signatures=counter_signatures,
            commitment=header.commitment,
            roles=header.roles,
            policy=header.policy,
            policy_digest=header.policy_digest,
            observations=tuple(self._observations),
        )

    def _timestamps(self, value: bytes) -> tuple[TimestampEvidence, ...]:
        found = self._found_timestamps(value)
        timestamps = []
        for kind, token, stamped, covers in found:
            try:
                timestamps.append(
                    read_timestamp(token, kind, stamped, known=self._known, covers=covers)
                )
            except (Refusal, ValueError) as error:
                code = error.code if isinstance(error, Refusal) else "der.malformed"
                self._observations.append(f"a {kind} cannot be read ({code})")
        order = list(TimestampKind)
        timestamps.sort(key=lambda each: (order.index(each.kind), each.generated_at))
        return tuple(timestamps)

    def _found_timestamps(
        self, value: bytes
    ) -> list[tuple[TimestampKind, bytes, bytes | Digestible | None, frozenset[bytes]]]:
        """(kind, token, what it should cover, digests of the objects in that)."""
        none: frozenset[bytes] = frozenset()
        found: list[tuple[TimestampKind, bytes, bytes | Digestible | None, frozenset[bytes]]] = []
        if "adoTst" in self._header.members:
            stamped = self._content.octets
            tokens = tokens_of(self._header.members["adoTst"])
            found += [(TimestampKind.CONTENT, token, stamped, none) for token in tokens]
        over_value = self._signature.value.encode()
        components = self._components
        found += [
            (TimestampKind.SIGNATURE, token, over_value, none)
            for token in components.signature_timestamps
        ]
        for index, previous, token in components.archive_timestamps:
            archived = self._archived(index, previous)
            covers = none if archived is None else self._covers(index, previous, value)
            found.append((TimestampKind.ARCHIVE, token, archived, covers))
        if len(found) > MAX_TIMESTAMPS:
            raise Malformed("jades.too-many", "at most {most} timestamps", most=MAX_TIMESTAMPS)
        return found

    def _archived(self, index: int, previous: bool) -> Digestible | None:
        """None where it cannot be told: the imprint is then not intact."""
        try:
            if previous:
                return previous_archive_octets(self._signature, index)
            if self._content.octets is None:
                return None
            return archive_octets(self._signature, self._content.octets, index)
        except Refusal as refusal:
            self._observations.append(f"an archive timestamp was not evaluated ({refusal.code})")
            return None

    def _covers(self, index: int, previous: bool, value: bytes) -> frozenset[bytes]:
        """Digests of the objects before the archive timestamp at `index`."""
        start = 0
        things: list[bytes] = []
        if previous:
            start = max(
                place for place, _, _ in self._components.archive_timestamps if place < index
            )
        else:
            things = [value, *(each.der for each in self._header.certificates)]
        for component in self._signature.components[start:index]:
            try:
                name, members = component_members(component)
                things += _things_in(name, members)
            except Refusal:
                continue  # told among the observations already
        return frozenset(hashlib.sha256(thing).digest() for thing in things)

    def _counter_signatures(self, value: bytes) -> tuple[SignatureEvidence, ...]:
        """Each over the octets of this signature's value (5.3.2)."""
        encoded = self._components.counter_signatures
        if len(encoded) > MAX_COUNTER_SIGNATURES or (encoded and self._depth >= MAX_COUNTER_DEPTH):
            raise Malformed("jades.too-many", "too many or too deep counter-signatures")
        found = []
        for each in encoded:
            try:
                signature, payload = counter_signature(each)
                if payload and json.decode(payload) != value:
                    raise Malformed("jades.structure", "a counter-signature over something else")
                reader = _Reader(signature, None, value, self._known, self._depth + 1)
                found.append(reader.evidence())
            except Refusal as refusal:
                self._observations.append(f"a counter-signature cannot be read ({refusal.code})")
        return tuple(found)


def _signing_input(signature: JwsSignature, covered: CoveredContent) -> bytes:
    payload = covered.payload
    encoded = payload.encode() if isinstance(payload, str) else payload or b""
    return signature.protected.encode() + b"." + encoded


def _suite(
    header: ReadHeader, certificate: Certificate | None
) -> tuple[AlgorithmSuite | None, str]:
    """The suite of the table, if the certificate's key can be used so."""
    suite = header.suite
    if suite is None:
        return None, header.algorithm
    try:
        if certificate is not None and not certificate.public_key.fits(suite):
            return None, f"{header.algorithm} with a key of another kind"
    except Refusal:
        return None, f"{header.algorithm} with a key that is not supported"
    return suite, suite.name


def _parsed(certificates: Sequence[bytes]) -> list[Certificate]:
    found = []
    for each in certificates:
        try:
            found.append(Certificate.parse(each))
        except Refusal:
            continue
    return found


def _things_in(name: str, value: Any) -> list[bytes]:
    """The objects in a component that evidence knows by themselves."""
    if name in {"sigTst", "arcTst"}:
        return [thing for token in tokens_of(value) for thing in (token, *_things_in_token(token))]
    if name == "cSig":
        signature, _ = counter_signature(value)
        suite = read_header(signature.header).suite
        raw = json.decode(signature.value)
        return [raw if suite is None else suite.from_raw(raw)]
    material = values_of(name, value)
    return [*material.certificates, *material.ocsp, *material.crls]


def _things_in_token(token: bytes) -> list[bytes]:
    try:
        message = signed_data.read(token)
    except Refusal:
        return []
    certificates = (certificate.der for certificate in message.certificates)
    return [*certificates, *message.crls, *message.ocsp, message.signers[0].signature]
