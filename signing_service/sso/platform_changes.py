"""What a proposed entry of a platform changes, for the second administrator to see at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from signing_service.sso.client_keys import read_public_key
from signing_service.sso.platform import Platform, PlatformDraft
from signing_service.sso.platform_form import fields_of

ADDRESSES = (
    "redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri",
    "frontchannel_logout_uri", "cas_services",
)  # fmt: skip
"""Fields that say where people, and what is told of them, are sent."""


@dataclass(frozen=True)
class Entry:
    """A platform's entry as a page shows it, beside the one that stands (None: there is none)."""

    fields: Mapping[str, Any]
    before: Mapping[str, Any] | None = None

    @property
    def changed(self) -> frozenset[str]:
        """Names of fields that say something else; none where there is nothing to compare with."""
        if self.before is None:
            return frozenset()
        return frozenset(
            name
            for name, value in self.fields.items()
            if _plain(value) != _plain(self.before[name])
        )

    @property
    def new_addresses(self) -> list[str]:
        """Those that stand nowhere in the entry so far, in the order of the form."""
        if self.before is None:
            return []
        known = set(_addresses(self.before))
        return [each for each in dict.fromkeys(_addresses(self.fields)) if each not in known]


def entry_of(entry: Platform | PlatformDraft, before: Platform | None = None) -> Entry:
    return Entry(shown(entry), None if before is None else shown(before))


def shown(entry: Platform | PlatformDraft) -> dict[str, Any]:
    """Its fields; of each key name and RFC 7638 thumbprint, so that another key under the same
    name is seen."""
    fields = fields_of(entry)
    jwks = fields.pop("jwks") or {"keys": []}
    keys = [f"{jwk['kid']} {read_public_key(jwk).thumbprint()}" for jwk in jwks["keys"]]
    return {**fields, "keys": keys}


def _addresses(fields: Mapping[str, Any]) -> Iterable[str]:
    for name in ADDRESSES:
        value = fields[name]
        yield from [value] if isinstance(value, str) else value or []


def _plain(value: object) -> object:
    """The order of a list says nothing, and no more does what is empty."""
    return sorted(value) if isinstance(value, list) else value or None
