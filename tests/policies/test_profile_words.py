# ruff: noqa: E501 - one change, one line
"""Profiles in words: everything is said in both languages, and every change is named."""

import re

import pytest

from policies.catalogue import DIRECTORY, load_catalogue
from policies.data_file import load_policy_file
from policies.profile import CertificateProfile
from policies.profile_words import Change, changes, describe

CATALOGUE = load_catalogue()
OPERATOR = CATALOGUE["operator"]


def changed(**values: object) -> list[Change]:
    """What a new version of the operator's profile changes; it is checked as a file's is."""
    old = OPERATOR
    fields = {**old.model_dump(), "version": old.version + 1, **values}
    return changes(old, CertificateProfile.model_validate(fields))


def test_every_property_of_every_profile_is_said_in_both_languages() -> None:
    for profile in CATALOGUE:
        for line in describe(profile):
            assert line.name.zh, profile.name
            assert line.name.en, profile.name
            assert line.value.zh, (profile.name, line.name.en)
            assert line.value.en, (profile.name, line.name.en)
            assert re.search(r"[\u4e00-\u9fff]|DNS|OCSP", line.name.zh)


def test_a_field_that_certificates_show_is_never_left_out() -> None:
    """Whoever adds a field to profiles gives it words."""
    said = {each.field for each in changed_in_everything()}
    silent = {"name", "version", "arc", "policies"}  # identity of the file; said as policy_oids
    assert said | silent >= set(CertificateProfile.model_fields)


def changed_in_everything() -> list[Change]:
    """From an operator's card to what has nothing in common with it."""
    found = [*changes(OPERATOR, CATALOGUE["issuing"]), *changes(OPERATOR, CATALOGUE["tls-server"])]
    found += changes(OPERATOR, CATALOGUE["tsa"])
    found += changes(OPERATOR, CATALOGUE["ocsp"])
    found += changes(OPERATOR, CATALOGUE["root"])
    found += changes(OPERATOR, CATALOGUE["link"])
    found += changed(crl_keep_days=30)
    return found


def test_the_same_profile_has_no_differences() -> None:
    assert (
        changes(OPERATOR, load_policy_file(DIRECTORY / "operator.toml", CertificateProfile)) == []
    )


@pytest.mark.parametrize(
    ("values", "zh", "en", "widens"),
    [
        ({"validity_days": 1095}, "有效期：由“730 天”改为“1095 天”", "validity: from 730 days to 1095 days", True),
        ({"validity_days": 365}, "有效期：由“730 天”改为“365 天”", "validity: from 730 days to 365 days", False),
        ({"key_usage": ("digitalSignature",)}, "密钥用途：去掉不可否认", "key usage: takes away non-repudiation", False),
        ({"extended_key_usage": ("clientAuth", "emailProtection")}, "扩展用途：增加邮件保护", "purposes: adds e-mail protection", True),
        ({"suites": ("ecdsa-p384-sha384", "ecdsa-p256-sha256", "rsa-pkcs1-sha256")}, "算法：次序改变", "algorithms: another order", False),
        ({"ocsp_address": False}, "写明 OCSP 地址：由“是”改为“否”", "names OCSP: from yes to no", True),
        ({"crl_shards": 0}, "撤销列表：由“分为 8 份”改为“不分”", "revocation list: from in 8 parts to in one", False),
    ],
)  # fmt: skip
def test_a_change_is_told_in_words(
    values: dict[str, object], zh: str, en: str, widens: bool
) -> None:
    (change,) = changed(**values)
    assert (change.words.zh, change.words.en, change.widens) == (zh, en, widens)


def test_a_change_without_a_new_version_is_told() -> None:
    fields = {**OPERATOR.model_dump(), "published": False}
    found = changes(OPERATOR, CertificateProfile.model_validate(fields))
    assert [change.field for change in found] == ["published", "version"]
    assert "did not go up (1 to 1)" in found[1].words.en
