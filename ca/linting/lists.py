"""Lint before signing, for lists: our own lints on each, pkilint on each new shape.

A list's shape is its issuer and which extensions stand. pkilint reads every entry at some tenth
of a millisecond, so it is shown the frame with a few entries under a throwaway signature.
"""

import threading
from functools import lru_cache
from typing import Any

from ca.crl.entries import Joined
from ca.crl.template import ListFrame, tbs_cert_list
from ca.issuing.template import throwaway_signature
from ca.linting.pkilint_verdicts import verdicts
from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from policies.lints.crl.catalogue import lint_revocation_list
from policies.lints.framework import Finding

_FEW = 20
_Shape = tuple[str, str, bool, bool, bool, bool]


class ListLinter:
    """Remembers pkilint's verdict on each shape. Safe for threads."""

    def __init__(self) -> None:
        self._verdicts: dict[_Shape, tuple[Finding, ...]] = {}
        self._lock = threading.Lock()

    def findings(
        self,
        tbs: bytes,
        issuer: Certificate,
        suite: AlgorithmSuite,
        frame: ListFrame,
        entries: Joined,
    ) -> list[Finding]:
        """`tbs`: the bytes that are about to be signed, made from the other arguments."""
        found = lint_revocation_list(tbs, issuer)
        shape = (
            issuer.fingerprint,
            suite.name,
            frame.base_number is not None,
            frame.distribution_point is not None,
            frame.freshest is not None,
            entries.count > 0,
        )
        with self._lock:
            verdict = self._verdicts.get(shape)
            if verdict is None:
                specimen = _specimen(issuer, suite, frame, entries)
                verdict = self._verdicts[shape] = pkilint_list_findings(specimen)
        return [*found, *verdict]


def pkilint_list_findings(crl: bytes) -> tuple[Finding, ...]:
    """Run pkilint's PKIX checks on one DER CertificateList; notices and infos are left out."""
    from pkilint import loader

    document = loader.RFC5280CertificateListDocumentLoader().load_document(crl, "crl")
    return verdicts(_validator(), document, "PKIX")


def _specimen(
    issuer: Certificate, suite: AlgorithmSuite, frame: ListFrame, entries: Joined
) -> bytes:
    offset, count = 0, 0
    while count < min(_FEW, entries.count):
        offset = der.read(entries.der, offset).end
        count += 1
    tbs = tbs_cert_list(issuer, suite, frame, Joined(count, entries.der[:offset]))
    signature = throwaway_signature(suite, tbs)
    return der.sequence(tbs, suite.signature_algorithm, der.bit_string(signature))


@lru_cache(maxsize=1)
def _validator() -> Any:
    from pkilint import pkix
    from pkilint.pkix import crl, extension, name

    return crl.create_pkix_crl_validator_container(
        [
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [
            crl.create_issuer_validator_container([]),
            crl.create_validity_validator_container([]),
            crl.create_extensions_validator_container([]),
        ],
    )
