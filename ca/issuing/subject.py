"""The subject's name: what a request may ask for, and the refusal of what would mislead."""

import re
import unicodedata
import warnings
from dataclasses import dataclass

from cryptography import x509

from kernel.refusals import Unprocessable
from policies.identity_number import holds_identity_number
from policies.oids import SUBJECT_ATTRIBUTES
from policies.profile import CertificateProfile, SubjectRule
from policies.scripts import has_look_alike_letters, mixes_scripts

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
warnings.filterwarnings("ignore", message="Attribute's length must be >= 1 and <= 64")
_TYPES = {field: x509.ObjectIdentifier(dotted) for field, dotted in SUBJECT_ATTRIBUTES.items()}


@dataclass(frozen=True)
class SubjectFields:
    """Values for the subject's name; the profile says which are needed, allowed or fixed."""

    country: str | None = None
    organization: str | None = None
    organization_identifier: str | None = None
    """ETSI EN 319 412-1, 5.1.4: `NTRCN-` and the unified social credit code."""
    organizational_unit: str | None = None
    common_name: str | None = None
    serial_number: str | None = None
    """The card's number. Never a person's identity number."""


def organization_identifier(uscc: str) -> str:
    """A unified social credit code as organizationIdentifier (ETSI EN 319 412-1, 5.1.4)."""
    return f"NTRCN-{uscc}"


def subject_name(profile: CertificateProfile, fields: SubjectFields) -> x509.Name:
    """The name that `profile` makes of `fields`, attributes in the profile's order.

    Raises Unprocessable `subject.missing`, `subject.not-allowed`, `subject.fixed`,
    `subject.blank`, `subject.too-long`, `subject.control-character`, `subject.bidi`,
    `subject.not-normalised`, `subject.look-alike`, `subject.pattern`, `subject.identity-number`.
    """
    given = {name: value for name in _TYPES if (value := getattr(fields, name)) is not None}
    attributes = []
    for rule in profile.subject:
        value = _ruled_value(rule, given.pop(rule.field, None))
        if value is not None:
            # pyca would count octets where RFC 5280 counts characters: a Chinese name of 22
            # characters would be too long. `_check_text` has counted.
            attributes.append(x509.NameAttribute(_TYPES[rule.field], value, _validate=False))
    if given:
        field = sorted(given)[0]
        raise _refusal("not-allowed", field, "the profile has no such field")
    return x509.Name(attributes)


def _ruled_value(rule: SubjectRule, value: str | None) -> str | None:
    if rule.fixed is not None:
        if value not in (None, rule.fixed):
            raise _refusal("fixed", rule.field, "the profile fixes another value")
        return rule.fixed
    if value is None:
        if rule.required:
            raise _refusal("missing", rule.field, "the profile requires this field")
        return None
    _check_text(rule.field, value, rule.max_length)
    if rule.pattern is not None and not re.fullmatch(rule.pattern, value):
        raise _refusal("pattern", rule.field, "the value has not the form that the profile asks")
    # A unified social credit code may look like an identity number; a person's fields may not.
    if rule.field != "organization_identifier" and holds_identity_number(value):
        raise _refusal("identity-number", rule.field, "a certificate never names an identity card")
    return value


def _check_text(field: str, value: str, limit: int) -> None:
    if len(value) > limit:
        raise _refusal("too-long", field, f"at most {limit} characters")
    for character in value:
        if character in _BIDI:
            raise _refusal("bidi", field, "direction marks could show another name than is signed")
        if unicodedata.category(character) in _UNSEEN:
            raise _refusal("control-character", field, "characters that cannot be seen")
    if not value.strip() or value != value.strip() or "  " in value:
        raise _refusal("blank", field, "empty, or blanks at an end or in a row")
    if not unicodedata.is_normalized("NFC", value):
        raise _refusal("not-normalised", field, "the text is not in Unicode's form NFC")
    if mixes_scripts(value) or has_look_alike_letters(value):
        raise _refusal("look-alike", field, "letters that look like those of another script")


def _refusal(kind: str, field: str, detail: str) -> Unprocessable:
    return Unprocessable(f"subject.{kind}", detail, field=field)
