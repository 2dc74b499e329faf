"""The certificate authority: issuing, lists, OCSP, the directory."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from ca.addresses import StatusAddresses
from ca.ceremony import (
    ISSUING,
    OCSP,
    ROOT,
    ROOT_OCSP,
)
from ca.crl import CrlIssuer, ListPlan
from ca.crl_archive import CrlArchive
from ca.inventory import Inventory
from ca.mass import MassRevocation
from ca.ocsp import AnswerPlan, OcspResponder
from ca.ocsp_ahead import OcspAhead
from ca.ocsp_linting import RefusedAnswers
from ca.ocsp_rotation import ResponderKeys
from ca.ocsp_service import OcspService
from ca.opening import Authorities, open_authorities
from ca.revocation import Revocation
from ca.status import OwnStatus
from ca.web import CrlApplication, OcspApplication, StatusApplication
from kernel.asn1.certificate import Certificate
from portseal.adapters import AuthorityStatus
from portseal.wiring.foundation import Foundation

if TYPE_CHECKING:
    from ca.directory_reconciliation import DirectoryReconciler
    from ca.publishing import Directory, DirectoryPublisher


class AuthorityFloor(Foundation):
    """What `ca/` offers, wired."""

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
                refused=RefusedAnswers(self.database, self.journal, name),
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
    def own_status(self) -> AuthorityStatus:
        return AuthorityStatus(OwnStatus(self._ca_certificates, self.database, self.clock))

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
