"""What a card's key says of the key that follows it (docs/decisions/0034-card-life.md).

The text names both keys, the service and its challenge. It begins with words that no other
statement begins with, so that a sign-in or a declaration is never taken for a renewal, nor a
renewal for one of them.
"""

from kernel.algorithms import PublicKey

_TITLE = "PortSeal card renewal 1"


def renewal_statement(old_key: PublicKey, new_key: PublicKey, origin: str, challenge: str) -> bytes:
    """The text to be signed by `old_key`, ASCII. `challenge`: as the service gave it."""
    lines = (
        _TITLE,
        f"old-key: {old_key.fingerprint}",
        f"new-key: {new_key.fingerprint}",
        f"origin: {origin}",
        f"challenge: {challenge}",
    )
    return "".join(f"{line}\n" for line in lines).encode("ascii")
