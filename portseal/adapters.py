"""Where rooms meet that must not know each other: small translations, nothing else."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from ca.ocsp.messages import single_request
from ca.ocsp.responder import OcspResponder
from ca.status import OwnStatus
from hsm.secret_keys import SecretKey
from hsm.token import Token
from kernel.algorithms import ECDSA_P256_SHA256, AlgorithmSuite, PublicKey
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.keys import KeyHandle
from ra_portal.directory import HolderDirectory
from ra_portal.people.identity import HolderKind as PortalKind
from ra_portal.people.identity import Identity, Role
from ra_portal.seals.seal import Seal as PortalSeal
from ra_portal.seals.seals import Seals
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.ports import (
    CertificateStatus,
    Holder,
    HolderKind,
    RightPeriod,
    StatusAnswer,
)
from signing_service.remote.ports import Seal as RemoteSeal
from signing_service.sso.sessions import SignedIn


class PortalHolders:
    """Fulfils `signing_service.ports.Holders` from the registration portal's records."""

    def __init__(self, directory: HolderDirectory) -> None:
        self._directory = directory

    def by_certificate(self, certificate: Certificate, at: datetime) -> Holder | None:
        found = self._directory.by_certificate(certificate, at)
        if found is None:
            return None
        return Holder(
            kind=HolderKind(found.kind),
            subject=found.subject,
            name=found.name,
            card=found.card,
            card_state=found.card_state,
            enterprise_name=found.enterprise_name,
            enterprise_uscc=found.enterprise_uscc,
            customs_code=found.customs_code,
            rights=found.rights,
            right_periods=tuple(
                RightPeriod(each.right, each.valid_from, each.valid_until) for each in found.grants
            ),
            employee_number=found.employee_number,
            roles=found.roles,
            key_witness=found.key_witness,
            is_seal=found.is_seal,
            card_state_since=found.card_state_since,
        )


def portal_identity(signed_in: SignedIn, directory: HolderDirectory, at: datetime) -> Identity:
    """Who acts in the portal: the holder of the card that signed in."""
    record = directory.by_card(signed_in.holder.card, at)
    return Identity(
        kind=PortalKind(record.kind),
        subject=record.subject,
        name=record.name,
        roles=frozenset(Role(role) for role in record.roles),
        enterprise_id=record.enterprise_id,
        branch=record.branch,
    )


class PortalSeals:
    """Fulfils `signing_service.remote.ports.SealSource` from the portal and the token."""

    def __init__(
        self,
        seals: Seals,
        clock: Clock,
        key: Callable[[str, AlgorithmSuite], KeyHandle],
        newest: Callable[[Certificate], Certificate],
        path_of: Callable[[Certificate], tuple[Certificate, ...]],
    ) -> None:
        """`key` opens the key of a label in the authority's token; `newest` gives what a
        certificate was re-issued as, `path_of` the authorities above one."""
        self._seals = seals
        self._clock = clock
        self._key = key
        self._newest = newest
        self._path_of = path_of

    def of(self, owner: str) -> list[RemoteSeal]:
        found = (self._certified(seal) for seal in self._seals.of_enterprise(owner))
        return [seal for seal in found if seal is not None]

    def find(self, number: str) -> RemoteSeal | None:
        found = self._seals.find(number)
        return None if found is None else self._certified(found)

    def key(self, seal: RemoteSeal, suite: AlgorithmSuite) -> KeyHandle:
        return self._key(seal.key_label, suite)

    def _certified(self, seal: PortalSeal) -> RemoteSeal | None:
        if seal.certificate is None:
            return None
        certificate = self._newest(Certificate.parse(seal.certificate))
        return RemoteSeal(
            number=seal.number,
            name=seal.name,
            owner=seal.enterprise_id,
            state=str(seal.state_at(self._clock.now())),
            certificate=certificate,
            chain=self._path_of(certificate),
            key_label=seal.key_label,
        )


class SealToken:
    """Fulfils `ra_portal.seals.seal_keys.TokenOfSeals`."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def make(self, label: str) -> PublicKey:
        return self._token.generate_shared(label, ECDSA_P256_SHA256).public_key

    def public_key(self, label: str) -> PublicKey:
        return self._token.key(label).public_key

    def destroy(self, label: str) -> None:
        self._token.destroy(label)


class TokenSealing:
    """Fulfils `ra_portal.notices.notices.Sealing`; the token is asked when there is something to
    seal, so that pages are served while it is away."""

    def __init__(self, key: Callable[[], SecretKey]) -> None:
        self._key = key

    def encrypt(self, plaintext: bytes, associated: bytes = b"") -> bytes:
        return self._key().encrypt(plaintext, associated)

    def decrypt(self, ciphertext: bytes, associated: bytes = b"") -> bytes:
        return self._key().decrypt(ciphertext, associated)


class TokenKeys:
    """Fulfils `signing_service.sso.signing_keys.KeySource` from the authority's token."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def open(self, label: str) -> KeyHandle:
        return self._token.key(label)

    def make(self, label: str) -> KeyHandle:
        if label in self._token.key_labels():
            return self._token.key(label)
        return self._token.generate_shared(label, ECDSA_P256_SHA256)


class OwnMaterial:
    """Fulfils `signing_service.ports.MaterialSource`: OCSP for what our authorities issued to
    others, and the CRL of the authority above for an authority of ours."""

    def __init__(
        self,
        authorities: Mapping[str, Certificate],
        responder: Callable[[str], OcspResponder],
        crl: Callable[[str], bytes | None],
    ) -> None:
        """`responder` and `crl`: an authority's, by its name."""
        self._authorities = dict(authorities)
        self._responder = responder
        self._crl = crl

    def of(self, certificates: Sequence[Certificate]) -> ValidationMaterial:
        known = dict.fromkeys(certificates)
        ocsp, wanted = [], dict.fromkeys(each for each in known if each.is_ca)
        for certificate in known:
            name = None if certificate.is_ca else self._issuer_of(certificate)
            if name is None:
                continue
            issuer = self._authorities[name]
            answer = self._responder(name).answer(single_request(certificate.serial, issuer))
            if answer.this_update is not None:
                ocsp.append(answer.der)
                wanted[issuer] = None
        above = dict.fromkeys(self._issuer_of(each) for each in wanted if not each.is_self_issued)
        found = [self._crl(name) for name in above if name is not None]
        return ValidationMaterial(
            ocsp=tuple(ocsp), crls=tuple(crl for crl in found if crl is not None)
        )

    def _issuer_of(self, certificate: Certificate) -> str | None:
        for name, authority in self._authorities.items():
            if certificate.is_signed_by(authority):
                return name
        return None


class AuthorityStatus:
    """Fulfils `signing_service.ports.StatusSource` from the authority's own records."""

    def __init__(self, own: OwnStatus) -> None:
        self._own = own

    def status(self, certificate: Certificate, issuer: Certificate) -> StatusAnswer | None:
        answer = self._own.status(certificate, issuer)
        if answer is None:
            return None
        return StatusAnswer(
            CertificateStatus(answer.status),
            answer.this_update,
            answer.revoked_at,
            answer.reason,
            answer.source,
            answer.evidence,
        )
