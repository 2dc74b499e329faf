"""The certificate authority: issuing, lists, OCSP, the directory."""

from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

from ca.ceremonies.labels import ROOT, SIGN_IN
from ca.crl.archive import CrlArchive
from ca.crl.issuing import CrlIssuer, ListPlan
from ca.inventory import Inventory
from ca.issuing.addresses import StatusAddresses
from ca.issuing.drafting import issues_as
from ca.linting.answers import RefusedAnswers
from ca.mass.job import MassRevocation
from ca.mass.reissue import Reissue
from ca.ocsp.ahead import OcspAhead
from ca.ocsp.responder import AnswerPlan, OcspResponder
from ca.ocsp.rotation import ResponderKeys
from ca.ocsp.service import OcspService
from ca.opening import Authorities, OpenAuthority, open_authorities
from ca.regional import RegionalIssuing
from ca.revocation import Revocation
from ca.status import OwnStatus
from ca.web import CrlApplication, OcspApplication, StatusApplication
from kernel.asn1.certificate import Certificate
from kernel.refusals import NotFound
from portseal.adapters import AuthorityStatus
from portseal.wiring.foundation import Foundation

if TYPE_CHECKING:
    from ca.directory.publishing import Directory, DirectoryPublisher
    from ca.directory.reconciliation import DirectoryReconciler


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
            root_token=self.root_token,
            current=self.settings.authority.issuing,
        )

    @cached_property
    def inventory(self) -> Inventory:
        return Inventory(self.database)

    @cached_property
    def revocation(self) -> Revocation:
        return Revocation(self.database, self.journal, self.outbox, self.clock)

    @cached_property
    def _ca_certificates(self) -> dict[str, Certificate]:
        return self.authorities.certificates

    @property
    def keys_in_use(self) -> frozenset[str]:
        """Fingerprints of the keys that what stands now needs: the issuing authorities and those
        above them, what answers for all of them, timestamps, reports, sign-in."""
        opened = self.authorities
        issuing = [opened.by_name[opened.current], *opened.of_role("regional")]
        needed = [opened.tsa.certificate, *(each.own.certificate for each in issuing)]
        needed += [opened.report.certificate] if opened.report is not None else []
        needed += [above for each in issuing for above in each.own.chain]
        needed += [each.responder.certificate for each in opened.by_name.values()]
        needed += [keys.certificate for keys in self.responder_keys.values()]
        fingerprints = {each.public_key.fingerprint for each in needed}
        return frozenset({*fingerprints, self.token.key(SIGN_IN).public_key.fingerprint})

    @property
    def _card_issuers(self) -> tuple[Certificate, ...]:
        """Every authority that may have issued a card, the one that issues now first."""
        opened = self.authorities
        own = [each for each in opened.by_name.values() if each.role != ROOT]
        own.sort(key=lambda each: each.name != opened.current)
        return tuple(each.own.certificate for each in own)

    @cached_property
    def crl_issuers(self) -> tuple[CrlIssuer, ...]:
        """One for each authority whose key is here, roots first."""
        return tuple(
            CrlIssuer(
                each.name,
                each.own.certificate,
                each.own.key,
                self.database,
                self.journal,
                self.outbox,
                self.clock,
                self._list_lifetime(each),
                ListPlan(
                    self.addresses,
                    self.profiles.shards(issues_as(each.name)),
                    timedelta(seconds=self.settings.status.crl_complete_pause_seconds),
                ),
            )
            for each in self.authorities.by_name.values()
            if each.own.is_present
        )

    def _list_lifetime(self, authority: OpenAuthority) -> timedelta:
        """A root that is away between its sessions makes lists that last until the next one."""
        status = self.settings.status
        if authority.role == ROOT and self.settings.root_token is not None:
            return timedelta(days=status.root_crl_lifetime_days)
        return timedelta(hours=status.crl_lifetime_hours)

    @cached_property
    def responder_keys(self) -> dict[str, ResponderKeys]:
        """The generations of each authority's OCSP key, by the authority's name."""
        return {
            each.name: ResponderKeys(
                each.authority,
                each.responder_profile,
                each.responder.certificate,
                each.responder.key.suite,
                self.token,
                self.database,
                self.journal,
                self.clock,
                accounted=partial(self.key_uses.of, purpose=_ocsp_of(each.name)),
            )
            for each in self.authorities.by_name.values()
        }

    @cached_property
    def ocsp_responders(self) -> tuple[OcspResponder, ...]:
        """One for each authority, the one that issues now first."""
        opened, status = self.authorities, self.settings.status
        plan = AnswerPlan(
            timedelta(minutes=status.ocsp_lifetime_minutes), ahead=status.ocsp_ahead != "off"
        )
        order = sorted(opened.by_name.values(), key=lambda each: each.name != opened.current)
        return tuple(
            OcspResponder(
                each.name,
                each.own.certificate,
                self.key_uses.of(each.responder.key, _ocsp_of(each.name)),
                each.responder.certificate,
                self.database,
                self.clock,
                plan=plan,
                renewal=self.responder_keys[each.name].newest,
                refused=RefusedAnswers(self.database, self.journal, each.name),
            )
            for each in order
        )

    def responder_of(self, authority: str) -> OcspResponder:
        """Raises NotFound `authority.unknown`."""
        found = [each for each in self.ocsp_responders if each.authority == authority]
        if not found:
            raise NotFound("authority.unknown", "no such authority", name=authority)
        return found[0]

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
    def issuing(self) -> RegionalIssuing:
        """Who issues to holders: a region's authority, or the one that issues now.

        Raises NotFound `authority.unknown` for a region that the settings name and nobody made.
        """
        regions = self.settings.authority.regions
        return RegionalIssuing(
            self.authorities.issuing,
            [(self.authorities[name].authority, districts) for name, districts in regions.items()],
        )

    @cached_property
    def reissue(self) -> Reissue:
        return Reissue(self.database, self.journal, self.clock, self.revocation)

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
        from ca.directory.publishing import Directory, DirectoryTls  # ldap3 is slow to load

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
        from ca.directory.publishing import DirectoryPublisher

        return DirectoryPublisher(self.directory, self.database, self.journal, self.clock)

    @cached_property
    def reconciler(self) -> "DirectoryReconciler | None":
        """Compares the directory with the records; None: no directory is configured."""
        if self.directory is None or self.publisher is None:
            return None
        from ca.directory.reconciliation import DirectoryReconciler

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
        opened = self.authorities.by_name.values()
        return sum(len(each.authority.reconcile(older_than)) for each in opened)


def _ocsp_of(authority: str) -> str:
    """As the journal names it."""
    return f"ocsp {authority}"
