"""Signing, verification and the archive."""

from datetime import timedelta
from functools import cached_property, partial

from ca.ceremonies.labels import ROOT
from ca.crl.archive import CrlArchive
from kernel.asn1.certificate import Certificate
from policies.validation import load_validation_policy
from portseal.adapters import OwnMaterial
from portseal.wiring.key_centre import KeyCentreFloor
from signing_service.archive.export import Export
from signing_service.archive.files import FileStore
from signing_service.archive.keeping import Archive
from signing_service.archive.objects import ObjectStore
from signing_service.archive.page import ArchivePage
from signing_service.archive.retention import Retention
from signing_service.batch import Batches
from signing_service.bundle_signing import BundleSigning
from signing_service.evidence_records.proofs import ArchivedProofs
from signing_service.evidence_records.records import EvidenceRecords
from signing_service.evidence_records.stamping import Stamping, StampingPlan
from signing_service.evidence_records.token_material import completing
from signing_service.extension import Extension
from signing_service.fetching import FetchLimits, HttpFetcher
from signing_service.reports.etsi_xml import XmlReport, signed_xml_report
from signing_service.signing import Signing
from signing_service.trust import TrustAnchors, TrustedAuthority
from signing_service.trusted_list_copies import ListCopies, ListSource, LiveAnchors
from signing_service.trusted_lists import TrustedList, load_trusted_list
from signing_service.uploads import Uploads
from signing_service.validation.online_status import OnlineStatus
from signing_service.verification import Verification


class SigningFloor(KeyCentreFloor):
    """What `signing_service/` offers, but for sign-in."""

    @cached_property
    def anchors(self) -> TrustAnchors:
        opened = self.authorities
        roots = tuple(each.own.certificate for each in opened.of_role(ROOT))
        below = [each.own.certificate for each in opened.by_name.values() if each.role != ROOT]
        own = TrustedAuthority(
            roots[0].attribute("2.5.4.3") or "PortSeal",
            roots,
            token_policies=self._token_policies,
        )
        listed = (one for found in self.trusted_lists for one in found.authorities)
        return TrustAnchors((own, *listed), (*below, *opened.links))

    @cached_property
    def trusted_lists(self) -> tuple[TrustedList, ...]:
        """The configured files. Raises as `load_trusted_list`: a list that does not hold stops
        the service from starting, rather than leaving its authorities out unnoticed."""
        return tuple(
            load_trusted_list(
                one.file.read_bytes(),
                Certificate.parse_bundle(one.signers.read_bytes()),
                self.clock.now(),
                self.validation_policy,
            )
            for one in self.settings.verification.trusted_lists
            if one.file is not None
        )

    @cached_property
    def trusted_list_copies(self) -> ListCopies | None:
        """Of the lists that are published at a url; None: there are none."""
        plan = self.settings.verification
        sources = [
            ListSource(one.url, tuple(Certificate.parse_bundle(one.signers.read_bytes())))
            for one in plan.trusted_lists
            if one.url is not None
        ]
        if not sources:
            return None
        limits = FetchLimits(4 * plan.fetch_seconds, allowed_networks=plan.allowed_networks)
        return ListCopies(
            self.database, sources, HttpFetcher(limits), self.validation_policy, self.clock
        )

    def refresh_trusted_lists(self, *, at_once: bool) -> int:
        """Fetch the lists that are due; how many. Raises as `ListCopies.refresh`."""
        copies = self.trusted_list_copies
        every = timedelta(hours=0 if at_once else self.settings.verification.trusted_list_hours)
        return 0 if copies is None else copies.refresh(every)

    @cached_property
    def online_status(self) -> OnlineStatus | None:
        plan = self.settings.verification
        if not plan.fetch_status:
            return None
        limits = FetchLimits(plan.fetch_seconds, allowed_networks=plan.allowed_networks)
        return OnlineStatus(self.clock, HttpFetcher(limits))

    @cached_property
    def verification(self) -> Verification:
        copies = self.trusted_list_copies
        return Verification(
            self.anchors,
            (self.own_status,),
            self.holders,
            self.validation_policy,
            self.clock,
            self.rights,
            fetcher=self.online_status,
            proofs=ArchivedProofs(self.database, self.archive, self.evidence_records),
            trust=None if copies is None else LiveAnchors(self.anchors, copies, self.clock),
        )

    @cached_property
    def archive(self) -> Archive:
        return Archive(self.database, self._object_store, self.journal, self.clock)

    @cached_property
    def material(self) -> OwnMaterial:
        crls = CrlArchive(self.database)

        def crl_of(authority: str) -> bytes | None:
            latest = crls.latest(authority)
            return None if latest is None else latest.der

        return OwnMaterial(self._ca_certificates, self.responder_of, crl_of)

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
    def uploads(self) -> Uploads:
        limit = self.settings.signing.max_document_megabytes << 20
        return Uploads(self.database, self.archive.store, self.clock, limit)

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
            uploads=self.uploads,
            database=self.database,
            journal=self.journal,
            clock=self.clock,
            page_of=f"{self.settings.web.origin}/verify/signatures/{{}}".format,
        )

    @cached_property
    def bundle_signing(self) -> BundleSigning:
        return BundleSigning(
            authorisation=self.signing.authorisation,
            waiting=self.signing.waiting,
            acceptance=self.signing.acceptance,
            archive=self.archive,
            timestamper=self.timestamper,
            embedding=self.signing.embedding,
            database=self.database,
            journal=self.journal,
            clock=self.clock,
            entropy=self.entropy,
        )

    @cached_property
    def extension(self) -> Extension:
        return Extension(
            self.verification, self.material, self.timestamper, self.database, self.journal
        )

    @cached_property
    def archive_page(self) -> ArchivePage:
        return ArchivePage(self.archive, self.verification)

    @cached_property
    def xml_report(self) -> XmlReport | None:
        """Writes validation reports in ETSI's XML, signed with a key in the token and
        timestamped; None: the ceremony made no key for it."""
        pair = self.authorities.report
        if pair is None:
            return None
        return partial(
            signed_xml_report,
            key=pair.key,
            certificate=pair.certificate,
            chain=pair.chain[:1],
            timestamper=self.timestamper,
        )
