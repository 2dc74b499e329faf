"""What people type, checked field by field, so that a form can say everything at once."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import TypeVar

from kernel.refusals import Malformed, Refusal, Unprocessable
from policies.identity_number import (
    holds_identity_number,
    is_identity_card_number,
    is_other_document_number,
)
from policies.scripts import has_look_alike_letters, mixes_scripts

_EMAIL = re.compile(r"[^@\s<>\"']{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,180}[A-Za-z0-9])?")
_PHONE = re.compile(r"\+?[0-9][0-9 -]{4,22}[0-9]")
_EMPLOYEE_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,31}")


T = TypeVar("T")


class InvalidFields(Unprocessable):
    """Some fields are wrong. Its facts are field -> code; `errors` holds the refusals."""

    def __init__(self, errors: Mapping[str, Refusal]) -> None:
        codes = {name: refusal.code for name, refusal in errors.items()}
        super().__init__("fields.invalid", "some fields need correction", **codes)
        self.errors = dict(errors)


class FieldReader:
    """Reads fields one after another and refuses at the end with every error found."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values
        self._errors: dict[str, Refusal] = {}

    def read(self, name: str, parse: Callable[[str], str]) -> str:
        """The field's parsed value, or an empty text and a remembered error."""
        value = self._values.get(name)
        try:
            if not isinstance(value, str) or not value.strip():
                raise Malformed("field.missing", "this field must be filled in")
            return parse(value)
        except Refusal as refusal:
            self._errors[name] = refusal
            return ""

    def optional(self, name: str, parse: Callable[[str], str]) -> str | None:
        """As `read`; None where the field is empty."""
        value = self._values.get(name)
        return self.read(name, parse) if value not in (None, "") else None

    def attempt(self, name: str, read: Callable[[], T]) -> T | None:
        """What `read` gives, or None and a remembered error."""
        try:
            return read()
        except Refusal as refusal:
            self._errors[name] = refusal
            return None

    def note(self, name: str, refusal: Refusal) -> None:
        self._errors[name] = refusal

    def finish(self) -> None:
        """Raises InvalidFields `fields.invalid`."""
        if self._errors:
            raise InvalidFields(self._errors)


def text(longest: int) -> Callable[[str], str]:
    """One line of plain text: normalised, no control characters, no identity number."""

    def parse(value: str) -> str:
        line = " ".join(unicodedata.normalize("NFC", value).split())
        if len(line) > longest:
            raise Malformed("field.too-long", "this text is too long", longest=longest)
        if any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"} for c in line):
            raise Malformed("field.characters", "this text holds characters that cannot be printed")
        if mixes_scripts(line) or has_look_alike_letters(line):
            raise Malformed("field.look-alike", "letters that look like those of another script")
        if holds_identity_number(line):
            raise Unprocessable(
                "field.identity-number", "do not enter a person's identity number here"
            )
        return line

    return parse


def paragraph(value: str, longest: int = 1000) -> str:
    """Reasons in prose, lines kept. Raises Malformed `field.missing`, `field.too-long`."""
    lines = (" ".join(line.split()) for line in value.replace("\r\n", "\n").split("\n"))
    prose = "\n".join(lines).strip()
    if not prose:
        raise Malformed("field.missing", "this field must be filled in")
    if len(prose) > longest:
        raise Malformed("field.too-long", "this text is too long", longest=longest)
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c != "\n" for c in prose):
        raise Malformed("field.characters", "this text holds characters that cannot be printed")
    return prose


def phone(value: str) -> str:
    """Raises Malformed `field.phone`."""
    number = value.strip()
    if not _PHONE.fullmatch(number):
        raise Malformed("field.phone", "a telephone number is digits, spaces and hyphens")
    return number


def email(value: str) -> str:
    """Raises Malformed `field.email`."""
    address = value.strip()
    if len(address) > 254 or not _EMAIL.fullmatch(address):
        raise Malformed("field.email", "this is not an e-mail address")
    return address


def employee_number(value: str) -> str:
    """Raises Malformed `field.employee-number`, Unprocessable `field.identity-number`."""
    number = value.strip()
    if not _EMPLOYEE_NUMBER.fullmatch(number):
        raise Malformed(
            "field.employee-number", "an employee number is up to 32 letters, digits and . _ / -"
        )
    return text(32)(number)


def identity_number(value: str) -> str:
    """The number of an identity card, a passport or a permit, in capitals, without spaces.

    Raises Unprocessable `field.identity-check`.
    """
    number = "".join(value.split()).upper()
    if not (is_identity_card_number(number) or is_other_document_number(number)):
        raise Unprocessable(
            "field.identity-check",
            "this is neither an identity card's number nor a passport's: please compare each digit",
        )
    return number
