"""Drafts: what a request becomes under its profile, checked and linted before it is recorded."""

from ca import inventory
from ca.inventory import CertificateRecord
from ca.issuing.companions import required_end
from ca.issuing.dns_names import require_dns_names
from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import subject_name
from ca.issuing.template import Draft, Issuer, draft, validity
from ca.linting.certificates import Linter
from kernel.algorithms import PublicKey
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.identifiers import new_serial
from kernel.refusals import Unprocessable
from policies.ceremony_plan import role_of
from policies.lints.framework import Finding, Level
from policies.profile import CertificateProfile
from records.database import Database


class Drafter:
    """Drafts one issuer's certificates."""

    def __init__(self, issuer: Issuer, database: Database, clock: Clock, entropy: Entropy) -> None:
        self._issuer = issuer
        self._database = database
        self._clock = clock
        self._entropy = entropy
        self._linter = Linter()

    def draft(self, profile: CertificateProfile, request: CertificateRequest) -> Draft:
        """A linted certificate before its real signature. Nothing is recorded.

        Raises Unprocessable `profile.other-issuer`, `public-key.weak`, `public-key.not-allowed`,
        `subject.*`, `dns-name.*`, `validity.*`, `lint.failed`, `companion.*`.
        """
        self._require_own(profile, request.public_key)
        weakness = request.public_key.weakness()
        if weakness is not None:
            raise Unprocessable("public-key.weak", weakness.sentence, **weakness.facts)
        if not profile.accepts_key(request.public_key):
            raise Unprocessable("public-key.not-allowed", "not a kind of key that the profile has")
        subject = subject_name(profile, request.subject)
        require_dns_names(profile, request.dns_names, request.subject.common_name)
        now = self._clock.now()
        signing = self._signing_certificate(request)
        until = required_end(profile, signing, subject.public_bytes(), request.not_after)
        period = validity(profile, self._issuer.certificate, now, until)
        serial = new_serial(self._entropy)
        key, names = request.public_key, request.dns_names
        made = draft(profile, self._issuer, key, subject, period, serial, names)
        findings = self._linter.findings(made.specimen, profile, self._issuer.certificate)
        errors = [finding for finding in findings if finding.level is Level.ERROR]
        if errors:
            raise lint_refusal(profile.name, errors)
        return made

    def _signing_certificate(self, request: CertificateRequest) -> CertificateRecord | None:
        if request.companion_of is None:
            return None
        with self._database.reading() as connection:
            return inventory.find(connection, request.companion_of)

    def _require_own(self, profile: CertificateProfile, key: PublicKey) -> None:
        """Each profile has one kind of issuer; a root certifies its own key, once, and no other
        does."""
        self_signing = self._issuer.certificate is None
        wanted = "self" if self_signing else issues_as(self._issuer.name)
        if profile.issuer != wanted:
            raise Unprocessable(
                "profile.other-issuer", "another authority issues this profile", name=profile.name
            )
        if self_signing and key.spki != self._issuer.public_key.spki:
            raise Unprocessable("profile.other-issuer", "a root certifies its own key")


def lint_refusal(profile: str, errors: list[Finding]) -> Unprocessable:
    """Of a certificate that breaks rules: the first is told."""
    first = errors[0]
    return Unprocessable(
        "lint.failed",
        "the certificate would break a rule of this authority: {finding} ({clause})",
        finding=first.message,
        clause=first.clause,
        lint=first.lint,
        lints=", ".join(sorted({error.lint for error in errors}))[:500],
        profile=profile,
        errors=len(errors),
    )


def issues_as(authority: str) -> str:
    """By which name profiles know the authority: a region's issues what the issuing one does."""
    role = role_of(authority)
    return "issuing" if role == "regional" else role or authority
