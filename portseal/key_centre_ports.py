"""Fulfils what the key-management centre asks of registration and of the authority."""

from collections.abc import Iterable, Mapping

from ca.inventory import CertificateRecord, CertificateState, Inventory
from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields
from ca.regional import Issuing
from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import Serial
from kernel.refusals import Unavailable
from key_centre.ports import LiveCard
from policies.oids import SUBJECT_ATTRIBUTES
from ra_portal.directory import HolderDirectory
from ra_portal.people.identity import HolderKind

_KINDS = frozenset({"legal-person", "operator"})
"""Profiles of signing certificates that an encryption certificate goes with."""


class PortalCards:
    """`key_centre.ports.Cards`: both registration and authority say that the card is good."""

    def __init__(self, directory: HolderDirectory, inventory: Inventory, clock: Clock) -> None:
        self._directory = directory
        self._inventory = inventory
        self._clock = clock

    def live(self, certificate: Certificate) -> LiveCard | None:
        now = self._clock.now()
        record = self._inventory.by_serial(certificate.serial)
        if record is None or record.der != certificate.der or record.profile not in _KINDS:
            return None
        if record.state is not CertificateState.ISSUED or record.not_after <= now:
            return None
        holder = self._directory.by_certificate(certificate, now)
        if holder is None or holder.card_state != "active":
            return None
        before = tuple(each.serial for each in self._directory.before(certificate))
        name = f"{holder.kind}:{holder.subject}"
        return LiveCard(holder.card, name, holder.kind, certificate, before)


class PortalPeople:
    """`key_centre.ports.People`."""

    def __init__(self, directory: HolderDirectory) -> None:
        self._directory = directory

    def names(self, actors: Iterable[str]) -> Mapping[str, str]:
        prefix = f"{HolderKind.OFFICER}:"
        officers = [each.removeprefix(prefix) for each in actors if each.startswith(prefix)]
        found = self._directory.officer_names(officers)
        return {f"{prefix}{identifier}": name for identifier, name in found.items()}


class IssuingCertifier:
    """`key_centre.ports.Certifier`: by whoever issues to the holder, a region's authority too."""

    def __init__(self, issuing: Issuing, inventory: Inventory, clock: Clock) -> None:
        self._issuing = issuing
        self._inventory = inventory
        self._clock = clock

    def certify(self, card: LiveCard, key: PublicKey) -> Certificate:
        for record in self._inventory.by_key(key.fingerprint):
            if record.state is CertificateState.ISSUED and record.certificate is not None:
                return record.certificate
            if record.state is CertificateState.INTENDED:
                raise Unavailable(
                    "key-delivery.unsettled",
                    "an earlier attempt is being settled; try again shortly",
                )
        signing = card.certificate
        request = CertificateRequest(
            key,
            SubjectFields(
                **{field: signing.attribute(oid) for field, oid in SUBJECT_ATTRIBUTES.items()}
            ),
            requester=card.holder,
            reference=f"{card.number}/encryption",
            companion_of=signing.serial,
        )
        intent = self._issuing.prepare(f"{card.kind}-encryption", request)
        return self._issuing.issue(intent).certificate

    def newest(self, key: PublicKey) -> Certificate | None:
        live = (each for each in self._inventory.by_key(key.fingerprint) if self._is_good(each))
        return next((each.certificate for each in live if each.certificate is not None), None)

    def key_of(self, serial: Serial) -> str | None:
        record = self._inventory.by_serial(serial)
        return None if record is None else record.key_fingerprint

    def is_good(self, serial: Serial) -> bool:
        record = self._inventory.by_serial(serial)
        return record is not None and self._is_good(record)

    def _is_good(self, record: CertificateRecord) -> bool:
        return record.state is CertificateState.ISSUED and record.not_after > self._clock.now()
