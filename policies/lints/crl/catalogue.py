"""Every lint of revocation lists, and how they are run on the bytes that are about to be signed."""

from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from policies import oids
from policies.lints.crl import entries, fields, numbers, scope, times
from policies.lints.crl.framework import read
from policies.lints.framework import Finding

LINTS = tuple(module.LINT for module in (fields, times, entries, numbers, scope))
_KNOWN = {
    der.oid(dotted): dotted
    for dotted in (
        oids.AUTHORITY_KEY_IDENTIFIER,
        oids.CRL_NUMBER,
        oids.DELTA_CRL_INDICATOR,
        oids.ISSUING_DISTRIBUTION_POINT,
        oids.FRESHEST_CRL,
    )
}


def lint_revocation_list(tbs: bytes, issuer: Certificate) -> list[Finding]:
    """What is wrong with a TBSCertList that `issuer` is about to sign; empty: nothing.

    Raises Malformed `crl.malformed`.
    """
    candidate = read(tbs, issuer, _KNOWN)
    return [finding for lint in LINTS for finding in lint.findings(candidate)]
