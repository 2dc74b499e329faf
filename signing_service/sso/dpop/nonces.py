"""Nonces that we give for proofs (RFC 9449, 8): nobody can have signed a proof for later.

A nonce says when it was made, sealed with the secret that all nodes share; none is kept.
"""

import hashlib
from datetime import datetime

from flask import current_app
from itsdangerous import BadSignature, Signer

_EVERY_SECONDS = 30
"""How long a nonce stays the same."""
_LASTS_SECONDS = 300
_SKEW_SECONDS = 30
"""How far another node's clock may be ahead."""


def fresh_nonce(now: datetime) -> str:
    at = int(now.timestamp())
    return _signer().sign(str(at - at % _EVERY_SECONDS)).decode("ascii")


def is_good_nonce(nonce: str, now: datetime) -> bool:
    """Whether we made it, at most five minutes ago."""
    try:
        at = int(_signer().unsign(nonce))
    except (BadSignature, ValueError):
        return False
    return -_SKEW_SECONDS <= int(now.timestamp()) - at <= _LASTS_SECONDS


def _signer() -> Signer:
    secret = current_app.secret_key
    if secret is None:
        raise RuntimeError("the application has no secret key")
    return Signer(secret, salt="portseal-dpop-nonce", digest_method=hashlib.sha256)
