"""What a sensitive act is that a platform wants proven with the card (RFC 9396).

`authorization_details` of our one type, `urn:portseal:act`: the text that the holder is shown,
and what the platform knows the act by.
"""

import json
import re
from typing import Any

from signing_service.sso.confirmation import MOST_ACTS, Confirmation
from signing_service.sso.openid.errors import OAuthError

ACT = "urn:portseal:act"
_MAX_CHARACTERS = 4_000
_LONGEST_TEXT = 200
_FIELDS = {"type", "act", "reference", "digest"}
_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")


def read_acts(text: str | None) -> tuple[dict[str, Any], ...]:
    """Raises OAuthError `invalid_authorization_details` (RFC 9396, 5)."""
    if text is None:
        return ()
    if len(text) > _MAX_CHARACTERS:
        raise _refused("too long")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _refused("not JSON") from None
    if not isinstance(found, list) or not 0 < len(found) <= MOST_ACTS:
        raise _refused("an array of one to five objects")
    return tuple(_act(each) for each in found)


def confirmation_of(platform: str, acts: tuple[dict[str, Any], ...]) -> Confirmation | None:
    """What the holder is shown of them, and signs; None: nothing."""
    return Confirmation(platform, tuple(_line(each) for each in acts)) if acts else None


def _line(act: dict[str, Any]) -> str:
    text, reference = str(act["act"]).strip(), str(act.get("reference", "")).strip()
    return f"{text} ({reference})" if reference else text


def _act(found: object) -> dict[str, Any]:
    if not isinstance(found, dict) or found.get("type") != ACT:
        raise _refused(f"the only type is {ACT}")
    if not found.keys() <= _FIELDS or not all(isinstance(each, str) for each in found.values()):
        raise _refused("act, reference and digest, all texts")
    for name in ("act", "reference"):
        text = found.get(name, "")
        if len(text) > _LONGEST_TEXT or not text.isprintable():
            raise _refused(f"{name} has at most 200 printable characters")
    if not found.get("act", "").strip():
        raise _refused("act, the text that the holder is shown, is missing")
    if "digest" in found and not _DIGEST.fullmatch(found["digest"]):
        raise _refused("digest is SHA-256 in base64url")
    return dict(found)


def _refused(why: str) -> OAuthError:
    return OAuthError("invalid_authorization_details", f"authorization_details: {why}.")
