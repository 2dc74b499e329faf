"""An authority: prepare, record the intent, sign in the token, record the result.

`Authority.issue` is the only code that signs a certificate with an authority's key. The whole
cycle, in numbered lines, is in docs/issuance.md.
"""

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from weakref import WeakSet

from ca import inventory, transitions
from ca.issuing.abandonment import abandon
from ca.issuing.addresses import StatusAddresses
from ca.issuing.companions import require_live
from ca.issuing.drafting import Drafter
from ca.issuing.issuance import CertificateRequest, IssuanceIntent, IssuedCertificate
from ca.issuing.key_reuse import require_free_keys
from ca.issuing.steps import AtStep, IssuanceStep, unwatched
from ca.issuing.template import Draft, Issuer, assemble
from hsm.absent import AbsentKey
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.identifiers import ProfileName, Serial, serial_text
from kernel.keys import KeyHandle
from kernel.refusals import Conflict, NotFound, Refusal, Unavailable, Unprocessable
from policies.catalogue import ProfileCatalogue
from records.database import Database
from records.events import Event
from records.journal import Entry, Journal
from records.outbox import Outbox

DIRECTORY_CHANNEL = "directory"
_Request = tuple[ProfileName | str, CertificateRequest]
_TOLD_FACTS = ("field", "lints")
"""Of a refusal, for the journal: never a value, which may be a person's."""


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
        issuer = Issuer(name, certificate, key.public_key, key.suite, urls)
        self._drafter = Drafter(issuer, database, clock, entropy)
        self._at_step = at_step
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

    def prepare_many(self, requests: Sequence[_Request]) -> list[IssuanceIntent]:
        """As `prepare`, all or none, in one transaction."""
        drafts = [self._drafted(name, request) for name, request in requests]
        try:
            return self._intend(requests, drafts)
        except (Conflict, Unprocessable) as refusal:
            for name, request in requests:
                self._tell_refusal(name, request, refusal)
            raise

    def prepare_each(self, requests: Sequence[_Request]) -> list[IssuanceIntent | Refusal]:
        """As `prepare_many`, but what is refused holds up no other: its refusal stands in the
        place of its intent. One transaction, where the records refuse none. Raises Unavailable.
        """
        found: dict[int, IssuanceIntent | Refusal] = {}
        drafts: dict[int, Draft] = {}
        for place, (name, request) in enumerate(requests):
            try:
                drafts[place] = self._drafted(name, request)
            except (Unprocessable, NotFound, Conflict) as refusal:
                found[place] = refusal
        try:
            intents = self._intend([requests[place] for place in drafts], list(drafts.values()))
            found.update(zip(drafts, intents, strict=True))
        except (Conflict, Unprocessable):
            for place, made in drafts.items():
                try:
                    (found[place],) = self._intend([requests[place]], [made])
                except (Conflict, Unprocessable) as refusal:
                    self._tell_refusal(*requests[place], refusal)
                    found[place] = refusal
        return [found[place] for place in range(len(requests))]

    def _intend(
        self, requests: Sequence[_Request], drafts: Sequence[Draft]
    ) -> list[IssuanceIntent]:
        """Record what was drafted, all or none, in one transaction."""
        serials = [made.serial for made in drafts]
        self._at_step(IssuanceStep.DRAFTED, serials)
        now = self._clock.now()
        rows, intents = [], []
        for made, (name, request) in zip(drafts, requests, strict=True):
            profile = self._catalogue[name]
            rows.append(
                transitions.intent_row(
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
        with self._database.transaction() as connection:
            signing = [request.companion_of for _, request in requests if request.companion_of]
            require_live(connection, signing, now)
            self._journal.append_many(connection, told)
            wanted = {row["key_fingerprint"]: row["subject_digest"] for row in rows}
            require_free_keys(connection, wanted, now, succeeded)
            transitions.insert_intents(connection, rows)
            self._at_step(IssuanceStep.INTENDING, serials)
        self._at_step(IssuanceStep.INTENDED, serials)
        with self._open_lock:
            self._open.update(intents)
        return intents

    def _drafted(self, name: ProfileName | str, request: CertificateRequest) -> Draft:
        """A refusal is journalled, whatever it refuses."""
        try:
            return self._drafter.draft(self._catalogue[name], request)
        except (Unprocessable, NotFound, Conflict) as refusal:
            self._tell_refusal(name, request, refusal)
            raise

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
        signed, failure = self._sign_all(intents)
        self._record(signed)
        self._give_up(intents[len(signed) :], failure)
        return [self._issued(intent, made) for intent, made in signed]

    def issue_each(self, intents: Sequence[IssuanceIntent]) -> list[IssuedCertificate | Refusal]:
        """As `issue_many`, but one that the records refuse (`companion.not-live`,
        `intent.abandoned`) holds up no other: its refusal stands in its place."""
        signed, failure = self._sign_all(intents)
        refused: dict[Serial, Refusal] = {}
        try:
            self._record(signed)
        except Conflict:
            for each in signed:
                try:
                    self._record([each])
                except Conflict as refusal:
                    refused[each[0].serial] = refusal
        self._give_up(intents[len(signed) :], failure)
        return [refused.get(each.serial) or self._issued(each, made) for each, made in signed]

    def _sign_all(
        self, intents: Sequence[IssuanceIntent]
    ) -> tuple[list[tuple[IssuanceIntent, bytes]], Refusal | None]:
        """Each intent with its certificate, up to the token's failure. Raises Conflict
        `intent.used`."""
        with self._open_lock:
            for intent in intents:
                if intent not in self._open:
                    raise Conflict("intent.used", "an intent is issued once, where it was prepared")
                self._open.remove(intent)
        signed: list[tuple[IssuanceIntent, bytes]] = []
        for intent in intents:
            try:
                signed.append((intent, self._sign(intent)))
            except Refusal as refusal:
                return signed, refusal
        return signed, None

    def _give_up(self, intents: Sequence[IssuanceIntent], failure: Refusal | None) -> None:
        """What the token did not sign. Raises its failure, if there is one."""
        if failure is None:
            return
        told = [(serial_text(each.serial), each.profile, each.reference) for each in intents]
        # What cannot be written now is reconciled by the worker later.
        with suppress(Unavailable), self._database.transaction() as connection:
            abandon(connection, self._journal, self.name, told, self._clock.now())
        raise failure

    def _issued(self, intent: IssuanceIntent, made: bytes) -> IssuedCertificate:
        return IssuedCertificate(made, intent.serial, self._chain())

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
        beside = [intent for intent, _ in signed if intent.companion_of is not None]
        signing = [intent.companion_of for intent in beside if intent.companion_of is not None]
        with self._database.transaction() as connection:
            require_live(connection, signing, now, [intent.serial for intent in beside])
            rows = [(intent.serial, intent.tbs, made) for intent, made in signed]
            if not transitions.record_issued(connection, rows, now):
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
            told = [(row.serial, row.profile, row.reference) for row in ours]
            return abandon(connection, self._journal, self.name, told, self._clock.now())
