"""What a ds:SignedInfo would cover, held against the holder's own document."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from kernel.algorithms import AlgorithmSuite
from signing_service.formats import xml_security
from signing_service.formats.statement import Statement
from signing_service.formats.xml_names import SIGNED_PROPERTIES, ds
from signing_service.formats.xml_security import base64_of


@dataclass(frozen=True, slots=True)
class Expected:
    """One reference that must be there."""

    uri: str | None
    """None: an object inside the signature, by whatever name."""
    transforms: tuple[str, ...]
    digest: bytes
    type: str | None = None


def signed_info_covers(
    to_be_signed: bytes,
    by: Statement,
    expected: Iterable[Expected],
    properties: bytes,
    mime_type: str = "",
) -> bool:
    """Whether a canonical SignedInfo has these references, one to its properties, and no other
    (XML-DSig, 4.4.3), and the canonical `properties` say just the statement. `mime_type` as for
    `Statement.is_in_properties`. Raises as that."""
    root = xml_security.parse(to_be_signed)
    if root.tag != ds("SignedInfo"):
        return False
    references = root.findall(ds("Reference"))
    own = [each for each in references if each.get("Type") == SIGNED_PROPERTIES]
    others = [each for each in references if each.get("Type") != SIGNED_PROPERTIES]
    wanted = list(expected)
    return (
        len(own) == 1
        and len(others) == len(wanted)
        and all(_is(found, want, by.suite) for found, want in zip(others, wanted, strict=True))
        and by.is_in_properties(root, properties, mime_type)
    )


def _is(found: etree._Element, want: Expected, suite: AlgorithmSuite) -> bool:
    uri = found.get("URI")
    method, value = found.find(ds("DigestMethod")), found.find(ds("DigestValue"))
    named = (uri or "").startswith("#") if want.uri is None else uri == want.uri
    return (
        named
        and (want.type is None or found.get("Type") == want.type)
        and tuple(each.get("Algorithm") for each in found.iter(ds("Transform"))) == want.transforms
        and method is not None
        and method.get("Algorithm") == suite.xml_digest
        and value is not None
        and hmac.compare_digest(base64_of(value), want.digest)
    )
