"""XAdES: what we write xmlsec1 and signxml accept, what they write we read."""

import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureMethod
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESSigner, XAdESVerifier

from kernel.algorithms import (
    ECDSA_P256_SHA256,
    ED25519,
    RSA_PKCS1_SHA1,
    RSA_PKCS1_SHA256,
    RSA_PSS_SHA256,
    SUITES,
)
from kernel.refusals import Malformed, Refusal, Unprocessable
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.xades import whole as xades
from signing_service.formats.xml_names import DS
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
)
from tests.software_keys import Identity, SoftwareAuthority, SoftwareKey, write_pem

SAMPLES = Path(__file__).parents[3] / "samples"
DECLARATION = (SAMPLES / "dec-import.xml").read_bytes()
INVENTORY = (SAMPLES / "ceb621.xml").read_bytes()
XML_SUITES = [SUITES[n] for n in ("ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pkcs1-sha256")]
AUTHORITY = SoftwareAuthority()
SIGNER = AUTHORITY.signer()
DOCUMENTS = {
    "declaration": DECLARATION,
    "namespaced": INVENTORY,
    "empty": b"<r/>",
    "surrounded": b'<?a b?><!-- c --><r xml:lang="z&quot;h" b="&#10;"><!-- x --></r>'
    b"<!-- </r> --><?d?>",
    "gb18030": '<?xml version="1.0" encoding="GB18030"?><报关单>货物</报关单>'.encode("gb18030"),
    "line-ends": b'<?xml version="1.0"?>\r\n<r a=" x\ty ">\r\n<![CDATA[<>&]]>\r\n</r >\r\n',
    "prefixes": b'<ds:r xmlns:ds="urn:other" xmlns:a="urn:a" xmlns="urn:d"><b/></ds:r>',
}


def sign(document: bytes, signer: Identity = SIGNER) -> bytes:
    return xades.sign(document, signer.key, signer.certificate, AUTHORITY.now, chain=signer.chain)


SIGNED = sign(DECLARATION)


def verifies(evidence: SignatureEvidence) -> bool:
    certificate, suite = evidence.signing_certificate, evidence.suite
    return (
        certificate is not None
        and suite is not None
        and certificate.public_key.verify(suite, evidence.signature_value, evidence.signed_bytes)
        and all(reference.intact for reference in evidence.references)
        and evidence.covers_document
    )


def xmlsec1_verifies(directory: Path, signed: bytes) -> bool:
    (directory / "signed.xml").write_bytes(signed)
    root = write_pem(directory / "root.pem", [AUTHORITY.root.certificate])
    command = ["xmlsec1", "--verify", "--trusted-pem", str(root), "--id-attr:Id"]
    command += ["http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "signed.xml"]
    return subprocess.run(command, cwd=directory, capture_output=True).returncode == 0


@pytest.mark.parametrize("name", DOCUMENTS)
def test_xmlsec1_accepts_ours(name: str, tmp_path: Path, timestamper: LocalTimestamper) -> None:
    basic = sign(DOCUMENTS[name])

    for signed in (basic, xades.add_signature_timestamp(basic, timestamper)):
        assert xmlsec1_verifies(tmp_path, signed)
        assert verifies(xades.read(signed)[0])


@pytest.mark.parametrize("suite", XML_SUITES, ids=lambda suite: suite.name)
def test_every_suite(suite: object, tmp_path: Path, timestamper: LocalTimestamper) -> None:
    signer = AUTHORITY.signer(suite=next(s for s in XML_SUITES if s is suite))
    signed = xades.sign(
        INVENTORY, signer.key, signer.certificate, AUTHORITY.now,
        chain=signer.chain, timestamper=timestamper,
    )  # fmt: skip

    (evidence,) = xades.read(signed)

    assert xmlsec1_verifies(tmp_path, signed)
    assert verifies(evidence)
    assert evidence.suite is suite


def test_evidence_of_ours(timestamper: LocalTimestamper) -> None:
    (evidence,) = xades.read(xades.add_signature_timestamp(SIGNED, timestamper))

    assert evidence.format is SignatureFormat.XADES
    assert evidence.packaging is Packaging.ENVELOPED
    assert evidence.level is SignatureLevel.B_T
    assert evidence.suite is ECDSA_P256_SHA256
    assert [reference.name for reference in evidence.references] == [
        "document",
        "signed properties",
    ]
    assert evidence.signing_certificate == SIGNER.certificate
    assert evidence.certificate_reference is not None
    assert evidence.certificate_reference.matches
    assert evidence.embedded_certificates == (SIGNER.certificate, *SIGNER.chain)
    assert evidence.claimed_signing_time == AUTHORITY.now
    assert evidence.content_type == "text/xml"
    (timestamp,) = evidence.timestamps
    assert timestamp.imprint.intact


def test_the_signature_is_the_last_child_and_the_document_is_untouched() -> None:
    head, tail = DECLARATION.split(b"</DecMessage>")

    assert SIGNED.startswith(head + b"<ds:Signature ")
    assert SIGNED.endswith(b"</ds:Signature></DecMessage>" + tail)


def test_a_second_timestamp_is_added(timestamper: LocalTimestamper) -> None:
    once = xades.add_signature_timestamp(SIGNED, timestamper)
    twice = xades.add_signature_timestamp(once, timestamper)

    (evidence,) = xades.read(twice)

    assert verifies(evidence)
    assert [t.imprint.intact for t in evidence.timestamps] == [True, True]


def test_two_steps_through_bytes() -> None:
    prepared = xades.prepare(INVENTORY, SIGNER.certificate, AUTHORITY.now, chain=SIGNER.chain)
    again = PreparedSignature.from_bytes(prepared.to_bytes())

    signed = xades.assemble(again, SIGNER.key.sign(again.to_be_signed))

    assert again == prepared
    assert verifies(xades.read(signed)[0])


def test_a_value_over_something_else_is_refused() -> None:
    prepared = xades.prepare(DECLARATION, SIGNER.certificate, AUTHORITY.now)

    with pytest.raises(Unprocessable, match=r"signature\.mismatch"):
        xades.assemble(prepared, SIGNER.key.sign(b"something else"))


def test_a_signed_document_is_not_signed_again() -> None:
    with pytest.raises(Unprocessable, match=r"xades\.already-signed"):
        sign(SIGNED)


def test_signxml_accepts_ours(tmp_path: Path) -> None:
    root = write_pem(tmp_path / "root.pem", [AUTHORITY.root.certificate])
    result = XAdESVerifier().verify(
        SIGNED,
        ca_pem_file=str(root),
        expect_references=2,
        expect_config=XAdESSignatureConfiguration(expect_references=2),
    )

    assert len(result) == 2


def test_signxml_accepts_rsa_pss(tmp_path: Path) -> None:
    """xmlsec1 of Debian 12 does not know it (RFC 9231, 2.3.9)."""
    signer = AUTHORITY.signer(suite=RSA_PSS_SHA256)
    signed = xades.sign(
        DECLARATION, signer.key, signer.certificate, AUTHORITY.now, chain=signer.chain
    )
    root = write_pem(tmp_path / "root.pem", [AUTHORITY.root.certificate])
    config = XAdESSignatureConfiguration(
        expect_references=2, signature_methods=frozenset({SignatureMethod.SHA256_RSA_MGF1})
    )
    XAdESVerifier().verify(signed, ca_pem_file=str(root), expect_config=config)


def test_openssl_verifies_ed25519_over_the_signed_info(tmp_path: Path) -> None:
    """By its name in RFC 9231, 2.3.12; no tool of the distribution reads it as XML."""
    signer = AUTHORITY.signer(suite=ED25519)
    signed = etree.fromstring(
        xades.sign(DECLARATION, signer.key, signer.certificate, AUTHORITY.now)
    )
    info, value = signed.find(f".//{{{DS}}}SignedInfo"), signed.find(f".//{{{DS}}}SignatureValue")
    assert info is not None
    assert value is not None
    method = info.find(f"{{{DS}}}SignatureMethod")
    assert method is not None
    assert method.get("Algorithm") == "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"
    (tmp_path / "info").write_bytes(etree.tostring(info, method="c14n"))
    (tmp_path / "value").write_bytes(b64decode(value.text or ""))
    (tmp_path / "certificate.pem").write_text(signer.certificate.pem)
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-in", "info", "-sigfile", "value"]
    command += ["-certin", "-inkey", "certificate.pem"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "c14n",
    [
        CanonicalizationMethod.CANONICAL_XML_1_0,
        CanonicalizationMethod.CANONICAL_XML_1_1,
    ],
)
def test_signxml_signatures_are_read(c14n: CanonicalizationMethod) -> None:
    signer = XAdESSigner(signature_algorithm=SignatureMethod.ECDSA_SHA256, c14n_algorithm=c14n)
    key = SIGNER.key.private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signed = signer.sign(
        etree.fromstring(DECLARATION),
        key=key,
        cert=[c.pem for c in (SIGNER.certificate, *SIGNER.chain)],
        always_add_key_value=False,
    )

    (evidence,) = xades.read(etree.tostring(signed))

    assert verifies(evidence)
    assert evidence.format is SignatureFormat.XADES
    assert evidence.signing_certificate == SIGNER.certificate


EPORT_TEMPLATE = f"""<dxp:DxpMsg xmlns:dxp="http://www.chinaport.gov.cn/dxp" ver="1.0">
<dxp:TransInfo><dxp:CopMsgId>1</dxp:CopMsgId></dxp:TransInfo>
<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>
<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>
<ds:SignatureMethod Algorithm="{{method}}"/>
<ds:Reference URI=""><ds:Transforms>
<ds:Transform Algorithm="{DS}enveloped-signature"/>
</ds:Transforms><ds:DigestMethod Algorithm="{{digest}}"/><ds:DigestValue>AAAA</ds:DigestValue>
</ds:Reference></ds:SignedInfo><ds:SignatureValue>{{value}}</ds:SignatureValue>
<ds:KeyInfo><ds:KeyName>03-JJ0G900182461</ds:KeyName><ds:X509Data>
<ds:X509Certificate>{{certificate}}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
</ds:Signature></dxp:DxpMsg>"""


def eport_message(method: str, digest: str, value: bytes = b"", certificate: bytes = b"") -> bytes:
    return EPORT_TEMPLATE.format(
        method=method,
        digest=digest,
        value=b64encode(value).decode(),
        certificate=b64encode(certificate or SIGNER.certificate.der).decode(),
    ).encode()


@pytest.mark.parametrize("strength", ["sha1", "sha256"])
def test_the_eport_profile_by_xmlsec1_is_read(strength: str, tmp_path: Path) -> None:
    """Old cards signed rsa-sha1: it is read and named, the verdict is for the engine."""
    suite = RSA_PKCS1_SHA1 if strength == "sha1" else RSA_PKCS1_SHA256
    signer = AUTHORITY.signer(suite=RSA_PKCS1_SHA256)
    template = eport_message(str(suite.xml_signature), suite.xml_digest)
    for text in (b64encode(SIGNER.certificate.der), b"AAAA"):
        template = template.replace(text, b"")
    (tmp_path / "template.xml").write_bytes(template)
    (tmp_path / "key.pem").write_bytes(signer.key.pem())
    write_pem(tmp_path / "signer.pem", [signer.certificate])
    command = ["xmlsec1", "--sign", "--privkey-pem", "key.pem,signer.pem", "template.xml"]
    signed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout

    (evidence,) = xades.read(signed)

    assert verifies(evidence)
    assert evidence.format is SignatureFormat.XMLDSIG
    assert evidence.level is SignatureLevel.BASIC
    assert evidence.suite is suite
    assert evidence.signing_certificate == signer.certificate


@pytest.mark.parametrize(
    ("method", "digest", "known_digest"),
    [
        ("urn:no-such-method", f"{DS}sha1", True),
        ("urn:no-such-method", "urn:no-such-digest", False),
    ],
)  # fmt: skip
def test_unknown_algorithms_are_named(method: str, digest: str, known_digest: bool) -> None:
    (evidence,) = xades.read(eport_message(method, digest, bytes(64)))

    assert evidence.suite is None
    assert evidence.algorithm_name == method
    assert evidence.signature_value == bytes(64)
    assert (evidence.references[0].actual is not None) == known_digest
    assert not evidence.references[0].intact


def test_a_key_on_another_curve_is_not_taken_for_the_named_one() -> None:
    signer = AUTHORITY.signer(suite=SUITES["ecdsa-p384-sha384"])
    message = eport_message(
        str(ECDSA_P256_SHA256.xml_signature), ECDSA_P256_SHA256.xml_digest,
        bytes(96), signer.certificate.der,
    )  # fmt: skip

    (evidence,) = xades.read(message)

    assert evidence.suite is None
    assert evidence.algorithm_name == "ecdsa-with-sha256 on secp384r1"


def test_an_ecdsa_value_of_another_length_is_refused() -> None:
    message = eport_message(
        str(ECDSA_P256_SHA256.xml_signature), ECDSA_P256_SHA256.xml_digest, bytes(63)
    )

    with pytest.raises(Malformed, match=r"signature\.malformed"):
        xades.read(message)


@settings(max_examples=150)
@given(position=st.integers(0, len(SIGNED) - 1), change=st.integers(1, 255))
def test_any_flipped_byte_is_refused_seen_or_outside_what_is_signed(
    position: int, change: int
) -> None:
    changed = bytearray(SIGNED)
    changed[position] ^= change
    try:
        (evidence,) = xades.read(bytes(changed))
    except Refusal:
        return
    if verifies(evidence):
        # Only what has the same canonical form passes: compare with the signature cut out.
        assert _canonical_content(bytes(changed)) == _canonical_content(SIGNED)


def _canonical_content(signed: bytes) -> bytes:
    root = etree.fromstring(signed)
    (signature,) = root.findall(f"{{{DS}}}Signature")
    root.remove(signature)
    return etree.tostring(root.getroottree(), method="c14n", with_comments=False)


@settings(max_examples=60)
@given(position=st.integers(60, len(DECLARATION) - 20), letter=st.sampled_from("0x报"))
def test_any_text_put_into_the_document_is_seen(position: int, letter: str) -> None:
    changed = SIGNED[:position] + letter.encode() + SIGNED[position:]
    try:
        (evidence,) = xades.read(changed)
    except Refusal:
        return
    assert not evidence.references[0].intact


def test_a_software_key_is_not_needed_in_the_document() -> None:
    """The signer's certificate may also be known beforehand."""
    signed = xades.sign(DECLARATION, SIGNER.key, SIGNER.certificate, AUTHORITY.now)
    cut = signed.replace(b64encode(SIGNER.certificate.der), b"", 1).replace(
        b"<ds:X509Certificate></ds:X509Certificate>", b""
    )

    assert xades.read(cut)[0].signing_certificate is None
    assert verifies(xades.read(cut, known=[SIGNER.certificate])[0])


def test_a_key_of_another_certificate_is_refused() -> None:
    with pytest.raises(Unprocessable, match=r"signature\.mismatch"):
        xades.sign(DECLARATION, SoftwareKey.generate(), SIGNER.certificate, AUTHORITY.now)
