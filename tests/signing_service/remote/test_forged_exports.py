"""An export that a stranger forged from a seal's genuine one is not believed."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding

from portseal.holder.service import Service
from tests.portseal.cli.test_archive import VERIFIER
from tests.portseal.service import RunningService
from tests.signing_service.remote.platform import RemotePlatform, digest
from tests.signing_service.remote.test_archived import exported, newest_in_history

SIGNATURE, SIGNER, DIGEST = "signature/signature.value", "certificates/1.cer", "document/digest.bin"
EVIDENCE, TIMESTAMP = "evidence/record.ers", "timestamps/1.tst"
OWED = hashlib.sha256(b"I owe you a million").digest()


@dataclass(frozen=True)
class Forge:
    """Any file of the genuine export may be another one, and the manifest is made to fit. The
    evidence record is left out: a timestamp is what proves the time."""

    genuine: dict[str, bytes]
    service: RunningService
    directory: Path

    def stamped(self, data: bytes) -> bytes:
        """A timestamp token of the authority, which stamps what anybody sends."""
        file, answer, token = (self.directory / name for name in ("data", "answer", "token"))
        file.write_bytes(data)
        query = subprocess.run(
            ["openssl", "ts", "-query", "-data", str(file), "-sha256", "-cert"],
            capture_output=True, check=True,
        )  # fmt: skip
        headers = {"Content-Type": "application/timestamp-query"}
        told = requests.post(
            f"{self.service.origin}/tsa", data=query.stdout, headers=headers, timeout=30
        )
        answer.write_bytes(told.content)
        subprocess.run(
            ["openssl", "ts", "-reply", "-in", str(answer), "-token_out", "-out", str(token)],
            capture_output=True, check=True,
        )  # fmt: skip
        return token.read_bytes()

    def verified(self, changed: dict[str, bytes], **environment: str) -> tuple[int, str]:
        """Exit code and words of the script that everybody has, under the authority's root."""
        contents = {**self.genuine, **changed}
        manifest = json.loads(contents.pop("manifest.json"))
        rows = {each["path"]: each for each in manifest["files"] if each["path"] != EVIDENCE}
        stamp = {"path": TIMESTAMP, "role": "timestamp", "covered_by_evidence_record": True}
        rows.setdefault(TIMESTAMP, stamp)
        for path, row in rows.items():
            row["sha256"] = hashlib.sha256(contents[path]).hexdigest()
        manifest["files"] = list(rows.values())
        target = self.directory / "forged.zip"
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("manifest.json", json.dumps(manifest))
            for path, content in contents.items():
                archive.writestr(path, content)
        root = self.service.stage.file("root.pem")
        done = subprocess.run(
            [sys.executable, "-I", str(VERIFIER), str(target), "--root", str(root)],
            capture_output=True, text=True, check=False, env={**os.environ, **environment},
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout


@pytest.fixture
def forge(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    tmp_path: Path,
) -> Forge:
    asked = digest(b"signed attributes of somebody else's making")
    sad = platform.activation(browser, seal, asked)
    assert platform.sign_hash(token, seal, sad, asked).status_code == 200
    export = exported(service, newest_in_history(browser)[0], tmp_path)
    with zipfile.ZipFile(export) as archive:
        genuine = {each: archive.read(each) for each in archive.namelist()}
    return Forge(genuine, service, tmp_path)


def twin_of(
    certificate: bytes, key: ec.EllipticCurvePrivateKey, issuer: x509.Name | None = None
) -> x509.Certificate:
    """Its names and its serial, and so its OCSP responses, with another key."""
    seal = x509.load_der_x509_certificate(certificate)
    return (
        x509.CertificateBuilder()
        .subject_name(seal.subject)
        .issuer_name(issuer or seal.issuer)
        .serial_number(seal.serial_number)
        .not_valid_before(seal.not_valid_before_utc)
        .not_valid_after(seal.not_valid_after_utc)
        .public_key(key.public_key())
        .sign(key, hashes.SHA256())
    )


def signed_by_twin(
    forge: Forge, key: ec.EllipticCurvePrivateKey, issuer: x509.Name | None = None
) -> dict[str, bytes]:
    """What a stranger with this key puts into the export."""
    twin = twin_of(forge.genuine[SIGNER], key, issuer)
    value = key.sign(OWED, ec.ECDSA(Prehashed(hashes.SHA256())))
    return {
        SIGNER: twin.public_bytes(Encoding.DER),
        DIGEST: OWED,
        SIGNATURE: value,
        TIMESTAMP: forge.stamped(value),
    }


def test_a_timestamp_over_the_value_proves_its_time(forge: Forge) -> None:
    code, told = forge.verified({TIMESTAMP: forge.stamped(forge.genuine[SIGNATURE])})
    assert code == 0, told
    assert "signature timestamp: " in told
    assert "openssl pkeyutl accepts the value" in told
    assert "OCSP told the signer's certificate good" in told


def test_a_timestamp_over_something_else_does_not(forge: Forge) -> None:
    code, told = forge.verified({TIMESTAMP: forge.stamped(b"something else")})
    assert code == 1, told
    assert "1.tst is not over this signature" in told


def test_a_twin_of_the_certificate_with_another_key_is_not_under_the_root(forge: Forge) -> None:
    code, told = forge.verified(signed_by_twin(forge, ec.generate_private_key(ec.SECP256R1())))
    assert code == 1, told
    assert "the signer's certificate is not under the root" in told


def test_a_root_that_only_the_machine_trusts_is_not_the_root(forge: Forge) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Another root")])
    now = datetime.now(UTC)
    root = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted = forge.directory / "trusted"
    trusted.mkdir()
    (trusted / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    subprocess.run(["openssl", "rehash", str(trusted)], check=True)
    code, told = forge.verified(signed_by_twin(forge, key, name), SSL_CERT_DIR=str(trusted))
    assert code == 1, told
    assert "the signer's certificate is not under the root" in told
