"""The certificates of a list, revoked: cards follow theirs, what has no card goes alone."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ca.mass.job import MassRevocation
from ra_portal.mass_actions.listed import Listed
from ra_portal.mass_actions.mass_actions import MassActions

_PAUSE = 0.1
"""Seconds between two looks, while another node has the rest in hand."""


@dataclass(frozen=True)
class ListRevocation:
    """What was planned; the worker goes on with it, whoever dies."""

    action: str | None
    """Of the cards."""
    job: str | None
    """Of the certificates without a card."""


def plan(
    actions: MassActions, officers: Sequence[str], found: Listed, reason: str
) -> ListRevocation:
    """Record all of the list at once, or nothing. Raises as `MassActions.revoke_listed`."""
    of_cards = list(dict.fromkeys(found.of_cards.values()))
    alone = [each for serials in found.without_card.values() for each in serials]
    if not of_cards and not alone:
        return ListRevocation(None, None)
    return ListRevocation(*actions.revoke_listed(officers, of_cards, reason, alone))


def finish(
    actions: MassActions,
    mass: MassRevocation,
    planned: ListRevocation,
    wait: Callable[[float], object] = time.sleep,
) -> dict[str, object]:
    """Do it, beside a worker that may be at it, too; what became of it, to be shown. `wait` for
    so many seconds. Raises Unavailable, after which the worker goes on."""
    done: dict[str, object] = {}
    if planned.action is not None:
        done["mass_action"] = planned.action
        while (followed := actions.followed(planned.action)) is None:
            if not actions.run():
                wait(_PAUSE)
        done["cards_revoked"] = followed
    if planned.job is not None:
        while mass.go_on(planned.job):
            wait(_PAUSE)
        revoked = mass.progress(planned.job).revoked
        done |= {"job": planned.job, "revoked_without_card": revoked}
    return done
