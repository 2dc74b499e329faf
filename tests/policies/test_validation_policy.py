"""Signature policies are data: strict, and never laxer than the algorithm table."""

from datetime import date
from pathlib import Path

import pytest

from kernel.algorithms import SUITES
from policies.data_file import InvalidPolicyFile
from policies.validation import DIRECTORY, load_validation_policy

GOOD = (DIRECTORY / "declaration.toml").read_text("utf-8")


def test_the_policy_for_declarations_is_no_laxer_than_the_algorithm_table() -> None:
    policy = load_validation_policy()
    for name, until in policy.suites_until.items():
        assert until <= SUITES[name].acceptable_until
    assert policy.suites_until["rsa-pkcs1-sha1"] < date(2014, 1, 1)
    assert policy.digests_until["sha1"] < date(2014, 1, 1)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("until = 2035-12-31", "until = 2135-12-31"), "later than the algorithm table"),
        (("until = 2035-12-31", 'until = "soon"'), "algorithms.0.until"),
        (('suite = "ed25519"', 'suite = "ed448"'), "no such algorithm suite"),
        (('suite = "ed25519"', 'suite = "ecdsa-p256-sha256"'), "stands twice"),
        (('name = "sha512"', 'name = "md5"'), "no such digest"),
        (("required = true", 'required = "yes"'), "revocation.required"),
        (("max_age_seconds = 604800", "max_age_seconds = 0"), "revocation.max_age_seconds"),
        (('extended_key_usage = "1.3.6', 'extended_key_usage = "x.6'), "extended_key_usage"),
        (("[keys]", "[keys]\ncolour = 1"), "keys.colour"),
        (('levels = ["B-B", ', 'levels = ["B-X", '), "signature.levels"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    (tmp_path / "declaration.toml").write_text(GOOD.replace(*change, 1), "utf-8")
    with pytest.raises(InvalidPolicyFile) as caught:
        load_validation_policy("declaration", tmp_path)
    assert "declaration.toml" in str(caught.value)
    assert fault in str(caught.value)
