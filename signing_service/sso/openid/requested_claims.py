"""The `claims` parameter (OpenID Connect Core, 5.5), read strictly."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from signing_service.sso.openid.errors import OAuthError, invalid_request

_MAX_CHARACTERS = 4_000
_MEMBERS = frozenset({"id_token", "userinfo"})
_RULES = frozenset({"essential", "value", "values"})
_JUDGED = frozenset({"sub", "acr"})
"""Claims whose wanted values we look at; what others are wanted to be may be any JSON."""


@dataclass(frozen=True)
class RequestedClaims:
    """Claims asked for one by one, by where they shall stand, with what they shall be."""

    id_token: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    userinfo: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def subject(self) -> str | None:
        """The holder that the answer must be about."""
        return self.id_token.get("sub", {}).get("value")

    @property
    def essential_acrs(self) -> tuple[str, ...]:
        """Of which one must be reached (5.5.1.1); empty: none must."""
        rule = self.id_token.get("acr", {})
        if not rule.get("essential"):
            return ()
        values = rule.get("values", [rule["value"]] if "value" in rule else [])
        return tuple(values)


def read_requested_claims(text: str | None) -> RequestedClaims:
    """Raises OAuthError `invalid_request`."""
    if text is None:
        return RequestedClaims()
    if len(text) > _MAX_CHARACTERS:
        raise invalid_request("The claims parameter is too long.")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed() from None
    if not isinstance(found, dict):
        raise _malformed()
    return RequestedClaims(
        **{name: _member(found[name]) for name in _MEMBERS if found.get(name) is not None}
    )


def _member(found: object) -> dict[str, dict[str, Any]]:
    if not isinstance(found, dict):
        raise _malformed()
    return {name: _rule(name, rule) for name, rule in found.items()}


def _rule(name: str, found: object) -> dict[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _malformed()
    rule = {name: value for name, value in found.items() if name in _RULES}
    values = rule.get("values", [])
    texts = [*values, *([rule["value"]] if "value" in rule else [])] if _is_list(values) else [0]
    if name in _JUDGED and not all(isinstance(each, str) for each in texts):
        raise _malformed()
    if not isinstance(rule.get("essential", False), bool):
        raise _malformed()
    return rule


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _malformed() -> OAuthError:
    return invalid_request("The claims parameter is not what OpenID Connect Core, 5.5 says.")
