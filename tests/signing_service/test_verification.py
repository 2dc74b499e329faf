"""Verification from bytes: real CAdES and XAdES of a real declaration, through to the report."""

import base64
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.refusals import Malformed, Refusal, TooLarge
from policies.rights import load_rights
from signing_service import verification as verification_module
from signing_service.formats.cades import whole as cades
from signing_service.formats.xades import whole as xades
from signing_service.validation.article13 import Answer
from signing_service.validation.evidence import Packaging
from signing_service.validation.report import ValidationReport
from tests.signing_service.validation.scenery import DAY, START, YEAR, Ca, World

DOCUMENT = (Path(__file__).parents[1] / "samples" / "dec-import.xml").read_bytes()
RIGHTS = load_rights()


class Signed:
    """The declaration signed by the world's card as CAdES and XAdES, B-T or B-B."""

    def __init__(self, *, stamped: bool = True) -> None:
        self.world = World()
        self.world.registry.enrol(self.world.card)
        card, chain = self.world.card, (self.world.issuing.certificate,)
        timestamper = self.world.timestamper() if stamped else None
        self.p7s = cades.sign(
            DOCUMENT, card.key, card.certificate, START, chain=chain, timestamper=timestamper
        )
        self.xml = xades.sign(
            DOCUMENT, card.key, card.certificate, START, chain=chain, timestamper=timestamper
        )

    def verify(self, document: bytes | None, signature: bytes | None = None) -> ValidationReport:
        return self.world.verification(RIGHTS).verify(document, signature)

    def both(self) -> list[ValidationReport]:
        return [self.verify(DOCUMENT, self.p7s), self.verify(self.xml)]


@pytest.fixture
def signed() -> Signed:
    return Signed()


def word(report: ValidationReport) -> str:
    sub = report.sub_indication
    return report.indication.value + (f"/{sub.value}" if sub else "")


def test_both_formats_pass_with_the_same_story(signed: Signed) -> None:
    for report, format_ in zip(signed.both(), ("CAdES", "XAdES"), strict=True):
        assert word(report) == "TOTAL-PASSED"
        (one,) = report.signatures
        assert (one.format, one.level) == (format_, "B-T")
        assert one.signer is not None
        assert one.signer.name == "张三"
        assert one.signer.enterprise is not None
        assert one.signer.enterprise.uscc == "91310115MA1K3XY208"
        assert one.signer.rights == ("declare-import",)
        assert one.time.proven == START
        assert one.time.proven_by == "CN=TSA"
        assert one.time.claimed == START
        assert [c.subject for c in one.path] == ["CN=张三", "CN=Issuing CA", "CN=Root CA"]
        assert [r.status for r in one.revocation] == ["good", "good"]
        assert [c.answer for c in one.article_13] == [Answer.YES] * 4
        assert report.declaration is not None
        assert report.declaration.kind == "import-declaration"
        assert report.declaration.filed_within_rights is True


def test_pem_is_read_like_der(signed: Signed) -> None:
    body = base64.encodebytes(signed.p7s).decode()
    pem = f"-----BEGIN CMS-----\n{body}-----END CMS-----\n".encode()
    assert word(signed.verify(DOCUMENT, pem)) == "TOTAL-PASSED"


def test_a_tampered_declaration_is_told_as_such(signed: Signed) -> None:
    tampered = DOCUMENT.replace(b"<GrossWt>1840.5<", b"<GrossWt>9840.5<")
    report = signed.verify(tampered, signed.p7s)
    assert word(report) == "TOTAL-FAILED/HASH_FAILURE"
    assert report.signatures[0].article_13[3].answer is Answer.NO
    assert report.declaration is not None
    assert report.declaration.filed_within_rights is None  # nobody signed what is presented
    enveloped = signed.xml.replace(b"<GrossWt>1840.5<", b"<GrossWt>9840.5<")
    assert enveloped != signed.xml
    assert word(signed.verify(enveloped)) == "TOTAL-FAILED/HASH_FAILURE"


def test_after_revocation_the_older_signature_passes_and_a_new_one_does_not(
    signed: Signed,
) -> None:
    world = signed.world
    world.clock.advance(DAY)
    world.revoke(world.card)
    world.clock.advance(DAY)
    assert [word(report) for report in signed.both()] == ["TOTAL-PASSED"] * 2
    control = signed.both()[0].signatures[0].article_13[1]
    assert control.answer is Answer.YES
    assert "after the signature" in control.evidence[1].en
    new = cades.sign(
        DOCUMENT, world.card.key, world.card.certificate, world.clock.now(),
        timestamper=world.timestamper(),
    )  # fmt: skip
    report = signed.verify(DOCUMENT, new)
    assert word(report) == "INDETERMINATE/REVOKED_NO_POE"
    answers = [condition.answer for condition in report.signatures[0].article_13]
    assert answers == [Answer.NOT_PROVEN, Answer.NOT_PROVEN, Answer.YES, Answer.YES]


def test_the_timestamp_outlives_the_card(signed: Signed) -> None:
    unstamped = Signed(stamped=False)
    for one in (signed, unstamped):
        one.world.clock.advance(3 * YEAR)
    assert [word(report) for report in signed.both()] == ["TOTAL-PASSED"] * 2
    late = [word(report) for report in unstamped.both()]
    assert late == ["INDETERMINATE/OUT_OF_BOUNDS_NOT_REVOKED"] * 2


def test_the_document_is_needed_with_a_detached_signature(signed: Signed) -> None:
    assert word(signed.verify(None, signed.p7s)) == "INDETERMINATE/SIGNED_DATA_NOT_FOUND"


def test_an_enveloping_signature_is_enough_alone(signed: Signed) -> None:
    world = signed.world
    p7m = cades.sign(
        DOCUMENT, world.card.key, world.card.certificate, START,
        packaging=Packaging.ENVELOPING,
    )  # fmt: skip
    assert word(signed.verify(p7m)) == "TOTAL-PASSED"
    assert word(signed.verify(None, p7m)) == "TOTAL-PASSED"
    assert word(signed.verify(b"another document", p7m)) != "TOTAL-PASSED"


def test_what_was_entered_only_is_never_taken_for_a_declaration(signed: Signed) -> None:
    card = signed.world.card
    signed.world.registry.enrol(card, rights=("enter-import",))
    entered = DOCUMENT.replace(b"<OperType>C<", b"<OperType>G<")
    for document, act, within in ((entered, "enter", True), (DOCUMENT, "declare", False)):
        report = signed.verify(xades.sign(document, card.key, card.certificate, START))
        assert report.declaration is not None
        assert (report.declaration.act, report.declaration.filed_within_rights) == (act, within)
        assert ("未申报" in report.declaration.name.zh) == (act == "enter")


def test_an_operator_without_the_right_is_told_in_the_report(signed: Signed) -> None:
    signed.world.registry.enrol(signed.world.card, rights=("declare-export",))
    report = signed.verify(DOCUMENT, signed.p7s)
    assert report.passed  # the signature is valid all the same
    assert report.declaration is not None
    assert report.declaration.filed_within_rights is False


def test_a_strangers_signature_says_no_more_than_it_can_prove() -> None:
    signed = Signed()
    elsewhere = Ca.root("Elsewhere")
    card = elsewhere.card("国务院")
    # Even a registry that would answer is not asked about a certificate that nobody vouches for.
    signed.world.registry.enrol(card)
    xml = xades.sign(DOCUMENT, card.key, card.certificate, START)
    report = signed.verify(xml)
    assert word(report) == "INDETERMINATE/NO_CERTIFICATE_CHAIN_FOUND"
    (one,) = report.signatures
    assert one.signer is not None
    assert not one.signer.known
    assert one.authority is None
    answers = [condition.answer for condition in one.article_13]
    assert answers == [Answer.NOT_PROVEN, Answer.NOT_PROVEN, Answer.YES, Answer.YES]
    assert report.declaration is not None
    assert report.declaration.filed_within_rights is None


@pytest.mark.parametrize(
    ("document", "signature"),
    [
        (b"hello", None),
        (None, b"hello"),
        (DOCUMENT, b"\x30\x03\x02\x01\x01"),
        (DOCUMENT, b"\x30\x80\x06\x09"),
        (DOCUMENT, None),
        (DOCUMENT, DOCUMENT),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", None),
        (b"<a" * 5000, None),
        (b"\x00" * 100, b"\xff" * 100),
    ],
)
def test_what_is_no_signature_is_a_format_failure(
    signed: Signed, document: bytes | None, signature: bytes | None
) -> None:
    report = signed.verify(document, signature)
    assert word(report) == "TOTAL-FAILED/FORMAT_FAILURE"
    assert report.signatures == ()
    assert "{" not in report.finding.why.en


def test_nothing_presented_is_refused(signed: Signed) -> None:
    with pytest.raises(Malformed, match="nothing-presented"):
        signed.verify(None)
    with pytest.raises(Malformed, match="nothing-presented"):
        signed.verify(b"", b"")


def test_too_much_is_refused(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification_module, "MAX_PRESENTED_BYTES", 1 << 20)
    with pytest.raises(TooLarge):
        signed.verify(b"<a>" + b"x" * (1 << 20) + b"</a>")
    with pytest.raises(TooLarge):
        signed.verify(DOCUMENT, b"\x30" * ((1 << 20) + 1))


_SIGNED = Signed()
_CASES: dict[str, tuple[bytes, Callable[[bytes], ValidationReport]]] = {
    "document": (DOCUMENT, lambda changed: _SIGNED.verify(changed, _SIGNED.p7s)),
    "xades": (_SIGNED.xml, lambda changed: _SIGNED.verify(changed)),
    "cades": (_SIGNED.p7s, lambda changed: _SIGNED.verify(DOCUMENT, changed)),
}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(part=st.sampled_from(sorted(_CASES)), data=st.data())
def test_a_flipped_bit_in_the_document_never_passes_and_nothing_crashes(
    part: str, data: st.DataObject
) -> None:
    octets, verify = _CASES[part]
    position = data.draw(st.integers(0, len(octets) - 1))
    changed = bytearray(octets)
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        report = verify(bytes(changed))
    except Refusal:
        return
    if part == "document":
        assert word(report) == "TOTAL-FAILED/HASH_FAILURE"
    elif report.passed:
        # What is not covered by the signature (an unsigned certificate or timestamp, space
        # between attributes) may change; what the report says of signer and content may not.
        (one,) = report.signatures
        assert one.signer is not None
        certificate = _SIGNED.world.card.certificate
        assert one.signer.certificate.sha256 == certificate.fingerprint
        assert all(reference.intact for reference in one.references)
        if part == "xades":
            content = range(octets.index(b"<DecMessage"), octets.index(b"<ds:Signature "))
            assert position not in content


def test_verifying_does_not_move_the_clock_of_the_proof(signed: Signed) -> None:
    first = signed.verify(signed.xml).signatures[0].time
    signed.world.clock.advance(timedelta(days=30))
    assert signed.verify(signed.xml).signatures[0].time == first


# -- strangers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("armour", ["DER", "PEM"])
def test_a_signature_made_by_openssl_passes(signed: Signed, tmp_path: Path, armour: str) -> None:
    card = signed.world.card
    (tmp_path / "key.pem").write_bytes(card.key.pem())
    (tmp_path / "card.pem").write_text(card.certificate.pem)
    (tmp_path / "declaration.xml").write_bytes(DOCUMENT)
    command = [
        "openssl", "cms", "-sign", "-cades", "-binary", "-md", "sha256", "-outform", armour,
        "-signer", "card.pem", "-inkey", "key.pem", "-in", "declaration.xml", "-out", "out",
    ]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    # openssl writes the machine's time as the signing time; the world follows it.
    signed.world.clock.advance(max(datetime.now(UTC) - START, timedelta()))
    made = (tmp_path / "out").read_bytes()
    assert word(signed.verify(DOCUMENT, made)) == "TOTAL-PASSED"
    assert word(signed.verify(DOCUMENT + b" ", made)) == "TOTAL-FAILED/HASH_FAILURE"


def test_a_signed_part_moved_aside_does_not_pass(signed: Signed) -> None:
    original = signed.xml[signed.xml.index(b"<DecMessage") :]
    forged = DOCUMENT.replace(b"<GrossWt>1840.5<", b"<GrossWt>9840.5<")
    wrapped = forged.replace(b"</DecMessage>", b"<Old>" + original + b"</Old></DecMessage>")
    signature = original[original.index(b"<ds:Signature ") : original.index(b"</DecMessage>")]
    beside = forged.replace(b"</DecMessage>", b"<Old/>" + signature + b"</DecMessage>")
    for attack in (wrapped, beside):
        report = signed.verify(attack)
        assert not report.passed
        assert report.declaration is None or report.declaration.filed_within_rights is None
