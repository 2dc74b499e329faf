"""The encryption key of a holder's card: fetched sealed, and used to open what others encrypted."""

import base64
from collections.abc import Callable
from dataclasses import dataclass

from hsm.decryption_key import DecryptionKey
from hsm.token import Token
from hsm.token_key import TokenKey
from hsm.transport import destroy_transport_key, make_transport_key, receive
from kernel.asn1.certificate import Certificate
from kernel.asn1.key_envelope import KeyEnvelope
from kernel.identifiers import Serial
from kernel.refusals import Conflict, NotFound
from kernel.transport_statement import transport_statement
from policies.oids import SUBJECT_ATTRIBUTES

ENCRYPTION_KEY = "encryption"
_ENTERPRISE = SUBJECT_ATTRIBUTES["organization_identifier"]


@dataclass(frozen=True)
class TransportRequest:
    """What the service is sent; base64."""

    certificate: str
    transport_key: str
    signature: str


class EncryptionSlot:
    """The encryption key on one card. Methods may raise Unavailable `token.*` and `pin.missing`."""

    def __init__(self, token: Token, signing_key: Callable[[], TokenKey]) -> None:
        """`signing_key`: the card's key in use."""
        self._token = token
        self._signing_key = signing_key

    def ask(
        self, signing: Certificate, origin: str, recovers: Serial | None = None
    ) -> TransportRequest:
        """Make a transport key and let the card's signing key vouch for it (docs/key-centre.md)."""
        transport = make_transport_key(self._token)
        statement = transport_statement(signing, transport, origin, recovers)
        signature = self._signing_key().sign(statement)
        encoded = (base64.b64encode(each).decode("ascii") for each in (
            signing.der, transport.spki, signature,
        ))  # fmt: skip
        return TransportRequest(*encoded)

    def install(
        self,
        certificate: Certificate,
        envelope: bytes,
        signing: Certificate,
        *,
        recovered: bool = False,
    ) -> None:
        """Put the delivered key onto the card with its certificate; the transport key has done its
        work. A key that is there already, with this certificate, stays.

        `recovered`: the key is of an older card of the same enterprise, whose number, and the
        holder's name, may have been others. Raises Conflict `card.other-holder` for a certificate
        that is not this card's holder's; and as `hsm.transport.receive`.
        """
        same = certificate.subject_der == signing.subject_der
        if recovered:
            same = certificate.attribute(_ENTERPRISE) == signing.attribute(_ENTERPRISE)
        if not same:
            raise Conflict("card.other-holder", "the certificate is another holder's")
        label = self.label_of(certificate)
        if label not in self._token.key_labels():
            receive(self._token, KeyEnvelope.decode(envelope), label, certificate.public_key)
        self._token.write_certificate(label, certificate.der)
        destroy_transport_key(self._token)

    def label_of(self, certificate: Certificate) -> str:
        """The card's own is `encryption`; older ones, recovered, have their serial number."""
        labels = set(self._token.key_labels())
        if ENCRYPTION_KEY not in labels:
            return ENCRYPTION_KEY
        if DecryptionKey(self._token, ENCRYPTION_KEY).public_key.spki == certificate.spki:
            return ENCRYPTION_KEY
        return f"{ENCRYPTION_KEY}-{certificate.serial:X}"

    def keys(self) -> list[tuple[Certificate, DecryptionKey]]:
        """Every encryption key on the card with its certificate.

        Raises NotFound `card.no-encryption-key`.
        """
        found = [
            (Certificate.parse(stored.der), DecryptionKey(self._token, stored.label))
            for stored in self._token.certificates()
            if stored.label.startswith(ENCRYPTION_KEY)
        ]
        if not found:
            raise NotFound("card.no-encryption-key", "this card holds no encryption key")
        return found
