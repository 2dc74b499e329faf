# ruff: noqa: E501 - one mistake, one line
"""Profiles are read strictly: a mistake is named with its file and key, before anything starts."""

import re
from pathlib import Path

import pytest

from kernel.refusals import NotFound
from policies.catalogue import AUTHORITIES, DIRECTORY, load_catalogue
from policies.data_file import InvalidPolicyFile


def test_the_house_s_profiles_are_coherent() -> None:
    catalogue = load_catalogue()
    names = {profile.name for profile in catalogue}
    holders = {"legal-person", "operator", "officer", "enterprise-seal"}
    encrypted_to = {"legal-person-encryption", "operator-encryption"}
    services = {"ocsp", "root-ocsp", "tsa", "report", "tls-server", "tls-client"}
    assert names == holders | encrypted_to | services | AUTHORITIES
    for profile in catalogue:
        assert profile.ca is (profile.name in AUTHORITIES)
        assert len(profile.digest) == 64
    with pytest.raises(NotFound) as refusal:
        catalogue["emperor"]
    assert refusal.value.code == "profile.unknown"


def test_one_setting_moves_every_policy_below_the_operator_s_arc() -> None:
    moved = load_catalogue(arc="1.2.156.99999")
    assert moved["operator"].policy_oids == ("1.2.156.99999.1.3",)
    assert load_catalogue()["operator"].policy_oids == ("1.3.6.1.4.1.32473.1.3",)
    assert moved["operator"].digest != load_catalogue()["operator"].digest


@pytest.mark.parametrize(
    ("name", "old", "new", "key", "line", "fault"),
    [
        ("operator", "ca = false", "ca = true", "", "key_usage =", "keyCertSign"),
        ("operator", "validity_days = 730", "validity_days = 0", "validity_days", "validity_days = 0", "greater"),
        ("operator", "validity_days = 730", "validity_days = 6000", "validity_days", "validity_days = 6000", "longer"),
        ("operator", "validity_days = 730", 'validity_days = "730"', "validity_days", "validity_days =", "integer"),
        ("operator", '"digitalSignature", "non', '"keyCertSign", "non', "", "key_usage =", "authorities alone"),
        ("operator", '"digitalSignature", "non', '"keyAgreement", "non', "", "key_usage =", "never both"),
        ("operator", '"digitalSignature", "nonRepudiation"', '"keyAgreement"', "", "key_location =", "centre"),
        ("operator-encryption", '"key-centre"', '"pkcs11-token"', "", "key_location =", "centre"),
        ("operator", '"clientAuth"', '"anything"', "extended_key_usage.0", "extended_key_usage =", "clientAuth"),
        ("operator", '"clientAuth"', '"serverAuth"', "", "# ", "DNS names"),
        ("operator", '"ecdsa-p384-sha384"', '"rsa-pkcs1-sha1"', "suites", "suites =", "too weak"),
        ("operator", '"ecdsa-p384-sha384"', '"md5"', "suites", "suites =", "no such"),
        ("operator", '"ecdsa-p384-sha384"', '"sm2-with-sm3"', "suites", "suites =", "verified alone"),
        ("operator", "crl_address = true", "crl_address = false", "", "crl_address =", "crl_address"),
        ("operator", 'issuer = "issuing"', 'issuer = "tsa"', "issuer", "issuer =", "authority"),
        ("operator", 'issuer = "issuing"', 'issuer = "self"', "", "issuer =", "issuer"),
        ("operator", 'field = "common_name"', 'field = "organization"', "subject", "[[subject]]", "twice"),
        ("operator", 'field = "common_name"', 'field = "id_number"', "subject.3.field", 'field = "id_number"', "Input"),
        ("operator", "published = true", "published = true\nspare = 1", "spare", "spare =", "not permitted"),
        ("operator", 'name = "operator"', 'name = "other"', "name", "name =", "named as its file"),
        ("operator", "version = 1", 'version = 1\narc = "1.2.3"', "arc", "arc =", "all profiles at once"),
        ("operator", "version = 1", "version = ", "", "version = ", "not TOML"),
        ("issuing", "path_length = 0", "path_length = 2", "path_length", "path_length =", "deeper"),
        ("tsa", "_critical = true", "_critical = false", "", "extended_key_usage =", "timeStamping is critical"),
        ("tsa", "ca = false", "ca = false\nocsp_nocheck = true", "", "ocsp_nocheck =", "OCSP responders"),
        ("root", "crl_address = false", "crl_address = true", "", "crl_address =", "self-signed"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_file_and_line(
    tmp_path: Path, name: str, old: str, new: str, key: str, line: str, fault: str
) -> None:
    text = copy_profiles(tmp_path)[name]
    assert old in text
    (tmp_path / f"{name}.toml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(InvalidPolicyFile) as invalid:
        load_catalogue(tmp_path)
    assert invalid.value.file.name == f"{name}.toml"
    assert invalid.value.key == key
    assert re.search(fault, str(invalid.value))
    assert invalid.value.line is not None
    at_fault = text.replace(old, new, 1).splitlines()[invalid.value.line - 1]
    assert at_fault.startswith(line)
    assert str(invalid.value).startswith(f"{name}.toml:{invalid.value.line}: ")


def test_a_card_s_profile_never_becomes_an_authority_s_by_mistake(tmp_path: Path) -> None:
    """Whole and coherent as an authority's, under any other name: refused."""
    texts = copy_profiles(tmp_path)
    rogue = texts["issuing"].replace('name = "issuing"', 'name = "operator"')
    (tmp_path / "operator.toml").write_text(rogue, "utf-8")
    with pytest.raises(InvalidPolicyFile, match=r"operator\.toml:\d+: ca: authorities are root"):
        load_catalogue(tmp_path)
    (tmp_path / "operator.toml").write_text(texts["operator"], "utf-8")
    (tmp_path / "subsidiary.toml").write_text(
        texts["issuing"].replace('name = "issuing"', 'name = "subsidiary"'), "utf-8"
    )
    with pytest.raises(InvalidPolicyFile, match="authorities are root, issuing, regional and link"):
        load_catalogue(tmp_path)


def copy_profiles(directory: Path) -> dict[str, str]:
    """The house's profiles by name, each also written to `directory`."""
    texts = {file.stem: file.read_text("utf-8") for file in DIRECTORY.glob("*.toml")}
    for name, text in texts.items():
        (directory / f"{name}.toml").write_text(text, "utf-8")
    return texts
