"""What a card's signing key says of the transport key beside it (docs/key-centre.md).

The text binds the key to the card, to the one purpose and to the service that is asked: it means
nothing anywhere else, and no page can have it signed for another one.
"""

import hashlib

from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.identifiers import Serial, serial_text

_TITLE = "PortSeal transport key 1"


def transport_statement(
    certificate: Certificate, transport_key: PublicKey, origin: str, recovers: Serial | None = None
) -> bytes:
    """The text to be signed by the key of `certificate`, ASCII.

    `recovers`: the encryption certificate whose key is asked for again; None: the card's own.
    """
    purpose = "encryption-key" if recovers is None else f"recovery {serial_text(recovers)}"
    lines = (
        _TITLE,
        f"purpose: {purpose}",
        f"certificate: {certificate.fingerprint}",
        f"transport-key: {hashlib.sha256(transport_key.spki).hexdigest()}",
        f"origin: {origin}",
    )
    return "".join(f"{line}\n" for line in lines).encode("ascii")
