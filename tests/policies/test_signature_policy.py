"""Explicit signature policies: data whose octets signatures hold for ever."""

import hashlib
from pathlib import Path

import pytest

from policies.data_file import InvalidPolicyFile
from policies.signature_policy import (
    DIRECTORY,
    known_signature_policies,
    load_signature_policies,
)
from policies.validation import load_validation_policy

# Signatures out in the world hold these digests: a changed file breaks them.
PUBLISHED = {
    "1.3.6.1.4.1.32473.2.1": "a0545f42451ab6aeb0fc1e3d15dbb79d56db82b202d3defb8ecd0efc453d0920",
}


def test_published_policies_never_change() -> None:
    digests = {oid: policy.sha256.hex() for oid, policy in known_signature_policies().items()}

    assert digests == PUBLISHED


def test_each_policy_is_judged_under_one_that_exists() -> None:
    identifier = load_validation_policy().identifier

    for policy in known_signature_policies().values():
        assert policy.terms.judged_under == identifier


def test_a_document_is_known_by_its_digest() -> None:
    (policy,) = known_signature_policies().values()

    for name in ("sha256", "sha384", "sha512"):
        assert policy.is_document(name, hashlib.new(name, policy.document).digest())
        assert not policy.is_document(name, bytes(32))
    assert not policy.is_document("sha1", hashlib.sha1(policy.document).digest())


def test_two_policies_with_one_identifier_are_refused(tmp_path: Path) -> None:
    text = (DIRECTORY / "declaration-1.toml").read_bytes()
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_bytes(text)

    with pytest.raises(InvalidPolicyFile, match="another policy"):
        load_signature_policies(tmp_path)
