"""The key ceremony: keys are born in their tokens and get their certificates, as a plan says.

The certificates pass through the same preparation, lints and records as any other. A ceremony
that died is held again: what it had made is found and kept, the rest is made.
"""

from collections.abc import Mapping
from datetime import timedelta

from ca.authority import Authority
from ca.ceremonies.conduct import CeremonyOutcome, Conduct, Watchers
from ca.ceremonies.labels import ISSUING_TOKEN, ROOT
from ca.inventory import CertificateRecord, CertificateState, Inventory
from ca.issuing.addresses import StatusAddresses
from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields
from hsm.generation import Export
from hsm.secret_keys import SecretUse
from hsm.token import Token
from hsm.token_key import TokenKey
from kernel.algorithms import suite_named
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.identifiers import serial_text
from kernel.refusals import Conflict, NotFound
from policies.catalogue import ProfileCatalogue
from policies.ceremony_plan import (
    CeremonyPlan,
    PlannedCertificate,
    PlannedKey,
    PlannedSecret,
    role_of,
)
from records.database import Database
from records.events import Event
from records.journal import Journal, records
from records.outbox import Outbox


class Ceremony:
    """Holds one plan. A first one begins on empty tokens and an empty inventory; each comes to
    its end once."""

    def __init__(
        self,
        tokens: Mapping[str, Token],
        plan: CeremonyPlan,
        conduct: Conduct,
        catalogue: ProfileCatalogue,
        database: Database,
        journal: Journal,
        outbox: Outbox,
        clock: Clock,
        entropy: Entropy,
        urls: StatusAddresses,
        watchers: Watchers | None = None,
    ) -> None:
        """`tokens`: by their name in plans, ROOT_TOKEN and ISSUING_TOKEN; one may be both."""
        self._tokens = dict(tokens)
        self._plan = plan
        self._conduct = conduct
        self._catalogue = catalogue
        self._database = database
        self._journal = journal
        self._outbox = outbox
        self._clock = clock
        self._entropy = entropy
        self._urls = urls
        self._watchers = watchers or Watchers()
        self._inventory = Inventory(database)
        self._lines: list[str] = []
        self._certificates: dict[str, Certificate] = {}

    def run(self) -> CeremonyOutcome:
        """Make the keys, then the certificates, and write them onto the tokens, where missing.

        Raises Conflict `ceremony.done` after this plan's end, `ceremony.other-authority` when
        tokens and inventory are not of one authority, `ceremony.too-early` when a plan extends
        an authority that does not stand; Unavailable from token or database.
        """
        self._require_unfinished()
        self._require_one_authority()
        self._begin()
        for key in self._plan.key:
            self._make_key(key)
        for secret in self._plan.secret:
            self._make_secret(secret)
        for planned in self._plan.certificate:
            certificate = self._certify(planned)
            self._certificates[planned.name] = certificate
            self._watchers.certified(planned.name, certificate)
        self._watchers.secure()
        self._say("Ceremony finished.")
        self._watchers.conclude()
        self._record(Event.CEREMONY_FINISHED, self._subject)
        made = {each.name: self._certificates[each.name] for each in self._plan.certificate}
        return CeremonyOutcome(made, "\n".join(self._lines) + "\n")

    # -- before ---------------------------------------------------------------------------------

    @property
    def _subject(self) -> str:
        """In the journal. The first ceremony of a house has the bare word."""
        return f"ceremony {self._plan.name}" if self._plan.extends else "ceremony"

    def _require_unfinished(self) -> None:
        present = {each.label for each in self._plan.key if self._holder_of(each.label)}
        if self._is_finished("ceremony") and not (self._plan.extends or ROOT in present):
            raise _other_authority("the inventory is of an authority with another token")
        if self._is_finished(self._subject):
            raise Conflict(
                "ceremony.done",
                "this ceremony was held already; nothing was changed",
                keys=", ".join(sorted(present)),
            )
        if self._plan.extends and not self._is_finished("ceremony"):
            raise Conflict("ceremony.too-early", "the plan extends an authority; there is none yet")

    def _is_finished(self, subject: str) -> bool:
        with self._database.reading() as connection:
            told = records(connection, subject)
        return any(record.event == Event.CEREMONY_FINISHED for record in told)

    def _require_one_authority(self) -> None:
        """What is certified under a name is the token's key of that name, and every certificate
        on the token is in the inventory: it is recorded before it is written."""
        for planned in self._plan.certificate:
            issued = self._issued(planned.name)
            holder = self._holder_of(planned.key_label)
            spki = holder.key(planned.key_label).public_key.spki if holder else None
            if issued is not None and issued.spki != spki:
                raise _other_authority("the inventory knows other keys than the token")
            for token in self._places:
                on_token = token.certificate(planned.name)
                if on_token is not None and (issued is None or on_token != issued.der):
                    raise _other_authority("the inventory does not know the token's certificates")

    @property
    def _places(self) -> list[Token]:
        """The tokens, each once."""
        return list(dict.fromkeys(self._tokens.values()))

    def _holder_of(self, label: str) -> Token | None:
        return next((each for each in self._places if label in each.key_labels()), None)

    def _issued(self, name: str) -> Certificate | None:
        """What an earlier attempt had certified under this name."""
        record = self._issued_record(name)
        return None if record is None else record.certificate

    def _issued_record(self, name: str) -> CertificateRecord | None:
        for record in self._inventory.by_reference(_reference(name)):
            if record.state is CertificateState.ISSUED and record.certificate is not None:
                return record
        return None

    def _begin(self) -> None:
        self._say(
            f"Ceremony {self._plan.name} (version {self._plan.version}) conducted by "
            f"{self._conduct.conducted_by} for {self._conduct.organization}."
        )
        for token in self._places:
            told = token.info()
            names = " and ".join(name for name, each in self._tokens.items() if each is token)
            self._say(
                f"Token for {names}: {told.label} ({told.manufacturer} {told.model}, "
                f"serial {told.serial})."
            )
        labels = ", ".join(token.label for token in self._places)
        self._record(Event.CEREMONY_STARTED, self._subject, plan=self._plan.name, tokens=labels)

    # -- keys -----------------------------------------------------------------------------------

    def _make_key(self, planned: PlannedKey) -> TokenKey:
        label, suite = planned.label, suite_named(planned.suite)
        token, export = self._tokens[planned.token], Export(planned.export)
        present = label in token.key_labels()
        if present:
            key = token.key(label, suite)
            token.require_guarded(label, export)
            key.self_test()
        else:
            # Refuses a token that does not confirm the attributes, and signs a test.
            key = token.generate(label, suite, export=export)
        fingerprint = key.public_key.fingerprint
        self._say(
            f"Key {label} {'found' if present else 'generated'} in token {token.label}: "
            f"{suite.name}, {_GUARD[export]}, self-test passed. "
            f"SHA-256 of its SubjectPublicKeyInfo: {fingerprint}."
        )
        if not present:
            self._record(Event.CEREMONY_KEY_GENERATED, label, suite=suite.name, key=fingerprint)
        return key

    def _make_secret(self, planned: PlannedSecret) -> None:
        token, label = self._tokens[planned.token], planned.label
        present = label in token.secret_labels()
        if present:
            token.secret_key(label).self_test()
        else:
            use, export = SecretUse(planned.use), Export(planned.export)
            token.generate_secret(label, use, export=export)
        self._say(
            f"Secret key {label} {'found' if present else 'generated'} in token {token.label}: "
            f"256 bits, to {planned.use}."
        )
        if not present:
            self._record(Event.CEREMONY_KEY_GENERATED, label, use=planned.use)

    def _key(self, label: str) -> TokenKey:
        """A key of this plan or of the authority that it extends."""
        suite = next((each.suite for each in self._plan.key if each.label == label), None)
        holder = self._holder_of(label)
        if holder is None:
            raise NotFound("ceremony.no-key", "no token that is here holds this key", key=label)
        return holder.key(label, None if suite is None else suite_named(suite))

    # -- certificates ---------------------------------------------------------------------------

    def _certify(self, planned: PlannedCertificate) -> Certificate:
        found = self._issued(planned.name)
        certificate = found or self._issue(planned)
        for token in self._places_of(planned, certificate):
            if token.certificate(planned.name) != certificate.der:
                token.write_certificate(planned.name, certificate.der)
        self._tell_of(planned.name, certificate, "found" if found else "issued")
        return certificate

    def _places_of(self, planned: PlannedCertificate, certificate: Certificate) -> list[Token]:
        """Beside its key; an authority's also where the services look while the root is away."""
        places = [self._holder_of(planned.key_label)]
        if certificate.is_ca:
            places.append(self._tokens[ISSUING_TOKEN])
        return list(dict.fromkeys(place for place in places if place is not None))

    def _issue(self, planned: PlannedCertificate) -> Certificate:
        authority = self._issuer_of(planned)
        # Nobody else issues these: an open intent is a dead attempt's.
        authority.reconcile(timedelta(0), reference=_reference(planned.name))
        key = self._key(planned.key_label)
        request = CertificateRequest(
            key.public_key,
            SubjectFields(
                organization=self._conduct.organization,
                organizational_unit=planned.organizational_unit,
                common_name=planned.common_name,
            ),
            requester=self._conduct.conducted_by,
            reference=_reference(planned.name),
            succeeds=self._other_certificates_of(key, planned.name),
        )
        return authority.issue(authority.prepare(planned.profile, request)).certificate

    def _other_certificates_of(self, key: TokenKey, name: str) -> tuple[int, ...]:
        """Cross and link certificates are further ones of a key that has its own."""
        return tuple(
            record.serial
            for record in self._inventory.by_key(key.public_key.fingerprint)
            if record.state is CertificateState.ISSUED and record.reference != _reference(name)
        )

    def _issuer_of(self, planned: PlannedCertificate) -> Authority:
        if planned.issuer == "self":
            return self._authority(planned.name, None, (), planned.key_label)
        own, chain = self._path_of(planned.issuer)
        return self._authority(planned.issuer, own, chain, planned.issuer)

    def _path_of(self, name: str) -> tuple[Certificate, tuple[Certificate, ...]]:
        """An authority's certificate, and those above it: issuer first, root last."""
        own = self._certificates.get(name) or self._standing(name)
        above: list[Certificate] = []
        known = {*self._certificates.values(), *self._standing_authorities()}
        while not (above or [own])[-1].is_self_issued:
            below = (above or [own])[-1]
            parent = next((each for each in known if below.is_signed_by(each)), None)
            if parent is None:
                raise NotFound("ceremony.no-issuer", "no chain to a root", name=name)
            above.append(parent)
        return own, tuple(above)

    def _standing(self, name: str) -> Certificate:
        for token in self._places:
            held = token.certificate(name)
            if held is not None:
                return Certificate.parse(held)
        raise NotFound("ceremony.no-issuer", "no authority of this name stands", name=name)

    def _standing_authorities(self) -> list[Certificate]:
        held = self._tokens[ISSUING_TOKEN].certificates()
        return [Certificate.parse(each.der) for each in held if role_of(each.label) is not None]

    def _authority(
        self, name: str, own: Certificate | None, chain: tuple[Certificate, ...], key: str
    ) -> Authority:
        return Authority(
            name,
            own,
            chain,
            self._key(key),
            self._catalogue,
            self._database,
            self._journal,
            self._outbox,
            self._clock,
            self._entropy,
            self._urls,
        )

    def _tell_of(self, name: str, certificate: Certificate, how: str) -> None:
        serial = serial_text(certificate.serial)
        self._say(
            f"Certificate {name} {how} and written to the token: {certificate.subject_text()}; "
            f"serial {serial}; valid {certificate.not_before:%Y-%m-%d} to "
            f"{certificate.not_after:%Y-%m-%d}; SHA-256 {certificate.fingerprint}."
        )
        self._record(
            Event.CEREMONY_CERTIFICATE_ISSUED, name, serial=serial, sha256=certificate.fingerprint
        )

    # -- telling --------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        line = f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}  {text}"
        self._lines.append(line)
        self._watchers.progress(line)

    def _record(self, event: Event, subject: str, **facts: str) -> None:
        with self._database.transaction() as connection:
            self._journal.append(
                connection, event, subject=subject, actor=self._conduct.conducted_by, **facts
            )


_GUARD = {
    Export.NEVER: "sensitive, not extractable",
    Export.WRAPPED: "sensitive, leaves wrapped only",
    Export.TRUSTED: "sensitive, leaves only under a key that the security officer marked",
}


def _reference(name: str) -> str:
    return f"ceremony:{name}"


def _other_authority(detail: str) -> Conflict:
    return Conflict("ceremony.other-authority", f"{detail}; nothing was changed")
