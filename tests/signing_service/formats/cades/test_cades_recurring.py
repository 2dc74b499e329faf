"""The short way of reading a signer's next signature tells what the long way tells, or nothing."""

import secrets
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from kernel.algorithms import ECDSA_P256_SHA256, AlgorithmSuite
from kernel.refusals import Refusal
from signing_service.formats.cades import whole as cades
from signing_service.formats.cades.reading import read_the_long_way
from signing_service.formats.cades.recurring import Moulds
from signing_service.formats.cms import signed_data
from signing_service.formats.cms.evidence import Covered
from signing_service.validation.evidence import Packaging, SignatureEvidence
from tests.software_keys import SIGNING_SUITES, Identity, SoftwareAuthority, write_pem

DOCUMENT = b"one declaration after the other"
COVERED = Covered("document", DOCUMENT, whole=True)


@pytest.fixture(scope="module")
def authority() -> SoftwareAuthority:
    return SoftwareAuthority()


def signed(authority: SoftwareAuthority, signer: Identity, document: bytes = DOCUMENT) -> bytes:
    at = authority.now + timedelta(seconds=secrets.randbelow(3600))
    return cades.sign(document, signer.key, signer.certificate, at, chain=signer.chain)


def moulds_of(*messages: bytes) -> Moulds:
    moulds = Moulds()
    for message in messages:
        (evidence,) = read_the_long_way(message, DOCUMENT)
        moulds.remember(message, signed_data.read(message), evidence)
    return moulds


def outcome(message: bytes) -> SignatureEvidence | str:
    try:
        (evidence,) = read_the_long_way(message, DOCUMENT)
    except Refusal as refusal:
        return refusal.code
    return evidence


@pytest.mark.parametrize("suite", SIGNING_SUITES, ids=lambda suite: suite.name)
def test_the_next_signature_is_read_the_short_way(
    suite: AlgorithmSuite, authority: SoftwareAuthority
) -> None:
    signer = authority.signer(suite=suite)
    # The value of an ECDSA signature has one of a few lengths: a mould for each.
    moulds = moulds_of(*(signed(authority, signer) for _ in range(30)))
    found = 0
    for _ in range(20):
        message = signed(authority, signer)
        evidence = moulds.evidence(message, COVERED)
        assert evidence is None or evidence == outcome(message)
        found += evidence is not None
    assert found >= 10


def test_any_changed_octet_is_told_as_the_long_way_tells_it(authority: SoftwareAuthority) -> None:
    message = signed(authority, authority.signer(suite=ECDSA_P256_SHA256))
    moulds = moulds_of(message)
    assert moulds.evidence(message, COVERED) == outcome(message)
    short = 0
    for place in range(len(message)):
        for change in (1, 0x80):
            changed = bytearray(message)
            changed[place] ^= change
            evidence = moulds.evidence(bytes(changed), COVERED)
            assert evidence is None or evidence == outcome(bytes(changed)), place
            short += evidence is not None
    assert short > 100, "only the fields of a mould may change"
    for other in (message[:-1], message + b"\0", message[1:], b""):
        assert moulds.evidence(other, COVERED) is None


def test_another_document_is_not_intact(authority: SoftwareAuthority) -> None:
    message = signed(authority, authority.signer(suite=ECDSA_P256_SHA256))
    moulds = moulds_of(message)
    for content in (DOCUMENT + b" ", None):
        covered = Covered("document", content, whole=content is not None)
        evidence = moulds.evidence(message, covered)
        assert evidence is not None
        assert not evidence.references[0].intact
        assert [evidence] == read_the_long_way(message, content)


def test_what_differs_in_more_than_three_fields_leaves_no_mould(
    tmp_path: Path, authority: SoftwareAuthority
) -> None:
    signer = authority.signer(suite=ECDSA_P256_SHA256)
    enveloping = cades.sign(
        DOCUMENT, signer.key, signer.certificate, authority.now,
        chain=signer.chain, packaging=Packaging.ENVELOPING,
    )  # fmt: skip
    two = cades.merge(signed(authority, signer), signed(authority, authority.signer()))
    for message in (enveloping, two, signed_by_openssl(tmp_path, signer)):
        (evidence, *_) = read_the_long_way(message, DOCUMENT)
        moulds = Moulds()
        moulds.remember(message, signed_data.read(message), evidence)
        assert moulds.evidence(message, COVERED) is None


def signed_by_openssl(directory: Path, signer: Identity) -> bytes:
    """BER of indefinite lengths."""
    (directory / "document").write_bytes(DOCUMENT)
    write_pem(directory / "signer.pem", [signer.certificate])
    (directory / "key.pem").write_bytes(signer.key.pem())
    command = ["openssl", "cms", "-sign", "-stream", "-binary", "-cades", "-outform", "DER"]
    command += ["-signer", "signer.pem", "-inkey", "key.pem", "-in", "document", "-out", "s"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    return (directory / "s").read_bytes()


def test_memory_is_bounded(authority: SoftwareAuthority) -> None:
    messages = [signed(authority, authority.signer()) for _ in range(6)]
    moulds = Moulds(limit=4)
    for message in messages:
        (evidence,) = read_the_long_way(message, DOCUMENT)
        moulds.remember(message, signed_data.read(message), evidence)
    assert len(moulds) == 4
    assert moulds.evidence(messages[0], COVERED) is None
    assert moulds.evidence(messages[-1], COVERED) == outcome(messages[-1])
