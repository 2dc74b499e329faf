"""What a signer may say beside the document, in every format: commitment, roles, policy, type."""

from dataclasses import dataclass

from kernel.algorithms import DIGEST_OIDS
from kernel.refusals import Unprocessable
from policies.signature_policy import SignaturePolicy

MAX_ROLES = 16
_MAX_TEXT = 256

PROOF_OF_ORIGIN = "1.2.840.113549.1.9.16.6.1"
PROOF_OF_RECEIPT = "1.2.840.113549.1.9.16.6.2"
PROOF_OF_DELIVERY = "1.2.840.113549.1.9.16.6.3"
PROOF_OF_SENDER = "1.2.840.113549.1.9.16.6.4"
PROOF_OF_APPROVAL = "1.2.840.113549.1.9.16.6.5"
PROOF_OF_CREATION = "1.2.840.113549.1.9.16.6.6"
COMMITMENTS_BY_NAME = {
    "proof-of-origin": PROOF_OF_ORIGIN,
    "proof-of-receipt": PROOF_OF_RECEIPT,
    "proof-of-delivery": PROOF_OF_DELIVERY,
    "proof-of-sender": PROOF_OF_SENDER,
    "proof-of-approval": PROOF_OF_APPROVAL,
    "proof-of-creation": PROOF_OF_CREATION,
}
COMMITMENTS = frozenset(COMMITMENTS_BY_NAME.values())
"""Commitment types of EN 319 122-1, 5.2.3, dotted."""

COMMITMENTS_BY_URI = {
    f"http://uri.etsi.org/01903/v1.2.2#{name.title().replace('-', '')}": commitment
    for name, commitment in COMMITMENTS_BY_NAME.items()
}
"""The same in XML (EN 319 132-1, 5.2.3)."""
COMMITMENT_URIS = {commitment: uri for uri, commitment in COMMITMENTS_BY_URI.items()}


@dataclass(frozen=True, slots=True)
class PolicyReference:
    """An explicit signature policy (EPES): its name and the digest of its document."""

    identifier: str
    """Dotted."""
    digest: str
    """hashlib's name."""
    value: bytes

    def __post_init__(self) -> None:
        if self.digest not in DIGEST_OIDS:
            raise Unprocessable("algorithm.unknown", "no such digest", name=self.digest)

    @classmethod
    def to(cls, policy: SignaturePolicy) -> "PolicyReference":
        """The reference to a policy of ours."""
        return cls(policy.terms.oid, "sha256", policy.sha256)


@dataclass(frozen=True, slots=True)
class Claims:
    """Signed properties that are the signer's to choose. Raises Unprocessable `claims.*`."""

    commitment: str | None = None
    """Dotted; one of COMMITMENTS or an agreed one."""
    roles: tuple[str, ...] = ()
    """Claimed roles, in words."""
    policy: PolicyReference | None = None
    mime_type: str | None = None

    def __post_init__(self) -> None:
        texts = (*self.roles, *(() if self.mime_type is None else (self.mime_type,)))
        if len(self.roles) > MAX_ROLES:
            raise Unprocessable("claims.too-many", "at most {most} roles", most=MAX_ROLES)
        for text in texts:
            if not 1 <= len(text) <= _MAX_TEXT or not text.isprintable():
                raise Unprocessable(
                    "claims.text", "1 to {most} printable characters", most=_MAX_TEXT
                )


NO_CLAIMS = Claims()
