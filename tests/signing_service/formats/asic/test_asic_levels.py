"""ASiC: levels to the archive and its renewal, several signers, and what is told of changes."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.refusals import Conflict
from signing_service.formats.asic import whole as asic
from signing_service.formats.asic.whole import Container, ContainerType
from signing_service.formats.asic.zip_file import read_zip
from signing_service.formats.cades import whole as cades
from signing_service.formats.catalogue import levels_of
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    SignatureFormat,
    SignatureLevel,
    TimestampKind,
)
from tests.signing_service.formats.asic.containers import (
    ASIC_E,
    ASIC_S,
    KINDS,
    changed,
    documents,
    holds,
    kinds,
    sign,
    verifies,
)
from tests.signing_service.formats.material import material_for
from tests.software_keys import Identity, SoftwareAuthority


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


def _of_timestamp(authority: SoftwareAuthority, signed: bytes) -> ValidationMaterial:
    """What validates the newest timestamp."""
    signature = asic.read(signed)[0].timestamps[-1].signature
    assert signature.signing_certificate is not None
    return material_for(authority, signature.signing_certificate)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
