"""ASiC containers: strangers open and verify them; nothing is smuggled in or changed unseen."""

import hashlib
import io
import stat
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.refusals import Conflict, Malformed, Refusal, TooLarge, Unprocessable
from signing_service.formats.asic import whole as asic
from signing_service.formats.asic.whole import Container, ContainerType
from signing_service.formats.asic.zip_file import read_zip, write_zip
from signing_service.formats.cades import whole as cades
from signing_service.formats.catalogue import levels_of
from signing_service.formats.claims import PROOF_OF_APPROVAL, Claims
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
    TimestampKind,
)
from tests.signing_service.formats.material import material_for
from tests.software_keys import Identity, SoftwareAuthority, write_pem

ASIC_S, ASIC_E = ContainerType.ASIC_S, ContainerType.ASIC_E
CADES, XADES = SignatureFormat.CADES, SignatureFormat.XADES
DOCUMENTS = {"报关单 1.xml": "<a>一</a>".encode(), "notes/b.txt": b"b" * 2000}
ONE = {"declaration.xml": b"<declaration/>"}
KINDS = [(ASIC_S, CADES), (ASIC_S, XADES), (ASIC_E, CADES), (ASIC_E, XADES)]
kinds = pytest.mark.parametrize(("kind", "inner"), KINDS, ids=lambda each: each.name)


def documents(kind: ContainerType) -> dict[str, bytes]:
    return ONE if kind is ASIC_S else DOCUMENTS


def sign(
    signer: Identity,
    authority: SoftwareAuthority,
    kind: ContainerType = ASIC_E,
    inner: SignatureFormat = CADES,
    **options: Any,
) -> bytes:
    return asic.sign(
        options.pop("documents", documents(kind)), signer.key, signer.certificate, authority.now,
        container=kind, inner=inner, chain=signer.chain[:1], **options,
    )  # fmt: skip


def verifies(evidence: SignatureEvidence) -> bool:
    certificate, suite = evidence.signing_certificate, evidence.suite
    return (
        certificate is not None
        and suite is not None
        and evidence.covers_document
        and certificate.public_key.verify(suite, evidence.signature_value, evidence.signed_bytes)
        and all(reference.intact for reference in evidence.references)
        and all(stamp.imprint.intact for stamp in evidence.timestamps)
    )


def holds(container: bytes) -> bool:
    try:
        return all(map(verifies, asic.read(container)))
    except Refusal:
        return False


def changed(container: bytes, files: dict[str, bytes | None]) -> bytes:
    """With files replaced, added, or taken out."""
    entries: dict[str, bytes] = dict(read_zip(container).entries)
    for name, content in files.items():
        if content is None:
            del entries[name]
        else:
            entries[name] = content
    return write_zip(entries, stored=["mimetype"], comment=read_zip(container).comment)


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
def test_levels_rise_to_archive_and_renewal(
    kind: ContainerType,
    inner: SignatureFormat,
    signer: Identity,
    software_authority: SoftwareAuthority,
    timestamper: LocalTimestamper,
) -> None:
    format_ = SignatureFormat.ASIC_S if kind is ASIC_S else SignatureFormat.ASIC_E
    levels, material = levels_of(format_), material_for(software_authority, signer.certificate)
    signed = sign(signer, software_authority, kind, inner)
    reached = []
    signed = levels.add_signature_timestamp(signed, timestamper)
    reached.append(asic.read(signed)[0].level)
    signed = levels.add_validation_material(signed, material)
    reached.append(asic.read(signed)[0].level)
    signed = levels.add_archive_timestamp(signed, timestamper)
    reached.append(asic.read(signed)[0].level)
    assert reached == [SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA]
    signed = levels.add_validation_material(signed, _of_timestamp(software_authority, signed))
    signed = levels.add_archive_timestamp(signed, timestamper, digest="sha512")
    (evidence,) = asic.read(signed)
    assert verifies(evidence)
    kinds_ = [stamp.kind for stamp in evidence.timestamps]
    assert kinds_ == [TimestampKind.SIGNATURE, TimestampKind.ARCHIVE, TimestampKind.ARCHIVE]
    assert _sha256(evidence.timestamps[1].token) in evidence.timestamps[2].covers
    assert _sha256(evidence.signature_value) in evidence.timestamps[1].covers


def test_the_newest_archive_manifest_has_the_plain_name(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    signed = sign(signer, software_authority, timestamper=timestamper)
    for _ in range(3):
        signed = asic.add_archive_timestamp(signed, timestamper)
    container = Container.read(signed)
    assert container.archive_manifests == [
        "META-INF/ASiCArchiveManifest.xml",
        "META-INF/ASiCArchiveManifest001.xml",
        "META-INF/ASiCArchiveManifest002.xml",
    ]
    newest = container.files["META-INF/ASiCArchiveManifest.xml"].decode()
    assert newest.count("Rootfile") == 1
    assert 'ASiCArchiveManifest002.xml" Rootfile="true"' in newest
    assert len(asic.read(signed)[0].timestamps) == 4
    with pytest.raises(Conflict, match=r"asic\.archived"):
        asic.add_signature_timestamp(signed, timestamper)


def test_every_file_under_an_archive_manifest_is_held(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    signed = sign(signer, software_authority, timestamper=timestamper)
    signed = asic.add_archive_timestamp(signed, timestamper)
    assert holds(signed)
    stripped = cades.content(Container.read(signed).files["META-INF/signature001.p7s"])
    assert stripped is None
    replaced = sign(signer, software_authority)
    other = Container.read(replaced).files["META-INF/signature001.p7s"]
    (evidence,) = asic.read(changed(signed, {"META-INF/signature001.p7s": other}))
    assert not verifies(evidence)
    assert not evidence.timestamps[-1].imprint.intact


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


@kinds
def test_several_sign_one_container(
    kind: ContainerType,
    inner: SignatureFormat,
    signer: Identity,
    software_authority: SoftwareAuthority,
    timestamper: LocalTimestamper,
) -> None:
    second = software_authority.signer("法定代表人 李四")
    signed = sign(signer, software_authority, kind, inner)
    prepared = asic.prepare_parallel(
        signed, second.certificate, software_authority.now, inner=inner
    )
    prepared = PreparedSignature.from_bytes(prepared.to_bytes())
    signed = asic.assemble(prepared, second.key.sign(prepared.to_be_signed))
    signed = asic.add_signature_timestamp(signed, timestamper, signer=1)
    first, other = asic.read(signed)
    assert verifies(first)
    assert verifies(other)
    assert {first.signing_certificate, other.signing_certificate} == {
        signer.certificate,
        second.certificate,
    }
    assert [first.level, other.level] == [SignatureLevel.B_B, SignatureLevel.B_T]


def test_a_signature_over_some_says_what_it_leaves_out(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    signed = sign(signer, software_authority)
    prepared = asic.prepare_parallel(
        signed, signer.certificate, software_authority.now, only=["notes/b.txt"]
    )
    both = asic.assemble(prepared, signer.key.sign(prepared.to_be_signed))
    whole, part = asic.read(both)
    assert verifies(whole)
    assert verifies(part)
    assert part.observations == ("does not cover 报关单 1.xml",)
    alone = changed(both, {"META-INF/signature001.p7s": None, "META-INF/ASiCManifest001.xml": None})
    assert not asic.read(alone)[0].covers_document


@kinds
def test_documents_changed_added_or_taken_out_are_told(
    kind: ContainerType,
    inner: SignatureFormat,
    signer: Identity,
    software_authority: SoftwareAuthority,
) -> None:
    signed = sign(signer, software_authority, kind, inner)
    name = next(iter(documents(kind)))
    assert holds(changed(signed, {}))
    assert not holds(changed(signed, {name: b"other"}))
    assert not holds(changed(signed, {name: None}))
    assert not holds(changed(signed, {"smuggled.xml": b"<a/>"}))
    moved = {name: None, f"elsewhere-{name}": documents(kind)[name]}
    if kind is ASIC_E:
        assert not holds(changed(signed, moved))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_flipped_byte_of_a_container_never_holds(
    containers: list[bytes], data: st.DataObject
) -> None:
    container = data.draw(st.sampled_from(containers))
    index, bit = data.draw(st.integers(0, len(container) - 1)), data.draw(st.integers(0, 7))
    flipped = bytearray(container)
    flipped[index] ^= 1 << bit
    if holds(bytes(flipped)):  # a date or an attribute of an entry, which nothing covers
        assert dict(read_zip(bytes(flipped)).entries) == dict(read_zip(container).entries)


@pytest.fixture(scope="module")
def containers(signer: Identity, software_authority: SoftwareAuthority) -> list[bytes]:
    return [sign(signer, software_authority, kind, inner) for kind, inner in KINDS]


@pytest.fixture(scope="module")
def signed(signer: Identity, software_authority: SoftwareAuthority) -> bytes:
    return sign(signer, software_authority, ASIC_S)


def test_evidence_records_are_kept_as_they_are(signed: bytes) -> None:
    with_record = asic.add_evidence_record(signed, b"\x30\x00")
    records = Container.read(with_record).evidence_records
    assert records == {"META-INF/evidencerecord001.ers": b"\x30\x00"}
    assert holds(with_record)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"META-INF/signature.p7s": None}, "asic.no-signature"),
        ({"declaration.xml": None}, "asic.structure"),
        ({"second.xml": b"<a/>"}, "asic.structure"),
        ({"META-INF/signatures.xml": b"<a/>"}, "asic.structure"),
        ({"meta-inf/other.p7s": b"x"}, "asic.structure"),
        ({"mimetype": b"application/zip"}, "asic.mimetype"),
        ({"mimetype": ASIC_E.value.encode()}, "asic.mimetype"),
    ],
)
def test_containers_against_the_rules_are_refused(
    signed: bytes, files: dict[str, bytes | None], code: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        asic.read(changed(signed, files))
    assert refusal.value.code == code


def test_the_mimetype_is_first_and_not_packed(signed: bytes) -> None:
    entries = read_zip(signed).entries
    last = dict(list(entries.items())[1:]) | {"mimetype": entries["mimetype"]}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    for container in (write_zip(last, stored=["mimetype"], comment=b""), packed.getvalue()):
        with pytest.raises(Malformed, match=r"asic\.mimetype"):
            asic.read(container)


@pytest.mark.parametrize(
    "manifest",
    [
        b"<a/>",
        b'<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#"/>',
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    ],
)
def test_manifests_that_are_none_are_refused(
    signer: Identity, software_authority: SoftwareAuthority, manifest: bytes
) -> None:
    container = sign(signer, software_authority)
    with pytest.raises(Malformed):
        asic.read(changed(container, {"META-INF/ASiCManifest001.xml": manifest}))
    with pytest.raises(Malformed, match=r"asic\.manifest"):
        asic.read(changed(container, {"META-INF/ASiCManifest001.xml": None}))


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/passwd", "a/../../b", "C:/x", "a\\b", "a//b", "./a", "a\x00b", "con .", ""],
)
def test_names_that_leave_their_place_are_refused(name: str) -> None:
    with pytest.raises(Unprocessable, match=r"zip\.name"):
        write_zip({name: b""}, stored=[], comment=b"")
    if name.isprintable() and name:
        with pytest.raises(Malformed, match=r"zip\.name|zip\.malformed"):
            read_zip(_zip({name: b"x"}))


def test_two_entries_of_one_name_are_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = _zip([("a", b"1"), ("a", b"2")])
    for container in (twice, _zip([("a", b"1"), ("A", b"2")])):
        with pytest.raises(Malformed, match=r"zip\.duplicate"):
            read_zip(container)


def test_links_are_refused() -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(Malformed, match=r"zip\.link"):
        read_zip(file.getvalue())


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"secret")
    subprocess.run(["zip", "-qP", "password", "c.zip", "a"], cwd=tmp_path, check=True)
    with pytest.raises(Malformed, match=r"zip\.encrypted"):
        read_zip((tmp_path / "c.zip").read_bytes())


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    ratio = _zip({"zeros": bytes(16 * 1024 * 1024)})
    with pytest.raises(Malformed, match=r"zip\.bomb"):
        read_zip(ratio)
    with pytest.raises(Malformed, match=r"zip\.bomb"):
        read_zip(_zip({str(number): b"" for number in range(1001)}))
    with pytest.raises(Malformed, match=r"zip\.bomb"):
        read_zip(_zip({str(number): bytes(30 << 20) for number in range(5)}))
    with pytest.raises(TooLarge, match=r"zip\.too-large"):
        read_zip(b"PK\x03\x04" + bytes(1 << 26))


def test_an_entry_that_is_larger_than_it_says_is_refused() -> None:
    honest = _zip({"a": b"x" * 5000})
    lying = honest.replace((5000).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    assert lying != honest
    with pytest.raises(Malformed, match=r"zip\.malformed"):
        read_zip(lying)


@pytest.mark.parametrize("extra", [b"MZ", b"PK\x03\x04", bytes(64)])
def test_octets_around_the_entries_are_refused(signed: bytes, extra: bytes) -> None:
    for container in (extra + signed, signed + extra):
        with pytest.raises(Malformed, match=r"zip\."):
            asic.read(container)
    start = signed.index(b"PK\x01\x02")
    with pytest.raises(Malformed, match=r"zip\."):
        asic.read(signed[:start] + extra + signed[start:])


def test_local_and_central_headers_agree(signed: bytes) -> None:
    renamed = signed.replace(b"declaration.xml", b"Declaration.xml", 1)
    with pytest.raises(Malformed, match=r"zip\.header-mismatch"):
        asic.read(renamed)


def test_streamed_entries_of_strangers_are_read() -> None:
    class Unseekable(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += bytes(data)
            return len(data)

    file = Unseekable()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"content" * 100)
        archive.writestr("b/", b"")
    assert read_zip(bytes(file.data)).entries == {"a": b"content" * 100}


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06", b"not a zip" * 10])
def test_what_is_no_zip_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"zip\.malformed"):
        read_zip(data)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    for container in (data, b"PK\x03\x04" + data + b"PK\x05\x06" + bytes(18)):
        with pytest.raises(Refusal):
            asic.read(container)


@pytest.mark.parametrize("objects", [{}, {"META-INF/a": b""}, {"mimetype": b""}])
def test_data_objects_stand_outside_what_is_the_containers_own(
    signer: Identity, software_authority: SoftwareAuthority, objects: dict[str, bytes]
) -> None:
    with pytest.raises(Unprocessable, match=r"asic\.objects"):
        sign(signer, software_authority, documents=objects)


def _zip(entries: dict[str, bytes] | list[tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(name, content)
    return file.getvalue()


def _of_timestamp(authority: SoftwareAuthority, signed: bytes) -> ValidationMaterial:
    """What validates the newest timestamp."""
    signature = asic.read(signed)[0].timestamps[-1].signature
    assert signature.signing_certificate is not None
    return material_for(authority, signature.signing_certificate)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
