"""A finished signature file with zeros in place of the value, for whoever holds the key.

The holder's program reads it with the same readers that will verify the signature, and so sees
all that it is asked to sign: what is covered, and what the signer claims beside.
"""

from kernel.algorithms import KeyKind
from signing_service.formats import making
from signing_service.formats.manner import Act
from signing_service.formats.prepared import PreparedSignature

_ED25519_OCTETS = 64


class _Unvalued(PreparedSignature):
    def check(self, signature_value: bytes) -> None:
        """There is no value yet."""


def draft_of(act: Act, prepared: PreparedSignature, signed: bytes | None) -> bytes:
    """The file that `making.finish` will make of the value, without it. Raises as that."""
    unvalued = _Unvalued(
        prepared.format,
        prepared.packaging,
        prepared.suite,
        prepared.certificate,
        prepared.chain,
        prepared.to_be_signed,
        prepared.body,
    )
    return making.finish(act, unvalued, _zeros(prepared), signed)


def _zeros(prepared: PreparedSignature) -> bytes:
    suite = prepared.suite
    if suite.coordinate_size:
        return suite.from_raw(bytes(2 * suite.coordinate_size))
    if suite.kind is KeyKind.RSA:
        return bytes((prepared.certificate.public_key.bits + 7) // 8)
    return bytes(_ED25519_OCTETS)
