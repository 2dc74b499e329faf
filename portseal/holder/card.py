"""A holder's USB key: make the signing key on it, enrol, sign in, sign."""

from hsm.pins import PinSource
from hsm.pyca import certificate_request
from hsm.token import Token, TokenInfo
from hsm.token_key import TokenKey
from kernel.algorithms import ECDSA_P256_SHA256, AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Conflict, NotFound
from signing_service.sso.authentication_token import make_authentication_token

SIGNING_KEY = "signing"
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
        labels = self._token.key_labels()
        if SIGNING_KEY in labels:
            key = self._token.key(SIGNING_KEY)
        else:
            key = self._token.generate(SIGNING_KEY, suite)
        return certificate_request(key, self.label)

    @property
    def token(self) -> TokenInfo:
        """Model and serial number, as the USB key itself tells them."""
        return self._token.info()

    def store(self, certificate: Certificate) -> None:
        """Write the issued certificate beside its key. Raises Conflict `card.other-key`."""
        if certificate.public_key.spki != self.key.public_key.spki:
            raise Conflict("card.other-key", "the certificate is not for the key on this card")
        self._token.write_certificate(SIGNING_KEY, certificate.der)

    @property
    def key(self) -> TokenKey:
        return self._token.key(SIGNING_KEY)

    def key_under(self, suite: AlgorithmSuite | None) -> TokenKey:
        """The same key under another suite that it fits, such as RSA-PSS; None: its usual one."""
        return self._token.key(SIGNING_KEY, suite)

    @property
    def certificate(self) -> Certificate:
        """Raises NotFound `card.no-certificate` on a card that is not enrolled."""
        der = self._token.certificate(SIGNING_KEY)
        if der is None:
            raise NotFound("card.no-certificate", "this card holds no certificate yet")
        return Certificate.parse(der)

    def answer(self, origin: str, nonce: str) -> dict[str, str]:
        """An authentication token for this origin and challenge (Web eID 1.0)."""
        return make_authentication_token(
            self.key, self.certificate.der, origin, nonce, _APPLICATION
        )
