"""What stands in the navigation, for whom. A room's new page gets its line here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from flask_babel import LazyString, lazy_gettext


@dataclass(frozen=True)
class Link:
    """One entry."""

    address: str
    label: LazyString
    permission: str = ""
    """Of `policies/permissions.toml`, that opens the page; empty: every visitor of the group's
    kind."""
    head_office: bool = False
    """Not for officers of a branch."""
    whole: bool = False
    """Only this very address counts as being there, not those below it."""


@dataclass(frozen=True)
class Group:
    """Entries that belong together."""

    label: LazyString
    links: tuple[Link, ...]
    kinds: frozenset[str | None] = field(default_factory=frozenset)
    """Kinds of cards that see it; None: nobody is signed in. Empty: everybody."""


_OFFICERS: frozenset[str | None] = frozenset({"officer"})

GROUPS = (
    Group(
        lazy_gettext("Start"),
        (
            Link("/", lazy_gettext("Home"), whole=True),
        ),
    ),
    Group(
        lazy_gettext("Registration"),
        (
            Link("/apply", lazy_gettext("Apply")),
            Link("/status", lazy_gettext("My application")),
            Link("/make-card", lazy_gettext("Make a card")),
            Link("/lost", lazy_gettext("Card lost")),
            Link("/recover", lazy_gettext("Card locked or expired")),
        ),
        frozenset({None}),
    ),
    Group(
        lazy_gettext("Enterprise"),
        (
            Link("/enterprise", lazy_gettext("Operators and cards")),
            Link("/seals", lazy_gettext("Seals")),
            Link("/enterprise/history", lazy_gettext("History")),
        ),
        frozenset({"legal-person"}),
    ),
    Group(
        lazy_gettext("Cards"),
        (
            Link("/card", lazy_gettext("My card")),
            Link("/enterprise/history", lazy_gettext("History")),
        ),
        frozenset({"operator"}),
    ),
    Group(
        lazy_gettext("Registration"),
        (
            Link("/officer/applications", lazy_gettext("Applications"), "application.read"),
            Link("/officer/enterprises", lazy_gettext("Enterprises"), "enterprise.read"),
            Link("/officer/changes", lazy_gettext("Changes of data"), "application.read"),
            Link("/seals", lazy_gettext("Seals"), "card.read"),
        ),
        _OFFICERS,
    ),
    Group(
        lazy_gettext("Cards"),
        (
            Link("/admin/cards", lazy_gettext("Cards"), "card.read"),
            Link("/admin/card-making", lazy_gettext("Card making"), "card.confirm"),
            Link("/admin/mass", lazy_gettext("Many cards at once"), "card.confirm", True),
            Link("/officer/recoveries", lazy_gettext("Recoveries"), "card.confirm"),
        ),
        _OFFICERS,
    ),
    Group(
        lazy_gettext("Authority"),
        (
            Link("/admin/dashboard", lazy_gettext("Dashboard"), "dashboard.read"),
            Link("/admin/policies", lazy_gettext("Profiles and policies"), "dashboard.read"),
            Link("/admin/officers", lazy_gettext("Officers"), "officer.read"),
            Link(
                "/admin/officer-changes",
                lazy_gettext("Changes of officers"),
                "officer.change.read",
            ),
            Link("/admin/branches", lazy_gettext("Branches"), "branch.manage"),
            Link("/admin/dead-letters", lazy_gettext("Messages set aside"), "letter.manage"),
            Link("/admin/platforms", lazy_gettext("Platforms"), "platform.read"),
            Link("/admin/journal", lazy_gettext("Journal"), "journal.read"),
            Link("/admin/console-acts", lazy_gettext("Acts without a card"), "journal.read"),
        ),
        _OFFICERS,
    ),
    Group(
        lazy_gettext("Key-management centre"),
        (
            Link("/key-centre", lazy_gettext("Key recoveries"), "key.recovery.read"),
            Link("/key-centre/orders/new", lazy_gettext("Record an order"), "key.recovery.open"),
        ),
        _OFFICERS,
    ),
    Group(
        lazy_gettext("Services"),
        (
            Link("/verify", lazy_gettext("Verify a signature")),
            Link("/agent", lazy_gettext("Key agent")),
        ),
    ),
    Group(
        lazy_gettext("Signing"),
        (
            Link("/sign", lazy_gettext("Sign documents")),
        ),
        frozenset({"legal-person", "operator"}),
    ),
)  # fmt: skip


def navigation(
    kind: str | None, may: Callable[[str], bool], branch: str | None = None
) -> Iterator[Group]:
    """The groups that this visitor sees, without those that would be empty.

    `may`: whether the visitor has a permission; `branch`: where an officer works.
    """
    for group in GROUPS:
        if group.kinds and kind not in group.kinds:
            continue
        links = tuple(
            link
            for link in group.links
            if (not link.permission or may(link.permission))
            and not (link.head_office and branch is not None)
        )
        if links:
            yield Group(group.label, links, group.kinds)


def current(path: str, groups: tuple[Group, ...]) -> str | None:
    """The address of the entry that `path` lies under: the longest one that fits."""
    fitting = [
        link.address
        for group in groups
        for link in group.links
        if path == link.address or (not link.whole and path.startswith(f"{link.address}/"))
    ]
    return max(fitting, key=len, default=None)
