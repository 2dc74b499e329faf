"""Settings: what is missing, unknown or wrong is named, and no value is repeated."""

import os
from pathlib import Path

import pytest

from kernel import libcrypto
from kernel.algorithms import PublicKey
from kernel.refusals import Unavailable, Unprocessable
from portseal.settings import Settings, read_settings
from portseal.wiring.foundation import Foundation
from tests.sm2_keys import Sm2SoftwareKey

COMPLETE = {
    "PORTSEAL_WEB__SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "PORTSEAL_DATABASE__URL": "sqlite:////nonexistent/portseal.db",
    "PORTSEAL_TOKEN__MODULE": "/nonexistent.so",
}


class Machine:
    """An environment with nothing of PortSeal's in it, but what the test says."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = file
        self._patch = monkeypatch
        for name in list(os.environ):
            if name.startswith("PORTSEAL_"):
                monkeypatch.delenv(name)

    def read(self, text: str = "", /, **settings: str) -> Settings:
        self.file.write_text(text)
        for name, value in {"PORTSEAL_CONFIG": str(self.file), **settings}.items():
            self._patch.setenv(name, value)
        return read_settings()

    def refusal(self, text: str = "", /, **settings: str) -> Unprocessable:
        with pytest.raises(Unprocessable) as caught:
            self.read(text, **settings)
        assert caught.value.code == "settings.invalid"
        return caught.value


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path / "settings.toml", monkeypatch)


def test_secrets_do_not_show_when_the_settings_are_printed(machine: Machine) -> None:
    settings = machine.read(**COMPLETE)
    assert settings.web.secret_key.get_secret_value() == COMPLETE["PORTSEAL_WEB__SECRET_KEY"]
    for value in (COMPLETE["PORTSEAL_WEB__SECRET_KEY"], COMPLETE["PORTSEAL_DATABASE__URL"]):
        assert value not in f"{settings!r} {settings}"


def test_the_environment_goes_before_the_file(machine: Machine) -> None:
    settings = machine.read("[web]\nport = 81\n[session]\nidle_minutes = 7", **COMPLETE)
    assert (settings.web.port, settings.session.idle_minutes) == (81, 7)
    settings = machine.read("[web]\nport = 81", **COMPLETE, PORTSEAL_WEB__PORT="82")
    assert settings.web.port == 82


@pytest.mark.parametrize("missing", COMPLETE)
def test_no_secret_and_no_place_has_a_default(machine: Machine, missing: str) -> None:
    rest = {name: value for name, value in COMPLETE.items() if name != missing}
    refusal = machine.refusal(**rest)
    assert missing.removeprefix("PORTSEAL_").partition("__")[0].lower() in refusal.detail


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("[web]\nsecret_kye = 'hunter2hunter2'", "web.secret_kye"),
        ("colour = 'hunter2hunter2'", "colour"),
        ("[token]\npin = 'hunter2hunter2'", "token.pin"),
        ("[web]\nport = 'hunter2hunter2'", "web.port"),
        ("[web]\norigin = 'ftp://hunter2hunter2'", "web.origin"),
        ("[web]\norigin = 'http://hunter2hunter2.example'", "web.origin"),
        ("[web]\norigin = 'https://a.example/hunter2hunter2'", "web.origin"),
        ("[policy]\narc = 'hunter2hunter2'", "policy.arc"),
    ],
)
def test_a_bad_setting_is_named_and_its_value_is_not_repeated(
    machine: Machine, file: str, name: str
) -> None:
    refusal = machine.refusal(file, **COMPLETE)
    assert name in refusal.detail
    assert "hunter2" not in f"{refusal.detail} {refusal.facts}"


def test_a_short_secret_key_is_refused_and_not_repeated(machine: Machine) -> None:
    refusal = machine.refusal(**(COMPLETE | {"PORTSEAL_WEB__SECRET_KEY": "tooshort"}))
    assert "web.secret_key" in refusal.detail
    assert "tooshort" not in refusal.detail


def test_a_settings_file_that_is_not_there_is_refused(machine: Machine, tmp_path: Path) -> None:
    refusal = machine.refusal(**(COMPLETE | {"PORTSEAL_CONFIG": str(tmp_path / "none.toml")}))
    assert str(tmp_path / "none.toml") in refusal.detail
    assert "PORTSEAL_CONFIG" in refusal.detail


def test_who_has_no_settings_at_all_learns_where_they_were_looked_for(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unprocessable) as caught:
        read_settings()
    told = str(caught.value.facts["settings_file"])
    assert str(tmp_path / "portseal.toml") in told
    assert "not there" in told
    assert "PORTSEAL_CONFIG" in told


def test_a_settings_file_with_a_fault_is_named(machine: Machine) -> None:
    assert str(machine.file) in str(machine.refusal("colour = 1").facts["settings_file"])
    assert str(machine.file) in machine.refusal("colour").detail


@pytest.mark.parametrize("file", ["[web\nsecret_key = 'hunter2'", "secret = hunter2", "\x00"])
def test_a_settings_file_that_is_not_toml_is_refused(machine: Machine, file: str) -> None:
    refusal = machine.refusal(file, **COMPLETE)
    assert "not TOML" in refusal.detail
    assert "hunter2" not in f"{refusal.detail} {refusal.facts}"


def test_a_settings_file_that_is_not_utf_8_is_refused(machine: Machine) -> None:
    machine.read(**COMPLETE)
    machine.file.write_bytes(b"colour = '\xff\xfe'")
    with pytest.raises(Unprocessable, match="not TOML"):
        read_settings()


def test_client_certificates_need_a_secret_shared_with_the_proxy(machine: Machine) -> None:
    table = "[sso]\ncertificate_origin = 'https://id.example:8443'\n"
    table += "certificate_proxies = ['127.0.0.2']\n"
    assert "proxy_secret" in str(machine.refusal(table, **COMPLETE))
    for bad in ("short", "x" * 31, "x" * 201, "x" * 40 + '"', "ü" * 40):
        told = machine.refusal(f"{table}proxy_secret = '{bad}'", **COMPLETE)
        assert bad not in str(told)
    settings = machine.read(f"{table}proxy_secret = '{'5e' * 32}'", **COMPLETE)
    assert "5e5e" not in repr(settings)


def test_a_clock_that_nobody_keeps_is_not_trusted_unless_an_operator_says_so(
    machine: Machine,
) -> None:
    assert machine.read(**COMPLETE).timestamp.require_synchronised_clock


def test_the_library_for_sm2_is_the_one_that_is_named(machine: Machine) -> None:
    settings = machine.read('[verification]\nlibcrypto = "/nowhere/libcrypto.so.3"', **COMPLETE)
    key = Sm2SoftwareKey.generate()
    try:
        Foundation(settings).close()
        with pytest.raises(Unavailable, match=r"libcrypto\.missing"):
            PublicKey.from_spki(key.spki)
    finally:
        libcrypto.use(None)
    assert PublicKey.from_spki(key.spki).spki == key.spki
