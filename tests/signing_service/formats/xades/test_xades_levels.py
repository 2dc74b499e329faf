"""XAdES in every packaging and up to B-LTA: strangers still verify it, changes are seen."""

import hashlib
import io
import subprocess
import tempfile
import tracemalloc
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import SignatureMethod
from signxml.xades.xades import XAdESSigner

from kernel.refusals import Conflict, Malformed, Refusal, TooLarge, Unprocessable
from signing_service.formats.catalogue import levels_of
from signing_service.formats.claims import PROOF_OF_APPROVAL, Claims, PolicyReference
from signing_service.formats.document import StreamedDocument
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.formats.xades import whole as xades
from signing_service.formats.xml_names import WITHOUT_SIGNATURES
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
    TimestampKind,
)
from tests.signing_service.formats.material import material_for, ocsp_of
from tests.software_keys import Identity, SoftwareAuthority, write_pem

DOCUMENT = '<r xmlns="urn:r" xml:lang="zh"><a b="1">报关单</a></r>'.encode()
FRAMED = b'<frame xmlns="urn:f"><data Id="d1"><x>1</x></data></frame>'
INVENTORY = (Path(__file__).parents[3] / "samples" / "ceb621.xml").read_bytes()
EXTERNAL = b"any octets at all \x00\xff"
EVERY_PACKAGING = list(Packaging)


def signed_as(
    packaging: Packaging, signer: Identity, at: SoftwareAuthority, *, parallel: bool = False
) -> tuple[bytes, bytes | None]:
    """A signature in a packaging, and the detached document where there is one."""
    document: bytes | dict[str, bytes] = DOCUMENT
    if packaging is Packaging.DETACHED:
        document = {"declaration.bin": EXTERNAL}
    elif packaging is Packaging.INTERNALLY_DETACHED:
        document = FRAMED
    signed = xades.sign(
        document, signer.key, signer.certificate, at.now, chain=signer.chain,
        packaging=packaging, target="d1", parallel=parallel,
    )  # fmt: skip
    return signed, EXTERNAL if packaging is Packaging.DETACHED else None


def verifies(evidence: SignatureEvidence) -> bool:
    certificate, suite = evidence.signing_certificate, evidence.suite
    return (
        certificate is not None
        and suite is not None
        and certificate.public_key.verify(suite, evidence.signature_value, evidence.signed_bytes)
        and all(reference.intact for reference in evidence.references)
    )


def xmlsec1_verifies(
    directory: Path, signed: bytes, authority: SoftwareAuthority, number: int = 1
) -> bool:
    (directory / "signed.xml").write_bytes(signed)
    (directory / "declaration.bin").write_bytes(EXTERNAL)
    root = write_pem(directory / "root.pem", [authority.root.certificate])
    command = ["xmlsec1", "--verify", "--trusted-pem", str(root)]
    command += ["--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"]
    for name in ("urn:f:data", "http://www.w3.org/2000/09/xmldsig#:SignatureValue"):
        command += ["--id-attr:Id", name]
    command += ["--node-xpath"]
    command += [f"(//*[local-name()='Signature'])[{number}]", "signed.xml"]
    return subprocess.run(command, cwd=directory, capture_output=True).returncode == 0


def raised(
    signed: bytes, material: ValidationMaterial, timestamper: LocalTimestamper,
    document: bytes | None = None, signer: int = 0,
) -> bytes:  # fmt: skip
    """From B-B to B-LTA, by the catalogue."""
    levels = levels_of(SignatureFormat.XADES)
    signed = levels.add_signature_timestamp(signed, timestamper, signer=signer)
    signed = levels.add_validation_material(signed, material, signer=signer)
    return levels.add_archive_timestamp(signed, timestamper, document=document, signer=signer)


@pytest.fixture(scope="module")
def material(software_authority: SoftwareAuthority, signer: Identity) -> ValidationMaterial:
    return material_for(software_authority, signer.certificate)


@pytest.fixture(scope="module")
def archived(
    software_authority: SoftwareAuthority, signer: Identity,
    material: ValidationMaterial, timestamper: LocalTimestamper,
) -> bytes:  # fmt: skip
    basic, _ = signed_as(Packaging.ENVELOPED, signer, software_authority)
    return raised(basic, material, timestamper)


@pytest.mark.parametrize("packaging", EVERY_PACKAGING)
def test_every_packaging_at_every_level(
    packaging: Packaging, tmp_path: Path, software_authority: SoftwareAuthority, signer: Identity,
    material: ValidationMaterial, timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    basic, document = signed_as(packaging, signer, software_authority)
    stamped = xades.add_signature_timestamp(basic, timestamper)
    long_term = xades.add_validation_material(stamped, material)
    archived = xades.add_archive_timestamp(long_term, timestamper, document=document)
    expected = (
        (basic, SignatureLevel.B_B), (stamped, SignatureLevel.B_T),
        (long_term, SignatureLevel.B_LT), (archived, SignatureLevel.B_LTA),
    )  # fmt: skip

    for signed, level in expected:
        (evidence,) = xades.read(signed, document)
        assert verifies(evidence)
        assert evidence.packaging is packaging
        assert evidence.covers_document
        assert evidence.level is level
        assert all(timestamp.imprint.intact for timestamp in evidence.timestamps)
        assert xmlsec1_verifies(tmp_path, signed, software_authority)


def test_an_enveloping_signature_gives_its_document_back(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    signed, _ = signed_as(Packaging.ENVELOPING, signer, software_authority)
    enveloped, _ = signed_as(Packaging.ENVELOPED, signer, software_authority)

    assert xades.content(signed) == DOCUMENT
    assert xades.content(enveloped) is None
    assert not xades.read(signed, b"another")[0].covers_document


def test_a_detached_document_is_what_is_presented(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    signed, _ = signed_as(Packaging.DETACHED, signer, software_authority)

    (missing,) = xades.read(signed)
    (other,) = xades.read(signed, EXTERNAL + b" ")
    (named,) = xades.read(signed, {"declaration.bin": EXTERNAL})
    (streamed,) = xades.read(signed, StreamedDocument(io.BytesIO(EXTERNAL)))
    (misnamed,) = xades.read(signed, {"other.bin": EXTERNAL})

    assert missing.references[0].actual is None
    assert not missing.covers_document
    assert not other.references[0].intact
    assert misnamed.references[0].actual is None
    assert named.references[0].intact
    assert streamed.references[0].intact


def test_a_document_beside_a_signature_that_holds_its_own_is_not_covered(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    """Who presents two documents must not read of the one that the other was signed."""
    for packaging in (Packaging.ENVELOPED, Packaging.INTERNALLY_DETACHED):
        signed, _ = signed_as(packaging, signer, software_authority)

        assert verifies(xades.read(signed, b"another")[0])
        assert not xades.read(signed, b"another")[0].covers_document


def test_a_detached_document_of_256_mebibytes_is_signed_and_verified_in_little_memory(
    software_authority: SoftwareAuthority, signer: Identity, timestamper: LocalTimestamper
) -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(256 << 20)
        tracemalloc.start()
        document = StreamedDocument(file)
        signed = xades.sign(
            {"large.bin": document}, signer.key, signer.certificate, software_authority.now,
            packaging=Packaging.DETACHED,
        )  # fmt: skip
        signed = xades.add_archive_timestamp(signed, timestamper, document=document)
        (evidence,) = xades.read(signed, document)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert verifies(evidence)
    assert evidence.covers_document
    assert evidence.timestamps[0].imprint.intact
    assert peak < 16 << 20


def test_several_detached_documents_under_one_signature(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    documents = {"a.xml": b"1", "目录/b & c.xml": b"2"}
    signed = xades.sign(
        documents, signer.key, signer.certificate, software_authority.now,
        packaging=Packaging.DETACHED,
    )  # fmt: skip

    assert verifies(xades.read(signed, documents)[0])
    assert not verifies(xades.read(signed, {**documents, "a.xml": b"2"})[0])


def test_an_internally_detached_part_is_the_document_only_in_a_bare_frame(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    signed, _ = signed_as(Packaging.INTERNALLY_DETACHED, signer, software_authority)

    for changed in (
        signed.replace(b"<data", b"<more/><data"),
        signed.replace(b"<data", b"text<data"),
        signed.replace(b'xmlns="urn:f"', b'xmlns="urn:f" a="1"', 1),
        signed.replace(b"<data", b"<d><data").replace(b"</data>", b"</data></d>"),
    ):
        assert not xades.read(changed)[0].covers_document
    assert not verifies(xades.read(signed.replace(b"<x>1", b"<x>2"))[0])


def test_what_cannot_be_packed_is_refused(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    def prepare(document: object, packaging: Packaging, target: str | None = None) -> None:
        xades.prepare(
            document, signer.certificate, software_authority.now,  # type: ignore[arg-type]
            packaging=packaging, target=target,
        )  # fmt: skip

    for document, packaging, target, code in (
        (b"x", Packaging.DETACHED, None, "packaging.unfit"),
        ({"#x": b"x"}, Packaging.DETACHED, None, "document.uri"),
        ({"": b"x"}, Packaging.DETACHED, None, "document.uri"),
        ({}, Packaging.DETACHED, None, "packaging.unfit"),
        ({"a": b"x"}, Packaging.ENVELOPED, None, "packaging.unfit"),
        (FRAMED, Packaging.INTERNALLY_DETACHED, None, "packaging.unfit"),
    ):
        with pytest.raises(Unprocessable) as refusal:
            prepare(document, packaging, target)
        assert refusal.value.code == code
    with pytest.raises(Malformed, match=r"xades\.references"):
        prepare(FRAMED, Packaging.INTERNALLY_DETACHED, "other")
    with pytest.raises(TooLarge):
        prepare(bytes(8 * 1024 * 1024), Packaging.ENVELOPING)


def test_parallel_signatures_in_one_document(
    tmp_path: Path, software_authority: SoftwareAuthority, signer: Identity,
    material: ValidationMaterial, timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    """Three people sign one document; each signature can be raised without the others."""
    second, third = software_authority.signer("second"), software_authority.signer("third")
    signed, _ = signed_as(Packaging.ENVELOPED, signer, software_authority, parallel=True)
    for other in (second, third):
        signed = xades.sign(
            signed, other.key, other.certificate, software_authority.now, chain=other.chain,
            timestamper=timestamper,
        )  # fmt: skip
    signed = raised(signed, material, timestamper, signer=0)

    evidence = xades.read(signed)

    assert [each.signing_certificate for each in evidence] == [
        signer.certificate, second.certificate, third.certificate,
    ]  # fmt: skip
    assert [each.level for each in evidence] == [
        SignatureLevel.B_LTA, SignatureLevel.B_T, SignatureLevel.B_T,
    ]  # fmt: skip
    assert all(verifies(each) and each.covers_document for each in evidence)
    assert all(xmlsec1_verifies(tmp_path, signed, software_authority, n) for n in (1, 2, 3))
    changed = signed.replace(b'b="1"', b'b="2"')
    assert not any(verifies(each) for each in xades.read(changed))


def test_nothing_hides_where_parallel_signatures_do_not_look(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    signed, _ = signed_as(Packaging.ENVELOPED, signer, software_authority, parallel=True)
    fake = b'<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">%s</ds:Signature>'
    smuggled = fake % b"<ds:Object><a>forged</a></ds:Object>"
    in_object = fake % (b"<ds:SignedInfo/><ds:SignatureValue/><ds:Object><a>forged</a></ds:Object>")

    def outcome(document: bytes) -> bool:
        try:
            return all(each.covers_document for each in xades.read(document))
        except Refusal:
            return False

    assert outcome(signed)
    for hidden in (smuggled, in_object):
        assert not outcome(signed.replace(b"</r>", hidden + b"</r>"))
        assert not outcome(signed.replace(b"<a ", hidden + b"<a ", 1))
    assert not outcome(signed.replace(WITHOUT_SIGNATURES.encode(), b"not(ancestor-or-self::a)"))
    assert not outcome(signed.replace(b"<ds:XPath>", b'<ds:XPath xmlns:ds="urn:r">', 1))


def test_material_that_comes_later_is_put_beside_what_is_archived(
    archived: bytes, software_authority: SoftwareAuthority, timestamper: LocalTimestamper,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Renewal: the timestamp authority's material, then another archive timestamp."""
    (before,) = xades.read(archived)
    tsa = before.timestamps[0].signature.signing_certificate
    assert tsa is not None
    more = ValidationMaterial(certificates=(tsa.der,), ocsp=(ocsp_of(software_authority, tsa),))

    renewed = xades.add_archive_timestamp(
        xades.add_validation_material(archived, more), timestamper, digest="sha512"
    )
    (evidence,) = xades.read(renewed)

    assert b"TimeStampValidationData" in renewed
    assert [timestamp.kind for timestamp in evidence.timestamps] == [
        TimestampKind.SIGNATURE, TimestampKind.ARCHIVE, TimestampKind.ARCHIVE,
    ]  # fmt: skip
    assert all(timestamp.imprint.intact for timestamp in evidence.timestamps)
    assert set(more.ocsp) <= set(evidence.embedded_ocsp)
    _, first, second = evidence.timestamps
    assert hashlib.sha256(more.ocsp[0]).digest() in second.covers - first.covers
    assert hashlib.sha256(first.token).digest() in second.covers
    assert xmlsec1_verifies(tmp_path, renewed, software_authority)
    assert xades.add_validation_material(renewed, more) == renewed


def test_an_archive_timestamp_says_what_it_covers(
    archived: bytes, material: ValidationMaterial, software_authority: SoftwareAuthority
) -> None:
    (evidence,) = xades.read(archived)
    stamp, archive = evidence.timestamps
    wanted = {evidence.signature_value, stamp.token}
    wanted |= {*material.certificates, *material.crls, *material.ocsp}

    assert {hashlib.sha256(thing).digest() for thing in wanted} <= archive.covers


def test_the_imprint_is_what_the_standard_says(
    software_authority: SoftwareAuthority, signer: Identity,
    material: ValidationMaterial, timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    """EN 319 132-1, 5.5.2, done once more with lxml alone."""
    basic = xades.sign(b"<r><a/></r>", signer.key, signer.certificate, software_authority.now)
    archived = raised(basic, material, timestamper)
    root = etree.fromstring(archived)
    ds = "{http://www.w3.org/2000/09/xmldsig#}"
    (signature,) = root.findall(f"{ds}Signature")
    (properties,) = root.iter("{*}SignedProperties")
    (unsigned,) = root.iter("{*}UnsignedSignatureProperties")
    bare = etree.fromstring(archived)
    bare.remove(bare[-1])
    signed = [child for child in signature if child.tag != f"{ds}Object"]
    parts = [properties, *signed, *list(unsigned)[:-1]]
    assert etree.QName(unsigned[-1]).localname == "ArchiveTimeStamp"

    octets = etree.tostring(bare, method="c14n", with_comments=False)
    octets += b"".join(etree.tostring(part, method="c14n", with_tail=False) for part in parts)

    assert xades.read(archived)[0].timestamps[-1].imprint.expected == (
        hashlib.sha256(octets).digest()
    )


def test_any_flipped_byte_of_an_archived_signature_is_seen(archived: bytes) -> None:
    good = xades.read(archived)[0]

    @settings(max_examples=200, deadline=None)
    @given(position=st.integers(60, len(archived) - 1), change=st.integers(1, 255))
    def flip(position: int, change: int) -> None:
        changed = bytearray(archived)
        changed[position] ^= change
        try:
            (evidence,) = xades.read(bytes(changed))
        except Refusal:
            return
        archive = [t for t in evidence.timestamps if t.kind is TimestampKind.ARCHIVE]
        seen = (
            not verifies(evidence)
            or not evidence.covers_document
            or not archive
            or not archive[0].imprint.intact
            or not verifies(archive[0].signature)
        )
        assert seen or _said(evidence) == _said(good)

    flip()


def _said(evidence: SignatureEvidence) -> tuple[object, ...]:
    archive = evidence.timestamps[-1]
    return (
        evidence.signed_bytes, evidence.signature_value, evidence.references,
        evidence.signing_certificate, evidence.timestamps[0], archive.generated_at,
        archive.imprint, archive.covers,
    )  # fmt: skip


def test_an_archive_timestamp_needs_the_document_that_was_signed(
    software_authority: SoftwareAuthority, signer: Identity, timestamper: LocalTimestamper
) -> None:
    signed, _ = signed_as(Packaging.DETACHED, signer, software_authority)

    with pytest.raises(Unprocessable, match=r"document\.missing"):
        xades.add_archive_timestamp(signed, timestamper)
    with pytest.raises(Unprocessable, match=r"document\.other"):
        xades.add_archive_timestamp(signed, timestamper, document=b"another")


def test_a_counter_signature_is_made_and_read(
    tmp_path: Path, software_authority: SoftwareAuthority, signer: Identity,
    material: ValidationMaterial, timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    officer = software_authority.signer("officer")
    for packaging in EVERY_PACKAGING:
        basic, document = signed_as(packaging, signer, software_authority)
        stamped = xades.add_signature_timestamp(basic, timestamper)
        prepared = xades.prepare_counter_signature(
            stamped, officer.certificate, software_authority.now, chain=officer.chain,
            claims=Claims(roles=("officer",)),
        )  # fmt: skip
        signed = xades.assemble(prepared, officer.key.sign(prepared.to_be_signed))
        archived = xades.add_archive_timestamp(
            xades.add_validation_material(signed, material), timestamper, document=document
        )

        (evidence,) = xades.read(archived, document)
        (counter,) = evidence.counter_signatures

        assert verifies(evidence)
        assert verifies(counter)
        assert counter.signing_certificate == officer.certificate
        assert counter.roles == ("officer",)
        assert counter.references[0].name == "countersigned signature"
        assert hashlib.sha256(counter.signature_value).digest() in (evidence.timestamps[-1].covers)
        assert xmlsec1_verifies(tmp_path, archived, software_authority, 1)
        assert xmlsec1_verifies(tmp_path, archived, software_authority, 2)
        with pytest.raises(Conflict, match=r"xades\.archived"):
            xades.prepare_counter_signature(archived, officer.certificate, software_authority.now)


def test_a_counter_signature_upon_something_else_is_told(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    officer = software_authority.signer("officer")
    basic, _ = signed_as(Packaging.ENVELOPED, signer, software_authority)
    prepared = xades.prepare_counter_signature(basic, officer.certificate, software_authority.now)
    signed = xades.assemble(prepared, officer.key.sign(prepared.to_be_signed))
    name = basic.split(b'<ds:SignatureValue Id="')[1].split(b'"')[0]
    elsewhere = signed.replace(b'URI="#' + name, b'URI="#' + name.replace(b"-value", b""))

    (evidence,) = xades.read(elsewhere)

    assert evidence.counter_signatures == ()
    assert "counter-signature cannot be read" in evidence.observations[0]


def test_claims_are_signed_and_read(
    tmp_path: Path, software_authority: SoftwareAuthority, signer: Identity,
    timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    policy = PolicyReference("1.3.6.1.4.1.99999.2.1", "sha256", hashlib.sha256(b"p").digest())
    claims = Claims(PROOF_OF_APPROVAL, ("报关员 <&>", "manager"), policy, "application/xml")
    prepared = xades.prepare(
        DOCUMENT, signer.certificate, software_authority.now, claims=claims,
        content_timestamper=timestamper, chain=signer.chain,
    )  # fmt: skip
    signed = xades.assemble(prepared, signer.key.sign(prepared.to_be_signed))

    (evidence,) = xades.read(signed)

    assert verifies(evidence)
    assert evidence.commitment == PROOF_OF_APPROVAL
    assert evidence.roles == claims.roles
    assert evidence.policy == policy.identifier
    assert evidence.policy_digest == (policy.digest, policy.value)
    assert evidence.content_type == "application/xml"
    (stamp,) = evidence.timestamps
    assert stamp.kind is TimestampKind.CONTENT
    assert stamp.imprint.intact
    assert xmlsec1_verifies(tmp_path, signed, software_authority)


def test_a_stranger_s_signature_is_raised(
    tmp_path: Path, software_authority: SoftwareAuthority, signer: Identity,
    material: ValidationMaterial, timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    """signxml signs; we raise it to B-LTA and renew it; xmlsec1 verifies it still."""
    key = signer.key.private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    stranger = XAdESSigner(signature_algorithm=SignatureMethod.ECDSA_SHA256)
    theirs = etree.tostring(
        stranger.sign(
            etree.fromstring(INVENTORY),
            key=key,
            cert=[c.pem for c in (signer.certificate, *signer.chain)],
            always_add_key_value=False,
        )
    )

    archived = xades.add_archive_timestamp(raised(theirs, material, timestamper), timestamper)
    (evidence,) = xades.read(archived)

    assert verifies(evidence)
    assert evidence.level is SignatureLevel.B_LTA
    assert all(timestamp.imprint.intact for timestamp in evidence.timestamps)
    assert b64encode(signer.certificate.der) in archived.replace(b"\n", b"")
    assert xmlsec1_verifies(tmp_path, archived, software_authority)
