"""ds:Transforms on an allow-list (XML-DSig, 4.4.3.4): what may happen to data before its digest."""

from dataclasses import dataclass
from typing import NamedTuple

from lxml import etree

from kernel.refusals import Malformed
from signing_service.formats import xml_security
from signing_service.formats.xml_names import (
    BASE64,
    DS,
    ENVELOPED_SIGNATURE,
    SUBTRACTED_SIGNATURES,
    WITHOUT_SIGNATURES,
    XPATH,
    XPATH_FILTER,
    ds,
)
from signing_service.formats.xml_security import C14N, CANONICALISATIONS, EXCLUSIVE_C14N

_INCLUSIVE_NAMESPACES = f"{{{EXCLUSIVE_C14N}}}InclusiveNamespaces"


@dataclass(frozen=True, slots=True)
class Canonicalisation:
    algorithm: str
    prefixes: tuple[str, ...] = ()

    def apply(self, element: etree._Element) -> bytes:
        return xml_security.canonicalise(element, self.algorithm, self.prefixes)


class Transforms(NamedTuple):
    """What happens to the referenced data before its digest."""

    enveloped: bool = False
    """The signature itself is taken out."""
    without_signatures: bool = False
    """Every signature is taken out."""
    base64: bool = False
    canonicalisation: Canonicalisation | None = None
    """None: none is named; nodes then become octets by Canonical XML 1.0 (XML-DSig, 4.4.3.2)."""

    @property
    def method(self) -> Canonicalisation:
        return self.canonicalisation or Canonicalisation(C14N)


def method_of(element: etree._Element | None) -> Canonicalisation:
    """A CanonicalizationMethod or the like. Raises Malformed `xml.transform`."""
    algorithm = "" if element is None else element.get("Algorithm", "")
    if element is None or algorithm not in CANONICALISATIONS:
        raise Malformed("xml.transform", "this canonicalisation or transform is not accepted")
    prefixes = element.find(_INCLUSIVE_NAMESPACES)
    listed = () if prefixes is None else tuple(prefixes.get("PrefixList", "").split())
    if len(listed) > 64 or len(element) > (prefixes is not None):
        raise Malformed("xml.transform", "these parameters are not accepted")
    return Canonicalisation(algorithm, listed)


def read_transforms(element: etree._Element | None) -> Transforms:
    """Accepted: taking out this signature or all, a canonicalisation, or the one before the
    other; or base64 alone. Other XPath and XSLT rewrite what is signed, so they are refused."""
    transforms = [] if element is None else list(element)
    if any(transform.tag != ds("Transform") for transform in transforms):
        raise Malformed("xml.transform", "these transforms are not accepted")
    names = [transform.get("Algorithm") for transform in transforms]
    if names == [BASE64] and not len(transforms[0]):
        return Transforms(base64=True)
    enveloped = names[:1] == [ENVELOPED_SIGNATURE]
    rest = transforms[1:] if enveloped else transforms
    without_signatures = bool(rest) and rest[0].get("Algorithm") in (XPATH, XPATH_FILTER)
    if without_signatures:
        _check_expression(rest[0])
        rest = rest[1:]
    if len(rest) > 1:
        raise Malformed("xml.transform", "these transforms are not accepted")
    method = method_of(rest[0]) if rest else None
    return Transforms(enveloped, without_signatures, canonicalisation=method)


def _check_expression(transform: etree._Element) -> None:
    """One of the two ways to say: without any signature."""
    is_filter = transform.get("Algorithm") == XPATH_FILTER
    wanted = SUBTRACTED_SIGNATURES if is_filter else WITHOUT_SIGNATURES
    expression = transform.find(f"{{{XPATH_FILTER}}}XPath" if is_filter else ds("XPath"))
    if (
        expression is None
        or len(transform) != 1
        or expression.get("Filter") != ("subtract" if is_filter else None)
        or "".join(xml_security.text_of(expression).split()) != wanted
        or expression.nsmap.get("ds") != DS
    ):
        raise Malformed("xml.transform", "this XPath expression is not accepted")
