"""JAdES: from B-B to the archive and its renewal, several signers, and what never holds."""

import base64
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.refusals import Conflict, Unprocessable
from signing_service.formats.catalogue import levels_of
from signing_service.formats.jades import whole as jades
from signing_service.formats.jades.whole import Serialisation
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
    TimestampKind,
)
from tests.signing_service.formats.jades.signed import (
    CLAIMS,
    DOCUMENT,
    SERIALISATIONS,
    holds,
    sign,
    verifies,
)
from tests.signing_service.formats.material import material_for
from tests.software_keys import Identity, SoftwareAuthority


@pytest.fixture(scope="module")
def material(software_authority: SoftwareAuthority, signer: Identity) -> ValidationMaterial:
    return material_for(software_authority, signer.certificate)


def test_prepared_signatures_survive_as_bytes(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    for packaging in (Packaging.ENVELOPING, Packaging.DETACHED):
        prepared = jades.prepare(
            DOCUMENT, signer.certificate, software_authority.now, packaging=packaging
        )
        again = PreparedSignature.from_bytes(prepared.to_bytes())
        signed = jades.assemble(again, signer.key.sign(again.to_be_signed))
        assert holds(signed, document=DOCUMENT)
        with pytest.raises(Unprocessable, match=r"signature\.mismatch"):
            jades.assemble(again, signer.key.sign(b"something else"))


@pytest.mark.parametrize("packaging", [Packaging.ENVELOPING, Packaging.DETACHED])
def test_levels_rise_to_archive_and_renewal(
    packaging: Packaging,
    signer: Identity,
    software_authority: SoftwareAuthority,
    material: ValidationMaterial,
    timestamper: LocalTimestamper,
) -> None:
    levels = levels_of(SignatureFormat.JADES)
    signed = sign(signer, software_authority, packaging=packaging)
    reached = []
    signed = levels.add_signature_timestamp(signed, timestamper)
    reached.append(_level(signed))
    signed = levels.add_validation_material(signed, material)
    reached.append(_level(signed))
    signed = levels.add_archive_timestamp(signed, timestamper, document=DOCUMENT)
    reached.append(_level(signed))
    signed = levels.add_archive_timestamp(signed, timestamper, document=DOCUMENT, digest="sha512")
    assert reached == [SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA]
    assert holds(signed, document=DOCUMENT)
    (evidence,) = jades.read(signed, DOCUMENT)
    kinds = [stamp.kind for stamp in evidence.timestamps]
    assert kinds == [TimestampKind.SIGNATURE, TimestampKind.ARCHIVE, TimestampKind.ARCHIVE]
    covered = _covered(evidence)
    assert covered >= {signer.certificate.der, *material.certificates, *material.crls}
    assert evidence.timestamps[0].token in covered
    assert evidence.timestamps[1].token in covered
    assert evidence.signature_value in covered


def test_material_is_added_once(
    signer: Identity, software_authority: SoftwareAuthority, material: ValidationMaterial
) -> None:
    signed = sign(signer, software_authority, serialisation=Serialisation.FLATTENED)
    once = jades.add_validation_material(signed, material)
    assert jades.add_validation_material(once, material) == once


def test_the_content_is_stamped_before_it_is_signed(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    for packaging in (Packaging.ENVELOPING, Packaging.DETACHED):
        prepared = jades.prepare(
            DOCUMENT,
            signer.certificate,
            software_authority.now,
            packaging=packaging,
            content_timestamper=timestamper,
        )
        signed = jades.assemble(prepared, signer.key.sign(prepared.to_be_signed))
        (evidence,) = jades.read(signed, DOCUMENT)
        assert [stamp.kind for stamp in evidence.timestamps] == [TimestampKind.CONTENT]
        assert holds(signed, document=DOCUMENT)


def test_several_sign_side_by_side_and_upon_each_other(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    second = software_authority.signer("法定代表人 李四")
    signed = jades.merge(sign(signer, software_authority), sign(second, software_authority))
    prepared = jades.prepare_counter_signature(
        signed, second.certificate, software_authority.now, signer=0
    )
    prepared = PreparedSignature.from_bytes(prepared.to_bytes())
    signed = jades.assemble_counter_signature(prepared, second.key.sign(prepared.to_be_signed))
    signed = jades.add_signature_timestamp(signed, timestamper, signer=1)
    first, other = jades.read(signed)
    assert verifies(first)
    assert verifies(other)
    assert [each.level for each in (first, other)] == [SignatureLevel.B_B, SignatureLevel.B_T]
    (counter,) = first.counter_signatures
    assert verifies(counter)
    assert counter.signing_certificate == second.certificate
    archived = jades.add_archive_timestamp(signed, timestamper, signer=0)
    with pytest.raises(Conflict, match=r"jades\.archived"):
        jades.prepare_counter_signature(archived, second.certificate, software_authority.now)
    with pytest.raises(Unprocessable, match=r"document\.other"):
        jades.merge(signed, sign(signer, software_authority, document=b"other"))


def test_a_counter_signature_of_another_signature_does_not_verify(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    one = sign(signer, software_authority, serialisation=Serialisation.FLATTENED)
    other = sign(signer, software_authority, document=b"x", serialisation=Serialisation.FLATTENED)
    prepared = jades.prepare_counter_signature(one, signer.certificate, software_authority.now)
    value = signer.key.sign(prepared.to_be_signed)
    countersigned = json.loads(jades.assemble_counter_signature(prepared, value))
    moved = json.loads(other)
    moved["header"] = countersigned["header"]
    (evidence,) = jades.read(json.dumps(moved).encode())
    assert not verifies(evidence.counter_signatures[0])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_byte_of_what_is_archived_never_holds(
    archived: bytes, data: st.DataObject
) -> None:
    newest = json.loads(archived)["header"]["etsiU"][-1].encode()
    covered = [archived.index(newest), archived.index(newest) + len(newest), len(archived)]
    before = st.integers(0, covered[0] - 1)
    after = st.integers(covered[1], covered[2] - 1)
    index, bit = data.draw(before | after), data.draw(st.integers(0, 7))
    changed = bytearray(archived)
    changed[index] ^= 1 << bit
    assert not holds(bytes(changed)) or json.loads(changed) == json.loads(archived)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(SERIALISATIONS), st.data())
def test_any_document_verifies_until_it_changes(
    signer: Identity,
    software_authority: SoftwareAuthority,
    document: bytes,
    serialisation: Serialisation,
    data: st.DataObject,
) -> None:
    signed = sign(
        signer,
        software_authority,
        document=document,
        packaging=Packaging.DETACHED,
        serialisation=serialisation,
    )
    assert holds(signed, document=document)
    if document:
        changed = bytearray(document)
        changed[data.draw(st.integers(0, len(document) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        assert not holds(signed, document=bytes(changed))


@pytest.fixture(scope="module")
def archived(
    signer: Identity,
    software_authority: SoftwareAuthority,
    material: ValidationMaterial,
    timestamper: LocalTimestamper,
) -> bytes:
    signed = sign(signer, software_authority, claims=CLAIMS, timestamper=timestamper)
    signed = jades.add_validation_material(signed, material)
    return jades.add_archive_timestamp(signed, timestamper)


def test_components_in_clear_are_read_but_not_archived(
    signer: Identity,
    software_authority: SoftwareAuthority,
    timestamper: LocalTimestamper,
    material: ValidationMaterial,
) -> None:
    signed = sign(signer, software_authority, timestamper=timestamper)
    value = json.loads(signed)
    value["header"]["etsiU"] = [
        json.loads(base64.urlsafe_b64decode(each + "=" * (-len(each) % 4)))
        for each in value["header"]["etsiU"]
    ]
    clear = jades.add_validation_material(json.dumps(value).encode(), material)
    assert _level(clear) is SignatureLevel.B_LT
    with pytest.raises(Unprocessable, match=r"jades\.clear-components"):
        jades.add_archive_timestamp(clear, timestamper)


def test_a_removed_component_breaks_the_archive(archived: bytes) -> None:
    value = json.loads(archived)
    assert holds(archived)
    del value["header"]["etsiU"][1]
    assert not holds(json.dumps(value).encode())


def _level(signed: bytes) -> SignatureLevel:
    (evidence,) = jades.read(signed, DOCUMENT)
    return evidence.level


def _covered(evidence: SignatureEvidence) -> set[bytes]:
    """Everything in the evidence whose digest the last archive timestamp names."""
    things = [
        evidence.signature_value,
        *(each.der for each in evidence.embedded_certificates),
        *evidence.embedded_crls,
        *evidence.embedded_ocsp,
        *(stamp.token for stamp in evidence.timestamps),
    ]
    covers = evidence.timestamps[-1].covers
    return {thing for thing in things if hashlib.sha256(thing).digest() in covers}
