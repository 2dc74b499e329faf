"""The answer names the key that signs it, and that key may answer."""

from collections.abc import Iterator

from kernel.asn1 import der
from policies.lints.ocsp.framework import Answer, AnswerLint
from policies.oids import EXTENDED_KEY_USAGES


def check(answer: Answer) -> Iterator[str]:
    responder = answer.responder
    identifier = responder.subject_key_identifier
    if identifier is None or der.encoded(answer.data.responder) != der.explicit(
        2, der.octet_string(identifier)
    ):
        yield "responderID is not the hash of the responder's key"
    if responder.extended_key_usage != {EXTENDED_KEY_USAGES["OCSPSigning"]}:
        yield "the responder's certificate is not for OCSP alone"
    if not responder.not_before <= answer.produced_at <= responder.not_after:
        yield "produced outside the validity of the responder's certificate"


LINT = AnswerLint("ocsp-responder", "7.3", "RFC 6960, 4.2.2.2 and 4.2.2.3", check)
