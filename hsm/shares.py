"""A secret split among custodians as SLIP-0039 mnemonics: any m restore it, fewer learn nothing.

The value of each share but the last needed is uniformly random (Shamir over GF(256), SLIP-0039,
section "Design rationale"); a digest inside tells a wrong set of shares from a right one.
"""

import hashlib
import hmac
from dataclasses import dataclass

from shamir_mnemonic import MnemonicError, Share, combine_mnemonics, generate_mnemonics

from kernel.entropy import Entropy
from kernel.refusals import Unprocessable

SECRET_OCTETS = 32
LONGEST_SHARE = 400
"""Characters: 33 words of at most 8."""
_ITERATIONS = 0
"""SLIP-0039's key stretching guards a passphrase, and there is none."""


@dataclass(frozen=True)
class SplitSecret:
    """A secret with its shares. Neither is ever shown by repr."""

    secret: bytes
    shares: tuple[str, ...]
    set_number: int
    """Which set a share belongs to; it stands in the journal and in every share."""

    def __repr__(self) -> str:
        return f"SplitSecret(set {self.set_number}, {len(self.shares)} shares)"


def split(secret: bytes, threshold: int, count: int) -> SplitSecret:
    """`count` shares, of which any `threshold` restore the secret (32 octets)."""
    if len(secret) != SECRET_OCTETS or not 2 <= threshold <= count <= 16:
        raise ValueError("32 octets, and 2 <= threshold <= count <= 16")
    (shares,) = generate_mnemonics(1, [(threshold, count)], secret, iteration_exponent=_ITERATIONS)
    return SplitSecret(secret, tuple(shares), Share.from_mnemonic(shares[0]).identifier)


class ShareBox:
    """Takes shares one by one until there are enough."""

    def __init__(self) -> None:
        self._shares: dict[int, str] = {}
        self._first: Share | None = None

    def __repr__(self) -> str:
        return f"ShareBox({len(self._shares)} shares)"

    @property
    def missing(self) -> int | None:
        """How many more are needed; None before the first, which tells it."""
        if self._first is None:
            return None
        return int(self._first.member_threshold) - len(self._shares)

    def add(self, text: str) -> None:
        """Raises Unprocessable `share.invalid` (a word or the checksum is wrong),
        `share.other-set`, `share.twice`. The text is in no message."""
        words = " ".join(text.lower().split())
        try:
            if len(words) > LONGEST_SHARE:
                raise MnemonicError("too long")
            share = Share.from_mnemonic(words)
        except (MnemonicError, ValueError):
            raise Unprocessable("share.invalid", "a word is wrong or missing") from None
        first = self._first or share
        if share.common_parameters() != first.common_parameters() or (
            share.member_threshold != first.member_threshold
        ):
            raise Unprocessable("share.other-set", "the share belongs to another secret")
        if share.index in self._shares:
            raise Unprocessable("share.twice", "this custodian's share was entered already")
        self._first = first
        self._shares[share.index] = words

    def restore(self) -> bytes:
        """Raises Unprocessable `share.too-few`, `share.no-secret`."""
        if self.missing is None or self.missing > 0:
            raise Unprocessable("share.too-few", "more custodians are needed")
        try:
            return bytes(combine_mnemonics(self._shares.values()))
        except MnemonicError:
            raise Unprocessable("share.no-secret", "the shares restore nothing") from None


def token_pins(secret: bytes) -> tuple[str, str]:
    """The user's and the security officer's PIN of a token whose custodians hold `secret`.

    Each 32 characters, 128 bits, neither telling the other.
    """
    return _derive(secret, b"user PIN"), _derive(secret, b"security officer PIN")


def _derive(secret: bytes, purpose: bytes) -> str:
    """HMAC-SHA256 as a key derivation function (NIST SP 800-108, 4.1, one block)."""
    return hmac.digest(secret, b"PortSeal " + purpose, hashlib.sha256).hex()[:32]


def new_secret(entropy: Entropy) -> bytes:
    return entropy.token(SECRET_OCTETS)
