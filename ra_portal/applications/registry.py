"""The registry of enterprises: what the state has on record, beside what an applicant says.

A directory (LDAP) is asked for the unified social credit code while an officer looks at the
application. It decides nothing: differences are marked, and a registry that does not answer is said
to have not answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from kernel.refusals import Refusal
from ra_portal.applications.application import ApplicationDetails

COMPARED = ("name", "customs_code", "legal_representative", "region")
"""Fields of an application that the registry may have, too."""


@dataclass(frozen=True)
class RegistryEntry:
    """What is on record; a field that is not there is None."""

    fields: Mapping[str, str | None]
    status: str | None
    """In the registry's own words: in business, struck off."""


class Registry(Protocol):
    def find(self, uscc: str) -> RegistryEntry | None:
        """None: there is no such enterprise. Raises Unavailable or Conflict, with a code that
        begins with `registry.`, when it cannot say."""


@dataclass(frozen=True)
class Comparison:
    """How an application stands to the registry."""

    entry: RegistryEntry | None
    differing: frozenset[str]
    """Fields that say something else there."""


def look_up(
    registry: Registry | None, details: ApplicationDetails
) -> tuple[Comparison | None, Refusal | None]:
    """The comparison, or why there is none; neither, when there is no registry."""
    if registry is None:
        return None, None
    try:
        entry = registry.find(details.uscc)
    except Refusal as refusal:
        return None, refusal
    return compare(details, entry), None


def compare(details: ApplicationDetails, entry: RegistryEntry | None) -> Comparison:
    if entry is None:
        return Comparison(None, frozenset())
    differing = frozenset(
        name
        for name in COMPARED
        if (known := entry.fields.get(name)) is not None
        and _plain(known) != _plain(getattr(details, name))
    )
    return Comparison(entry, differing)


def _plain(text: str) -> str:
    """Full-width brackets, spaces and case say nothing about an enterprise."""
    return "".join(text.split()).translate(str.maketrans("（）", "()")).casefold()
