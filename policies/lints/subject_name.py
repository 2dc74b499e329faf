"""The subject has the profile's attributes, in its order, each once and of the right type."""

from collections.abc import Iterator

from kernel.asn1 import der
from policies.lints.framework import Candidate, Lint
from policies.oids import PRINTABLE_ATTRIBUTES, SUBJECT_ATTRIBUTES
from policies.profile import SubjectRule

_UTF8_STRING, _PRINTABLE_STRING = 0x0C, 0x13
_FIELDS = {der.oid(dotted): field for field, dotted in SUBJECT_ATTRIBUTES.items()}


def check(candidate: Candidate) -> Iterator[str]:
    rules = {rule.field: rule for rule in candidate.profile.subject}
    found: list[str] = []
    for kind, tag, value in _attributes(candidate.certificate.subject_der):
        field = _FIELDS.get(kind)
        rule = rules.get(field) if field else None  # type: ignore[call-overload]
        if field is None or rule is None:
            yield "an attribute that the profile does not have"
            continue
        found.append(field)
        yield from _check_value(rule, tag, value)
    expected = [field for field in rules if field in found]
    if found != expected:
        yield "attributes repeated or not in the profile's order"
    missing = [field for field, rule in rules.items() if rule.required and field not in found]
    if missing:
        yield "without " + ", ".join(missing)


def _check_value(rule: SubjectRule, tag: int, value: bytes) -> Iterator[str]:
    wanted = _PRINTABLE_STRING if rule.field in PRINTABLE_ATTRIBUTES else _UTF8_STRING
    if tag != wanted:
        yield f"{rule.field} is encoded as another type of string"
        return
    text = value.decode("utf-8", "replace")
    if not 1 <= len(text) <= rule.max_length:
        yield f"{rule.field} has not 1 to {rule.max_length} characters"
    if rule.fixed is not None and text != rule.fixed:
        yield f"{rule.field} is not the profile's {rule.fixed}"


def _attributes(name: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    for relative in der.children(name, der.read(name)):
        for pair in der.children(name, relative):
            kind, value = der.children(name, pair)
            yield name[kind.start : kind.end], value.tag, name[value.content : value.end]


LINT = Lint("subject-name", "3.1.1", "RFC 5280, 4.1.2.6 and appendix A", check)
