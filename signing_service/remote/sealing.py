"""Signing with a seal: digests, and whole documents in an AdES format."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from kernel.clock import Clock
from kernel.refusals import Malformed, Refusal, Unavailable
from records.database import new_id
from signing_service.acceptance import Acceptance, Finished, SignedDigest
from signing_service.authorisation import Authorisation
from signing_service.embedding import Embedding
from signing_service.filing import Filing
from signing_service.formats import making
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.document import Document
from signing_service.formats.manner import Act, lies_beside
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.recognition import read_signatures
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.ports import Holder
from signing_service.raising import Raising
from signing_service.remote.activation import Activations, Presented
from signing_service.remote.algorithms import choose, digest_named, require_length
from signing_service.remote.callers import Caller
from signing_service.remote.credentials import Credentials
from signing_service.remote.documents import Wish
from signing_service.remote.ports import Seal, SealSource
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import SignatureEvidence, SignatureLevel
from signing_service.validation.report import ValidationReport


@dataclass(frozen=True)
class SealedDocument:
    signature: bytes
    detached: bool
    """Whether `signature` lies beside the document; else it is the signed document."""


@dataclass(frozen=True)
class Sealed:
    documents: Sequence[SealedDocument]
    """In the order in which they were asked for."""
    validation: ValidationMaterial | None
    """None: not asked for."""


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
        raising: Raising,
        clock: Clock,
    ) -> None:
        self._seals = seals
        self._credentials = credentials
        self._activations = activations
        self._timestamper = timestamper
        self._authorisation = authorisation
        self._acceptance = acceptance
        self._embedding = embedding
        self._raising = raising
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
        self,
        caller: Caller,
        number: str,
        sad: str | None,
        wishes_of: Callable[[Seal, datetime], Sequence[Wish]],
        *,
        with_validation: bool = False,
    ) -> Sealed:
        """AdES signatures over documents, judged and kept; the SAD names the digests of what was
        sent. `wishes_of`: what is asked for, told for this seal's key.

        Raises as `sign_hashes`; Unprocessable `format.unsupported`, `signature.broken`,
        `signature.not-passed`; Forbidden as `Authorisation.check`; as `wishes_of`; and as the
        formats do.
        """
        seal, now = self._credentials.usable(caller.owner, number), self._clock.now()
        wishes = wishes_of(seal, now)
        filed = [self._file(seal, wish, now) for wish in wishes]
        prepared = [
            making.prepare(wish.manner, wish.subject, seal.certificate, now, chain=seal.chain[:-1])
            for wish in wishes
        ]

        def presented(digest: str) -> Sequence[bytes]:
            return [digest_of(digest, wish.presented) or b"" for wish in wishes]

        self._spend(caller, seal, sad, presented)
        accepted = []
        for wish, waiting, filing in zip(wishes, prepared, filed, strict=True):
            try:
                accepted.append(self._finish(seal, wish, waiting, filing))
            except Refusal as refusal:
                self._acceptance.record_refusal(refusal, seal.number, wish.presented)
                raise
        self._acceptance.keep(now, accepted)
        finished = [one for one, _ in accepted]
        validation = self._validation(finished) if with_validation else None
        return Sealed([_sealed(one) for one in finished], validation)

    def timestamp(self, imprint: bytes, digest_oid: str) -> bytes:
        """A timestamp token (RFC 3161) over a digest. Raises Unprocessable `remote.algorithm`,
        `remote.hash-length`; Unavailable `timestamp.*`."""
        digest = digest_named(digest_oid)
        require_length(digest, (imprint,))
        return self._timestamper.stamp(imprint, digest)

    def _file(
        self, seal: Seal, wish: Wish, now: datetime
    ) -> tuple[Sequence[Document], Filing, Holder]:
        """What the signature will stand for, and who may make it."""
        try:
            documents = making.contents_to_sign(wish.manner, wish.subject)
            filed = self._authorisation.check(documents, seal.certificate, seal.number, now)
            if wish.subject.signed is not None:
                self._acceptance.require_intact(None, wish.subject.signed)
        except Refusal as refusal:
            self._acceptance.record_refusal(refusal, seal.number, wish.presented)
            raise
        return documents, *filed

    def _finish(
        self,
        seal: Seal,
        wish: Wish,
        waiting: PreparedSignature,
        filed: tuple[Sequence[Document], Filing, Holder],
    ) -> tuple[Finished, ValidationReport]:
        documents, filing, holder = filed
        is_first = wish.manner.act is Act.FIRST
        value = self._seals.key(seal, waiting.suite).sign(waiting.to_be_signed)
        made = making.finish(wish.manner.act, waiting, value, wish.subject.signed)
        beside = wish.presented if is_first and lies_beside(waiting) else None
        made = self._raising.raised(wish.level, waiting, made, value, beside)
        finished = Finished(
            new_id(), wish.manner.format, wish.level, filing, holder, seal.certificate,
            documents[0], (made, None) if beside is None else (beside, made),
        )  # fmt: skip
        return finished, self._acceptance.judge(finished, None if is_first else value)

    def _validation(self, finished: Sequence[Finished]) -> ValidationMaterial:
        """What validates these signatures and their timestamps and does not lie in them; from B-LT
        on it does."""
        whole = ValidationMaterial()
        for one in finished:
            if one.level not in (SignatureLevel.B_B, SignatureLevel.B_T):
                continue
            evidence = read_signatures(*one.presented)
            inside = [held for each in evidence for held in (each, *_of_timestamps(each))]
            whole += self._embedding.of(evidence).without(
                (found.der for each in inside for found in each.embedded_certificates),
                (found for each in inside for found in each.embedded_ocsp),
                (found for each in inside for found in each.embedded_crls),
            )
        return whole

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


def _of_timestamps(evidence: SignatureEvidence) -> Iterator[SignatureEvidence]:
    return (each.signature for each in evidence.timestamps)
