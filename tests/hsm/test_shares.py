"""Shares: any m custodians restore the secret, m - 1 do not, and what is entered wrong is told."""

import itertools
import subprocess
import sys
from collections.abc import Callable

import pytest
from shamir_mnemonic import Share
from shamir_mnemonic.shamir import RawShare, _interpolate

from hsm.shares import ShareBox, new_secret, split, token_pins
from kernel.entropy import SystemEntropy
from kernel.refusals import Unprocessable


def restored(shares: list[str]) -> bytes:
    box = ShareBox()
    for share in shares:
        box.add(share)
    return box.restore()


def test_any_three_of_five_restore_the_secret() -> None:
    secret = new_secret(SystemEntropy())
    made = split(secret, 3, 5)
    for chosen in itertools.permutations(made.shares, 3):
        assert restored(list(chosen)) == secret


def test_two_of_three_needed_are_refused() -> None:
    made = split(new_secret(SystemEntropy()), 3, 5)
    box = ShareBox()
    for number, share in enumerate(made.shares[:2], start=1):
        box.add(share)
        assert box.missing == 3 - number
    with pytest.raises(Unprocessable, match=r"share\.too-few"):
        box.restore()


def test_two_shares_are_consistent_with_every_secret() -> None:
    """Whatever the encrypted secret were, a third share exists that would lead to it."""
    made = split(new_secret(SystemEntropy()), 3, 5)
    known = [Share.from_mnemonic(each) for each in made.shares[:2]]
    for octet in range(256):
        candidate = bytes([octet]) * 32
        points = [RawShare(255, candidate)] + [RawShare(each.index, each.value) for each in known]
        third = _interpolate(points, 2)
        again = [*points[1:], RawShare(2, third)]
        assert _interpolate(again, 255) == candidate


def test_another_implementation_s_words_are_the_same() -> None:
    """The library's own command line restores what we split."""
    secret = new_secret(SystemEntropy())
    made = split(secret, 2, 3)
    done = subprocess.run(
        [sys.executable, "-m", "shamir_mnemonic.cli", "recover"],
        input="\n".join(made.shares[:2]) + "\n", capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert secret.hex() in done.stdout


@pytest.mark.parametrize(
    ("entered", "code"),
    [
        (lambda one, two, other: [one.replace(one.split()[5], "academic", 1)], "share.invalid"),
        (lambda one, two, other: [one.rsplit(" ", 1)[0]], "share.invalid"),
        (lambda one, two, other: [one + " " + "a" * 900], "share.invalid"),
        (lambda one, two, other: ["报关"], "share.invalid"),
        (lambda one, two, other: [one, one], "share.twice"),
        (lambda one, two, other: [one, other], "share.other-set"),
    ],
)
def test_what_is_entered_wrong_is_told_without_being_repeated(
    entered: Callable[[str, str, str], list[str]], code: str
) -> None:
    def refusal() -> str:
        """What is said when the last of the shares, of secrets made for this, is entered."""
        made = split(new_secret(SystemEntropy()), 2, 3)
        other = split(new_secret(SystemEntropy()), 2, 3)
        *before, last = entered(made.shares[0], made.shares[1], other.shares[0])
        box = ShareBox()
        for share in before:
            box.add(share)
        with pytest.raises(Unprocessable) as refused:
            box.add(last)
        assert refused.value.code == code
        assert made.shares[0] not in repr(box) + repr(made)
        return str(refused.value)

    assert refusal() == refusal(), "says what depends on the secret"


def test_case_and_spaces_do_not_matter() -> None:
    secret = new_secret(SystemEntropy())
    made = split(secret, 2, 2)
    assert restored([f"  {each.upper().replace(' ', '   ')} " for each in made.shares]) == secret


def test_the_two_pins_of_a_token_differ_and_are_long() -> None:
    user, officer = token_pins(new_secret(SystemEntropy()))
    assert user != officer
    assert {len(user), len(officer)} == {32}
