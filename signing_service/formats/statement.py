"""Whether what is signed beside the document is what the signer means to say, and nothing else.

What is expected is written anew by the writers and compared whole. So nothing that a reader
passes over (a second commitment, an unknown property, a member inside a known one) can hide.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from signing_service.formats import xml_security
from signing_service.formats.cades.attributes import SIGNING_TIME_TYPE, without_signing_time
from signing_service.formats.cades.writing import DATA_TYPE, signed_attributes
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.cms.signed_data import read_time
from signing_service.formats.jades.header import read_header, signed_header
from signing_service.formats.xades import text as xades_text
from signing_service.formats.xades.properties import read_properties
from signing_service.formats.xml_names import DS, SIGNED_PROPERTIES, XADES, ds, xades
from signing_service.formats.xml_security import C14N, base64_of

_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_Shape = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """Who signs, and what they say beside the document. The claimed time is the service's to
    choose. Every method raises Refusal, ValueError or KeyError for what cannot be read."""

    certificate: Certificate
    suite: AlgorithmSuite
    claims: Claims = NO_CLAIMS

    def is_in_attributes(
        self, to_be_signed: bytes, digest: bytes, *, is_counter: bool = False
    ) -> bool:
        """CMS: the SET of signed attributes is over this digest. A signature in a PDF has no
        signing-time attribute (EN 319 142-1, 6.3)."""
        at = _signing_time(to_be_signed)
        expected = signed_attributes(
            digest, self.certificate, self.suite, at or _NO_TIME,
            chain=(), claims=self.claims, content_type=None if is_counter else DATA_TYPE,
        )  # fmt: skip
        if at is None:
            expected = without_signing_time(expected)
        return hmac.compare_digest(expected, to_be_signed)

    def is_in_header(self, header: dict[str, Any], more: Mapping[str, Any]) -> bool:
        """JWS: the protected header, with `more` for a detached document (`signed_objects`)."""
        found = read_header(header)
        if found.signing_time is None:
            return False
        expected = signed_header(
            self.certificate, found.certificates[1:], self.suite, found.signing_time,
            self.claims, dict(more),
        )  # fmt: skip
        return header == expected

    def is_in_properties(
        self, signed_info: etree._Element, properties: bytes, mime_type: str
    ) -> bool:
        """XAdES: SignedInfo refers to these canonical SignedProperties. The data objects are of
        the type claimed, or of `mime_type`, the writer's own word; a counter-signature's
        (`mime_type` empty) are not described."""
        references = signed_info.findall(ds("Reference"))
        (own,) = [each for each in references if each.get("Type") == SIGNED_PROPERTIES]
        found = xml_security.parse(properties)
        value, method = own.find(ds("DigestValue")), own.find(ds("DigestMethod"))
        transforms = [each.get("Algorithm") for each in own.iter(ds("Transform"))]
        if (
            value is None
            or method is None
            or method.get("Algorithm") != self.suite.xml_digest
            or transforms != [C14N]
            or own.get("URI") != f"#{found.get('Id')}"
            or not hmac.compare_digest(base64_of(value), self.suite.hash(properties))
        ):
            return False
        described = [
            (each.get("Id", ""), self.claims.mime_type or mime_type)
            for each in references
            if mime_type and each is not own
        ]
        qualifying = etree.Element(xades("QualifyingProperties"))
        qualifying.append(found)
        at = read_properties(qualifying, None, ()).signing_time
        if at is None:
            return False
        content = xades_text.signed_properties(
            self.certificate, self.suite, at, described, self.claims
        )
        expected = xml_security.parse(
            f'<xades:SignedProperties xmlns:ds="{DS}" xmlns:xades="{XADES}">{content}'
            "</xades:SignedProperties>".encode()
        )
        return found.tag == expected.tag and _content(found) == _content(expected)


def _signing_time(to_be_signed: bytes) -> datetime | None:
    for attribute in der.children(to_be_signed, der.read_only(to_be_signed, der.SET)):
        kind, values = der.children(to_be_signed, attribute)
        if to_be_signed[kind.start : kind.end] == SIGNING_TIME_TYPE:
            (value,) = der.children(to_be_signed, values)
            return read_time(to_be_signed[value.start : value.end])
    return None


def _content(element: etree._Element) -> _Shape:
    """What an element holds, whatever its prefixes and inherited attributes are."""
    return element.text or "", *(
        (each.tag, sorted(each.attrib.items()), _content(each), each.tail or "") for each in element
    )
