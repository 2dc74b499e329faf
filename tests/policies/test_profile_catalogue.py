"""Profiles are read strictly: a mistake is named with its file and key, before anything starts."""

import re
from pathlib import Path

import pytest

from kernel.refusals import NotFound
from policies.catalogue import DIRECTORY, load_catalogue
from policies.data_file import InvalidPolicyFile


def test_the_house_s_profiles_are_coherent() -> None:
    catalogue = load_catalogue()
    names = {profile.name for profile in catalogue}
    holders = {"legal-person", "operator", "officer", "enterprise-seal"}
    assert names == holders | {"root", "issuing", "ocsp", "tsa", "root-ocsp"}
    for profile in catalogue:
        assert profile.ca is (profile.name in ("root", "issuing"))
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
    ("name", "old", "new", "key", "fault"),
    [
        ("operator", "ca = false", "ca = true", "", "keyCertSign"),
        ("operator", "validity_days = 730", "validity_days = 0", "validity_days", "greater"),
        ("operator", "validity_days = 730", "validity_days = 6000", "validity_days", "longer"),
        ("operator", "validity_days = 730", 'validity_days = "730"', "validity_days", "integer"),
        ("operator", '"digitalSignature", "non', '"keyCertSign", "non', "", "authorities alone"),
        ("operator", '"clientAuth"', '"anything"', "extended_key_usage.0", "clientAuth"),
        ("operator", '"ecdsa-p384-sha384"', '"rsa-pkcs1-sha1"', "suites", "too weak"),
        ("operator", '"ecdsa-p384-sha384"', '"md5"', "suites", "no such"),
        ("operator", "crl_address = true", "crl_address = false", "", "crl_address"),
        ("operator", 'issuer = "issuing"', 'issuer = "tsa"', "issuer", "authority"),
        ("operator", 'issuer = "issuing"', 'issuer = "self"', "", "issuer"),
        ("operator", 'field = "common_name"', 'field = "organization"', "subject", "twice"),
        ("operator", 'field = "common_name"', 'field = "id_number"', "subject.3.field", "Input"),
        ("operator", "published = true", "published = true\nspare = 1", "spare", "not permitted"),
        ("operator", 'name = "operator"', 'name = "other"', "name", "named as its file"),
        ("operator", "version = 1", 'version = 1\narc = "1.2.3"', "arc", "all profiles at once"),
        ("operator", "version = 1", "version = ", "", "not TOML"),
        ("issuing", "path_length = 0", "path_length = 2", "path_length", "deeper"),
        ("tsa", "_critical = true", "_critical = false", "", "timeStamping is critical"),
        ("tsa", "ca = false", "ca = false\nocsp_nocheck = true", "", "ocsp_nocheck"),
        ("root", "crl_address = false", "crl_address = true", "", "self-signed"),
    ],
)
def test_a_mistake_is_named(
    tmp_path: Path, name: str, old: str, new: str, key: str, fault: str
) -> None:
    for file in DIRECTORY.glob("*.toml"):
        (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    text = (DIRECTORY / f"{name}.toml").read_text("utf-8")
    assert old in text
    (tmp_path / f"{name}.toml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(InvalidPolicyFile) as invalid:
        load_catalogue(tmp_path)
    assert invalid.value.file.name == f"{name}.toml"
    assert invalid.value.key == key
    assert re.search(fault, str(invalid.value))
