"""Small types for names, so that a serial number is never taken for a row number."""

import re
from dataclasses import dataclass
from typing import NewType, Self
from urllib.parse import quote, unquote_to_bytes

from kernel.entropy import Entropy
from kernel.refusals import Malformed

Serial = NewType("Serial", int)
"""A certificate serial number (RFC 5280, 4.1.2.2): positive, below 2^159."""

ProfileName = NewType("ProfileName", str)
"""The name of a certificate profile in `policies/profiles/`."""

_SERIAL_LIMIT = 1 << 159


def new_serial(entropy: Entropy) -> Serial:
    """Draw a serial of 158 random bits: never sequential, always 20 octets or fewer in DER."""
    number = int.from_bytes(entropy.token(20), "big") & ((1 << 158) - 1)
    return Serial(number | (1 << 157))


def serial_text(serial: Serial) -> str:
    """Upper-case hexadecimal, even length: the form used in the database and in URLs."""
    digits = f"{serial:X}"
    return digits if len(digits) % 2 == 0 else "0" + digits


def parse_serial(text: str) -> Serial:
    """Read `serial_text`'s form. Raises Malformed `serial.malformed`."""
    if not re.fullmatch(r"[0-9A-Fa-f]{1,40}", text):
        raise Malformed("serial.malformed", "a serial number is 1 to 40 hexadecimal digits")
    number = int(text, 16)
    if not 0 < number < _SERIAL_LIMIT:
        raise Malformed("serial.malformed", "the serial number is out of range")
    return Serial(number)


_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))


def uscc_check_character(first17: str) -> str:
    """The 18th character of a unified social credit code (GB 32100-2015)."""
    total = sum(_USCC_ALPHABET.index(c) * w for c, w in zip(first17, _USCC_WEIGHTS, strict=True))
    return _USCC_ALPHABET[(31 - total % 31) % 31]


def parse_uscc(text: str) -> str:
    """Check a unified social credit code and return it in upper case.

    Raises Malformed `uscc.malformed` (shape) or `uscc.check-character` (GB 32100-2015).
    """
    code = text.strip().upper()
    if not re.fullmatch(rf"[{_USCC_ALPHABET}]{{2}}\d{{6}}[{_USCC_ALPHABET}]{{10}}", code):
        raise Malformed(
            "uscc.malformed",
            "a unified social credit code is 18 digits and capital letters (no I, O, S, V, Z)",
        )
    if uscc_check_character(code[:17]) != code[17]:
        raise Malformed("uscc.check-character", "the code's check character does not match")
    return code


def parse_customs_code(text: str) -> str:
    """Check a customs registration code: 10 characters, digits but for the 6th onwards.

    Raises Malformed `customs-code.malformed`.
    """
    code = text.strip().upper()
    if not re.fullmatch(r"\d{5}[0-9A-Z]{5}", code):
        raise Malformed("customs-code.malformed", "a customs code is 10 digits or capitals")
    return code


@dataclass(frozen=True, slots=True)
class KeyUri:
    """A key in a token, as an RFC 7512 `pkcs11:` URI (the attributes used here)."""

    token: str
    object: str

    def __str__(self) -> str:
        return f"pkcs11:token={quote(self.token, safe='')};object={quote(self.object, safe='')}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises Malformed `key-uri.malformed`. A PIN in the URI is refused, never read."""
        if not text.startswith("pkcs11:") or len(text) > 512:
            raise Malformed("key-uri.malformed", "a key URI begins with pkcs11:")
        path, _, query = text[len("pkcs11:") :].partition("?")
        if query:
            raise Malformed("key-uri.malformed", "a key URI carries no query (and no PIN)")
        attributes: dict[str, str] = {}
        for part in path.split(";"):
            name, equals, value = part.partition("=")
            if not equals or name in attributes or name not in {"token", "object", "type"}:
                raise Malformed("key-uri.malformed", "a key URI names token and object, once")
            attributes[name] = unquote_to_bytes(value).decode("utf-8", "strict")
        try:
            return cls(token=attributes["token"], object=attributes["object"])
        except KeyError:
            raise Malformed("key-uri.malformed", "a key URI names token and object") from None
