"""A second make of token: tpm2-pkcs11 on a software TPM, which locks itself."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.servers.tpm import LockingToken

_PRELUDE = """
import json, sys
from hsm.admin import initialise_token
from hsm.token import Token
from kernel.algorithms import SUITES
from kernel.refusals import Unavailable
module = sys.argv[1]
class Pin:
    attended = False
    def __init__(self, value): self.value = value
    def pin(self, token): return self.value
if sys.argv[2:] == ["initialise"]:
    initialise_token(module, "tpm", "so-73519", "right-73519")
def outcome(pin):
    try:
        Token(module, "tpm", pin).login()
        return "logged in"
    except Unavailable as refusal:
        return refusal.code
"""


def run(token: LockingToken, program: str, *, initialise: bool = True) -> Any:
    """A process of its own has the module: it keeps sessions in the TPM until it ends."""
    options = ["initialise"] if initialise else []
    done = subprocess.run(
        [sys.executable, "-c", _PRELUDE + program, token.module, *options],
        env=token.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


_GENERATE = """
from tests.hsm.test_token import certificate_of
token = Token(module, "tpm", Pin("right-73519"))
key = token.generate("made", SUITES[NAME])
signature, der = key.sign(b"message"), certificate_of(key, 1)
token.write_certificate("made", der)
verified = [key.public_key.verify(key.suite, signature, said) for said in (b"message", b"another")]
print(json.dumps([verified, token.certificate("made") == der, token.key_labels()]))
"""


@pytest.mark.parametrize("suite", ["ecdsa-p256-sha256", "ecdsa-p384-sha384"])
def test_a_key_is_made_and_signs_in_a_tpm(locking_token: LockingToken, suite: str) -> None:
    assert run(locking_token, f"NAME = {suite!r}" + _GENERATE) == [[True, False], True, ["made"]]


_WRONG = """
first = [outcome(Pin("wrong-1")) for _ in range(40)]
print(json.dumps([first, outcome(Pin("right-73519"))]))
"""


def test_a_service_that_tries_on_with_a_wrong_pin_does_not_lock_the_token(
    locking_token: LockingToken,
) -> None:
    tried, then = run(locking_token, _WRONG)
    assert tried == ["token.pin-wrong"] * 40
    assert then == "logged in"


_GUESSES = 'print(json.dumps([outcome(Pin(f"wrong-{n}")) for n in range(40)]))'


def test_as_many_different_pins_do_lock_it(locking_token: LockingToken) -> None:
    tried = run(locking_token, _GUESSES)
    assert set(tried) == {"token.pin-wrong", "token.locked"}
    assert tried[-1] == "token.locked"


_CHANGE = """
from hsm.admin import change_pin
told = []
for old, new in [("wrong-73519", "guessed-111"), ("right-73519", "next-88213")]:
    try:
        change_pin(module, "tpm", old, new)
        told.append("changed")
    except Unavailable as refusal:
        told.append(refusal.code)
print(json.dumps([told, [outcome(Pin(pin)) for pin in ("right-73519", "next-88213")]]))
"""


def test_a_pin_is_changed_by_who_knows_the_present_one_alone(locking_token: LockingToken) -> None:
    """Outside a login this module says that it has changed a PIN, whatever the present one was."""
    told, then = run(locking_token, _CHANGE)
    assert told == ["token.pin-wrong", "changed"]
    assert then == ["token.pin-wrong", "logged in"]
