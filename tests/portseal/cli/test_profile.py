"""`portseal profile` and `portseal certify`: what certificates hold, and servers' certificates."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from policies.catalogue import DIRECTORY
from tests.ca.openssl import openssl
from tests.portseal.cli.conftest import Console
from tests.portseal.cli.terminal import run
from tests.portseal.service import RunningService

TWO = ("system-administrator", "administrator")


def test_profiles_are_listed_and_shown() -> None:
    listed = run(["profile", "list", "--json"], os.environ)
    assert json.loads(listed.out)["tsa"].startswith("时间戳服务证书 | Timestamp authority")
    shown = run(["profile", "show", "operator", "--language", "en", "--json"], os.environ)
    assert json.loads(shown.out)["validity"] == "730 days"
    assert run(["profile", "show", "emperor"], os.environ).code == 1


def test_two_versions_are_compared_in_words(tmp_path: Path) -> None:
    old, new = DIRECTORY / "operator.toml", tmp_path / "operator.toml"
    text = old.read_text("utf-8").replace("version = 1", "version = 2")
    new.write_text(text.replace("validity_days = 730", "validity_days = 1095"), "utf-8")
    told = run(["profile", "diff", str(old), str(new)], os.environ)
    assert told.out.strip() == (
        "! 有效期：由“730 天”改为“1095 天” | validity: from 730 days to 1095 days"
    )
    same = run(["profile", "diff", str(old), str(old), "--language", "en"], os.environ)
    assert same.out.strip() == "no difference"


def test_a_fault_is_told_with_file_and_line(tmp_path: Path) -> None:
    broken = tmp_path / "operator.toml"
    lines = (DIRECTORY / "operator.toml").read_text("utf-8").splitlines()
    place = lines.index("validity_days = 730")
    lines[place] = "validity_days = 0"
    broken.write_text("\n".join(lines), "utf-8")
    told = run(["profile", "diff", str(broken), str(broken)], os.environ)
    assert told.code == 1
    assert f"operator.toml:{place + 1}: validity_days" in told.err
    listed = run(["profile", "list", "--directory", str(tmp_path)], os.environ)
    assert f"operator.toml:{place + 1}: validity_days" in listed.err


def test_a_server_s_certificate_is_made_from_its_request(console: Console, tmp_path: Path) -> None:
    key, request, made = tmp_path / "key.pem", tmp_path / "request.pem", tmp_path / "made.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("req", "-new", "-key", key, "-subj", "/CN=anything", "-out", request)
    name = "gate.single-window.example"
    told = console.signed_json(
        TWO, "certify", "tls-server", str(request), "--name", name, "--dns", "b.example",
        "--output", str(made),
    )  # fmt: skip
    shown = openssl("x509", "-in", made, "-noout", "-ext", "subjectAltName,extendedKeyUsage")
    assert f"DNS:{name}, DNS:b.example" in shown
    assert "TLS Web Server Authentication" in shown
    assert told["serial"]


@pytest.mark.parametrize("name", ["*.single-window.example", "localhost", "10.0.0.1"])
def test_what_no_server_is_called_is_refused(console: Console, tmp_path: Path, name: str) -> None:
    key, request = tmp_path / "key.pem", tmp_path / "request.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("req", "-new", "-key", key, "-subj", "/CN=anything", "-out", request)
    done = console.signed(
        TWO,
        "certify",
        "tls-server",
        str(request),
        "--name",
        name,
        "--output",
        str(tmp_path / "no.pem"),
    )
    assert done.code == 1
    assert "dns-name.malformed" in done.err
    assert not (tmp_path / "no.pem").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [(["-addext", "basicConstraints=CA:TRUE"], "pkcs10.extension"), (None, "pkcs10.malformed")],
)
def test_a_request_that_is_refused_is_in_the_journal(
    console: Console, service: RunningService, tmp_path: Path, options: list[str] | None, code: str
) -> None:
    key, request, name = tmp_path / "key.pem", tmp_path / "request.pem", f"{code}.example"
    request.write_text("not a request")
    if options is not None:
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        openssl("req", "-new", "-key", key, "-subj", "/CN=x", "-out", request, *options)
    done = console.signed(
        TWO,
        "certify",
        "tls-server",
        str(request),
        "--name",
        name,
        "--output",
        str(tmp_path / "no.pem"),
    )
    assert (done.code, code in done.err) == (1, True)
    assert not (tmp_path / "no.pem").exists()
    query = "SELECT event, facts FROM journal WHERE subject = ?"
    with closing(sqlite3.connect(service.database_file)) as connection:
        ((event, facts),) = connection.execute(query, [f"tls-server:{name}"]).fetchall()
    assert event == "certificate.refused"
    assert json.loads(facts)["code"] == code
