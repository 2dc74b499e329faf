"""What long-term levels need beside a signature: the material that validated it.

Every format offers the same three steps upward, by the same names (see `catalogue`):
`add_signature_timestamp` (B-T), `add_validation_material` (B-LT), `add_archive_timestamp`
(B-LTA, and again for each renewal).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kernel.asn1 import der
from kernel.refusals import Malformed

_SUCCESSFUL = b"\x0a\x01\x00"
_BASIC_RESPONSE = der.oid("1.3.6.1.5.5.7.48.1.1")


@dataclass(frozen=True, slots=True)
class ValidationMaterial:
    """Certificates, OCSP responses and CRLs, DER, each once, in the order given."""

    certificates: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    """OCSPResponse or BasicOCSPResponse (RFC 6960, 4.2.1)."""
    crls: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        for name in ("certificates", "ocsp", "crls"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))

    def __bool__(self) -> bool:
        return bool(self.certificates or self.ocsp or self.crls)

    def __add__(self, other: "ValidationMaterial") -> "ValidationMaterial":
        return ValidationMaterial(
            self.certificates + other.certificates,
            self.ocsp + other.ocsp,
            self.crls + other.crls,
        )

    def without(
        self, certificates: Iterable[bytes], ocsp: Iterable[bytes], crls: Iterable[bytes]
    ) -> "ValidationMaterial":
        """What is not there yet; OCSP responses are told apart by their basic response."""
        known_certificates, known_crls = set(certificates), set(crls)
        known_ocsp = set(map(basic_response, ocsp))
        return ValidationMaterial(
            tuple(each for each in self.certificates if each not in known_certificates),
            tuple(each for each in self.ocsp if basic_response(each) not in known_ocsp),
            tuple(each for each in self.crls if each not in known_crls),
        )


def basic_response(response: bytes) -> bytes:
    """The BasicOCSPResponse in an OCSPResponse, or the argument that is one already.

    Raises Malformed `ocsp.malformed`.
    """
    try:
        outer = der.read_only(response, der.SEQUENCE)
        first, *rest = der.children(response, outer)
        if first.tag == der.SEQUENCE:
            return response
        if response[first.start : first.end] == _SUCCESSFUL and len(rest) == 1:
            (wrapped,) = der.children(response, rest[0])
            kind, octets = der.children(response, wrapped)
            if response[kind.start : kind.end] == _BASIC_RESPONSE and octets.tag == 0x04:
                return response[octets.content : octets.end]
    except (Malformed, ValueError):
        pass
    raise Malformed("ocsp.malformed", "neither an OCSPResponse nor a BasicOCSPResponse")


def whole_response(response: bytes) -> bytes:
    """An OCSPResponse around a BasicOCSPResponse, or the argument that is one already.

    Raises Malformed `ocsp.malformed`.
    """
    basic = basic_response(response)
    if basic != response:
        return response
    return der.sequence(
        _SUCCESSFUL, der.explicit(0, der.sequence(_BASIC_RESPONSE, der.octet_string(basic)))
    )
