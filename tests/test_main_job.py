"""`portseal demo` once, and what strangers' programs make of the files that it leaves.

Nothing here uses the product's own code: the results are judged by openssl, xmlsec1, joserfc and
jsonschema, the reports by the published schema.
"""

import base64
import json
import os
import re
import sqlite3
import subprocess
import sys
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk, jws
from joserfc.errors import JoseError
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parent.parent
RESULTS = (
    "root.pem", "issuing.pem", "operator.pem", "declaration.xml", "declaration.p7s",
    "declaration.xades.xml", "report-before.json", "report-after.json", "report-new.json",
    "report-tampered.json", "issuing.crl", "ocsp-good.der", "ocsp-two-tokens.der",
    "ocsp-revoked.der", "timestamp.tsr", "id-token.jwt", "jwks.json", "transcript.txt",
)  # fmt: skip
STEPS = 18
SIGNED_PROPERTIES = "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"


class Results:
    """The directory that the demonstration left, and the words that it printed."""

    def __init__(self, directory: Path, said: str) -> None:
        self.directory = directory
        self.said = said

    def __getitem__(self, name: str) -> Path:
        return self.directory / name

    def report(self, name: str) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self[f"report-{name}.json"].read_text("utf-8"))
        return report


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """One run of the demonstration, from nothing."""
    output = tmp_path_factory.mktemp("main-job") / "demo"
    command = [sys.executable, "-m", "portseal.cli", "demo", "--output", str(output)]
    surroundings = {n: v for n, v in os.environ.items() if n != "SOFTHSM2_CONF"}
    done = subprocess.run(
        command, cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Results(output, done.stdout)


def tool(*command: str | Path) -> tuple[int, str]:
    """Exit code and everything that was said."""
    done = subprocess.run(command, capture_output=True)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def changed(file: Path, into: Path, old: bytes, new: bytes) -> Path:
    """A copy with one place changed."""
    data = file.read_bytes()
    assert data.count(old) == 1
    into.write_bytes(data.replace(old, new))
    return into


def test_the_results_are_complete_and_every_step_passed(results: Results) -> None:
    missing = [name for name in RESULTS if not results[name].stat().st_size]
    assert missing == []
    verdicts = re.findall(r"^ +(\d+)  (\w+)  ", results.said, re.MULTILINE)
    assert verdicts == [(str(number), "passed") for number in range(1, STEPS + 1)]


def test_the_root_s_token_is_away_when_everything_is_done(results: Results) -> None:
    """Nothing is left of it where the services look for tokens; two others are there."""
    place = results.directory.with_name("demo-authority") / "authority-token"
    labels = [
        (each / "token.object").read_bytes().partition(b"portseal")[2][:24].decode().strip()
        for each in (place / "tokens").iterdir()
    ]
    assert sorted(labels) == ["", "-second"]
    assert len(list((place / "pulled" / "portseal-root").iterdir())) == 1
    settings = (place.parent / "portseal.toml").read_text()
    assert (place / "pins" / "portseal-root").read_text() not in settings


def test_one_token_of_two_was_left_out_and_used_again(results: Results) -> None:
    database = sqlite3.connect(results.directory.with_name("demo-authority") / "data/portseal.db")
    told = database.execute(
        "SELECT event, count(*) FROM journal WHERE subject = 'portseal' AND event LIKE 'token.%'"
        " GROUP BY event ORDER BY event"
    ).fetchall()
    database.close()
    (failed, failures), (returned, returns) = told
    assert (failed, returned) == ("token.failed", "token.returned")
    assert failures == returns >= 1
    code, said = tool(
        "openssl", "ocsp", "-respin", results["ocsp-two-tokens.der"], "-no_nonce", "-text",
        "-issuer", results["issuing.pem"], "-cert", results["operator.pem"],
        "-CAfile", results["root.pem"], "-verify_other", results["issuing.pem"],
    )  # fmt: skip
    assert code == 0
    assert "Response verify OK" in said
    assert "OCSP Nonce" in said


def test_no_secret_shows_in_results_words_logs_or_database(results: Results) -> None:
    site = results.directory.with_name("demo-authority")
    secrets = list(json.loads((site / "usb-pins.json").read_text()).values())
    secrets += [each.read_text() for each in (site / "authority-token" / "pins").iterdir()]
    secrets += [
        json.loads(each.read_text())["client_secret"] for each in site.glob("platform-*.json")
    ]
    settings = tomllib.loads((site / "portseal.toml").read_text())
    secrets += [settings["web"]["secret_key"], settings["directory"]["password"]]
    assert len(secrets) == 9 + 8 + 2 + 2
    told = [*results.directory.iterdir(), *site.glob("*.log"), *(site / "data").glob("*.db*")]
    for secret in secrets:
        assert secret not in results.said
        assert [each.name for each in told if secret.encode() in each.read_bytes()] == []


def test_nothing_that_was_started_is_left_running(results: Results) -> None:
    _, processes = tool("ps", "-eo", "args")
    assert str(results.directory.parent) not in processes


# -- certificates and their status -----------------------------------------------------------------


def openssl_verify(results: Results, *options: str | Path) -> tuple[int, str]:
    return tool(
        "openssl", "verify", "-x509_strict", "-CAfile", results["root.pem"],
        "-untrusted", results["issuing.pem"], *options, results["operator.pem"],
    )  # fmt: skip


def test_the_operators_chain_holds(results: Results) -> None:
    code, said = openssl_verify(results)
    assert (code, "OK" in said) == (0, True), said


def test_the_published_crl_revokes_the_operators_certificate(results: Results) -> None:
    code, said = openssl_verify(results, "-crl_check", "-CRLfile", results["issuing.crl"])
    assert code != 0
    assert "certificate revoked" in said
    crl = ("openssl", "crl", "-in", results["issuing.crl"], "-noout", "-text")
    code, text = tool(*crl, "-CAfile", results["issuing.pem"])
    assert code == 0
    assert "verify OK" in text
    serial = tool("openssl", "x509", "-in", results["operator.pem"], "-noout", "-serial")[1]
    assert serial.strip().partition("=")[2] in re.findall(r"Serial Number: (\w+)", text)
    assert "Key Compromise" in text
    assert "X509v3 CRL Number" in text


@pytest.mark.parametrize("status", ["good", "revoked"])
def test_ocsp_answers_tell_before_from_after(results: Results, status: str) -> None:
    code, said = tool(
        "openssl", "ocsp", "-respin", results[f"ocsp-{status}.der"], "-no_nonce",
        "-issuer", results["issuing.pem"], "-cert", results["operator.pem"],
        "-CAfile", results["root.pem"], "-verify_other", results["issuing.pem"],
    )  # fmt: skip
    assert code == 0
    assert "Response verify OK" in said
    assert f"operator.pem: {status}" in said
    assert ("Reason: keyCompromise" in said) == (status == "revoked")


# -- signatures ------------------------------------------------------------------------------------


def openssl_cms(results: Results, content: Path, *options: str) -> tuple[int, str]:
    return tool(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-cades",
        "-in", results["declaration.p7s"], "-content", content, "-CAfile", results["root.pem"],
        "-purpose", "any", "-out", "/dev/null", *options,
    )  # fmt: skip


def test_openssl_accepts_the_detached_cades_signature(results: Results) -> None:
    code, said = openssl_cms(results, results["declaration.xml"])
    assert code == 0, said


def test_openssl_refuses_it_for_a_changed_declaration(results: Results, tmp_path: Path) -> None:
    other = changed(results["declaration.xml"], tmp_path / "x.xml", b"<GQty>40<", b"<GQty>41<")
    code, said = openssl_cms(results, other)
    assert code != 0
    assert "digest" in said or "verification failure" in said.lower()


def xmlsec1(results: Results, document: Path) -> int:
    code, _ = tool(
        "xmlsec1", "--verify", "--trusted-pem", results["root.pem"],
        "--untrusted-pem", results["issuing.pem"], "--id-attr:Id", SIGNED_PROPERTIES, document,
    )  # fmt: skip
    return code


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"<GQty>40<", b"<GQty>41<"), (b"SigningTime>2", b"SigningTime>3")],
    ids=["content", "signed property"],
)
def test_xmlsec1_accepts_the_xades_signature_and_no_changed_byte(
    results: Results, tmp_path: Path, old: bytes, new: bytes
) -> None:
    signed = results["declaration.xades.xml"]
    assert xmlsec1(results, signed) == 0
    assert xmlsec1(results, changed(signed, tmp_path / "changed.xml", old, new)) != 0


def openssl_ts(results: Results, data: Path) -> tuple[int, str]:
    return tool(
        "openssl", "ts", "-verify", "-data", data, "-in", results["timestamp.tsr"],
        "-CAfile", results["root.pem"], "-untrusted", results["issuing.pem"],
    )  # fmt: skip


def test_openssl_accepts_the_timestamp_for_its_file_alone(results: Results) -> None:
    code, said = openssl_ts(results, results["declaration.xml"])
    assert (code, "Verification: OK" in said) == (0, True), said
    code, said = openssl_ts(results, results["root.pem"])
    assert code != 0


@pytest.mark.parametrize("name", ["declaration.p7s", "declaration.xades.xml"])
def test_both_signatures_hold_a_timestamp_that_openssl_reads(
    results: Results, name: str, tmp_path: Path
) -> None:
    data = results[name].read_bytes()
    token = tmp_path / "token.der"
    if name.endswith(".xml"):
        found = re.search(rb"EncapsulatedTimeStamp[^>]*>([^<]+)<", data)
        assert found is not None
        token.write_bytes(base64.b64decode(found[1]))
    else:
        _, tree = tool("openssl", "asn1parse", "-inform", "DER", "-in", results[name])
        lines = tree.splitlines()
        at = next(i for i, line in enumerate(lines) if "id-smime-aa-timeStampToken" in line)
        start = re.match(r" *(\d+):d=\d+ +hl=(\d+) l= *(\d+)", lines[at + 2])
        assert start is not None
        offset, header, length = map(int, start.groups())
        token.write_bytes(data[offset : offset + header + length])
    _, said = tool("openssl", "ts", "-reply", "-token_in", "-in", token, "-token_out", "-text")
    assert "Hash Algorithm: sha256" in said
    assert "Time stamp:" in said


# -- reports ---------------------------------------------------------------------------------------

VERDICTS = {
    "before": ("TOTAL-PASSED", None),
    "after": ("TOTAL-PASSED", None),
    "new": ("INDETERMINATE", "REVOKED_NO_POE"),
    "tampered": ("TOTAL-FAILED", "HASH_FAILURE"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_reports_have_the_published_shape_and_the_right_verdict(
    results: Results, name: str
) -> None:
    report = results.report(name)
    schema = ROOT / "signing_service" / "validation" / "report.schema.json"
    validator = Draft202012Validator(json.loads(schema.read_text("utf-8")))
    assert [error.message for error in validator.iter_errors(report)] == []
    finding = report["finding"]
    assert (finding["indication"], finding["sub_indication"]) == VERDICTS[name]
    (signature,) = report["signatures"]
    assert [condition["number"] for condition in signature["article_13"]] == [1, 2, 3, 4]


def test_the_report_names_signer_enterprise_rights_and_proven_time(results: Results) -> None:
    (signature,) = results.report("before")["signatures"]
    signer, time = signature["signer"], signature["time"]
    assert signer["name"] == "示例操作员"
    assert signer["enterprise"]["uscc"] == "91310115MA1K3XY208"
    assert signer["rights"] == ["declare-import"]
    claimed, proven = (datetime.fromisoformat(time[name]) for name in ("claimed", "proven"))
    assert abs((proven - claimed).total_seconds()) < 60
    assert "Timestamp Authority" in time["proven_by"]
    assert len(signature["path"]) >= 2


def test_the_reports_path_is_that_of_the_certificate_files(results: Results) -> None:
    (signature,) = results.report("before")["signatures"]
    reported = [certificate["sha256"].lower() for certificate in signature["path"]]
    for position, name in enumerate(("operator.pem", "issuing.pem", "root.pem")):
        command = ("openssl", "x509", "-in", results[name], "-noout", "-fingerprint", "-sha256")
        fingerprint = tool(*command)[1].partition("=")[2].strip().replace(":", "").lower()
        assert reported[position] == fingerprint


def test_the_report_on_the_tampered_file_denies_article_13s_fourth_condition(
    results: Results,
) -> None:
    (signature,) = results.report("tampered")["signatures"]
    answers = {each["number"]: each["answer"] for each in signature["article_13"]}
    assert answers[4] == "no"


# -- sign-in ---------------------------------------------------------------------------------------


def test_the_id_token_verifies_against_the_published_keys(results: Results) -> None:
    keys = jwk.KeySet.import_key_set(json.loads(results["jwks.json"].read_text()))
    token = results["id-token.jwt"].read_text()
    verified = jws.deserialize_compact(token, keys, algorithms=["ES256"])
    claims = json.loads(verified.payload)
    assert claims["name"] == "示例操作员"
    assert claims["urn:portseal:enterprise_uscc"] == "91310115MA1K3XY208"
    assert claims["urn:portseal:rights"] == ["declare-import"]
    assert claims["exp"] > claims["iat"] >= claims["auth_time"]
    assert not any("d" in key for key in json.loads(results["jwks.json"].read_text())["keys"])


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_id_token_verifies_no_more(results: Results, part: int) -> None:
    keys = jwk.KeySet.import_key_set(json.loads(results["jwks.json"].read_text()))
    parts = results["id-token.jwt"].read_text().split(".")
    middle = len(parts[part]) // 2
    other = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + other + parts[part][middle + 1 :]
    with pytest.raises(JoseError):
        jws.deserialize_compact(".".join(parts), keys, algorithms=["ES256"])


# -- ceremony --------------------------------------------------------------------------------------


def test_the_transcript_tells_who_made_which_keys_and_certificates(
    results: Results, tmp_path: Path
) -> None:
    transcript = results["transcript.txt"].read_text("utf-8")
    assert "Ceremony pool (version 1) conducted by" in transcript
    for name in ("root", "issuing"):
        command = ("openssl", "x509", "-in", results[f"{name}.pem"], "-noout")
        fingerprint = tool(*command, "-fingerprint", "-sha256")[1].partition("=")[2]
        assert fingerprint.strip().replace(":", "").lower() in transcript
        assert tool(*command, "-serial")[1].strip().partition("=")[2] in transcript
    root_key, *service_keys = re.findall(
        r"Key (\S+) generated in token (\S+): (.*?), self", transcript
    )
    assert root_key == ("root", "portseal-root", "ecdsa-p384-sha384, sensitive, not extractable")
    assert len(service_keys) == 6
    for label, token, guard in service_keys:
        assert (token, guard) == ("portseal", "ecdsa-p256-sha256, sensitive, leaves wrapped only")
        assert f"Key {label} carried wrapped to token portseal-second." in transcript
