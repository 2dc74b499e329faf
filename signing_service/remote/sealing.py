"""Signing with a seal: digests, and whole documents in an AdES format."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from kernel.algorithms import AlgorithmSuite
from kernel.clock import Clock
from kernel.refusals import Malformed, Refusal, Unavailable
from records.database import new_id
from signing_service.acceptance import Acceptance, Finished, SignedDigest
from signing_service.authorisation import Authorisation
from signing_service.embedding import Embedding
from signing_service.filing import Filing
from signing_service.formats import making
from signing_service.formats.catalogue import raise_to
from signing_service.formats.manner import Act, Manner, Subject, lies_beside
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.recognition import read_signatures
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.ports import Holder
from signing_service.remote.activation import Activations, Presented
from signing_service.remote.algorithms import choose, digest_named, require_length
from signing_service.remote.callers import Caller
from signing_service.remote.credentials import Credentials
from signing_service.remote.ports import Seal, SealSource
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import SignatureFormat, SignatureLevel


@dataclass(frozen=True)
class DocumentToSeal:
    content: bytes
    format: SignatureFormat
    level: SignatureLevel
    """B-B or B-T."""
    signature_oid: str | None = None


@dataclass(frozen=True)
class SealedDocument:
    signature: bytes
    detached: bool
    """Whether `signature` lies beside the document; else it is the signed document."""


class Sealing:
    """The use cases. One instance serves all threads."""

    def __init__(
        self,
        seals: SealSource,
        credentials: Credentials,
        activations: Activations,
        timestamper: Timestamper,
        authorisation: Authorisation,
        acceptance: Acceptance,
        embedding: Embedding,
        clock: Clock,
    ) -> None:
        self._seals = seals
        self._credentials = credentials
        self._activations = activations
        self._timestamper = timestamper
        self._authorisation = authorisation
        self._acceptance = acceptance
        self._embedding = embedding
        self._clock = clock

    def sign_hashes(
        self,
        caller: Caller,
        number: str,
        sad: str | None,
        hashes: tuple[bytes, ...],
        *,
        signature_oid: str,
        digest_oid: str | None,
        parameters: bytes | None = None,
    ) -> list[bytes]:
        """Signature values (X.509 shape) over digests, in their order; the SAD is spent, and what
        there is of each signature is kept.

        Raises NotFound `remote.credential`; Forbidden `remote.credential-state`,
        `remote.sad-foreign`; Unprocessable `remote.algorithm`, `remote.hash-length`;
        InvalidActivation as `Activations.use`; Unavailable from the token, and `archive.*`.
        """
        seal, now = self._credentials.usable(caller.owner, number), self._clock.now()
        holder = self._authorisation.holder(seal.certificate, seal.number, now)
        suite = choose(seal.certificate.public_key, signature_oid, digest_oid, parameters)
        require_length(suite.digest, hashes)

        def presented(digest: str) -> Sequence[bytes]:
            return hashes if digest == suite.digest else ()

        self._spend(caller, seal, sad, presented)
        key = self._seals.key(seal, suite)
        values = [key.sign_digest(each) for each in hashes]
        for each, value in zip(hashes, values, strict=True):
            if not seal.certificate.public_key.verify_digest(suite, value, each):
                raise Unavailable("token.wrong-key", "a signature of the token does not verify")
        self._acceptance.keep_digests(
            now,
            [
                SignedDigest(new_id(), holder, seal.certificate, suite, each, value)
                for each, value in zip(hashes, values, strict=True)
            ],
        )
        return values

    def sign_documents(
        self, caller: Caller, number: str, sad: str | None, documents: Sequence[DocumentToSeal]
    ) -> list[SealedDocument]:
        """AdES signatures over documents, judged and kept; the SAD names the documents' own
        digests.

        Raises as `sign_hashes`; Unprocessable `format.unsupported`, `signature.not-passed`;
        Forbidden as `Authorisation.check`; and as the formats do.
        """
        seal = self._credentials.usable(caller.owner, number)
        filed = [self._file(seal, each) for each in documents]
        suites = [self._suite(seal, each) for each in documents]
        now, chain = self._clock.now(), seal.chain[:-1]
        manners = [
            Manner(each.format, suite=suite) for each, suite in zip(documents, suites, strict=True)
        ]
        prepared = [
            making.prepare(manner, Subject.of(each.content), seal.certificate, now, chain=chain)
            for manner, each in zip(manners, documents, strict=True)
        ]

        def presented(digest: str) -> Sequence[bytes]:
            return [hashlib.new(digest, each.content).digest() for each in documents]

        self._spend(caller, seal, sad, presented)
        accepted = []
        for each, waiting, filing in zip(documents, prepared, filed, strict=True):
            try:
                finished = self._finish(seal, each, waiting, filing)
                accepted.append((finished, self._acceptance.judge(finished)))
            except Refusal as refusal:
                self._acceptance.record_refusal(refusal, seal.number, each.content)
                raise
        self._acceptance.keep(now, accepted)
        return [_sealed(finished) for finished, _ in accepted]

    def timestamp(self, imprint: bytes, digest_oid: str) -> bytes:
        """A timestamp token (RFC 3161) over a digest. Raises Unprocessable `remote.algorithm`,
        `remote.hash-length`; Unavailable `timestamp.*`."""
        digest = digest_named(digest_oid)
        require_length(digest, (imprint,))
        return self._timestamper.stamp(imprint, digest)

    def _file(self, seal: Seal, document: DocumentToSeal) -> tuple[Filing, Holder]:
        now = self._clock.now()
        try:
            return self._authorisation.check([document.content], seal.certificate, seal.number, now)
        except Refusal as refusal:
            self._acceptance.record_refusal(refusal, seal.number, document.content)
            raise

    def _finish(
        self,
        seal: Seal,
        document: DocumentToSeal,
        waiting: PreparedSignature,
        filed: tuple[Filing, Holder],
    ) -> Finished:
        value = self._seals.key(seal, waiting.suite).sign(waiting.to_be_signed)
        signed = making.finish(Act.FIRST, waiting, value, None)
        beside = document.content if lies_beside(waiting) else None
        signer, _ = making.position_of(waiting, read_signatures(beside, signed))

        def material(made: bytes) -> ValidationMaterial:
            return self._embedding.of(read_signatures(beside, made))

        signed = raise_to(
            document.level, document.format, signed, beside, self._timestamper, material,
            signer=signer,
        )  # fmt: skip
        presented = (signed, None) if beside is None else (beside, signed)
        return Finished(
            new_id(), document.format, document.level, *filed, seal.certificate,
            document.content, presented,
        )  # fmt: skip

    def _suite(self, seal: Seal, document: DocumentToSeal) -> AlgorithmSuite:
        key = seal.certificate.public_key
        own = key.default_suite()
        asked = document.signature_oid or own.signature_oid
        return choose(key, asked, own.digest_oid, None)

    def _spend(self, caller: Caller, seal: Seal, sad: str | None, presented: Presented) -> None:
        given = sad or caller.sad
        if given is None:
            raise Malformed("remote.sad", "Missing (or invalid type) string parameter SAD")
        self._activations.use(
            given,
            client_id=caller.client_id,
            sid=caller.signed_in.session,
            credential=seal.number,
            presented=presented,
        )


def _sealed(finished: Finished) -> SealedDocument:
    signed = finished.signed
    assert isinstance(signed, bytes)  # documents come in a message here
    return SealedDocument(signed, finished.presented[1] is not None)
