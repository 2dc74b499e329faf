"""An enterprise's seals as CSC credentials: who may see them, which can be used now."""

import base64
from collections.abc import Sequence
from datetime import datetime

from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import serial_text
from kernel.refusals import Forbidden, NotFound
from signing_service.ports import CertificateStatus, StatusSource
from signing_service.remote.activation import MOST_SIGNATURES
from signing_service.remote.algorithms import CURVES, suites_of
from signing_service.remote.ports import Seal, SealSource

_STATUS = {"active": "valid", "revoked": "revoked", "expired": "expired"}


class Credentials:
    def __init__(
        self,
        seals: SealSource,
        status: StatusSource,
        clock: Clock,
    ) -> None:
        self._seals = seals
        self._status = status
        self._clock = clock

    def of(self, owner: str, *, only_valid: bool = False) -> list[Seal]:
        """The enterprise's seals."""
        found = self._seals.of(owner)
        return [seal for seal in found if seal.state == "active"] if only_valid else found

    def owned(self, owner: str, number: str) -> Seal:
        """Raises NotFound `remote.credential`: for another enterprise's seal, too."""
        seal = self._seals.find(number)
        if seal is None or seal.owner != owner:
            raise NotFound("remote.credential", "Invalid parameter credentialID")
        return seal

    def usable(self, owner: str, number: str) -> Seal:
        """As `owned`, for signing now. Raises Forbidden `remote.credential-state`; Unavailable."""
        seal = self.owned(owner, number)
        certificate, now = seal.certificate, self._clock.now()
        good = seal.state == "active" and certificate.not_before <= now <= certificate.not_after
        if good:
            answer = self._status.status(certificate, seal.chain[0])
            good = answer is not None and answer.status is CertificateStatus.GOOD
        if not good:
            raise Forbidden("remote.credential-state", "The seal is revoked, expired or disabled")
        return seal

    def shown(
        self, seal: Seal, *, certificates: str, with_certificate: bool, with_authorisation: bool
    ) -> dict[str, object]:
        """The members of a credentials/info answer (CSC API 2.0.0.2, 11.5).

        `certificates` is `none`, `single` or `chain`.
        """
        key = seal.certificate.public_key
        told: dict[str, object] = {
            "status": "enabled" if seal.state == "active" else "disabled",
            "algo": list(dict.fromkeys(suite.signature_oid for suite in suites_of(key))),
            "len": key.bits,
        }
        if key.curve is not None:
            told["curve"] = CURVES[key.curve]
        answer: dict[str, object] = {
            "description": seal.name,
            "key": told,
            "cert": self._certificate(seal, certificates, with_certificate),
            "SCAL": "2",
            "multisign": MOST_SIGNATURES,
            "lang": "zh-CN",
        }
        if with_authorisation:
            answer["auth"] = {"mode": "oauth2code"}
        return answer

    def _certificate(self, seal: Seal, certificates: str, detailed: bool) -> dict[str, object]:
        certificate = seal.certificate
        told: dict[str, object] = {"status": _STATUS.get(seal.state, "suspended")}
        if certificates != "none":
            above: Sequence[Certificate] = seal.chain if certificates == "chain" else ()
            told["certificates"] = [
                base64.b64encode(each.der).decode("ascii") for each in (certificate, *above)
            ]
        if detailed:
            told |= {
                "issuerDN": seal.chain[0].subject_text(),
                "serialNumber": serial_text(certificate.serial),
                "subjectDN": certificate.subject_text(),
                "validFrom": _generalized(certificate.not_before),
                "validTo": _generalized(certificate.not_after),
            }
        return told


def _generalized(at: datetime) -> str:
    """GeneralizedTime (RFC 5280, 4.1.2.5.2)."""
    return at.strftime("%Y%m%d%H%M%SZ")
