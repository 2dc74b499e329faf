"""An authority: prepare, record the intent, sign in the token, record the result.

`Authority.issue` is the only code that signs a certificate with an authority's key. The whole
cycle, in numbered lines, is in docs/issuance.md.
"""

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from weakref import WeakSet

from sqlalchemy import Connection

from ca import inventory
from ca.addresses import StatusAddresses
from ca.companions import require_live, required_end
from ca.crl_entry import crl_entry
from ca.dns_names import require_dns_names
from ca.inventory import CertificateRecord, CertificateState, RevocationReason
from ca.issuance_steps import AtStep, IssuanceStep, unwatched
from ca.key_reuse import require_free_keys
from ca.linting import Linter
from ca.subject import SubjectFields, subject_name
from ca.template import Draft, Issuer, assemble, draft, validity
from hsm.absent import AbsentKey
from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.identifiers import ProfileName, Serial, new_serial, parse_serial, serial_text
from kernel.keys import KeyHandle
from kernel.refusals import Conflict, NotFound, Refusal, Unavailable, Unprocessable
from policies.catalogue import ProfileCatalogue
from policies.ceremony_plan import role_of
from policies.lints.framework import Finding, Level
from policies.profile import CertificateProfile
from records.database import Database
from records.events import Event
from records.journal import Entry, Journal
from records.outbox import Outbox

DIRECTORY_CHANNEL = "directory"
_TOLD_FACTS = ("field", "lints")
"""Of a refusal, for the journal: never a value, which may be a person's."""


@dataclass(frozen=True)
class CertificateRequest:
    """What somebody asks to have certified. Possession of the key was proven before."""

    public_key: PublicKey
    subject: SubjectFields
    requester: str
    """Who asks, for the journal: an officer, the ceremony's operator."""
    reference: str
    """The requester's own handle on it: a card's identifier."""
    not_after: datetime | None = None
    """An earlier end of validity than the profile's."""
    dns_names: tuple[str, ...] = ()
    """Of a server, where the profile has them: lower case, whole, without wildcards."""
    succeeds: tuple[int, ...] = ()
    """Serial numbers of certificates of the same key and subject that live: this one stands
    beside them (cross and link certificates) or will take their place (issue under a new key)."""
    companion_of: Serial | None = None
    """The holder's signing certificate, which an encryption certificate goes with."""


@dataclass(frozen=True, eq=False)
class IssuanceIntent:
    """A certificate that is linted and recorded, to be issued once by who prepared it."""

    serial: Serial
    profile: ProfileName
    reference: str
    requester: str
    tbs: bytes = field(repr=False)
    published: bool
    companion_of: Serial | None = None


@dataclass(frozen=True)
class IssuedCertificate:
    der: bytes = field(repr=False)
    serial: Serial
    chain: tuple[Certificate, ...]
    """The certificates above it, issuer first, root last; none above a root."""

    @cached_property
    def certificate(self) -> Certificate:
        return Certificate.parse(self.der)


class Authority:
    """One issuing key with its certificate. Safe for threads, and beside other processes."""

    def __init__(
        self,
        name: str,
        certificate: Certificate | None,
        chain: tuple[Certificate, ...],
        key: KeyHandle,
        catalogue: ProfileCatalogue,
        database: Database,
        journal: Journal,
        outbox: Outbox,
        clock: Clock,
        entropy: Entropy,
        urls: StatusAddresses,
        at_step: AtStep = unwatched,
    ) -> None:
        """`certificate` is None only for a root that is about to certify itself; `at_step` is
        told how far each issue is.

        Raises Unavailable `authority.wrong-key` when key and certificate do not belong together.
        """
        if certificate is not None and certificate.spki != key.public_key.spki:
            raise Unavailable("authority.wrong-key", "the key is not the certificate's", name=name)
        self.name = name
        self.certificate = certificate
        self.chain = chain
        self._key = key
        self._catalogue = catalogue
        self._database = database
        self._journal = journal
        self._outbox = outbox
        self._clock = clock
        self._entropy = entropy
        self._issuer = Issuer(name, certificate, key.public_key, key.suite, urls)
        self._at_step = at_step
        self._linter = Linter()
        self._open: WeakSet[IssuanceIntent] = WeakSet()
        self._open_lock = threading.Lock()

    def path_of(self, certificate: Certificate) -> tuple[Certificate, ...]:
        """Above a certificate that was issued here: issuer first, root last."""
        return self._chain()

    @property
    def is_present(self) -> bool:
        """False: the key's token is away, and nothing can be issued."""
        return not isinstance(self._key, AbsentKey)

    # -- prepare -------------------------------------------------------------------------------

    def prepare(self, profile: ProfileName | str, request: CertificateRequest) -> IssuanceIntent:
        """Build, lint and record a certificate; nothing is signed by the authority yet.

        Raises NotFound `profile.unknown`; Unprocessable `profile.other-issuer`,
        `public-key.weak`, `public-key.not-allowed`, `subject.*`, `dns-name.*`, `validity.*`,
        `lint.failed`, `companion.*`; Conflict `public-key.already-certified`,
        `companion.not-live`; Unavailable `database.unavailable`.
        """
        return self.prepare_many([(profile, request)])[0]

    def prepare_many(
        self, requests: Sequence[tuple[ProfileName | str, CertificateRequest]]
    ) -> list[IssuanceIntent]:
        """As `prepare`, all or none, in one transaction."""
        drafts = [self._drafted(name, request) for name, request in requests]
        serials = [made.serial for made in drafts]
        self._at_step(IssuanceStep.DRAFTED, serials)
        now = self._clock.now()
        rows, intents = [], []
        for made, (name, request) in zip(drafts, requests, strict=True):
            profile = self._catalogue[name]
            rows.append(
                inventory.intent_row(
                    made.specimen,
                    authority=self.name,
                    profile=profile.name,
                    profile_digest=profile.digest,
                    requester=request.requester,
                    reference=request.reference,
                    at=now,
                    crl_shard=made.crl_shard,
                    crl_keep=timedelta(days=profile.crl_keep_days),
                    companion_of=request.companion_of,
                )
            )
            intents.append(
                IssuanceIntent(
                    made.serial,
                    profile.profile_name,
                    request.reference,
                    request.requester,
                    made.tbs,
                    profile.published,
                    request.companion_of,
                )
            )
        told = [
            Entry(
                Event.CERTIFICATE_INTENDED,
                serial_text(intent.serial),
                intent.requester,
                {
                    "authority": self.name,
                    "profile": intent.profile,
                    "reference": intent.reference,
                    "key": row["key_fingerprint"],
                },
            )
            for row, intent in zip(rows, intents, strict=True)
        ]
        succeeded = {serial for _, each in requests for serial in each.succeeds}
        try:
            with self._database.transaction() as connection:
                for _, request in requests:
                    if request.companion_of is not None:
                        require_live(connection, request.companion_of, now)
                self._journal.append_many(connection, told)
                wanted = {row["key_fingerprint"]: row["subject_digest"] for row in rows}
                require_free_keys(connection, wanted, now, succeeded)
                inventory.insert_intents(connection, rows)
                self._at_step(IssuanceStep.INTENDING, serials)
        except (Conflict, Unprocessable) as refusal:
            for name, request in requests:
                self._tell_refusal(name, request, refusal)
            raise
        self._at_step(IssuanceStep.INTENDED, serials)
        with self._open_lock:
            self._open.update(intents)
        return intents

    def _drafted(self, name: ProfileName | str, request: CertificateRequest) -> Draft:
        """A refusal is journalled, whatever it refuses."""
        try:
            return self._draft(self._catalogue[name], request)
        except (Unprocessable, NotFound, Conflict) as refusal:
            self._tell_refusal(name, request, refusal)
            raise

    def _draft(self, profile: CertificateProfile, request: CertificateRequest) -> Draft:
        self._require_own(profile, request.public_key)
        weakness = request.public_key.weakness()
        if weakness is not None:
            raise Unprocessable("public-key.weak", weakness)
        if not profile.accepts_key(request.public_key):
            raise Unprocessable("public-key.not-allowed", "not a kind of key that the profile has")
        subject = subject_name(profile, request.subject)
        require_dns_names(profile, request.dns_names, request.subject.common_name)
        now = self._clock.now()
        signing = self._signing_certificate(request)
        until = required_end(profile, signing, subject.public_bytes(), request.not_after)
        period = validity(profile, self.certificate, now, until)
        serial = new_serial(self._entropy)
        key, names = request.public_key, request.dns_names
        made = draft(profile, self._issuer, key, subject, period, serial, names)
        findings = self._linter.findings(made.specimen, profile, self.certificate)
        errors = [finding for finding in findings if finding.level is Level.ERROR]
        if errors:
            raise _lint_refusal(profile, errors)
        return made

    def _signing_certificate(self, request: CertificateRequest) -> CertificateRecord | None:
        if request.companion_of is None:
            return None
        with self._database.reading() as connection:
            return inventory.find(connection, request.companion_of)

    def _require_own(self, profile: CertificateProfile, key: PublicKey) -> None:
        """Each profile has one kind of issuer; a root certifies its own key, once, and no other
        does."""
        self_signing = self.certificate is None
        wanted = "self" if self_signing else issues_as(self.name)
        if profile.issuer != wanted:
            raise Unprocessable(
                "profile.other-issuer", "another authority issues this profile", name=profile.name
            )
        if self_signing and key.spki != self._issuer.public_key.spki:
            raise Unprocessable("profile.other-issuer", "a root certifies its own key")

    def _tell_refusal(
        self, profile: ProfileName | str, request: CertificateRequest, refusal: Refusal
    ) -> None:
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.CERTIFICATE_REFUSED,
                subject=request.reference,
                actor=request.requester,
                authority=self.name,
                profile=str(profile)[:40],
                code=refusal.code,
                key=request.public_key.fingerprint,
                **{name: refusal.facts[name] for name in _TOLD_FACTS if name in refusal.facts},
            )

    # -- issue ---------------------------------------------------------------------------------

    def issue(self, intent: IssuanceIntent) -> IssuedCertificate:
        """Sign an intent in the token and record the certificate. An intent is issued once.

        Raises Conflict `intent.used` (issued before, or not prepared here), `intent.abandoned`
        (reconciled meanwhile), `companion.not-live` (its signing certificate ended meanwhile);
        Unavailable from token or database. No certificate is handed out then. The intent is
        abandoned at once when the token failed, as `reconcile` does; when the database did, it
        stays recorded, to be reconciled.
        """
        return self.issue_many([intent])[0]

    def issue_many(self, intents: Sequence[IssuanceIntent]) -> list[IssuedCertificate]:
        """As `issue`, recorded in one transaction. When the token fails midway, what was signed
        before is recorded, the rest abandoned, and the token's refusal is raised."""
        with self._open_lock:
            for intent in intents:
                if intent not in self._open:
                    raise Conflict("intent.used", "an intent is issued once, where it was prepared")
                self._open.remove(intent)
        signed: list[tuple[IssuanceIntent, bytes]] = []
        failure: Refusal | None = None
        for intent in intents:
            try:
                signed.append((intent, self._sign(intent)))
            except Refusal as refusal:
                failure = refusal
                break
        self._record(signed)
        if failure is not None:
            # What cannot be written now is reconciled by the worker later.
            with suppress(Unavailable):
                self._abandon(intents[len(signed) :])
            raise failure
        chain = self._chain()
        return [IssuedCertificate(made, intent.serial, chain) for intent, made in signed]

    def _sign(self, intent: IssuanceIntent) -> bytes:
        """The certificate, DER."""
        signature = self._key.sign(intent.tbs)
        # Verified before it is recorded: a token that errs must not put its name to a certificate.
        if not self._key.public_key.verify(self._key.suite, signature, intent.tbs):
            raise Unavailable("token.wrong-key", "a signature of the token does not verify")
        self._at_step(IssuanceStep.SIGNED, [intent.serial])
        return assemble(intent.tbs, self._key.suite, signature)

    def _record(self, signed: Sequence[tuple[IssuanceIntent, bytes]]) -> None:
        if not signed:
            return
        now = self._clock.now()
        told = [
            Entry(
                Event.CERTIFICATE_ISSUED,
                serial_text(intent.serial),
                intent.requester,
                {
                    "authority": self.name,
                    "profile": intent.profile,
                    "reference": intent.reference,
                    "sha256": hashlib.sha256(made).hexdigest(),
                },
            )
            for intent, made in signed
        ]
        published = [
            {"kind": "certificate", "serial": serial_text(intent.serial)}
            for intent, _ in signed
            if intent.published
        ]
        with self._database.transaction() as connection:
            for intent, _ in signed:
                if intent.companion_of is not None:
                    require_live(connection, intent.companion_of, now)
            rows = [(intent.serial, intent.tbs, made) for intent, made in signed]
            if not inventory.record_issued(connection, rows, now):
                raise Conflict("intent.abandoned", "an intent was given up meanwhile")
            self._journal.append_many(connection, told)
            self._outbox.put_many(connection, DIRECTORY_CHANNEL, published)
            self._at_step(IssuanceStep.RECORDING, [intent.serial for intent, _ in signed])
        self._at_step(IssuanceStep.RECORDED, [intent.serial for intent, _ in signed])

    def _chain(self) -> tuple[Certificate, ...]:
        return () if self.certificate is None else (self.certificate, *self.chain)

    # -- reconcile -----------------------------------------------------------------------------

    def reconcile(self, older_than: timedelta, reference: str | None = None) -> list[Serial]:
        """Account for intents that a dead process left: they count as revoked from now on.

        Such a certificate may have been signed, so OCSP answers revoked and the CRL lists it;
        it can never become issued. `older_than` leaves alone what others are issuing now;
        `reference`: only the intents of this one.
        """
        with self._database.transaction() as connection:
            since = self._clock.now() - older_than
            rows = inventory.intended_before(connection, self.name, since)
            ours = [row for row in rows if reference in (None, row.reference)]
            return self._end(connection, [(row.serial, row.profile, row.reference) for row in ours])

    def _abandon(self, intents: Sequence[IssuanceIntent]) -> None:
        told = [(serial_text(each.serial), each.profile, each.reference) for each in intents]
        with self._database.transaction() as connection:
            self._end(connection, told)

    def _end(self, connection: Connection, intents: Sequence[tuple[str, str, str]]) -> list[Serial]:
        """Intents (serial, profile, reference) that are still open count as revoked from now on."""
        now, abandoned = self._clock.now(), []
        version = inventory.bump_status_version(connection, self.name) if intents else 0
        for serial, profile, reference in intents:
            entry = crl_entry(parse_serial(serial), now, RevocationReason.UNSPECIFIED)
            moved = inventory.record_revoked(
                connection,
                serial,
                before=(CertificateState.INTENDED,),
                after=CertificateState.ABANDONED,
                at=now,
                reason=RevocationReason.UNSPECIFIED,
                crl_entry=entry,
                version=version,
            )
            if moved:
                abandoned.append(parse_serial(serial))
                self._journal.append(
                    connection,
                    Event.CERTIFICATE_ABANDONED,
                    subject=serial,
                    actor="system",
                    authority=self.name,
                    profile=profile,
                    reference=reference,
                )
        return abandoned


def _lint_refusal(profile: CertificateProfile, errors: list[Finding]) -> Unprocessable:
    first = errors[0]
    return Unprocessable(
        "lint.failed",
        f"{first.message} ({first.clause})",
        lint=first.lint,
        lints=", ".join(sorted({error.lint for error in errors}))[:500],
        profile=profile.name,
        errors=len(errors),
    )


def issues_as(authority: str) -> str:
    """By which name profiles know the authority: a region's issues what the issuing one does."""
    role = role_of(authority)
    return "issuing" if role == "regional" else role or authority
