"""Opening the authorities that a ceremony made: keys and certificates from the token."""

from dataclasses import dataclass

from ca.addresses import StatusAddresses
from ca.authority import Authority
from ca.ceremony import CERTIFIED, ISSUING, OCSP, ROOT, ROOT_OCSP, TSA
from hsm.token import Token
from hsm.token_key import TokenKey
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Unavailable
from policies.catalogue import ProfileCatalogue
from records.database import Database
from records.journal import Journal
from records.outbox import Outbox


@dataclass(frozen=True)
class KeyWithCertificate:
    """A service's key in the token, its certificate, and the certificates above."""

    key: TokenKey
    certificate: Certificate
    chain: tuple[Certificate, ...]
    """Issuer first, root last."""


@dataclass(frozen=True)
class Authorities:
    """Everything that a ceremony left in the token."""

    root: Authority
    issuing: Authority
    root_key: KeyWithCertificate
    issuing_key: KeyWithCertificate
    ocsp: KeyWithCertificate
    tsa: KeyWithCertificate
    root_ocsp: KeyWithCertificate


def open_authorities(
    token: Token,
    catalogue: ProfileCatalogue,
    database: Database,
    journal: Journal,
    outbox: Outbox,
    clock: Clock,
    entropy: Entropy,
    urls: StatusAddresses,
) -> Authorities:
    """Read certificates and keys, check that they belong together and to one chain.

    Raises Unavailable `authority.missing` before the ceremony, `authority.wrong-key`,
    `authority.wrong-chain`, and as the token does.
    """
    held = {stored.label: stored.der for stored in token.certificates()}
    missing = [label for label in CERTIFIED if label not in held]
    if missing:
        raise Unavailable(
            "authority.missing", "the token has not been through the ceremony", missing=missing[0]
        )
    root, issuing, ocsp, tsa = (Certificate.parse(held[n]) for n in (ROOT, ISSUING, OCSP, TSA))
    opened = {
        ROOT: _open(token, ROOT, root, ()),
        ISSUING: _open(token, ISSUING, issuing, (root,)),
        OCSP: _open(token, OCSP, ocsp, (issuing, root)),
        TSA: _open(token, TSA, tsa, (issuing, root)),
        ROOT_OCSP: _open(token, ROOT_OCSP, Certificate.parse(held[ROOT_OCSP]), (root,)),
    }

    def authority(name: str) -> Authority:
        pair = opened[name]
        return Authority(
            name,
            pair.certificate,
            pair.chain,
            pair.key,
            catalogue,
            database,
            journal,
            outbox,
            clock,
            entropy,
            urls,
        )

    return Authorities(
        authority(ROOT),
        authority(ISSUING),
        opened[ROOT],
        opened[ISSUING],
        opened[OCSP],
        opened[TSA],
        opened[ROOT_OCSP],
    )


def _open(
    token: Token, label: str, certificate: Certificate, chain: tuple[Certificate, ...]
) -> KeyWithCertificate:
    key = token.key(label)
    if key.public_key.spki != certificate.spki:
        raise Unavailable("authority.wrong-key", "the key is not the certificate's", name=label)
    issuer = chain[0] if chain else certificate
    if not certificate.is_signed_by(issuer):
        raise Unavailable("authority.wrong-chain", "not signed by the authority above", name=label)
    return KeyWithCertificate(key, certificate, chain)
