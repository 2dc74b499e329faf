"""The key ceremony: every key of the house is born in the token and gets its certificate.

The certificates pass through the same preparation, lints and records as any other.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ca.addresses import StatusAddresses
from ca.authority import Authority, CertificateRequest, IssuedCertificate
from ca.subject import SubjectFields
from hsm.token import Token, TokenKey
from kernel.algorithms import ECDSA_P256_SHA256, ECDSA_P384_SHA384, AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.identifiers import serial_text
from kernel.refusals import Conflict
from policies.catalogue import ProfileCatalogue
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.outbox import Outbox

ROOT, ISSUING, OCSP, TSA, SIGN_IN = "root", "issuing", "ocsp", "tsa", "sign-in"
ROOT_OCSP = "root-ocsp"
CERTIFIED = (ROOT, ISSUING, OCSP, TSA, ROOT_OCSP)
"""Keys with a certificate, in the order of issue; each is named as its profile."""
KEYS = (*CERTIFIED, SIGN_IN)
"""Labels of the keys in the token; the sign-in key signs ID tokens and needs no certificate."""


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
    """Runs once on an empty token and an empty inventory."""

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
        progress: Callable[[str], None] = lambda step: None,
    ) -> None:
        """`progress` is told of each step in words, as it is written into the transcript."""
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
        self._lines: list[str] = []

    def run(self) -> CeremonyOutcome:
        """Make the keys, then the certificates, then write them onto the token.

        Raises Conflict `ceremony.done` when the token holds keys of an authority already,
        Unavailable from token or database.
        """
        self._require_empty_token()
        self._begin()
        keys = {label: self._generate(label) for label in KEYS}
        certificates: dict[str, Certificate] = {}
        for label, common_name in zip(CERTIFIED, self._plan.common_names, strict=True):
            certificates[label] = self._certify(label, common_name, keys, certificates)
        transcript = self._finish()
        return CeremonyOutcome(
            certificates[ROOT],
            certificates[ISSUING],
            certificates[OCSP],
            certificates[TSA],
            certificates[ROOT_OCSP],
            transcript,
        )

    def _require_empty_token(self) -> None:
        present = set(self._token.key_labels()) & set(KEYS)
        if present:
            raise Conflict(
                "ceremony.done",
                "the token holds an authority's keys already; nothing was changed",
                keys=", ".join(sorted(present)),
            )

    def _begin(self) -> None:
        information = self._token.info()
        self._say(
            f"Ceremony conducted by {self._plan.conducted_by} for {self._plan.organization}, "
            f"on token {information.label} ({information.manufacturer} {information.model}, "
            f"serial {information.serial})."
        )
        self._record(Event.CEREMONY_STARTED, "ceremony", token=information.label)

    def _generate(self, label: str) -> TokenKey:
        suite = self._plan.root_suite if label == ROOT else self._plan.suite
        # `generate` refuses a token that does not confirm both attributes, and signs a test.
        key = self._token.generate(label, suite)
        fingerprint = key.public_key.fingerprint
        self._say(
            f"Key {label} generated in the token: {suite.name}, sensitive, not extractable, "
            f"self-test passed. SHA-256 of its SubjectPublicKeyInfo: {fingerprint}."
        )
        self._record(Event.CEREMONY_KEY_GENERATED, label, suite=suite.name, key=fingerprint)
        return key

    def _certify(
        self,
        label: str,
        common_name: str,
        keys: dict[str, TokenKey],
        certificates: dict[str, Certificate],
    ) -> Certificate:
        authority = self._issuer_of(label, keys, certificates)
        request = CertificateRequest(
            keys[label].public_key,
            SubjectFields(organization=self._plan.organization, common_name=common_name),
            requester=self._plan.conducted_by,
            reference=f"ceremony:{label}",
        )
        issued = authority.issue(authority.prepare(label, request))
        self._token.write_certificate(label, issued.certificate.der)
        self._tell_of(label, issued)
        return issued.certificate

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

    def _tell_of(self, label: str, issued: IssuedCertificate) -> None:
        certificate = issued.certificate
        self._say(
            f"Certificate {label} issued and written to the token: {certificate.subject_text()}; "
            f"serial {serial_text(issued.serial)}; valid {certificate.not_before:%Y-%m-%d} to "
            f"{certificate.not_after:%Y-%m-%d}; SHA-256 {certificate.fingerprint}."
        )
        self._record(
            Event.CEREMONY_CERTIFICATE_ISSUED,
            label,
            serial=serial_text(issued.serial),
            sha256=certificate.fingerprint,
        )

    def _finish(self) -> str:
        self._say("Ceremony finished.")
        self._record(Event.CEREMONY_FINISHED, "ceremony")
        return "\n".join(self._lines) + "\n"

    def _say(self, text: str) -> None:
        self._lines.append(f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}  {text}")
        self._progress(text)

    def _record(self, event: Event, subject: str, **facts: str) -> None:
        with self._database.transaction() as connection:
            self._journal.append(
                connection, event, subject=subject, actor=self._plan.conducted_by, **facts
            )
