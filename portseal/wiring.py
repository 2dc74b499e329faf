"""The house put together: every room gets what it needs, and nothing else.

Parts are made when first asked for, so that `portseal status` opens no session that it does not
use. A House belongs to one process.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ca.addresses import StatusAddresses
from ca.authority import DIRECTORY_CHANNEL
from ca.ceremony import (
    ISSUING,
    KEYS,
    OCSP,
    ROOT,
    ROOT_OCSP,
    SIGN_IN,
    Ceremony,
    CeremonyOutcome,
    CeremonyPlan,
)
from ca.crl import CrlIssuer, ListPlan
from ca.crl_archive import CrlArchive
from ca.inventory import Inventory
from ca.mass import MassRevocation
from ca.ocsp import AnswerPlan, OcspResponder
from ca.ocsp_ahead import OcspAhead
from ca.ocsp_rotation import ResponderKeys
from ca.ocsp_service import OcspService
from ca.opening import Authorities, open_authorities
from ca.revocation import Revocation
from ca.status import OwnStatus
from ca.web import CrlApplication, OcspApplication, StatusApplication
from hsm.pins import EnvironmentPin, FilePin, PinSource, PromptPin
from hsm.token import Token
from kernel.algorithms import ECDSA_P256_SHA256, PublicKey
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock, SystemClock
from kernel.entropy import Entropy, SystemEntropy
from kernel.refusals import Conflict
from policies.catalogue import ProfileCatalogue, load_catalogue
from policies.rights import RightsCatalogue, load_rights
from policies.validation import ValidationPolicy, load_validation_policy
from portseal.adapters import AuthorityStatus, OwnMaterial, PortalHolders, PortalSeals
from portseal.settings import JOURNAL_POLICY, Settings, TokenSettings, read_settings
from portseal.witness import FILE_NAME, Seal, Witness
from ra_portal.card import Card
from ra_portal.services import PortalServices, open_portal
from records.database import Database
from records.journal import Journal
from records.outbox import Outbox
from signing_service.archive.export import Export
from signing_service.archive.files import FileStore
from signing_service.archive.keeping import Archive
from signing_service.archive.objects import ObjectStore
from signing_service.archive.retention import Retention
from signing_service.batch import Batches
from signing_service.evidence_records.proofs import ArchivedProofs
from signing_service.evidence_records.records import EvidenceRecords
from signing_service.evidence_records.stamping import Stamping, StampingPlan
from signing_service.evidence_records.token_material import completing
from signing_service.remote.services import RemoteServices
from signing_service.signing import Signing
from signing_service.sso.services import SsoServices
from signing_service.sso.settings import SsoSettings
from signing_service.timestamping.authority import Accuracy, TimestampAuthority
from signing_service.timestamping.client import HttpTimestamper, LocalTimestamper, Timestamper
from signing_service.timestamping.failover import FailoverTimestamper
from signing_service.timestamping.health import ClockHealth
from signing_service.trust import TrustAnchors, TrustedAuthority
from signing_service.trusted_lists import TrustedList, load_trusted_list
from signing_service.validation.fetching import FetchLimits, HttpFetcher
from signing_service.validation.online_status import OnlineStatus
from signing_service.verification import Verification

if TYPE_CHECKING:
    from ca.directory_reconciliation import DirectoryReconciler
    from ca.publishing import Directory, DirectoryPublisher

_CARD_PROFILES = ("legal-person", "operator", "officer")
_TSA_POLICY = "2.1"
"""Arc of the timestamp policy below the operator's own identifier."""


class House:
    """Every part, wired from the settings."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.entropy = entropy or SystemEntropy()

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator["House"]:
        """From the settings of this process; closed again at the end."""
        house = cls(read_settings())
        try:
            yield house
        finally:
            house.close()

    def close(self) -> None:
        if "token" in self.__dict__:
            self.token.close()
        if "database" in self.__dict__:
            self.database.dispose()

    # -- records and keys ----------------------------------------------------------------------

    @cached_property
    def database(self) -> Database:
        return Database(self.settings.database.url.get_secret_value())

    @cached_property
    def journal(self) -> Journal:
        return Journal(self.clock)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.clock)

    @cached_property
    def token(self) -> Token:
        return open_token(self.settings.token)

    def check(self) -> None:
        """Raises Unavailable when the database or the token does not answer."""
        with self.database.reading() as connection:
            self.outbox.waiting(connection, DIRECTORY_CHANNEL)
        self.token.login()

    def self_test(self) -> None:
        """Sign and verify with every key. Raises Unavailable; serve nothing then."""
        for name in KEYS:
            self.token.key(name).self_test()
        _ = self.authorities

    # -- policies ------------------------------------------------------------------------------

    @cached_property
    def profiles(self) -> ProfileCatalogue:
        return load_catalogue(arc=self.settings.policy.arc)

    @cached_property
    def rights(self) -> RightsCatalogue:
        return load_rights()

    # -- authority -----------------------------------------------------------------------------

    @cached_property
    def addresses(self) -> StatusAddresses:
        return StatusAddresses(self.settings.status_base_url)

    @cached_property
    def authorities(self) -> Authorities:
        return open_authorities(
            self.token,
            self.profiles,
            self.database,
            self.journal,
            self.outbox,
            self.clock,
            self.entropy,
            self.addresses,
        )

    @cached_property
    def inventory(self) -> Inventory:
        return Inventory(self.database)

    @cached_property
    def revocation(self) -> Revocation:
        return Revocation(self.database, self.journal, self.outbox, self.clock)

    @cached_property
    def _ca_certificates(self) -> dict[str, Certificate]:
        pair = self.authorities
        return {ROOT: pair.root_key.certificate, ISSUING: pair.issuing_key.certificate}

    @cached_property
    def crl_issuers(self) -> tuple[CrlIssuer, ...]:
        """One for each authority, root first."""
        pair = self.authorities
        return tuple(
            CrlIssuer(
                name,
                held.certificate,
                held.key,
                self.database,
                self.journal,
                self.outbox,
                self.clock,
                timedelta(hours=self.settings.status.crl_lifetime_hours),
                ListPlan(
                    self.addresses,
                    self.profiles.shards(name),
                    timedelta(seconds=self.settings.status.crl_complete_pause_seconds),
                ),
            )
            for name, held in ((ROOT, pair.root_key), (ISSUING, pair.issuing_key))
        )

    @cached_property
    def responder_keys(self) -> dict[str, ResponderKeys]:
        """The generations of each authority's OCSP key, by the authority's name."""
        pair = self.authorities
        return {
            authority.name: ResponderKeys(
                authority,
                profile,
                first.certificate,
                first.key.suite,
                self.token,
                self.database,
                self.journal,
                self.clock,
            )
            for authority, profile, first in (
                (pair.issuing, OCSP, pair.ocsp),
                (pair.root, ROOT_OCSP, pair.root_ocsp),
            )
        }

    @cached_property
    def ocsp_responders(self) -> tuple[OcspResponder, ...]:
        """One for each authority, the issuing one first."""
        pair, status = self.authorities, self.settings.status
        plan = AnswerPlan(
            timedelta(minutes=status.ocsp_lifetime_minutes), ahead=status.ocsp_ahead != "off"
        )
        return tuple(
            OcspResponder(
                name,
                issuer.certificate,
                held.key,
                held.certificate,
                self.database,
                self.clock,
                plan=plan,
                renewal=self.responder_keys[name].newest,
            )
            for name, issuer, held in (
                (ISSUING, pair.issuing_key, pair.ocsp),
                (ROOT, pair.root_key, pair.root_ocsp),
            )
        )

    @property
    def ocsp_responder(self) -> OcspResponder:
        """The issuing authority's."""
        return self.ocsp_responders[0]

    @cached_property
    def ocsp_ahead(self) -> tuple[OcspAhead, ...]:
        """The jobs that sign answers before they are asked for; none when that is off."""
        status = self.settings.status
        if status.ocsp_ahead == "off":
            return ()
        lifetime = timedelta(hours=status.ocsp_ahead_hours)
        return tuple(
            OcspAhead(responder, self.database, self.clock, status.ocsp_ahead, lifetime)
            for responder in self.ocsp_responders
        )

    @cached_property
    def mass_revocation(self) -> MassRevocation:
        return MassRevocation(self.database, self.journal, self.outbox, self.clock)

    @cached_property
    def status_application(self) -> StatusApplication:
        """OCSP, CRLs and CA certificates over HTTP."""
        crls = CrlApplication(CrlArchive(self.database), self._ca_certificates)
        return StatusApplication(OcspApplication(OcspService(self.ocsp_responders)), crls)

    @cached_property
    def directory(self) -> "Directory | None":
        """None: no directory is configured."""
        configured = self.settings.directory
        if configured is None:
            return None
        from ca.publishing import Directory, DirectoryTls  # ldap3 is slow to load

        tls = None
        if configured.starttls or configured.url.startswith("ldaps:"):
            tls = DirectoryTls(
                configured.ca_file,
                configured.certificate_file,
                configured.key_file,
                configured.starttls,
            )
        password = configured.password
        return Directory(
            configured.url,
            configured.bind_dn,
            None if password is None else password.get_secret_value(),
            configured.base,
            tls,
        )

    @cached_property
    def publisher(self) -> "DirectoryPublisher | None":
        """Publishes certificates and CRLs; None: no directory is configured."""
        if self.directory is None:
            return None
        from ca.publishing import DirectoryPublisher

        return DirectoryPublisher(self.directory, self.database, self.journal, self.clock)

    @cached_property
    def reconciler(self) -> "DirectoryReconciler | None":
        """Compares the directory with the records; None: no directory is configured."""
        if self.directory is None or self.publisher is None:
            return None
        from ca.directory_reconciliation import DirectoryReconciler

        published = [each.name for each in self.profiles if each.published and not each.ca]
        return DirectoryReconciler(
            self.directory,
            self.publisher,
            self.database,
            self.clock,
            published,
            self._ca_certificates,
        )

    def reconcile(self, older_than: timedelta) -> int:
        """Account for intents that a dead process left; how many."""
        authorities = (self.authorities.root, self.authorities.issuing)
        return sum(len(each.reconcile(older_than)) for each in authorities)

    # -- registration --------------------------------------------------------------------------

    @cached_property
    def portal(self) -> PortalServices:
        return open_portal(
            self.database,
            self.journal,
            self.clock,
            self.entropy,
            self.authorities.issuing,
            self.inventory,
            self.revocation,
            self.rights,
            self._make_seal_key,
            on_card_ended=self._end_sessions,
        )

    def _make_seal_key(self, label: str) -> PublicKey:
        """A new key in the authority's token, or the one that an attempt that died left there."""
        try:
            return self.token.generate(label, ECDSA_P256_SHA256).public_key
        except Conflict:
            return self.token.key(label).public_key

    def _end_sessions(self, card: Card) -> None:
        self.sso.sessions.end_sessions_of_card(
            card.number, actor="portal", reason=f"card-{card.state}"
        )

    # -- signing, verification, sign-in --------------------------------------------------------

    @cached_property
    def own_status(self) -> AuthorityStatus:
        return AuthorityStatus(OwnStatus(self._ca_certificates, self.database, self.clock))

    @cached_property
    def holders(self) -> PortalHolders:
        return PortalHolders(self.portal.directory)

    @cached_property
    def anchors(self) -> TrustAnchors:
        root = self.authorities.root_key.certificate
        own = TrustedAuthority(
            root.attribute("2.5.4.3") or "PortSeal",
            (root,),
            token_policies=self._token_policies,
        )
        listed = (one for found in self.trusted_lists for one in found.authorities)
        return TrustAnchors((own, *listed), (self.authorities.issuing_key.certificate,))

    @cached_property
    def trusted_lists(self) -> tuple[TrustedList, ...]:
        """The configured lists. Raises as `load_trusted_list`: a list that does not hold stops
        the service from starting, rather than leaving its authorities out unnoticed."""
        return tuple(
            load_trusted_list(
                one.file.read_bytes(),
                Certificate.parse_bundle(one.signers.read_bytes()),
                self.clock.now(),
                self.validation_policy,
            )
            for one in self.settings.verification.trusted_lists
        )

    @cached_property
    def validation_policy(self) -> ValidationPolicy:
        return load_validation_policy(self.settings.policy.signature_policy)

    @cached_property
    def online_status(self) -> OnlineStatus | None:
        plan = self.settings.verification
        if not plan.fetch_status:
            return None
        limits = FetchLimits(plan.fetch_seconds, allowed_networks=plan.allowed_networks)
        return OnlineStatus(self.clock, HttpFetcher(limits))

    @property
    def _token_policies(self) -> frozenset[str]:
        """Certificate policies that promise a key made in the holder's token."""
        return frozenset(
            policy
            for name in _CARD_PROFILES
            if self.profiles[name].key_location == "pkcs11-token"
            for policy in self.profiles[name].policy_oids
        )

    @cached_property
    def timestamp_authority(self) -> TimestampAuthority:
        configured = self.settings.timestamp
        return self._timestamp_authority(
            _TSA_POLICY, configured.further_policies, configured.ordering
        )

    def _timestamp_authority(
        self, policy: str, further: Sequence[str] = (), ordering: bool = False
    ) -> TimestampAuthority:
        pair = self.authorities.tsa
        return TimestampAuthority(
            pair.key,
            pair.certificate,
            pair.chain[:1],
            f"{self.settings.policy.arc}.{policy}",
            self.clock,
            self.entropy,
            Accuracy.of_milliseconds(self.settings.timestamp.accuracy_milliseconds),
            self.clock_health,
            further_policies=further,
            ordering=ordering,
        )

    @cached_property
    def witness(self) -> Witness:
        """Makes the journal's checkpoints."""
        witnessing = LocalTimestamper(self._timestamp_authority(JOURNAL_POLICY), self.entropy)
        return Witness(
            self.database, witnessing, self.journal_seal, self.clock, self.journal_checkpoints
        )

    @property
    def journal_seal(self) -> Seal:
        """How the journal's checkpoints are known."""
        return Seal(
            self.authorities.tsa.certificate, f"{self.settings.policy.arc}.{JOURNAL_POLICY}"
        )

    @property
    def journal_checkpoints(self) -> Path:
        """Each checkpoint as a line of JSON, for shipping elsewhere."""
        return self.settings.data_directory / FILE_NAME

    @cached_property
    def clock_health(self) -> ClockHealth:
        configured = self.settings.timestamp
        return ClockHealth(
            self.clock,
            max_drift=timedelta(milliseconds=configured.max_clock_drift_milliseconds),
            require_ntp=configured.require_synchronised_clock,
            max_error=timedelta(milliseconds=configured.max_clock_error_milliseconds),
            confirmation=self.clock_confirmation,
        )

    @property
    def clock_confirmation(self) -> Path:
        """Touched by `portseal clock confirm`; every process looks at it."""
        return self.settings.data_directory / "clock-confirmed"

    @cached_property
    def verification(self) -> Verification:
        return Verification(
            self.anchors,
            (self.own_status,),
            self.holders,
            self.validation_policy,
            self.clock,
            self.rights,
            fetcher=self.online_status,
            proofs=ArchivedProofs(self.database, self.archive, self.evidence_records),
        )

    @cached_property
    def archive(self) -> Archive:
        return Archive(self.database, self._object_store, self.journal, self.clock)

    @cached_property
    def material(self) -> OwnMaterial:
        def root_crl() -> bytes | None:
            latest = CrlArchive(self.database).latest(ROOT)
            return None if latest is None else latest.der

        pair = self.authorities
        return OwnMaterial(
            pair.root_key.certificate,
            pair.issuing_key.certificate,
            lambda: self.ocsp_responder,
            root_crl,
        )

    @cached_property
    def evidence_records(self) -> EvidenceRecords:
        return EvidenceRecords(self.database, self.archive)

    @cached_property
    def export(self) -> Export:
        return Export(self.archive, self.evidence_records)

    @cached_property
    def stamping(self) -> Stamping:
        configured = self.settings.archive
        return Stamping(
            database=self.database,
            archive=self.archive,
            evidence=self.evidence_records,
            timestamper=self.timestamper,
            complete=completing(self.material),
            policy=load_validation_policy(self.settings.policy.signature_policy),
            journal=self.journal,
            clock=self.clock,
            plan=StampingPlan(configured.digest, timedelta(days=configured.renew_before_days)),
        )

    @cached_property
    def timestamper(self) -> Timestamper:
        own: Timestamper = LocalTimestamper(self.timestamp_authority, self.entropy)
        configured = self.settings.timestamp
        if not configured.others:
            return own
        others = (
            (url, HttpTimestamper(url, timeout=configured.others_timeout_seconds))
            for url in configured.others
        )
        return FailoverTimestamper([("own", own), *others])

    @property
    def _object_store(self) -> ObjectStore:
        configured = self.settings.archive.s3
        if configured is None:
            reserve = self.settings.archive.reserve_megabytes << 20
            return FileStore(self.settings.data_directory / "archive", reserve)
        from signing_service.archive.s3 import S3Store  # loaded only where it is used

        return S3Store(
            configured.bucket,
            endpoint=configured.endpoint,
            region=configured.region,
            access_key=configured.access_key,
            secret_key=configured.secret_key.get_secret_value(),
            prefix=configured.prefix,
        )

    @cached_property
    def batches(self) -> Batches:
        return Batches(self.database, self.journal, self.clock)

    @cached_property
    def signing(self) -> Signing:
        return Signing(
            holders=self.holders,
            status=self.own_status,
            rights=self.rights,
            anchors=self.anchors,
            timestamper=self.timestamper,
            verifier=self.verification,
            archive=self.archive,
            material=self.material,
            retention=Retention(self.settings.archive.retention_years),
            batches=self.batches,
            database=self.database,
            journal=self.journal,
            clock=self.clock,
        )

    @cached_property
    def sso(self) -> SsoServices:
        session = self.settings.session
        policies = frozenset(
            policy for name in _CARD_PROFILES for policy in self.profiles[name].policy_oids
        )
        return SsoServices(
            database=self.database,
            journal=self.journal,
            clock=self.clock,
            entropy=self.entropy,
            holders=self.holders,
            status_source=self.own_status,
            pinned_issuers=(self.authorities.issuing_key.certificate,),
            signin_key=self.token.key(SIGN_IN),
            settings=SsoSettings(
                origin=self.settings.web.origin,
                accepted_policies=policies,
                hardware_policies=self._token_policies,
                session_idle_seconds=session.idle_minutes * 60,
                session_absolute_seconds=session.absolute_hours * 3600,
            ),
        )

    @cached_property
    def remote(self) -> RemoteServices:
        """Remote signing with enterprises' seals (CSC API)."""
        pair = self.authorities
        return RemoteServices(
            sso=self.sso,
            seals=PortalSeals(self.portal.seals, self.clock, self.token.key),
            chain=(pair.issuing_key.certificate, pair.root_key.certificate),
            timestamper=self.timestamper,
        )


def open_token(settings: TokenSettings) -> Token:
    """The authority's token, not yet logged in."""
    pin: PinSource
    if settings.pin_file is not None:
        pin = FilePin(settings.pin_file)
    elif settings.pin_variable is not None:
        pin = EnvironmentPin(settings.pin_variable)
    else:
        pin = PromptPin("PIN of the authority's token {token}: ")
    return Token(settings.module, settings.label, pin, settings.sessions)


def conduct_ceremony(
    settings: Settings,
    plan: CeremonyPlan,
    progress: Callable[[str], None],
    certified: Callable[[str, Certificate], None] = lambda label, certificate: None,
) -> CeremonyOutcome:
    """Bring the database up to date and hold the key ceremony on the (empty) token, or the rest
    of one that died. `progress` and `certified`: see `Ceremony`."""
    house = House(settings)
    house.database.upgrade()
    try:
        return Ceremony(
            house.token,
            plan,
            house.profiles,
            house.database,
            house.journal,
            house.outbox,
            house.clock,
            house.entropy,
            house.addresses,
            progress,
            certified,
        ).run()
    finally:
        house.close()
