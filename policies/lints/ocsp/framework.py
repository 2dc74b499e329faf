"""What a lint of OCSP answers is, and ResponseData (RFC 6960, 4.2.1) as a lint reads it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed
from policies.lints.framework import Finding, Level, cited


@asn1.sequence
class Extension:
    kind: ObjectIdentifier
    critical: Annotated[bool, asn1.Default(False)]
    value: bytes


@asn1.sequence
class SingleResponse:
    certificate: asn1.TLV
    status: asn1.TLV
    this_update: asn1.GeneralizedTime
    next_update: Annotated[asn1.GeneralizedTime | None, asn1.Explicit(0)]
    extensions: Annotated[list[Extension] | None, asn1.Explicit(1)]


@asn1.sequence
class ResponseData:
    """Version 1, whose number is left out."""

    responder: asn1.TLV
    produced_at: asn1.GeneralizedTime
    responses: list[SingleResponse]
    extensions: Annotated[list[Extension] | None, asn1.Explicit(1)]


@dataclass(frozen=True)
class Answer:
    """A ResponseData to judge, beside the certificate of the responder that is about to sign."""

    data: ResponseData
    responder: Certificate
    produced_at: datetime

    @property
    def extended(self) -> bool:
        """Whether the answer tells that it revokes what was never issued (RFC 6960, 4.4.8)."""
        return any(
            each.kind.dotted_string == EXTENDED_REVOKE for each in self.data.extensions or ()
        )


EXTENDED_REVOKE = "1.3.6.1.5.5.7.48.1.9"
NONCE = "1.3.6.1.5.5.7.48.1.2"
ARCHIVE_CUTOFF = "1.3.6.1.5.5.7.48.1.6"


@dataclass(frozen=True)
class AnswerLint:
    name: str
    clause: str
    """Of policies/cp-cps.md."""
    standard: str
    check: Callable[[Answer], Iterator[str]]

    def findings(self, answer: Answer) -> Iterator[Finding]:
        for message in self.check(answer):
            yield Finding(Level.ERROR, self.name, cited(self.clause, self.standard), message)


def read(data: bytes, responder: Certificate) -> Answer:
    """Raises Malformed `ocsp.malformed`."""
    try:
        parsed = asn1.decode_der(ResponseData, data)
    except ValueError:
        raise Malformed("ocsp.malformed", "not ResponseData as this house makes it") from None
    return Answer(parsed, responder, parsed.produced_at.as_datetime())
