"""CMS SignedData cut into its encoded parts and put together again, each octet kept.

For what changes a signed message afterwards (levels, parallel and counter-signatures) and for
archive timestamps, which cover the parts as they are encoded.
"""

from dataclasses import dataclass, replace

from kernel.asn1 import cms, der
from kernel.refusals import Malformed
from signing_service.formats.cms import signed_data

_COUNTER_SIGNATURE = der.oid(cms.ID_COUNTER_SIGNATURE)
_OCSP_INFO = der.oid(cms.ID_RI_OCSP_RESPONSE)
_WITH_OTHER_REVOCATION_INFO = 5


@dataclass(frozen=True, slots=True)
class SignerParts:
    """One SignerInfo."""

    signed: bytes
    """Version to signature, the content octets in their order."""
    unsigned: tuple[bytes, ...]
    """Each unsigned Attribute."""

    @classmethod
    def read(cls, signer_info: bytes) -> "SignerParts":
        """Raises Malformed `der.malformed`."""
        outer = der.read_only(signer_info, der.SEQUENCE)
        fields = list(der.children(signer_info, outer))
        unsigned: tuple[bytes, ...] = ()
        if fields and fields[-1].tag == 0xA1:
            last = fields.pop()
            unsigned = tuple(signer_info[e.start : e.end] for e in der.children(signer_info, last))
        if not fields or fields[-1].tag != 0x04:
            raise Malformed("cms.malformed", "a signer info without a signature")
        return cls(signer_info[fields[0].start : fields[-1].end], unsigned)

    def encode(self) -> bytes:
        if not self.unsigned:
            return der.sequence(self.signed)
        return der.sequence(self.signed, der.explicit(1, b"".join(sorted(self.unsigned))))

    def with_attribute(self, attribute: bytes) -> "SignerParts":
        return replace(self, unsigned=(*self.unsigned, attribute))

    def with_attribute_of_counter(self, value: bytes, attribute: bytes) -> "SignerParts":
        """With one more unsigned attribute of the counter-signature of this value upon it.

        Raises Malformed `cms.no-signature`, `cms.malformed`.
        """
        for index, each in enumerate(self.unsigned):
            counter = _counter_in(each)
            if counter is not None and signed_data.read_counter_signer(counter).signature == value:
                raised = SignerParts.read(counter).with_attribute(attribute).encode()
                renewed = cms.attribute(cms.ID_COUNTER_SIGNATURE, raised)
                before, after = self.unsigned[:index], self.unsigned[index + 1 :]
                return replace(self, unsigned=(*before, renewed, *after))
        raise Malformed("cms.no-signature", "there is no such counter-signature")


@dataclass(frozen=True, slots=True)
class Parts:
    """One SignedData."""

    content_type: bytes
    """As it stands: RFC 5652's or GM/T 0010's."""
    version: int
    digest_algorithms: tuple[bytes, ...]
    content_info: bytes
    certificates: tuple[bytes, ...]
    """Each CertificateChoices."""
    revocation_infos: tuple[bytes, ...]
    """Each RevocationInfoChoice."""
    signers: tuple[SignerParts, ...]

    @classmethod
    def read(cls, signed: bytes) -> "Parts":
        """Raises Malformed `cms.malformed`, `der.malformed`. BER is made definite first."""
        data = signed_data.to_der(signed)
        try:
            kind, wrapper = der.children(data, der.read_only(data, der.SEQUENCE))
            (body,) = der.children(data, wrapper)
            version, algorithms, content, *optional, signers = der.children(data, body)
        except ValueError:
            raise Malformed("cms.malformed", "not a SignedData") from None

        def inside(element: der.Element) -> tuple[bytes, ...]:
            return tuple(data[e.start : e.end] for e in der.children(data, element))

        by_tag = {element.tag: inside(element) for element in optional}
        return cls(
            content_type=data[kind.start : kind.end],
            version=data[version.end - 1],
            digest_algorithms=inside(algorithms),
            content_info=data[content.start : content.end],
            certificates=by_tag.get(0xA0, ()),
            revocation_infos=by_tag.get(0xA1, ()),
            signers=tuple(map(SignerParts.read, inside(signers))),
        )

    def encode(self) -> bytes:
        """The ContentInfo, DER as far as its parts are."""
        other = any(each[:1] == b"\xa1" for each in self.revocation_infos)
        version = _WITH_OTHER_REVOCATION_INFO if other else self.version
        body = der.sequence(
            der.integer(version),
            der.set_of(self.digest_algorithms),
            self.content_info,
            _optional_set(0, self.certificates),
            _optional_set(1, self.revocation_infos),
            # In the order in which they stand (BER allows any): a number names a signer for good.
            der.tlv(der.SET, b"".join(signer.encode() for signer in self.signers)),
        )
        return der.sequence(self.content_type, der.explicit(0, body))

    def signer(self, index: int) -> SignerParts:
        """Raises Malformed `cms.no-signature`."""
        if not 0 <= index < len(self.signers):
            raise Malformed("cms.no-signature", "there is no such signer")
        return self.signers[index]

    def with_signer(self, index: int, signer: SignerParts) -> "Parts":
        """Signer `index` replaced."""
        signers = (*self.signers[:index], signer, *self.signers[index + 1 :])
        return replace(self, signers=signers)

    def with_certificates(self, *certificates: bytes) -> "Parts":
        return replace(self, certificates=tuple(dict.fromkeys((*self.certificates, *certificates))))

    def with_revocation_infos(self, *infos: bytes) -> "Parts":
        return replace(
            self, revocation_infos=tuple(dict.fromkeys((*self.revocation_infos, *infos)))
        )


def _counter_in(attribute: bytes) -> bytes | None:
    """The SignerInfo in an attribute that holds one counter-signature."""
    kind, values = der.children(attribute, der.read_only(attribute, der.SEQUENCE))
    found = list(der.children(attribute, values))
    if attribute[kind.start : kind.end] != _COUNTER_SIGNATURE or len(found) != 1:
        return None
    return attribute[found[0].start : found[0].end]


def ocsp_info(response: bytes) -> bytes:
    """The RevocationInfoChoice for an OCSPResponse (RFC 5940, 2.1)."""
    return der.explicit(1, _OCSP_INFO + response)


def _optional_set(number: int, elements: tuple[bytes, ...]) -> bytes:
    return der.explicit(number, b"".join(sorted(elements))) if elements else b""
