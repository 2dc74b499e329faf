"""The signed attributes that a signer may choose (EN 319 122-1, 5.2)."""

from kernel.algorithms import DIGEST_OIDS
from kernel.asn1 import cms, der
from signing_service.formats.claims import Claims, PolicyReference

SIGNING_TIME_TYPE = der.oid(cms.ID_SIGNING_TIME)


def claimed_attributes(claims: Claims) -> list[bytes]:
    """One Attribute for each claim. Raises Malformed `oid.malformed`."""
    attributes = []
    if claims.commitment is not None:  # 5.2.3
        indication = der.sequence(der.oid(claims.commitment))
        attributes.append(cms.attribute(cms.ID_COMMITMENT_TYPE, indication))
    if claims.roles:  # 5.2.6.1
        attributes.append(cms.attribute(cms.ID_SIGNER_ATTRIBUTES_V2, _roles(claims.roles)))
    if claims.policy is not None:  # 5.2.9
        attributes.append(cms.attribute(cms.ID_SIGNATURE_POLICY, _policy(claims.policy)))
    if claims.mime_type is not None:  # 5.2.5
        attributes.append(cms.attribute(cms.ID_MIME_TYPE, der.utf8_string(claims.mime_type)))
    return attributes


def without_signing_time(attributes: bytes) -> bytes:
    """EN 319 142-1, 6.3: in a PDF the claimed time is M, never the signing-time attribute."""
    whole = der.read_only(attributes, der.SET)
    each = [attributes[element.start : element.end] for element in der.children(attributes, whole)]
    return der.set_of(
        one for one in each if SIGNING_TIME_TYPE not in one[: len(SIGNING_TIME_TYPE) + 4]
    )


def _roles(roles: tuple[str, ...]) -> bytes:
    """SignerAttributeV2 with claimed names; the module's tags are explicit."""
    claimed = (cms.attribute(cms.ID_AT_NAME, der.utf8_string(role)) for role in roles)
    return der.sequence(der.explicit(0, der.sequence(*claimed)))


def _policy(policy: PolicyReference) -> bytes:
    algorithm = der.sequence(der.oid(DIGEST_OIDS[policy.digest]))
    return der.sequence(
        der.oid(policy.identifier), der.sequence(algorithm, der.octet_string(policy.value))
    )
