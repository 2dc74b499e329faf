"""A key whose token is locked away: what it shows is known from its certificate."""

from typing import NoReturn

from kernel.algorithms import AlgorithmSuite, PublicKey
from kernel.refusals import Unavailable


class AbsentKey:
    """Implements `kernel.keys.KeyHandle`; whoever would sign is refused."""

    def __init__(self, label: str, public_key: PublicKey, suite: AlgorithmSuite) -> None:
        self.label = label
        self.public_key = public_key
        self.suite = suite

    def sign(self, message: bytes) -> NoReturn:
        """Raises Unavailable `token.away`."""
        raise self._refusal()

    def sign_digest(self, digest: bytes) -> NoReturn:
        """Raises Unavailable `token.away`."""
        raise self._refusal()

    def self_test(self) -> None:
        """Nothing to test: the key is not here."""

    def _refusal(self) -> Unavailable:
        return Unavailable(
            "token.away", "the key's token is locked away: hold a root session", key=self.label
        )
