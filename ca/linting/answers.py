"""Lint before signing, for OCSP answers: our own lints on each, pkilint on each new shape.

An answer's shape is the responder's certificate and which fields stand: how a status is told,
whether there is a nextUpdate, which extensions. pkilint takes milliseconds where an answer on
demand takes a third of one.
"""

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from ca.issuing.template import throwaway_signature
from ca.linting.pkilint_verdicts import verdicts
from ca.ocsp.messages import successful_response
from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Unprocessable
from policies.lints.framework import Finding, Level
from policies.lints.ocsp.catalogue import lint_answer
from policies.lints.ocsp.framework import Answer, read
from records.database import Database
from records.events import Event
from records.journal import Journal

_Shape = tuple[Any, ...]
_MAX_SHAPES = 256


class AnswerLinter:
    """Judges what one responder is about to sign. Safe for threads."""

    def __init__(
        self,
        responder: Certificate,
        suite: AlgorithmSuite,
        refused: Callable[[Sequence[Finding]], None] = lambda findings: None,
    ) -> None:
        """`refused` is told what stopped an answer, once for each kind of fault."""
        self._responder = responder
        self._suite = suite
        self._refused = refused
        self._told: set[str] = set()
        self._verdicts: dict[_Shape, tuple[Finding, ...]] = {}
        self._lock = threading.Lock()

    def require(self, data: bytes) -> None:
        """Raises Unprocessable `lint.failed`; Malformed `ocsp.malformed`."""
        answer = read(data, self._responder)
        found = lint_answer(answer)
        found.extend(self._by_pkilint(data, answer))
        errors = [finding for finding in found if finding.level is Level.ERROR]
        if errors:
            self._tell(errors)
            first = errors[0]
            raise Unprocessable("lint.failed", f"{first.message} ({first.clause})", lint=first.lint)

    def _by_pkilint(self, data: bytes, answer: Answer) -> tuple[Finding, ...]:
        shape = _shape(answer)
        verdict = self._verdicts.get(shape)
        if verdict is None:
            with self._lock:
                if len(self._verdicts) >= _MAX_SHAPES:
                    self._verdicts.clear()
                signature = throwaway_signature(self._suite, data)
                specimen = successful_response(data, self._suite, signature, self._responder.der)
                verdict = self._verdicts[shape] = pkilint_answer_findings(specimen)
        return verdict

    def _tell(self, errors: Sequence[Finding]) -> None:
        with self._lock:
            new = {error.lint for error in errors} - self._told
            self._told |= new
        if new:
            self._refused(errors)


class RefusedAnswers:
    """Journals what stopped an answer of one authority."""

    def __init__(self, database: Database, journal: Journal, authority: str) -> None:
        self._database = database
        self._journal = journal
        self._authority = authority

    def __call__(self, findings: Sequence[Finding]) -> None:
        """Raises Unavailable."""
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.OCSP_REFUSED,
                subject=self._authority,
                actor="system",
                lints=", ".join(sorted({finding.lint for finding in findings}))[:500],
            )


def _shape(answer: Answer) -> _Shape:
    data = answer.data
    return (
        tuple(each.kind.dotted_string for each in data.extensions or ()),
        *{
            (
                single.status.tag_bytes,
                single.next_update is None,
                tuple(each.kind.dotted_string for each in single.extensions or ()),
            )
            for single in data.responses
        },
    )


def pkilint_answer_findings(response: bytes) -> tuple[Finding, ...]:
    """Run pkilint's RFC 6960 checks on one OCSPResponse; notices and infos are left out."""
    from pkilint import loader

    document = loader.RFC6960OCSPResponseDocumentLoader().load_document(response, "answer")
    return verdicts(_validator(), document, "RFC 6960")


@lru_cache(maxsize=1)
def _validator() -> Any:
    from pkilint import pkix
    from pkilint.pkix import extension, name, ocsp

    return ocsp.create_pkix_ocsp_response_validator_container(
        [
            ocsp.create_response_decoder(),
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [],
    )
