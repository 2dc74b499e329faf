"""`signed_props` of signatures/signDoc (CSC API 2.0.0.2, 11.11): what a platform asks to be signed
beside the document.

A property comes as the standard of its format encodes it. It is read into the claims that our
writers know, and it is refused where they would write anything else than what was sent: nothing
is signed that was only partly understood.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lxml import etree

from kernel.asn1 import cms, der
from kernel.refusals import Malformed, Refusal
from policies.signature_policy import known_signature_policies
from signing_service.formats import xml_security
from signing_service.formats.cades.attributes import claimed_attributes
from signing_service.formats.claims import COMMITMENTS_BY_URI, NO_CLAIMS, Claims, PolicyReference
from signing_service.formats.pades.writing import INVISIBLE, Placement
from signing_service.formats.xml_names import xades
from signing_service.validation.evidence import SignatureFormat

_CMS = (SignatureFormat.CADES, SignatureFormat.PADES)
_OBJECT_IDENTIFIER, _UTF8_STRING = 0x06, 0x0C


@dataclass(frozen=True)
class Property:
    name: str
    """Its name, or the dotted OID of a CMS attribute."""
    value: bytes | None
    """As its standard encodes it; None: the service shall compute it."""


@dataclass(frozen=True)
class Asked:
    claims: Claims = NO_CLAIMS
    placement: Placement = INVISIBLE


def read_properties(
    format_: SignatureFormat, properties: Sequence[Property], signer: str, *, digest_only: bool
) -> Asked:
    """`signer`: the name in the certificate. `digest_only`: the document, and so a PDF's own
    words, are with the platform.

    Raises Malformed `remote.signed-props`, with the names of all that cannot be signed.
    """
    asked, wrong, seen = Asked(), [], set()
    for each in properties:
        reader = _reader(format_, each.name, signer, digest_only)
        try:
            if reader is None or each.value is None or reader in seen:
                raise Malformed("remote.signed-props", "not known here, or given twice")
            seen.add(reader)
            asked = reader(asked, each.value)
        except (Refusal, ValueError):
            wrong.append(each.name if each.name.isprintable() else "?")
    both = asked.placement.reason is not None and asked.claims.commitment is not None
    if both:  # EN 319 142-1, 6.3
        wrong += ["Reason", "commitment-type-indication"]
    if wrong:
        raise Malformed(
            "remote.signed-props", f"Invalid parameter signed_props ({', '.join(wrong)})"
        )
    return asked


_Read = Callable[[Asked, bytes], Asked]


def _reader(format_: SignatureFormat, name: str, signer: str, digest_only: bool) -> _Read | None:
    if format_ in _CMS and (found := _ATTRIBUTES.get(name)) is not None:
        return None if found is _mime_type and format_ is SignatureFormat.PADES else found
    if format_ is SignatureFormat.XADES:
        return _ELEMENTS.get(name)
    if format_ is not SignatureFormat.PADES or digest_only:
        return None
    return _ENTRIES.get(name) if name != "Name" else _name_of(signer)


# -- attributes of CMS (EN 319 122-1, 5.2) ---------------------------------------------------------


def _commitment(asked: Asked, data: bytes) -> Asked:
    (identifier,) = der.children(data, der.read_only(data, der.SEQUENCE))
    dotted = _dotted(data, identifier)
    return _as_written(asked, Claims(commitment=dotted), data)


def _roles(asked: Asked, data: bytes) -> Asked:
    return _as_written(asked, Claims(roles=tuple(_texts(data))), data)


def _policy(asked: Asked, data: bytes) -> Asked:
    for policy in known_signature_policies().values():
        claims = Claims(policy=PolicyReference.to(policy))
        if _value(claims) == data:
            return replace(asked, claims=replace(asked.claims, policy=claims.policy))
    raise ValueError("no policy of ours")


def _mime_type(asked: Asked, data: bytes) -> Asked:
    text = der.read_only(data, _UTF8_STRING)
    return _as_written(asked, Claims(mime_type=data[text.content : text.end].decode()), data)


def _as_written(asked: Asked, claims: Claims, data: bytes) -> Asked:
    """`claims`, if our writer gives back what was sent, octet by octet. Raises ValueError."""
    if _value(claims) != data:
        raise ValueError("our writer would write something else")
    there = asked.claims
    return replace(
        asked,
        claims=Claims(
            claims.commitment or there.commitment,
            claims.roles or there.roles,
            there.policy,
            claims.mime_type or there.mime_type,
        ),
    )


def _value(claims: Claims) -> bytes:
    """The value of the one attribute that these claims are written as."""
    (attribute,) = claimed_attributes(claims)
    _, values = der.children(attribute, der.read_only(attribute, der.SEQUENCE))
    return attribute[values.content : values.end]


def _texts(data: bytes) -> list[str]:
    """Every UTF8String in it."""
    found, waiting = [], [data]
    while waiting:
        octets = waiting.pop()
        element = der.read(octets)
        content = octets[element.content : element.end]
        if element.tag == _UTF8_STRING:
            found.append(content.decode())
        elif element.tag & 0x20:
            waiting += reversed(der.elements(content))
    return found


def _dotted(data: bytes, element: der.Element) -> str:
    """An OBJECT IDENTIFIER (X.690, 8.19). Raises ValueError for another type, for no arcs, and for
    an arc that does not end."""
    content = data[element.content : element.end]
    if element.tag != _OBJECT_IDENTIFIER or not content or content[-1] & 0x80:
        raise ValueError("no object identifier")
    arcs, value = [], 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


_ATTRIBUTES: dict[str, _Read] = {
    "commitment-type-indication": _commitment,
    cms.ID_COMMITMENT_TYPE: _commitment,
    "signer-attributes-v2": _roles,
    cms.ID_SIGNER_ATTRIBUTES_V2: _roles,
    "signature-policy-identifier": _policy,
    cms.ID_SIGNATURE_POLICY: _policy,
    "mime-type": _mime_type,
    cms.ID_MIME_TYPE: _mime_type,
}


# -- properties of XML (EN 319 132-1, 5.2) ---------------------------------------------------------


def _xml_commitment(asked: Asked, data: bytes) -> Asked:
    names = ("CommitmentTypeId", "Identifier", "AllSignedDataObjects")
    root = _element(data, "CommitmentTypeIndication", names)
    text = _text(root, "CommitmentTypeId/Identifier")
    dotted = COMMITMENTS_BY_URI.get(text, text.removeprefix("urn:oid:"))
    der.oid(dotted)
    return replace(asked, claims=replace(asked.claims, commitment=dotted))


def _xml_roles(asked: Asked, data: bytes) -> Asked:
    root = _element(data, "SignerRoleV2", ("ClaimedRoles", "ClaimedRole"))
    found = root.findall(f"{xades('ClaimedRoles')}/{xades('ClaimedRole')}")
    roles = tuple(xml_security.text_of(each) for each in found)
    if not roles:
        raise ValueError("no role")
    return replace(asked, claims=replace(asked.claims, roles=roles))


def _element(data: bytes, name: str, inside: Sequence[str]) -> etree._Element:
    """A property of this name with no attributes, and no elements in it but these. Raises
    ValueError; and as `xml_security.parse`."""
    root = xml_security.parse(data)
    allowed = {xades(each) for each in inside}
    below = list(root.iterdescendants())
    plain = not any(each.attrib for each in (root, *below))
    if root.tag != xades(name) or not plain or any(each.tag not in allowed for each in below):
        raise ValueError("our writer would write something else")
    return root


def _text(root: etree._Element, path: str) -> str:
    (found,) = root.findall("/".join(map(xades, path.split("/"))))
    return xml_security.text_of(found).strip()


_ELEMENTS: dict[str, _Read] = {
    "CommitmentTypeIndication": _xml_commitment,
    "SignerRoleV2": _xml_roles,
}


# -- entries of a PDF's signature dictionary (EN 319 142-1, 5.3) -----------------------------------


def _reason(asked: Asked, data: bytes) -> Asked:
    return replace(asked, placement=replace(asked.placement, reason=data.decode()))


def _location(asked: Asked, data: bytes) -> Asked:
    return replace(asked, placement=replace(asked.placement, location=data.decode()))


def _contact(asked: Asked, data: bytes) -> Asked:
    return replace(asked, placement=replace(asked.placement, contact=data.decode()))


def _name_of(signer: str) -> _Read:
    """The name is the certificate's, whatever was sent."""

    def name(asked: Asked, data: bytes) -> Asked:
        if data.decode() != signer:
            raise ValueError("the certificate says another name")
        return asked

    return name


_ENTRIES: dict[str, _Read] = {
    "Reason": _reason,
    "Location": _location,
    "ContactInfo": _contact,
}
