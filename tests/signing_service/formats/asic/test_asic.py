"""ASiC: what is written comes back, and strangers' tools open and verify it."""

import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from kernel.refusals import Unprocessable
from signing_service.formats.asic import whole as asic
from signing_service.formats.asic.whole import Container, ContainerType
from signing_service.formats.claims import PROOF_OF_APPROVAL, Claims
from signing_service.formats.prepared import PreparedSignature
from signing_service.validation.evidence import (
    SignatureFormat,
    SignatureLevel,
)
from tests.signing_service.formats.asic.containers import (
    ASIC_E,
    ASIC_S,
    XADES,
    documents,
    holds,
    kinds,
    sign,
    verifies,
)
from tests.software_keys import Identity, SoftwareAuthority, write_pem


@kinds
def test_strangers_open_a_container(
    kind: ContainerType,
    inner: SignatureFormat,
    signer: Identity,
    software_authority: SoftwareAuthority,
    tmp_path: Path,
) -> None:
    container = sign(signer, software_authority, kind, inner)
    (tmp_path / "c.asic").write_bytes(container)
    subprocess.run(["unzip", "-t", "c.asic"], cwd=tmp_path, check=True, capture_output=True)
    with zipfile.ZipFile(io.BytesIO(container)) as opened:
        first = opened.infolist()[0]
        assert (first.filename, first.compress_type, first.extra) == ("mimetype", 0, b"")
        assert opened.read("mimetype").decode() == kind.value
        assert opened.comment.decode() == f"mimetype={kind.value}"
        for name, content in documents(kind).items():
            assert opened.read(name) == content
    # A reader that looks at the octets alone knows the type (EN 319 162-1, A.1).
    assert container[30:38] == b"mimetype"
    assert container[38 : 38 + len(kind.value)] == kind.value.encode()


@kinds
def test_a_container_reads_back(
    kind: ContainerType,
    inner: SignatureFormat,
    signer: Identity,
    software_authority: SoftwareAuthority,
) -> None:
    claims = Claims(commitment=PROOF_OF_APPROVAL, roles=("报关员",))
    (evidence,) = asic.read(sign(signer, software_authority, kind, inner, claims=claims))
    assert verifies(evidence)
    assert evidence.format is inner
    assert evidence.level is SignatureLevel.B_B
    assert evidence.commitment == PROOF_OF_APPROVAL
    assert evidence.roles == ("报关员",)


@pytest.mark.parametrize("kind", [ASIC_S, ASIC_E], ids=lambda each: each.name)
def test_openssl_verifies_the_cades_inside(
    kind: ContainerType,
    signer: Identity,
    software_authority: SoftwareAuthority,
    tmp_path: Path,
) -> None:
    (tmp_path / "c.zip").write_bytes(sign(signer, software_authority, kind))
    subprocess.run(["unzip", "-q", "c.zip"], cwd=tmp_path, check=True)
    write_pem(tmp_path / "root.pem", [software_authority.root.certificate])
    simple = kind is ASIC_S
    signature = "META-INF/signature.p7s" if simple else "META-INF/signature001.p7s"
    content = "declaration.xml" if simple else "META-INF/ASiCManifest001.xml"
    command = ["openssl", "cms", "-verify", "-cades", "-inform", "DER", "-binary"]
    command += ["-in", signature, "-content", content, "-CAfile", "root.pem"]
    command += ["-purpose", "any", "-out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / content).write_bytes((tmp_path / content).read_bytes() + b" ")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode != 0


@pytest.mark.parametrize("kind", [ASIC_S, ASIC_E], ids=lambda each: each.name)
def test_xmlsec_verifies_the_xades_inside(
    kind: ContainerType,
    signer: Identity,
    software_authority: SoftwareAuthority,
    tmp_path: Path,
) -> None:
    named = {"declaration.xml": b"<a/>"} if kind is ASIC_S else {"a.xml": b"<a/>", "b.txt": b"b"}
    container = sign(signer, software_authority, kind, XADES, documents=named)
    (tmp_path / "c.zip").write_bytes(container)
    subprocess.run(["unzip", "-q", "c.zip"], cwd=tmp_path, check=True)
    write_pem(tmp_path / "root.pem", [software_authority.root.certificate])
    file = "META-INF/signatures.xml" if kind is ASIC_S else "META-INF/signatures001.xml"
    command = ["xmlsec1", "--verify", "--enabled-key-data", "x509", "--trusted-pem", "root.pem"]
    command += ["--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", file]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / next(iter(named))).write_bytes(b"<other/>")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode != 0


def test_a_container_made_by_openssl_and_zip_verifies_here(
    signer: Identity, software_authority: SoftwareAuthority, tmp_path: Path
) -> None:
    (tmp_path / "mimetype").write_bytes(ASIC_S.value.encode())
    (tmp_path / "a.txt").write_bytes(b"document" * 100)
    (tmp_path / "META-INF").mkdir()
    (tmp_path / "key.pem").write_bytes(signer.key.pem())
    write_pem(tmp_path / "signer.pem", [signer.certificate])
    command = ["openssl", "cms", "-sign", "-cades", "-binary", "-in", "a.txt", "-outform", "DER"]
    command += ["-signer", "signer.pem", "-inkey", "key.pem", "-out", "META-INF/signature.p7s"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(["zip", "-X0q", "c.zip", "mimetype"], cwd=tmp_path, check=True)
    subprocess.run(["zip", "-Xrq", "c.zip", "META-INF", "a.txt"], cwd=tmp_path, check=True)
    (evidence,) = asic.read((tmp_path / "c.zip").read_bytes())
    assert verifies(evidence)
    assert evidence.level is SignatureLevel.B_B


@kinds
def test_prepared_containers_survive_as_bytes(
    kind: ContainerType,
    inner: SignatureFormat,
    signer: Identity,
    software_authority: SoftwareAuthority,
) -> None:
    prepared = asic.prepare(
        documents(kind), signer.certificate, software_authority.now, container=kind, inner=inner
    )
    again = PreparedSignature.from_bytes(prepared.to_bytes())
    assert holds(asic.assemble(again, signer.key.sign(again.to_be_signed)))
    with pytest.raises(Unprocessable, match=r"signature\.mismatch"):
        asic.assemble(again, signer.key.sign(b"something else"))


def test_evidence_records_are_kept_as_they_are(signed: bytes) -> None:
    with_record = asic.add_evidence_record(signed, b"\x30\x00")
    records = Container.read(with_record).evidence_records
    assert records == {"META-INF/evidencerecord001.ers": b"\x30\x00"}
    assert holds(with_record)


@pytest.mark.parametrize("objects", [{}, {"META-INF/a": b""}, {"mimetype": b""}])
def test_data_objects_stand_outside_what_is_the_containers_own(
    signer: Identity, software_authority: SoftwareAuthority, objects: dict[str, bytes]
) -> None:
    with pytest.raises(Unprocessable, match=r"asic\.objects"):
        sign(signer, software_authority, documents=objects)
