"""A process of its own that issues from the shared token, and may die at a chosen step.

Arguments: database URL, token label, then `issue N`, `die-before-signing` or
`die-before-recording`. Prints the serials that it prepared, one per line, before it goes on.
"""

import os
import signal
import sys

from ca.authority import Authority
from hsm.pins import EnvironmentPin
from hsm.token import Token
from hsm.token_key import TokenKey
from kernel.identifiers import serial_text
from records.database import Database
from tests.ca.world import World, new_clock, open_world, operator_request
from tests.database import load_all_tables
from tests.token import TokenBench, softhsm_module


class DyingKey:
    """Signs, and is killed before anybody sees the signature used."""

    def __init__(self, key: TokenKey) -> None:
        self.public_key = key.public_key
        self.suite = key.suite
        self._key = key

    def sign(self, message: bytes) -> bytes:
        assert self._key.sign(message)
        return die()

    sign_digest = sign


def die() -> bytes:
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def dying_authority(world: World) -> Authority:
    authority = world.issuing
    key = world.authorities.issuing_key.key
    assert isinstance(key, TokenKey)
    authority._key = DyingKey(key)
    return authority


def main(url: str, label: str, what: str, count: str = "1") -> None:
    load_all_tables()
    token = Token(softhsm_module(), label, EnvironmentPin(TokenBench.pin_variable(label)))
    world = open_world(token, Database(url), new_clock())
    authority = dying_authority(world) if what == "die-before-recording" else world.issuing
    for _ in range(int(count)):
        intent = authority.prepare("operator", operator_request())
        print(serial_text(intent.serial))
        if what == "die-before-signing":
            die()
        authority.issue(intent)


if __name__ == "__main__":
    main(*sys.argv[1:])
