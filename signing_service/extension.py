"""Raising a signature to a higher level, whoever made it (augmentation, EN 319 102-1, 4.4)."""

from dataclasses import dataclass

from kernel.asn1.certificate import Certificate
from kernel.refusals import Conflict, Malformed, Unprocessable
from records.database import Database
from records.events import Event
from records.journal import Journal
from signing_service.formats.catalogue import raise_to
from signing_service.formats.recognition import format_of, read_signatures
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.ports import MaterialSource
from signing_service.timestamping.client import Timestamper
from signing_service.validation.certificates import CertificateValidation
from signing_service.validation.engine import SignatureValidation
from signing_service.validation.evidence import SignatureLevel
from signing_service.validation.indications import Indication
from signing_service.validation.poe import sha256
from signing_service.validation.report import ValidationReport
from signing_service.verification import Verification

_ORDER = (
    SignatureLevel.B_B,
    SignatureLevel.B_T,
    SignatureLevel.B_LT,
    SignatureLevel.B_LTA,
)


@dataclass(frozen=True)
class Extended:
    """A raised signature with the report on it."""

    signed: bytes
    level: SignatureLevel
    report: ValidationReport


class Extension:
    """The use case. One instance serves all threads."""

    def __init__(
        self,
        verification: Verification,
        material: MaterialSource,
        timestamper: Timestamper,
        database: Database,
        journal: Journal,
    ) -> None:
        """`material`: fresh status of our own authority's certificates; that of strangers' is
        what the verification found or fetched."""
        self._verification = verification
        self._material = material
        self._timestamper = timestamper
        self._database = database
        self._journal = journal

    def extend(
        self,
        document: bytes | None,
        signature: bytes | None,
        level: SignatureLevel,
        actor: str,
        signer: int = 0,
    ) -> Extended:
        """Signature number `signer` (-1: the last), raised to `level`; at B-LTA once more, its
        archive timestamp is renewed. What is presented is as in `Verification.verify`.

        A broken signature is refused: a timestamp would say that somebody vouched for it. One
        whose status cannot be told may be raised, because time is what it needs. Raises
        Unprocessable `signature.not-passed`, `signature.not-ades`, `level.unknown`; Conflict
        `level.reached`; Malformed `signature.none`; and as the formats.
        """
        if level not in _ORDER[1:]:
            raise Unprocessable("level.unknown", "raise to B-T, B-LT or B-LTA")
        presented = signature if signature is not None else document
        judged = self._verification.judge(document, signature)
        if not -1 <= signer < len(judged) or presented is None:
            raise Malformed("signature.none", "there is no such signature")
        signer %= len(judged)
        chosen = judged[signer]
        have = chosen.evidence.level
        _require_raisable(chosen, level)
        beside = document if signature is not None else None

        def material(signed: bytes) -> ValidationMaterial:
            now = self._verification.judge(*_as_presented(signed, beside))[signer]
            return self._of(now)

        signed = raise_to(
            level, format_of(presented), presented, beside, self._timestamper, material,
            signer=signer, have=have,
        )  # fmt: skip
        report = self._verification.verify(*_as_presented(signed, beside)).complete()
        reached = read_signatures(*_as_presented(signed, beside))[signer].level
        self._record(presented, signed, reached, actor)
        return Extended(signed, reached, report)

    def _of(self, validation: SignatureValidation) -> ValidationMaterial:
        """Everything that the verdict rested on: paths and status of the signer and of every
        timestamp authority."""
        outcomes = [validation.basic.certificate]
        outcomes += [each.basic.certificate for each in validation.timestamps]
        certificates: list[Certificate] = []
        found = ValidationMaterial()
        for outcome in filter(None, outcomes):
            path = () if outcome.path is None else outcome.path.certificates
            certificates += path
            found += _status_in(outcome)
        unique = list(dict.fromkeys(certificates))
        embedded = ValidationMaterial(tuple(each.der for each in unique))
        return embedded + self._material.of(unique) + found

    def _record(self, before: bytes, after: bytes, level: SignatureLevel, actor: str) -> None:
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.SIGNATURE_EXTENDED,
                subject=sha256(after).hex(),
                actor=actor,
                level=str(level),
                before_sha256=sha256(before).hex(),
            )


def _require_raisable(chosen: SignatureValidation, level: SignatureLevel) -> None:
    found, have = chosen.conclusion, chosen.evidence.level
    if found.indication is Indication.TOTAL_FAILED:
        raise Unprocessable(
            "signature.not-passed",
            "a broken signature is not raised",
            indication=str(found.indication),
            sub_indication=str(found.sub_indication or ""),
        )
    if have is SignatureLevel.BASIC:
        raise Unprocessable(
            "signature.not-ades", "only AdES signatures, which name their certificate, are raised"
        )
    if _ORDER.index(have) >= _ORDER.index(level) and level is not SignatureLevel.B_LTA:
        raise Conflict("level.reached", "the signature is {level} already", level=str(have))


def _status_in(outcome: CertificateValidation) -> ValidationMaterial:
    """OCSP responses and CRLs among the evidence that status came from."""
    ocsp: list[bytes] = []
    crls: list[bytes] = []
    for finding in outcome.revocation:
        answer = finding.answer
        if answer is None or answer.evidence is None:
            continue
        kind = ocsp if answer.source.startswith("OCSP") else crls
        kind += [answer.evidence, *answer.further_evidence]
    return ValidationMaterial((), tuple(ocsp), tuple(crls))


def _as_presented(signed: bytes, beside: bytes | None) -> tuple[bytes | None, bytes | None]:
    return (signed, None) if beside is None else (beside, signed)
