"""A granted TimeStampResp (RFC 3161, 2.4.2) around what changes from one to the next.

Between TSTInfo, its digest and the signature value stand octets that depend on their sizes alone.
They are encoded once for each size, so that an answer costs little more than its signature.
"""

from collections.abc import Sequence

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import cms, der, tsp
from kernel.asn1.certificate import Certificate

_GRANTED = der.sequence(der.integer(tsp.GRANTED))
_TST_INFO_OID = der.oid(cms.ID_TST_INFO)
_MAX_SIZES = 256
"""Sizes of nonce, digest and time are the client's choice: no more are kept at once."""

_Parts = tuple[bytes, bytes, bytes]


class ResponseMould:
    """For one key and its certificate. Thread-safe: parts are replaced whole."""

    def __init__(
        self,
        suite: AlgorithmSuite,
        certificate: Certificate,
        chain: Sequence[Certificate],
        digest_size: int,
    ) -> None:
        algorithm = der.sequence(der.oid(suite.digest_oid))
        self._message_head = der.integer(3) + der.tlv(der.SET, algorithm)
        self._certificates = der.explicit(
            0, b"".join(sorted({c.der for c in (certificate, *chain)}))
        )
        reference = cms.signing_certificate_v2(
            certificate.digest(suite.digest), None if suite.digest == "sha256" else algorithm
        )
        # Stands for the message digest; DER's order of the attributes is decided before it.
        place = bytes(range(digest_size))
        attributes = der.set_of(
            (
                cms.attribute(cms.ID_CONTENT_TYPE, der.oid(cms.ID_TST_INFO)),
                cms.attribute(cms.ID_SIGNING_CERTIFICATE_V2, reference),
                cms.attribute(cms.ID_MESSAGE_DIGEST, der.octet_string(place)),
            )
        )
        self._signed_head, self._signed_tail = attributes.split(place)
        head = der.integer(1) + certificate.issuer_and_serial + algorithm
        self._signer_head = head + b"\xa0" + self._signed_head[1:]
        self._signer_tail = self._signed_tail + suite.signature_algorithm
        self._digest_size = digest_size
        self._ready: dict[tuple[int, int, bool], _Parts] = {}

    def to_be_signed(self, digest: bytes) -> bytes:
        """SignedAttributes, DER, over the digest of TSTInfo."""
        return self._signed_head + digest + self._signed_tail

    def fill(self, info: bytes, digest: bytes, signature: bytes, *, certificates: bool) -> bytes:
        """TimeStampResp, DER. `info`: TSTInfo, DER; `certificates`: whether to enclose them."""
        sizes = len(info), len(signature), certificates
        before, between, behind = self._ready.get(sizes) or self._prepare(sizes)
        return b"".join((before, info, between, digest, behind, signature))

    def _prepare(self, sizes: tuple[int, int, bool]) -> _Parts:
        info_size, signature_size, certificates = sizes
        # The signature value ends the response, and TSTInfo's place in it is found by its size.
        info, digest, signature = bytes(info_size), bytes(self._digest_size), bytes(signature_size)
        signer = der.sequence(
            self._signer_head, digest, self._signer_tail, der.octet_string(signature)
        )
        certified = self._certificates if certificates else b""
        behind_info = certified + der.tlv(der.SET, signer)
        token = cms.content_info_of(
            self._message_head,
            der.sequence(_TST_INFO_OID, der.explicit(0, der.octet_string(info))),
            behind_info,
        )
        response = der.sequence(_GRANTED, token)
        info_end = len(response) - len(behind_info)
        digest_start = len(response) - len(signer) + signer.index(self._signer_head)
        digest_start += len(self._signer_head)
        parts = (
            response[: info_end - info_size],
            response[info_end:digest_start],
            response[digest_start + self._digest_size : len(response) - signature_size],
        )
        if len(self._ready) >= _MAX_SIZES:
            self._ready.clear()
        self._ready[sizes] = parts
        return parts
