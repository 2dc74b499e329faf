"""Certificate profiles: what a kind of certificate holds, as data (`profiles/*.toml`)."""

import hashlib
import re
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from kernel.algorithms import SUITES, AlgorithmSuite, KeyKind, PublicKey
from kernel.identifiers import ProfileName
from policies.data_file import PolicyData
from policies.oids import EXTENDED_KEY_USAGES, PLACEHOLDER_ARC

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]
RelativeArc = Annotated[str, StringConstraints(pattern=r"^[1-9]\d*(\.(0|[1-9]\d*))*$")]
Arc = Annotated[str, StringConstraints(pattern=r"^[0-2](\.(0|[1-9]\d*))+$", max_length=64)]
SubjectField = Literal[
    "country",
    "organization",
    "organization_identifier",
    "organizational_unit",
    "common_name",
    "serial_number",
]
KeyUsage = Literal[
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
]
ExtendedKeyUsage = Literal[
    "serverAuth", "clientAuth", "emailProtection", "timeStamping", "OCSPSigning"
]
_CA_USAGES = frozenset({"keyCertSign", "cRLSign"})
_SIGNING_USAGES = frozenset({"digitalSignature", "nonRepudiation"})
_ENCRYPTION_USAGES = frozenset({"keyEncipherment", "keyAgreement"})
_OTHER_KINDS_USAGE = {KeyKind.EC: "keyEncipherment", KeyKind.RSA: "keyAgreement"}
"""What a kind of key cannot do (RFC 8813, 3; RFC 3279, 2.3.1)."""


class SubjectRule(PolicyData):
    """One attribute of the subject name, in the order of the name."""

    field: SubjectField
    required: bool = True
    fixed: str | None = Field(default=None, min_length=1, max_length=64)
    """The one value that this field has; a request need not give it."""
    max_length: int = Field(default=64, ge=1, le=64)
    """Characters (RFC 5280, appendix A: 64 for every name attribute used here)."""
    pattern: str | None = Field(default=None, max_length=200)
    """A regular expression that the whole value matches."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _fixed_value_fits(self) -> Self:
        if self.fixed is not None and self.pattern and not re.fullmatch(self.pattern, self.fixed):
            raise ValueError("the fixed value does not match the pattern")
        return self


class CertificateProfile(PolicyData):
    """What a kind of certificate holds. Everything not said here is left out."""

    name: Code
    version: int = Field(ge=1)
    title_zh: str = Field(min_length=1, max_length=80)
    title_en: str = Field(min_length=1, max_length=80)
    arc: Arc = PLACEHOLDER_ARC
    """The operator's own arc; `policies` are below it. Set for all profiles at once."""
    issuer: Code
    """Name of the authority that issues these, or `self` for a self-signed root."""
    key_location: Literal["pkcs11-token", "key-centre", "subject-software"]
    """Where the subject's private key is made and lives: born in the subject's PKCS#11 token and
    never outside; made and escrowed by the key-management centre and delivered enveloped; or in
    the subject's own software, as a web server's is."""
    validity_days: int = Field(ge=1, le=10_958)
    backdate_seconds: int = Field(default=0, ge=0, le=3600)
    """How far before the moment of issue a certificate begins, for clocks that lag."""
    suites: tuple[str, ...] = Field(min_length=1)
    """Algorithm suites that the subject's key may be used with."""
    policies: tuple[RelativeArc, ...] = ()
    """Certificate policies, below `arc`; none for a root, which asserts none."""
    subject: tuple[SubjectRule, ...] = Field(min_length=1)
    ca: bool
    path_length: int | None = Field(default=None, ge=0, le=4)
    key_usage: tuple[KeyUsage, ...] = Field(min_length=1)
    """Of keyEncipherment and keyAgreement a certificate has the one that its kind of key can do."""
    extended_key_usage: tuple[ExtendedKeyUsage, ...] = ()
    extended_key_usage_critical: bool = False
    alternative_names: Literal["none", "dns"] = "none"
    """Whether subjectAltName stands, and of what (RFC 5280, 4.2.1.6)."""
    self_issued: bool = False
    """Whether the subject is the issuer's own name: a link between an authority's old and new key
    (RFC 4210, 4.4)."""
    ocsp_nocheck: bool = False
    """id-pkix-ocsp-nocheck (RFC 6960, 4.2.2.2.1)."""
    crl_address: bool
    ocsp_address: bool
    issuer_address: bool
    """Whether cRLDistributionPoints, the OCSP and the caIssuers access descriptions stand."""
    crl_shards: int = Field(default=0, ge=0, le=1000)
    """Into how many parts the issuer's list is split for these certificates; each names its part
    (RFC 5280, 4.2.1.13 and 5.2.5). 0: they name the complete list."""
    crl_keep_days: int = Field(default=0, ge=0, le=10_958)
    """How long after its end a revoked certificate stays on the lists."""
    published: bool
    """Whether these certificates go to the directory."""

    @field_validator("suites")
    @classmethod
    def _suites_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in SUITES:
                raise ValueError(f"no such algorithm suite: {name}")
            if SUITES[name].strength < 112:
                raise ValueError(f"{name} is too weak to certify keys for")
            if not SUITES[name].is_for_new_keys:
                raise ValueError(f"{name} is verified alone: no keys are certified for it")
        return value

    @field_validator("subject")
    @classmethod
    def _fields_stand_once(cls, value: tuple[SubjectRule, ...]) -> tuple[SubjectRule, ...]:
        names = [rule.field for rule in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} stands twice")
        if not any(rule.required for rule in value):
            raise ValueError("a subject name has at least one required field")
        return value

    @field_validator("key_usage", "extended_key_usage", "policies")
    @classmethod
    def _values_stand_once(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError(f"{info.field_name}: a value stands twice")
        return value

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        if self.ca:
            self._check_authority()
        else:
            self._check_end_entity()
        if self.ocsp_nocheck and self.extended_key_usage != ("OCSPSigning",):
            raise ValueError("ocsp_nocheck: for OCSP responders alone (RFC 6960, 4.2.2.2.1)")
        if "timeStamping" in self.extended_key_usage and (
            self.extended_key_usage != ("timeStamping",) or not self.extended_key_usage_critical
        ):
            fault = "extended_key_usage: timeStamping is critical and stands alone (RFC 3161, 2.3)"
            raise ValueError(fault)
        if self.issuer == "self":
            if self.crl_address or self.ocsp_address or self.issuer_address:
                raise ValueError("crl_address: a self-signed certificate names no status addresses")
        elif not self.policies:
            raise ValueError("policies: a certificate below the root asserts a policy")
        elif ("serverAuth" in self.extended_key_usage) is not (self.alternative_names == "dns"):
            raise ValueError("alternative_names: a server, and no other, is known by its DNS names")
        elif not (self.crl_address or self.ocsp_nocheck):
            raise ValueError("crl_address: its revocation could not be learnt")
        elif self.crl_shards and not self.crl_address:
            raise ValueError("crl_shards: the certificate names no list")
        return self

    def _check_authority(self) -> None:
        if not set(self.key_usage) >= _CA_USAGES:
            raise ValueError("key_usage: an authority has keyCertSign and cRLSign")
        if self.extended_key_usage:
            raise ValueError("extended_key_usage: an authority has none here")
        if self.path_length is None and self.issuer != "self":
            raise ValueError("path_length: an authority below the root has one")

    def _check_end_entity(self) -> None:
        usages = set(self.key_usage)
        if usages & _CA_USAGES:
            raise ValueError("key_usage: keyCertSign and cRLSign are for authorities alone")
        if usages & _ENCRYPTION_USAGES and usages & _SIGNING_USAGES:
            raise ValueError("key_usage: one key signs or is encrypted to, never both")
        if (self.key_location == "key-centre") is not bool(usages & _ENCRYPTION_USAGES):
            raise ValueError("key_location: the centre makes the keys that are encrypted to")
        if self.path_length is not None:
            raise ValueError("path_length: for authorities alone (RFC 5280, 4.2.1.9)")
        if self.issuer == "self":
            raise ValueError("issuer: an end entity does not issue its own certificate")

    @property
    def profile_name(self) -> ProfileName:
        return ProfileName(self.name)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the whole profile, hexadecimal: recorded with every certificate."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @cached_property
    def policy_oids(self) -> tuple[str, ...]:
        return tuple(f"{self.arc}.{relative}" for relative in self.policies)

    @cached_property
    def extended_key_usage_oids(self) -> tuple[str, ...]:
        return tuple(EXTENDED_KEY_USAGES[name] for name in self.extended_key_usage)

    @cached_property
    def subject_suites(self) -> tuple[AlgorithmSuite, ...]:
        return tuple(SUITES[name] for name in self.suites)

    def key_usage_of(self, kind: KeyKind) -> tuple[KeyUsage, ...]:
        """The usages of a certificate for a key of this kind."""
        return tuple(use for use in self.key_usage if use != _OTHER_KINDS_USAGE.get(kind))

    def accepts_key(self, key: PublicKey) -> bool:
        """Whether the key can be used under one of the suites that the profile names."""
        return any(key.fits(suite) for suite in self.subject_suites)
