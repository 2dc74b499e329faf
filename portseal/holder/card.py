"""A holder's USB key: make the signing key on it, enrol, sign in, sign."""

from hsm.pins import PinSource
from hsm.pyca import certificate_request
from hsm.token import Token, TokenInfo
from hsm.token_key import TokenKey
from kernel.algorithms import ECDSA_P256_SHA256, AlgorithmSuite, PublicKey
from kernel.asn1.certificate import Certificate
from kernel.refusals import Conflict, NotFound
from kernel.renewal_statement import renewal_statement
from key_agent.encryption_slot import EncryptionSlot
from signing_service.sso.authentication_token import make_authentication_token
from signing_service.sso.confirmation import Confirmation

SIGNING_KEY = "signing"
_LABELS = (SIGNING_KEY, *(f"{SIGNING_KEY}-{number}" for number in range(2, 33)))
"""Of one card after the other on a USB key: renewal makes a new key."""
_APPLICATION = "https://portseal.example/cli/1.0"


class Card:
    """One USB key. Every method may raise Unavailable `token.*` and `pin.missing`."""

    def __init__(self, module: str, label: str, pin: PinSource) -> None:
        self.label = label
        self._token = Token(module, label, pin, sessions=1)

    def close(self) -> None:
        self._token.close()

    def request(self, suite: AlgorithmSuite = ECDSA_P256_SHA256) -> bytes:
        """A PKCS#10 request, DER, signed by the card's key, which is made when not yet there.

        The name in it is only the card's label: the authority takes names from its records.
        """
        labels = self._key_labels()
        key = self.key if labels else self._token.generate(SIGNING_KEY, suite)
        return certificate_request(key, self.label)

    def next_request(self, suite: AlgorithmSuite = ECDSA_P256_SHA256) -> tuple[bytes, PublicKey]:
        """As `request`, by a new key beside the one in use, and that key: for renewal. A new key
        that an attempt before left without a certificate serves again.

        Raises Conflict `card.too-many-keys`.
        """
        key = self._next_key(suite)
        return certificate_request(key, self.label), key.public_key

    def vouch_for(self, new_key: PublicKey, origin: str, challenge: str) -> bytes:
        """The word of the key in use for the one that follows it (`kernel.renewal_statement`)."""
        key = self.key
        return key.sign(renewal_statement(key.public_key, new_key, origin, challenge))

    def _next_key(self, suite: AlgorithmSuite) -> TokenKey:
        taken = self._key_labels()
        unused = [label for label in taken if self._token.certificate(label) is None]
        if unused:
            return self._token.key(unused[-1])
        for label in _LABELS:
            if label not in taken:
                return self._token.generate(label, suite)
        raise Conflict("card.too-many-keys", "this USB key holds too many keys of old cards")

    @property
    def token(self) -> TokenInfo:
        """Model and serial number, as the USB key itself tells them."""
        return self._token.info()

    def store(self, certificate: Certificate) -> None:
        """Write the issued certificate beside its key. Raises Conflict `card.other-key`."""
        for label in self._key_labels():
            if self._token.key(label).public_key.spki == certificate.public_key.spki:
                self._token.write_certificate(label, certificate.der)
                return
        raise Conflict("card.other-key", "the certificate is not for a key on this card")

    def _key_labels(self) -> list[str]:
        """Of signing keys, the oldest first."""
        there = set(self._token.key_labels())
        return [label for label in _LABELS if label in there]

    @property
    def _label_in_use(self) -> str:
        """The newest key with a certificate; without any, the first key."""
        labels = self._key_labels()
        certified = [label for label in labels if self._token.certificate(label) is not None]
        return (certified or labels[:1] or [SIGNING_KEY])[-1]

    @property
    def key(self) -> TokenKey:
        return self._token.key(self._label_in_use)

    def key_under(self, suite: AlgorithmSuite | None) -> TokenKey:
        """The same key under another suite that it fits, such as RSA-PSS; None: its usual one."""
        return self._token.key(self._label_in_use, suite)

    @property
    def certificate(self) -> Certificate:
        """Raises NotFound `card.no-certificate` on a card that is not enrolled."""
        der = self._token.certificate(self._label_in_use)
        if der is None:
            raise NotFound("card.no-certificate", "this card holds no certificate yet")
        return Certificate.parse(der)

    @property
    def encryption(self) -> EncryptionSlot:
        """The encryption key beside the signing key."""
        return EncryptionSlot(self._token, lambda: self.key)

    def answer(
        self, origin: str, nonce: str, confirmed: Confirmation | None = None
    ) -> dict[str, str]:
        """An authentication token for this origin and challenge (Web eID 1.0). `confirmed`: what
        the holder was shown and the card signs with it."""
        digest = None if confirmed is None else confirmed.digest
        return make_authentication_token(
            self.key, self.certificate.der, origin, nonce, _APPLICATION, digest
        )
