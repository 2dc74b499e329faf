"""What is fuzzed: each target takes any octets and gives a result or a Refusal, nothing else."""

import os
from collections.abc import Callable
from contextlib import suppress

from ca.issuing.request import read_pkcs10
from ca.ocsp.messages import read_request as read_ocsp_request
from kernel.algorithms import SM2_SM3, PublicKey
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.asn1.key_envelope import KeyEnvelope
from kernel.refusals import Refusal
from kernel.sm2 import is_strict
from policies.rights import load_rights
from portseal.holder.enveloped import read_enveloped
from signing_service.declaration import read_declaration
from signing_service.evidence_records.structure import EvidenceRecord
from signing_service.evidence_records.verification import hash_of, timestamps_of
from signing_service.formats import bundle as bundles
from signing_service.formats import making
from signing_service.formats.asic import whole as asic
from signing_service.formats.asic import zip_file as asic_zip
from signing_service.formats.cades import whole as cades
from signing_service.formats.catalogue import LEVELS
from signing_service.formats.document import StreamedDocument
from signing_service.formats.jades import whole as jades
from signing_service.formats.making import FORMATS
from signing_service.formats.manner import Manner, Subject
from signing_service.formats.pades import whole as pades
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.xades import whole as xades
from signing_service.sso.authentication_token import read_authentication_token
from signing_service.timestamping.client import check_answer
from signing_service.timestamping.token import read_timestamp
from signing_service.trusted_lists import load_trusted_list
from signing_service.validation.crl import Crl, crl_answer, crls_answer
from signing_service.validation.evidence import (
    SignatureEvidence,
    SignatureFormat,
    TimestampKind,
)
from signing_service.validation.ocsp import ocsp_answer
from tests.fuzz import applicants, requests
from tests.fuzz.checksums import mended_zip
from tests.fuzz.seeds import DOCUMENT, IMPRINT, NONCE, Seeds
from tests.fuzz.target import Target
from tests.signing_service.validation.scenery import START

MADE = Seeds()
_ENGINE = MADE.world.engine()
_VERIFICATION = MADE.world.verification(load_rights())
_RIGHTS = load_rights()
_ASSEMBLE = (
    cades.assemble, cades.assemble_counter_signature, xades.assemble, pades.assemble,
    jades.assemble, jades.assemble_counter_signature, asic.assemble,
)  # fmt: skip
_RAISED = (
    SignatureFormat.CADES, SignatureFormat.XADES, SignatureFormat.PADES,
    SignatureFormat.JADES, SignatureFormat.ASIC_E,
)  # fmt: skip
_FACTS = (
    "serial", "issuer_der", "subject_der", "not_before", "not_after", "public_key", "tbs",
    "signature", "signature_suite", "key_usage", "extended_key_usage", "is_ca", "path_length",
    "subject_key_identifier", "authority_key_identifier", "ocsp_urls", "crl_urls",
    "ca_issuers_urls", "policies", "has_ocsp_nocheck", "critical_unknown_extensions",
)  # fmt: skip


def _judged(read: Callable[[bytes], list[SignatureEvidence]]) -> Callable[[bytes], object]:
    """Read, and judged to a verdict: no evidence may upset the engine either."""

    def work(data: bytes) -> object:
        return [_ENGINE.validate(evidence, START) for evidence in read(data)]

    return work


def _certificate(data: bytes) -> object:
    certificate = Certificate.parse(data)
    for fact in _FACTS:
        try:
            getattr(certificate, fact)
        except Refusal:
            continue
    return certificate.is_signed_by(certificate), certificate.subject_text()


def _crl(data: bytes) -> object:
    certificate, issuer = MADE.signer.certificate, MADE.software.issuing.certificate
    found = Crl.parse(data)
    if found is None:
        return None
    # Once more as if its signature were good: what stands in it is read, too.
    told = crls_answer([found], certificate, START, lambda _: True)
    return told, crl_answer(data, certificate, issuer, START)


def _ocsp_response(data: bytes) -> object:
    issuer = MADE.software.issuing.certificate
    return ocsp_answer(data, MADE.signer.certificate, issuer, START)


def _sm2_status(data: bytes) -> object:
    """As a list and as a response of an SM2 authority."""
    certificate, issuer = MADE.sm2.signer.certificate, MADE.sm2.issuing.certificate
    told = (answer(data, certificate, issuer, MADE.sm2.now) for answer in (crl_answer, ocsp_answer))
    return list(told)


def _sm2(data: bytes) -> object:
    """As a signature value, DER and raw, and as a key."""
    key = MADE.sm2.signer.key.public_key
    assert key.verify(SM2_SM3, data, DOCUMENT) <= is_strict(data)
    with suppress(Refusal):
        key.verify(SM2_SM3, SM2_SM3.from_raw(data), DOCUMENT)
    return PublicKey.from_spki(data)


def _certification_request(data: bytes) -> object:
    """As it is, and as what a request signs, under a good signature of the seeds' key."""
    key = MADE.signer.key
    signed = der.sequence(data, key.suite.signature_algorithm, der.bit_string(key.sign(data)))
    with suppress(Refusal):
        read_pkcs10(signed)
    return read_pkcs10(data)


def _trusted_list(data: bytes) -> object:
    """As it is, and signed by the operator: even whom we trust may write nonsense."""
    operator = MADE.operator
    signers, policy = (operator.signer.certificate,), MADE.world.policy
    with suppress(Refusal):
        signed = xades.sign(data, operator.signer.key, operator.signer.certificate, START)
        load_trusted_list(signed, signers, START, policy)
    return load_trusted_list(data, signers, START, policy)


def _prepared(data: bytes) -> object:
    prepared = PreparedSignature.from_bytes(data)
    for assemble in _ASSEMBLE:
        try:
            value = MADE.signer.key.sign(prepared.to_be_signed)
            assemble(prepared, value)
        except Refusal:
            continue
    return prepared


def _extension(data: bytes) -> object:
    """A stranger's signature, raised in every way and signed upon, in every format."""
    certificate = MADE.signer.certificate
    stamper, material = MADE.timestamper, MADE.material
    for levels in (LEVELS[format_] for format_ in _RAISED):
        beside = None if levels is LEVELS[SignatureFormat.PADES] else DOCUMENT
        with suppress(Refusal):
            levels.add_signature_timestamp(data, stamper)
        with suppress(Refusal):
            levels.add_validation_material(data, material)
        with suppress(Refusal):
            levels.add_archive_timestamp(data, stamper, document=beside)
    for prepare in (cades, xades, jades):
        with suppress(Refusal):
            prepare.prepare_counter_signature(data, certificate, START)
    for merge in (cades.merge, jades.merge):
        with suppress(Refusal):
            merge(data, data)
    return True


def _document(data: bytes) -> object:
    """A document to be signed, in every format."""
    for format_ in FORMATS:
        with suppress(Refusal):
            making.prepare(
                Manner(format_), Subject.of(data), MADE.signer.certificate, START,
                chain=MADE.signer.chain,
            )  # fmt: skip
    with suppress(Refusal):
        asic.prepare_parallel(data, MADE.signer.certificate, START)
    return True


def _timestamp_response(data: bytes) -> object:
    return check_answer(data, IMPRINT, "sha256", nonce=NONCE, policy=None)


def _timestamp_token(data: bytes) -> object:
    return _judged(lambda token: [read_timestamp(token, TimestampKind.SIGNATURE, b"x").signature])(
        data
    )


def _evidence_record(data: bytes) -> object:
    record = EvidenceRecord.read(data)
    return timestamps_of(record, [hash_of(b"a0"), hash_of(b"b")]), record.encoded


def _authentication_token(data: bytes) -> object:
    return read_authentication_token(data.decode("utf-8", "surrogateescape"))


def _container(data: bytes) -> list[SignatureEvidence]:
    """As it is, and with the checksums of its entries made right."""
    with suppress(Refusal):
        asic.read(mended_zip(data))
    return asic.read(data)


def _container_on_disk(data: bytes) -> object:
    """Read piece by piece, with every document left in the file."""
    asic_zip.LARGE_ENTRY_BYTES = _LEFT_ON_DISK
    try:
        with suppress(Refusal):
            _of_file(mended_zip(data))
        return _of_file(data)
    finally:
        asic_zip.LARGE_ENTRY_BYTES = _LARGE


_LARGE, _LEFT_ON_DISK = asic_zip.LARGE_ENTRY_BYTES, len(DOCUMENT) - 8


def _of_file(data: bytes) -> object:
    with os.fdopen(os.memfd_create("container"), "w+b") as file:
        file.write(data)
        file.flush()
        return [_ENGINE.validate(each, START) for each in asic.read(StreamedDocument(file))]


def _anything(data: bytes) -> object:
    """The whole use case behind the verification page, report and all."""
    beside = _VERIFICATION.verify(DOCUMENT, data).complete()
    return beside, _VERIFICATION.verify(data).complete()


TARGETS: dict[str, Target] = {
    "certificate": Target(_certificate, MADE.certificates),
    "cades": Target(_judged(lambda data: cades.read(data, DOCUMENT)), MADE.cades, 3000),
    "xades": Target(_judged(lambda data: xades.read(data, DOCUMENT)), MADE.xades, 2000),
    "pades": Target(_judged(pades.read), MADE.pades, 1200),
    "jades": Target(_judged(lambda data: jades.read(data, DOCUMENT)), MADE.jades, 4000),
    "asic": Target(_judged(_container), MADE.asic, 2500),
    "container-on-disk": Target(_container_on_disk, MADE.asic, 1500),
    "key-envelope": Target(KeyEnvelope.decode, MADE.key_envelopes),
    "encrypted-message": Target(read_enveloped, MADE.encrypted_messages),
    "sm2": Target(_sm2, MADE.sm2_keys_and_values),
    "sm2-status": Target(_sm2_status, MADE.sm2_status),
    "timestamp-request": Target(MADE.timestamper._authority.answer, MADE.timestamp_requests),
    "timestamp-response": Target(_timestamp_response, MADE.timestamp_responses),
    "timestamp-token": Target(_timestamp_token, MADE.timestamp_tokens, 4000),
    "ocsp-request": Target(read_ocsp_request, MADE.ocsp_requests),
    "ocsp-response": Target(_ocsp_response, MADE.ocsp_responses),
    "crl": Target(_crl, MADE.crls),
    "pkcs10": Target(_certification_request, MADE.certification_requests),
    "evidence-record": Target(_evidence_record, MADE.evidence_records, 5000),
    "trusted-list": Target(_trusted_list, MADE.trusted_lists, 1200),
    "authentication-token": Target(_authentication_token, MADE.authentication_tokens),
    "extension": Target(_extension, MADE.signed_files, 400),
    "document": Target(_document, MADE.documents, 1500),
    "prepared-signature": Target(_prepared, MADE.prepared, 1500),
    "bundle-proof": Target(
        lambda data: bundles.read_part(DOCUMENT, data), MADE.bundle_proofs, 4000
    ),
    "declaration": Target(lambda data: read_declaration(data, _RIGHTS), MADE.declarations),
    "verification": Target(_anything, MADE.signed_files, 1000),
    **applicants.TARGETS,
    **requests.TARGETS,
}
