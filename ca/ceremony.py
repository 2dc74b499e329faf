"""The key ceremony: every key of the house is born in the token and gets its certificate.

The certificates pass through the same preparation, lints and records as any other. A ceremony
that died is held again: what it had made is found and kept, the rest is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from ca.addresses import StatusAddresses
from ca.authority import Authority, CertificateRequest
from ca.inventory import CertificateState, Inventory
from ca.subject import SubjectFields
from hsm.secret_keys import SecretUse
from hsm.token import Token
from hsm.token_key import TokenKey
from kernel.algorithms import ECDSA_P256_SHA256, ECDSA_P384_SHA384, AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.identifiers import serial_text
from kernel.refusals import Conflict
from policies.catalogue import ProfileCatalogue
from records.database import Database
from records.events import Event
from records.journal import Journal, records
from records.outbox import Outbox

ROOT, ISSUING, OCSP, TSA, SIGN_IN = "root", "issuing", "ocsp", "tsa", "sign-in"
ROOT_OCSP = "root-ocsp"
CERTIFIED = (ROOT, ISSUING, OCSP, TSA, ROOT_OCSP)
"""Keys with a certificate, in the order of issue; each is named as its profile."""
KEYS = (*CERTIFIED, SIGN_IN)
"""Labels of the keys in the token; the sign-in key signs ID tokens and needs no certificate."""

PERSONAL_DATA, PERSONAL_INDEX, ESCROW = "personal-data", "personal-index", "escrow"
SECRETS = {
    PERSONAL_DATA: SecretUse.ENCRYPT,
    PERSONAL_INDEX: SecretUse.MAC,
    ESCROW: SecretUse.WRAP,
}
"""Secret keys in the token: for columns with personal data, for finding rows by them, and for the
encryption keys of holders."""


@dataclass(frozen=True)
class CeremonyPlan:
    """What is decided before the ceremony."""

    organization: str
    """Whose authority it is: O of every certificate made here."""
    conducted_by: str
    """Who conducts it, for the transcript and the journal."""
    common_names: tuple[str, str, str, str, str] = (
        "PortSeal Root CA",
        "PortSeal Issuing CA",
        "PortSeal OCSP Responder",
        "PortSeal Timestamp Authority",
        "PortSeal Root OCSP Responder",
    )
    """CN of root, issuing authority, its OCSP responder, timestamp authority, and the root's own
    OCSP responder."""
    root_suite: AlgorithmSuite = ECDSA_P384_SHA384
    suite: AlgorithmSuite = ECDSA_P256_SHA256
    """For every key but the root's."""


@dataclass(frozen=True)
class CeremonyOutcome:
    root: Certificate
    issuing: Certificate
    ocsp: Certificate
    tsa: Certificate
    root_ocsp: Certificate
    transcript: str

    @property
    def certificates(self) -> dict[str, Certificate]:
        """By the label of the key, in the order of issue."""
        made = (self.root, self.issuing, self.ocsp, self.tsa, self.root_ocsp)
        return dict(zip(CERTIFIED, made, strict=True))


class Ceremony:
    """Begins on an empty token and an empty inventory, and comes to its end once."""

    def __init__(
        self,
        token: Token,
        plan: CeremonyPlan,
        catalogue: ProfileCatalogue,
        database: Database,
        journal: Journal,
        outbox: Outbox,
        clock: Clock,
        entropy: Entropy,
        urls: StatusAddresses,
        progress: Callable[[str], None] = lambda line: None,
        certified: Callable[[str, Certificate], None] = lambda label, certificate: None,
    ) -> None:
        """`progress` is given each line of the transcript as soon as the step is done,
        `certified` each certificate, before the ceremony counts as finished."""
        self._token = token
        self._plan = plan
        self._catalogue = catalogue
        self._database = database
        self._journal = journal
        self._outbox = outbox
        self._clock = clock
        self._entropy = entropy
        self._urls = urls
        self._progress = progress
        self._certified = certified
        self._inventory = Inventory(database)
        self._lines: list[str] = []

    def run(self) -> CeremonyOutcome:
        """Make the keys, then the certificates, and write them onto the token, where missing.

        Raises Conflict `ceremony.done` after the ceremony, `ceremony.other-authority` when token
        and inventory are not of one authority; Unavailable from token or database.
        """
        present = set(self._token.key_labels()) & set(KEYS)
        self._require_unfinished(present)
        self._require_one_authority(present)
        self._begin()
        keys = {label: self._key(label, label in present) for label in KEYS}
        for label, use in SECRETS.items():
            self._secret(label, use)
        certificates: dict[str, Certificate] = {}
        for label, common_name in zip(CERTIFIED, self._plan.common_names, strict=True):
            certificates[label] = self._certify(label, common_name, keys, certificates)
            self._certified(label, certificates[label])
        transcript = self._finish()
        return CeremonyOutcome(
            certificates[ROOT],
            certificates[ISSUING],
            certificates[OCSP],
            certificates[TSA],
            certificates[ROOT_OCSP],
            transcript,
        )

    def _require_unfinished(self, present: set[str]) -> None:
        with self._database.reading() as connection:
            told = records(connection, "ceremony")
        if any(record.event == Event.CEREMONY_FINISHED for record in told):
            if ROOT not in present:
                raise _other_authority("the inventory is of an authority with another token")
            raise Conflict(
                "ceremony.done",
                "the token holds an authority's keys already; nothing was changed",
                keys=", ".join(sorted(present)),
            )

    def _require_one_authority(self, present: set[str]) -> None:
        """What is certified under a name is the token's key of that name, and every certificate
        on the token is in the inventory: it is recorded before it is written."""
        for label in CERTIFIED:
            issued = self._issued(label)
            spki = self._token.key(label).public_key.spki if label in present else None
            if issued is not None and issued.spki != spki:
                raise _other_authority("the inventory knows other keys than the token")
            on_token = self._token.certificate(label)
            if on_token is not None and (issued is None or on_token != issued.der):
                raise _other_authority("the inventory does not know the token's certificates")

    def _issued(self, label: str) -> Certificate | None:
        """What an earlier attempt had certified under this label."""
        for record in self._inventory.by_reference(_reference(label)):
            if record.state is CertificateState.ISSUED and record.certificate is not None:
                return record.certificate
        return None

    def _begin(self) -> None:
        information = self._token.info()
        self._say(
            f"Ceremony conducted by {self._plan.conducted_by} for {self._plan.organization}, "
            f"on token {information.label} ({information.manufacturer} {information.model}, "
            f"serial {information.serial})."
        )
        self._record(Event.CEREMONY_STARTED, "ceremony", token=information.label)

    def _key(self, label: str, present: bool) -> TokenKey:
        suite = self._plan.root_suite if label == ROOT else self._plan.suite
        if present:
            key = self._token.key(label, suite)
            self._token.require_guarded(label)
            key.self_test()
        else:
            # Refuses a token that does not confirm both attributes, and signs a test.
            key = self._token.generate(label, suite)
        fingerprint = key.public_key.fingerprint
        self._say(
            f"Key {label} {'found' if present else 'generated'} in the token: {suite.name}, "
            "sensitive, not extractable, self-test passed. "
            f"SHA-256 of its SubjectPublicKeyInfo: {fingerprint}."
        )
        if not present:
            self._record(Event.CEREMONY_KEY_GENERATED, label, suite=suite.name, key=fingerprint)
        return key

    def _secret(self, label: str, use: SecretUse) -> None:
        present = label in self._token.secret_labels()
        if present:
            self._token.secret_key(label).self_test()
        else:
            self._token.generate_secret(label, use)
        self._say(
            f"Secret key {label} {'found' if present else 'generated'} in the token: 256 bits, "
            f"to {use}, never to leave it."
        )
        if not present:
            self._record(Event.CEREMONY_KEY_GENERATED, label, use=str(use))

    def _certify(
        self,
        label: str,
        common_name: str,
        keys: dict[str, TokenKey],
        certificates: dict[str, Certificate],
    ) -> Certificate:
        found = self._issued(label)
        certificate = found or self._issue(label, common_name, keys, certificates)
        if self._token.certificate(label) != certificate.der:
            self._token.write_certificate(label, certificate.der)
        self._tell_of(label, certificate, "found" if found else "issued")
        return certificate

    def _issue(
        self,
        label: str,
        common_name: str,
        keys: dict[str, TokenKey],
        certificates: dict[str, Certificate],
    ) -> Certificate:
        authority = self._issuer_of(label, keys, certificates)
        # Nobody else issues before the ceremony's end: an open intent is a dead attempt's.
        authority.reconcile(timedelta(0))
        request = CertificateRequest(
            keys[label].public_key,
            SubjectFields(organization=self._plan.organization, common_name=common_name),
            requester=self._plan.conducted_by,
            reference=_reference(label),
        )
        return authority.issue(authority.prepare(label, request)).certificate

    def _issuer_of(
        self, label: str, keys: dict[str, TokenKey], certificates: dict[str, Certificate]
    ) -> Authority:
        name = ISSUING if self._catalogue[label].issuer == ISSUING else ROOT
        return Authority(
            name,
            certificates.get(name),
            (certificates[ROOT],) if name == ISSUING else (),
            keys[name],
            self._catalogue,
            self._database,
            self._journal,
            self._outbox,
            self._clock,
            self._entropy,
            self._urls,
        )

    def _tell_of(self, label: str, certificate: Certificate, how: str) -> None:
        serial = serial_text(certificate.serial)
        self._say(
            f"Certificate {label} {how} and written to the token: {certificate.subject_text()}; "
            f"serial {serial}; valid {certificate.not_before:%Y-%m-%d} to "
            f"{certificate.not_after:%Y-%m-%d}; SHA-256 {certificate.fingerprint}."
        )
        self._record(
            Event.CEREMONY_CERTIFICATE_ISSUED, label, serial=serial, sha256=certificate.fingerprint
        )

    def _finish(self) -> str:
        self._say("Ceremony finished.")
        self._record(Event.CEREMONY_FINISHED, "ceremony")
        return "\n".join(self._lines) + "\n"

    def _say(self, text: str) -> None:
        line = f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}  {text}"
        self._lines.append(line)
        self._progress(line)

    def _record(self, event: Event, subject: str, **facts: str) -> None:
        with self._database.transaction() as connection:
            self._journal.append(
                connection, event, subject=subject, actor=self._plan.conducted_by, **facts
            )


def _reference(label: str) -> str:
    return f"ceremony:{label}"


def _other_authority(detail: str) -> Conflict:
    return Conflict("ceremony.other-authority", f"{detail}; nothing was changed")
