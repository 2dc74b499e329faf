"""A ceremony's keys on the other tokens of a pool: wrapped in the first token, restored in each.

The ceremony is held on the first token alone. What may leave it is wrapped under the custodians'
backup key, where the plan splits one, else under a key that is drawn for this and kept nowhere. An
attempt that dies is gone on with by the next: what had arrived is found there.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from hsm.backup import Backup, back_up, restore
from hsm.same_keys import require_same_secrets
from hsm.shares import new_secret
from hsm.token import Token
from kernel.refusals import Refusal
from portseal.wiring.foundation import open_token
from portseal.wiring.house import House
from records.events import Event
from records.journal import records

Say = Callable[[str], None]


@dataclass(frozen=True)
class WrappedToken:
    """The keys of the first token, wrapped."""

    document: bytes
    key: bytes
    made: Backup


@contextmanager
def replicas_of(house: House) -> Iterator[tuple[Token, ...]]:
    """The other tokens of the pool that the settings name, logged in. Raises Unavailable."""
    opened: list[Token] = []
    try:
        for each in house.settings.token_replicas:
            opened.append(open_token(each, "the second token"))
            opened[-1].login()
        yield tuple(opened)
    finally:
        for token in opened:
            token.close()


def wrap_for_replicas(house: House) -> WrappedToken:
    """What may leave the issuing token under any wrapping key."""
    key = new_secret(house.entropy)
    document, made = back_up(house.token, key, house.clock.now())
    return WrappedToken(document, key, made)


def carry(
    house: House, wrapped: WrappedToken, replicas: Sequence[Token], conducted_by: str, say: Say
) -> None:
    """Bring the keys to each of the other tokens, and compare. `say` takes the transcript's lines.

    Raises Conflict `backup.other-key`, Unavailable `token.other-key` and as the tokens do.
    """
    for replica in replicas:
        told = replica.info()
        say(
            f"Second token for issuing: {told.label} ({told.manufacturer} {told.model}, "
            f"serial {told.serial})."
        )

        def arrived(label: str, was_there: bool, target: str = replica.label) -> None:
            _record(house, label, conducted_by, target)
            how = "found in" if was_there else "carried wrapped to"
            say(f"Key {label} {how} token {target}.")

        try:
            restore(replica, wrapped.document, wrapped.key, arrived)
            require_same_secrets(replica, [house.token])
        except Refusal as refusal:
            say(f"Token {replica.label} refused ({refusal.code}); not all keys are on it.")
            raise
        say(f"Token {replica.label} holds the same keys as token {house.token.label}.")
    if replicas and wrapped.made.left_out:
        kept = ", ".join(wrapped.made.left_out)
        say(f"Made never to leave, on token {house.token.label} alone: {kept}.")


def _record(house: House, label: str, actor: str, target: str) -> None:
    """Once: an attempt that died may have brought the key and not recorded it."""
    with house.database.transaction() as connection:
        for told in records(connection, label):
            if told.event == Event.KEY_REPLICATED and json.loads(told.facts)["target"] == target:
                return
        house.journal.append(
            connection, Event.KEY_REPLICATED, subject=label, actor=actor,
            source=house.token.label, target=target,
        )  # fmt: skip
