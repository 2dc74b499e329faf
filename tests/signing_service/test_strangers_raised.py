"""What EU DSS signed, taken back to the level at which it was signed, and raised by us to B-LTA.

The signatures are those of tests/vectors/dss, with everything unsigned taken away: what is left is
what DSS signed at B-B (in the PDF its first revision, which holds a signature timestamp: B-T).
"""

import io
import json
import re
import zipfile

import pytest
from asn1crypto import cms
from lxml import etree

from kernel.clock import FixedClock
from policies.validation import load_validation_policy
from signing_service.formats.asic.zip_file import write_zip
from signing_service.formats.catalogue import levels_of
from signing_service.formats.recognition import format_of, read_signatures
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.trust import TrustAnchors
from signing_service.validation.evidence import SignatureEvidence, SignatureLevel
from signing_service.verification import Verification
from tests.signing_service import test_dss_vectors as dss
from tests.signing_service.validation.scenery import START, YEAR, Registry, World

_UNSIGNED = "{http://uri.etsi.org/01903/v1.3.2#}UnsignedProperties"


def bare_cms(message: bytes) -> bytes:
    read = cms.ContentInfo.load(message)
    signed = read["content"]
    signed["crls"] = None
    for signer in signed["signer_infos"]:
        signer["unsigned_attrs"] = None
    encoded: bytes = read.dump(force=True)
    return encoded


def bare_xml(signed: bytes) -> bytes:
    """Cut out as text, so that nothing that is signed changes."""
    root = etree.fromstring(signed)
    (element,) = root.iter(_UNSIGNED)
    prefix = f"{element.prefix}:" if element.prefix else ""
    name = re.escape(f"{prefix}UnsignedProperties".encode())
    bare, count = re.subn(rb"<%b[ >].*</%b>" % (name, name), b"", signed, flags=re.DOTALL)
    assert count == 1
    return bare


def bare_json(signed: bytes) -> bytes:
    read = json.loads(signed)
    for each in read.get("signatures", [read]):
        each["header"].pop("etsiU")
        if not each["header"]:
            del each["header"]
    return json.dumps(read).encode()


def first_revision(pdf: bytes) -> bytes:
    found = re.search(rb"/ByteRange\s*\[\s*\d+\s+\d+\s+(\d+)\s+(\d+)\s*\]", pdf)
    assert found is not None
    return pdf[: int(found[1]) + int(found[2])]


def bare_container(container: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
        comment = archive.comment
    kept = {}
    for name, content in files.items():
        if "ArchiveManifest" in name or name.endswith(".tst"):
            continue
        inner = bare_cms if name.endswith(".p7s") else bare_xml
        kept[name] = inner(content) if "signature" in name else content
    return write_zip(kept, stored=["mimetype"], comment=comment)


BARE = {
    "cades.p7s": bare_cms,
    "xades.xml": bare_xml,
    "pades.pdf": first_revision,
    "jades.json": bare_json,
    "asic-e-cades.zip": bare_container,
    "asic-e-xades.zip": bare_container,
}


def material_of(evidence: SignatureEvidence) -> ValidationMaterial:
    """What DSS itself embedded, its timestamps' included."""
    found = ValidationMaterial(
        tuple(each.der for each in evidence.embedded_certificates),
        evidence.embedded_ocsp,
        evidence.embedded_crls,
    )
    for stamp in evidence.timestamps:
        found += material_of(stamp.signature)
    return found


@pytest.mark.parametrize("name", dss.FILES)
def test_a_strangers_signature_is_raised_to_the_archive_level_and_outlives_its_evidence(
    name: str,
) -> None:
    document, signature = dss.presented(name)
    (whole,) = read_signatures(document, signature)
    beside = None if signature is None else document
    bare = BARE[name](signature or document)
    signed_at = SignatureLevel.B_T if name == "pades.pdf" else SignatureLevel.B_B

    def told(signed: bytes) -> SignatureEvidence:
        (evidence,) = read_signatures(beside or signed, signed if beside else None)
        return evidence

    assert told(bare).level is signed_at
    world = World()
    raised_at = max(dss.SIGNED_ON, *(each.generated_at for each in told(bare).timestamps), START)
    world.clock.advance(raised_at - START)
    levels, stamper = levels_of(format_of(bare)), world.timestamper()
    raised = bare
    if signed_at is SignatureLevel.B_B:
        raised = levels.add_signature_timestamp(raised, stamper)
    material = material_of(whole) + ValidationMaterial((world.issuing.certificate.der,))
    raised = levels.add_validation_material(raised, material)
    raised = levels.add_archive_timestamp(raised, stamper, document=beside)
    evidence = told(raised)
    assert evidence.level is SignatureLevel.B_LTA
    assert evidence.signature_value == whole.signature_value, "DSS's own"
    assert evidence.signed_bytes == whole.signed_bytes

    strangers = dss.verification(dss.SIGNED_ON)._judging[0].authorities
    anchors = TrustAnchors((*strangers, world.authority), (world.issuing.certificate,))
    for later in (0, 2):  # when DSS's answers are stale, too
        clock = FixedClock(raised_at + later * YEAR)
        world.book.clock = clock
        verification = Verification(
            anchors, (world.book,), Registry(), load_validation_policy(), clock
        )
        report = verification.verify(beside or raised, raised if beside else None)
        assert report.passed, (later, report.finding)
