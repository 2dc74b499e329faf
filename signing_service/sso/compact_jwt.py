"""JSON Web Tokens that others signed, in the compact form, read strictly.

The key is found by the caller, never by what the token says of itself; the algorithm is the key's.
"""

import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from signing_service.sso.client_keys import ASSERTION_ALGORITHMS, algorithms_of


class _Registry(jws.JWSRegistry):
    """A header may hold an RSA key; how long a whole token may be is the caller's."""

    max_header_length = 4_096


def header_of(token: str, longest: int) -> Mapping[str, Any] | None:
    """Not believed yet. None: no such token, or more than `longest` characters."""
    read = _extracted(token, longest)
    return None if read is None else read[0]


def claims_of(token: str, longest: int) -> dict[str, Any] | None:
    """Not believed yet; as `header_of`."""
    read = _extracted(token, longest)
    return None if read is None else _object(read[1])


def verified_claims(token: str, key: ECKey | RSAKey, algorithm: object) -> dict[str, Any] | None:
    """What `key` signed with this `algorithm`, which must be one of the key's; None: it did not."""
    if algorithm not in algorithms_of(key):
        return None
    registry = _Registry(algorithms=(str(algorithm),))
    try:
        signed = jws.deserialize_compact(token, KeySet([key]), registry=registry)
    except (JoseError, ValueError, RecursionError):
        return None
    return _object(signed.payload)


def _extracted(token: str, longest: int) -> tuple[Mapping[str, Any], bytes] | None:
    if len(token) > longest:
        return None
    registry = _Registry(algorithms=ASSERTION_ALGORITHMS)
    try:
        found = jws.extract_compact(token.encode("ascii"), registry=registry)
        return found.headers(), found.payload
    except (JoseError, ValueError, RecursionError):
        return None


def _object(text: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text or b"")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
