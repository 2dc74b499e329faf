"""A USB key that locks itself: a real TPM, which SoftHSM2 is not."""

from tests.portseal.cli.terminal import Outcome, run
from tests.servers.tpm import LockingToken

LABEL = "locking"
MOST_TRIES = 32


def with_pin(token: LockingToken, pin: str, *arguments: str) -> Outcome:
    options = ("--module", token.module, "--token", LABEL, "--pin-env", "MY_PIN")
    return run([*arguments, *options], {**token.environment, "MY_PIN": pin})


def test_a_locked_token_is_told_apart_from_a_wrong_pin(locking_token: LockingToken) -> None:
    right, wrong = "right-73519", "wrong-73519"
    assert with_pin(locking_token, right, "card", "init").code == 0
    unlocked = with_pin(locking_token, right, "card", "show")
    assert "[card.no-certificate]" in unlocked.err
    for _ in range(MOST_TRIES):
        tried = with_pin(locking_token, wrong, "card", "show")
        assert tried.code == 4, tried.said
        if "[token.pin-wrong]" not in tried.err:
            break
    assert "[token.locked]" in tried.err
    locked = with_pin(locking_token, right, "card", "show")
    assert (locked.code, "[token.locked]" in locked.err) == (4, True)
    assert "73519" not in tried.said + locked.said
