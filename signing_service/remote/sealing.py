"""Signing with a seal: digests, and whole documents in an AdES format."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from kernel.algorithms import AlgorithmSuite
from kernel.clock import Clock
from kernel.refusals import Malformed, Unavailable
from signing_service.formats import making
from signing_service.formats.catalogue import raise_to
from signing_service.formats.manner import Act, Manner, Subject, lies_beside
from signing_service.formats.recognition import read_signatures
from signing_service.formats.validation_material import ValidationMaterial
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
        clock: Clock,
    ) -> None:
        self._seals = seals
        self._credentials = credentials
        self._activations = activations
        self._timestamper = timestamper
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
        """Signature values (X.509 shape) over digests, in their order; the SAD is spent.

        Raises NotFound `remote.credential`; Forbidden `remote.credential-state`,
        `remote.sad-foreign`; Unprocessable `remote.algorithm`, `remote.hash-length`;
        InvalidActivation as `Activations.use`; Unavailable from the token.
        """
        seal = self._credentials.usable(caller.owner, number)
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
        return values

    def sign_documents(
        self, caller: Caller, number: str, sad: str | None, documents: Sequence[DocumentToSeal]
    ) -> list[SealedDocument]:
        """AdES signatures over documents; the SAD names the documents' own digests.

        Raises as `sign_hashes`; Unprocessable `format.unsupported`; and as the formats do.
        """
        seal = self._credentials.usable(caller.owner, number)
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
        sealed = []
        for each, waiting in zip(documents, prepared, strict=True):
            value = self._seals.key(seal, waiting.suite).sign(waiting.to_be_signed)
            signed = making.finish(Act.FIRST, waiting, value, None)
            beside = each.content if lies_beside(waiting) else None
            signer, _ = making.position_of(waiting, read_signatures(beside, signed))
            signed = raise_to(
                each.level,
                each.format,
                signed,
                beside,
                self._timestamper,
                _no_material,
                signer=signer,
            )
            sealed.append(SealedDocument(signed, beside is not None))
        return sealed

    def timestamp(self, imprint: bytes, digest_oid: str) -> bytes:
        """A timestamp token (RFC 3161) over a digest. Raises Unprocessable `remote.algorithm`,
        `remote.hash-length`; Unavailable `timestamp.*`."""
        digest = digest_named(digest_oid)
        require_length(digest, (imprint,))
        return self._timestamper.stamp(imprint, digest)

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


def _no_material(signed: bytes) -> ValidationMaterial:
    """B-B and B-T embed no validation material."""
    return ValidationMaterial()
