"""SM2 in every format: E-Port messages, CMS as RFC 5652 and GM/T 0010 name it, PDF, containers."""

import hashlib
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from lxml import etree

from kernel.algorithms import SM2_SM3
from kernel.asn1 import cms, der
from kernel.refusals import Malformed, Unprocessable
from signing_service.formats.cades import whole as cades
from signing_service.formats.catalogue import levels_of
from signing_service.formats.cms import signed_data
from signing_service.formats.jades import whole as jades
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.formats.xades import whole as xades
from signing_service.reports.pdf import pdf_report
from signing_service.validation.evidence import SignatureFormat
from signing_service.validation.report import ValidationReport
from signing_service.verification import Verification
from tests.signing_service.formats.xades.test_xades import eport_message
from tests.signing_service.packagings import KINDS, pdf_with
from tests.sm2_authority import Sm2Authority, Sm2Timestamper, sm2_authority
from tests.sm2_keys import verifies

DOCUMENT = "报关单 declaration".encode()
DS = "http://www.w3.org/2000/09/xmldsig#"
EPORT = "http://www.chinaport.gov.cn/2022/04/xmldsig#"
SHOWN = "sm2-with-sm3"
_DATA, _GM_DATA = der.oid(cms.ID_SIGNED_DATA[:-1] + "1"), der.oid("1.2.156.10197.6.1.4.2.1")
_SIGNED, _GM_SIGNED = der.oid(cms.ID_SIGNED_DATA), der.oid(cms.ID_GM_SIGNED_DATA)
_SM2_SM3 = SM2_SM3.signature_algorithm


@pytest.fixture(scope="module")
def authority() -> Sm2Authority:
    return sm2_authority()


@pytest.fixture(scope="module")
def material(authority: Sm2Authority) -> ValidationMaterial:
    return authority.material()


@pytest.fixture(scope="module")
def timestamper(authority: Sm2Authority) -> Sm2Timestamper:
    return Sm2Timestamper(authority)


def signed_cms(authority: Sm2Authority) -> bytes:
    signer = authority.signer
    return cades.sign(DOCUMENT, signer.key, signer.certificate, authority.now, chain=signer.chain)


def judged(
    authority: Sm2Authority, signed: bytes, material: ValidationMaterial
) -> ValidationReport:
    full = cades.add_validation_material(signed, material)
    return authority.verification().verify(DOCUMENT, full)


# -- every format and level --------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in KINDS if not name.startswith("JAdES")])
def test_every_packaging_up_to_b_lta_with_timestamps_by_sm2(
    name: str, authority: Sm2Authority, material: ValidationMaterial, timestamper: Sm2Timestamper
) -> None:
    kind, signer = KINDS[name], authority.signer
    document = {"octets": DOCUMENT, "xml": b"<d>1</d>", "pdf": pdf_with(b"0" * 20)}[kind.takes]
    signed = kind.signed(
        document, signer.key, signer.certificate, authority.now, timestamper, signer.chain
    )
    levels = levels_of(kind.format)
    signed = levels.add_validation_material(signed, material, signer=0)
    beside = document if kind.detached else None
    signed = levels.add_archive_timestamp(signed, timestamper, document=beside, signer=0)

    verification = authority.verification()
    report = verification.verify(document, signed) if kind.detached else verification.verify(signed)

    assert report.passed, report.finding
    (signature,) = report.signatures
    assert (signature.algorithm, signature.level) == (SHOWN, "B-LTA")
    assert all(each.finding.indication == "PASSED" for each in signature.timestamps)
    assert {each.digest for each in signature.references} <= {"sm3"}


def test_jades_has_no_name_for_it(authority: Sm2Authority) -> None:
    signer = authority.signer
    with pytest.raises(Unprocessable, match=r"algorithm\.unfit"):
        jades.sign(DOCUMENT, signer.key, signer.certificate, authority.now)


def test_a_report_names_the_algorithm_in_both_languages(
    authority: Sm2Authority, material: ValidationMaterial
) -> None:
    report = judged(authority, signed_cms(authority), material)
    assert report.passed
    for language in ("zh", "en"):
        shown = subprocess.run(
            ["pdftotext", "-", "-"], input=pdf_report(report, language), capture_output=True,
            check=True, timeout=60,
        ).stdout.decode()  # fmt: skip
        assert SHOWN in shown


@pytest.mark.parametrize("change", ["document", "user"])
def test_another_document_or_user_is_refused(authority: Sm2Authority, change: str) -> None:
    signer = authority.signer
    if change == "document":
        signed = signed_cms(authority)
        report = authority.verification().verify(DOCUMENT + b"!", signed)
        assert report.finding.sub_indication == "HASH_FAILURE"
        return
    prepared = cades.prepare(DOCUMENT, signer.certificate, authority.now)
    value = signer.key.sign(prepared.to_be_signed, b"another user")
    with pytest.raises(Unprocessable, match=r"signature\.mismatch"):
        cades.assemble(prepared, value)
    signed = with_value(signed_cms(authority), signer.key.sign(b"anything"))
    report = authority.verification().verify(DOCUMENT, signed)
    assert report.finding.sub_indication == "SIG_CRYPTO_FAILURE"


def with_value(signed: bytes, value: bytes) -> bytes:
    """The same message with another signature value, of whatever length."""
    signer = signed_data.read(signed).signers[0]
    return nested_replace(signed, der.octet_string(signer.signature), der.octet_string(value))


def test_a_prepared_signature_goes_through_its_two_steps(authority: Sm2Authority) -> None:
    signer = authority.signer
    prepared = cades.prepare(DOCUMENT, signer.certificate, authority.now, chain=signer.chain)
    again = PreparedSignature.from_bytes(prepared.to_bytes())
    signed = cades.assemble(again, signer.key.sign(again.to_be_signed))
    assert cades.read(signed, DOCUMENT)[0].suite is SM2_SM3


# -- CMS ---------------------------------------------------------------------------------------


def nested_replace(encoded: bytes, old: bytes, new: bytes) -> bytes:
    """`old`, whole elements side by side, replaced by `new` in DER, with the lengths around them
    made right."""
    assert encoded.count(old) == 1
    place = encoded.index(old)

    def rebuilt(start: int, end: int) -> bytes:
        """The elements from `start` to `end`, which hold `old`."""
        made, position = b"", start
        while position < end:
            element = der.read(encoded, position, end)
            if position == place:
                made, position = made + new, place + len(old)
                continue
            if element.content <= place < element.end:
                made += der.tlv(element.tag, rebuilt(element.content, element.end))
            else:
                made += encoded[position : element.end]
            position = element.end
        return made

    return rebuilt(0, len(encoded))


def test_openssl_agrees_on_the_message_but_for_the_user(
    authority: Sm2Authority, tmp_path: Path
) -> None:
    """openssl cms of OpenSSL 3.0 knows no user identifier: it takes the empty one."""
    signer = authority.signer
    signed = signed_cms(authority)
    attributes = signed_data.read(signed).signers[0].signed_bytes
    for_nobody = with_value(signed, signer.key.sign(attributes, b""))
    (tmp_path / "document").write_bytes(DOCUMENT)
    accepted = []
    for each in (signed, for_nobody):
        (tmp_path / "s").write_bytes(each)
        command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", "s", "-binary"]
        command += ["-content", "document", "-noverify", "-out", "out"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True)
        accepted.append(done.returncode == 0)
    assert accepted == [False, True]
    report = authority.verification().verify(DOCUMENT, for_nobody)
    assert report.finding.sub_indication == "SIG_CRYPTO_FAILURE"


def test_openssl_verifies_the_value_over_the_signed_attributes(
    authority: Sm2Authority, tmp_path: Path
) -> None:
    (signer,) = signed_data.read(signed_cms(authority)).signers
    (tmp_path / "message").write_bytes(signer.signed_bytes)
    (tmp_path / "signature").write_bytes(signer.signature)
    (tmp_path / "signer.pem").write_text(authority.signer.certificate.pem)
    command = [
        "openssl", "pkeyutl", "-verify", "-rawin", "-digest", "sm3",
        "-pkeyopt", "distid:1234567812345678", "-certin", "-inkey", "signer.pem",
        "-in", "message", "-sigfile", "signature",
    ]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize(
    "algorithm",
    [
        der.sequence(der.oid("1.2.156.10197.1.501"), der.NULL),
        der.sequence(der.oid("1.2.156.10197.1.301.1")),
        der.sequence(der.oid("1.2.156.10197.1.301.1"), der.NULL),
    ],
    ids=["with NULL", "the key's own", "the key's own with NULL"],
)
def test_other_identifiers_of_the_same_algorithm(
    authority: Sm2Authority, material: ValidationMaterial, algorithm: bytes
) -> None:
    signed = signed_cms(authority)
    value = der.octet_string(signed_data.read(signed).signers[0].signature)
    signed = nested_replace(signed, _SM2_SM3 + value, algorithm + value)

    report = judged(authority, signed, material)

    assert report.passed, report.finding
    assert report.signatures[0].algorithm == SHOWN


def test_sm2_with_another_digest_is_named_and_not_accepted(
    authority: Sm2Authority, material: ValidationMaterial
) -> None:
    signed = signed_cms(authority)
    value = der.octet_string(signed_data.read(signed).signers[0].signature)
    algorithm = der.sequence(der.oid("1.2.156.10197.1.503"))
    signed = nested_replace(signed, _SM2_SM3 + value, algorithm + value)

    report = judged(authority, signed, material)

    assert report.finding.reason == "crypto.unknown-algorithm"
    assert report.signatures[0].algorithm == "1.2.156.10197.1.503"


def as_gm(authority: Sm2Authority) -> bytes:
    """The message as GM/T 0010 names its parts, signed anew: the content type is signed."""
    signer = authority.signer
    prepared = cades.prepare(DOCUMENT, signer.certificate, authority.now, chain=signer.chain)
    renamed = nested_replace(prepared.to_be_signed, _DATA, _GM_DATA)
    content_type = der.sequence(der.oid(cms.ID_CONTENT_TYPE), der.tlv(der.SET, _GM_DATA))
    whole = der.read_only(renamed, der.SET)
    attributes = der.set_of(der.elements(renamed[whole.content : whole.end]))
    assert content_type in attributes
    info = der.sequence(
        der.integer(1),
        signer.certificate.issuer_and_serial,
        der.sequence(der.oid(SM2_SM3.digest_oid), der.NULL),
        b"\xa0" + attributes[1:],
        der.sequence(der.oid("1.2.156.10197.1.301.1"), der.NULL),
        der.octet_string(signer.key.sign(attributes)),
    )
    certificates = b"".join(sorted(c.der for c in (signer.certificate, *signer.chain)))
    body = der.sequence(
        der.integer(1),
        der.tlv(der.SET, der.sequence(der.oid(SM2_SM3.digest_oid), der.NULL)),
        der.sequence(_GM_DATA),
        der.tlv(0xA0, certificates),
        der.tlv(der.SET, info),
    )
    return der.sequence(_GM_SIGNED, der.explicit(0, body))


def test_a_message_as_gm_t_0010_names_it(
    authority: Sm2Authority, material: ValidationMaterial, timestamper: Sm2Timestamper
) -> None:
    signed = as_gm(authority)

    report = judged(authority, signed, material)
    raised = levels_of(SignatureFormat.CADES).add_signature_timestamp(signed, timestamper, signer=0)

    assert report.passed, report.finding
    assert "the CMS structure is named as GM/T 0010 does" in report.signatures[0].observations
    assert raised.count(_GM_SIGNED) == 1  # raised, it stays what it was
    assert raised.count(_SIGNED) == 1  # the timestamp's
    assert judged(authority, raised, material).signatures[0].level == "B-LT"


def test_the_content_type_that_was_signed_must_be_the_content_s(authority: Sm2Authority) -> None:
    mixed = as_gm(authority).replace(der.sequence(_GM_DATA), der.sequence(_GM_SIGNED))
    with pytest.raises(Malformed, match=r"cms\.content-type"):
        cades.read(mixed, DOCUMENT)


def test_a_message_without_signed_attributes_is_refused(authority: Sm2Authority) -> None:
    """GM/T 0010 allows it: such a signature does not say whose it is, nor when it was made."""
    signer = authority.signer
    info = der.sequence(
        der.integer(1),
        signer.certificate.issuer_and_serial,
        der.sequence(der.oid(SM2_SM3.digest_oid)),
        der.sequence(der.oid("1.2.156.10197.1.301.1")),
        der.octet_string(signer.key.sign(DOCUMENT)),
    )
    body = der.sequence(
        der.integer(1),
        der.tlv(der.SET, der.sequence(der.oid(SM2_SM3.digest_oid))),
        der.sequence(_GM_DATA),
        der.tlv(0xA0, signer.certificate.der),
        der.tlv(der.SET, info),
    )
    signed = der.sequence(_GM_SIGNED, der.explicit(0, body))

    with pytest.raises(Malformed, match=r"cms\.attributes"):
        cades.read(signed, DOCUMENT)
    assert authority.verification().verify(DOCUMENT, signed).finding.sub_indication == (
        "FORMAT_FAILURE"
    )


# -- XML ---------------------------------------------------------------------------------------


def eport_signed(
    authority: Sm2Authority,
    method: str = EPORT + "sm2-sm3",
    digest: tuple[str, str] = (EPORT + "sm3", "sm3"),
) -> bytes:
    """A message after the E-Port's profile; lxml computes what is signed."""
    signer = authority.signer
    message = eport_message(method, digest[0], b"", signer.certificate.der)
    root = etree.fromstring(message)
    (signature,) = root.findall(f"{{{DS}}}Signature")
    bare = etree.fromstring(message)
    bare.remove(bare.findall(f"{{{DS}}}Signature")[0])
    covered = etree.tostring(bare, method="c14n", exclusive=False, with_comments=False)
    value = signature.find(f".//{{{DS}}}DigestValue")
    assert value is not None
    value.text = b64encode(hashlib.new(digest[1], covered).digest()).decode()
    info = signature[0]
    signed = etree.tostring(info, method="c14n", exclusive=False, with_comments=False)
    raw = SM2_SM3.to_raw(signer.key.sign(signed))
    assert len(raw) == 64
    signature[1].text = b64encode(raw).decode()
    return etree.tostring(root)


def test_an_eport_message_signed_with_sm2(authority: Sm2Authority) -> None:
    signed = eport_signed(authority)

    (evidence,) = xades.read(signed)
    report = authority.verification().verify(signed)

    assert evidence.suite is SM2_SM3
    assert evidence.format is SignatureFormat.XMLDSIG
    assert evidence.observations == ()
    assert verifies(authority.signer.key.point, evidence.signature_value, evidence.signed_bytes)
    assert [each.digest for each in evidence.references] == ["sm3"]
    steps = {step.step: step.indication for step in report.signatures[0].steps}
    assert steps["5.2.7 cryptographic verification"] == "PASSED"
    # The profile has no reference to the certificate and no signing time: no AdES.
    assert report.finding.reason.startswith(("signature.no-", "revocation."))


def taking_the_profile(authority: Sm2Authority) -> Verification:
    """Under a policy that asks for no more than the E-Port's profile has."""
    wanted = authority.policy.signature.model_copy(
        update={
            "levels": ("not AdES",),
            "require_signing_certificate_reference": False,
            "require_signing_time": False,
        }
    )
    status = authority.policy.revocation.model_copy(update={"required": False})
    return authority.verification(signature=wanted, revocation=status)


def test_an_eport_message_passes_where_the_policy_takes_the_profile(
    authority: Sm2Authority,
) -> None:
    verification = taking_the_profile(authority)

    assert verification.verify(eport_signed(authority)).passed
    changed = eport_signed(authority).replace(b"<dxp:CopMsgId>1<", b"<dxp:CopMsgId>2<")
    assert verification.verify(changed).finding.sub_indication == "HASH_FAILURE"


def test_the_form_with_the_w3c_s_namespace_is_read_and_told(authority: Sm2Authority) -> None:
    name = f"{DS}sm2-sm3"
    signed = eport_signed(authority, name, (f"{DS}sha1", "sha1"))

    (evidence,) = xades.read(signed)
    report = taking_the_profile(authority).verify(signed)

    assert evidence.suite is SM2_SM3
    assert evidence.observations == (f"the signature method is named {name}",)
    assert report.finding.reason == "crypto.weak-signature"
    assert "sha1" in report.finding.why.en


@pytest.mark.parametrize("size", [0, 63, 65, 72])
def test_a_value_of_another_length_is_refused(authority: Sm2Authority, size: int) -> None:
    message = eport_message(
        EPORT + "sm2-sm3", EPORT + "sm3", bytes(size), authority.signer.certificate.der
    )
    with pytest.raises(Malformed, match=r"signature\.malformed|xml\."):
        xades.read(message)


def test_a_der_value_in_xml_is_refused(authority: Sm2Authority) -> None:
    signed = eport_signed(authority)
    (evidence,) = xades.read(signed)
    raw = b64encode(SM2_SM3.to_raw(evidence.signature_value))
    with pytest.raises(Malformed, match=r"signature\.malformed"):
        xades.read(signed.replace(raw, b64encode(evidence.signature_value)))


def test_a_jws_that_says_sm2_is_not_accepted(authority: Sm2Authority) -> None:
    header = b64encode(b'{"alg":"SM2","crit":[]}').rstrip(b"=")
    compact = header + b"." + b64encode(b"{}").rstrip(b"=") + b"." + b64encode(bytes(64))[:-2]
    report = authority.verification().verify(compact)
    assert not report.passed
