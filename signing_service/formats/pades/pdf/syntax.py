"""PDF objects and their notation (ISO 32000-2, 7.2 and 7.3), read strictly and written plainly.

null, booleans and numbers are Python's own; a string is `bytes`, an array a `list`, a dictionary
a `dict` whose keys are names without their solidus.
"""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from kernel.refusals import Malformed

MAX_DEPTH = 48

_SPACE = rb"(?:[\0\t\n\f\r ]|%[^\r\n]*+)*+"
_DELIMITED = rb"(?![^\0\t\n\f\r ()<>\[\]{}/%])"
_TOKEN = re.compile(
    _SPACE
    + rb"(?:(?P<reference>(\d{1,10})"
    + _SPACE.replace(b"*+)*+", b"*+)++")
    + rb"(\d{1,5})"
    + _SPACE.replace(b"*+)*+", b"*+)++")
    + rb"R"
    + _DELIMITED
    + rb")|(?P<integer>[+-]?\d{1,20})"
    + _DELIMITED
    + rb"|(?P<real>[+-]?(?:\d{1,20}\.\d{0,40}|\.\d{1,40}))"
    + _DELIMITED
    + rb"|/(?P<name>[^\0\t\n\f\r ()<>\[\]{}/%]*)"
    + rb"|(?P<open>\[|<<)|(?P<close>\]|>>)"
    + rb"|<(?P<hex>[0-9A-Fa-f\0\t\n\f\r ]*)>"
    + rb"|\((?P<plain>[^()\\\r]*)\)|(?P<literal>\()"
    + rb"|(?P<keyword>[A-Za-z]+)"
    + _DELIMITED
    + rb")"
)
_SKIP = re.compile(_SPACE)
_STRING_PART = re.compile(rb"[^()\\\r]+|\\([0-7]{1,3}|\r\n|.)|[()]|\r\n?", re.DOTALL)
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_NAME_UNSAFE = re.compile(rb"[^!-~]|[()<>\[\]{}/%#]")
_BLANKS = b"\0\t\n\f\r "
_ESCAPES = {
    b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\r\n": b"", b"\n": b"",
    b"\r": b"",
}  # fmt: skip
_KEYWORDS = {b"true": True, b"false": False, b"null": None}


class Name(str):
    """A name, its `#` escapes resolved (Latin-1 stands for its octets)."""

    __slots__ = ()


class Ref(NamedTuple):
    """An indirect reference."""

    number: int
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream: its dictionary and its octets, still encoded."""

    dictionary: dict[str, Any]
    data: bytes


class Raw(bytes):
    """Notation that is ready to be written."""

    __slots__ = ()


Value = Any
"""None, bool, int, float, bytes, Name, Ref, list, dict or Stream."""


class Scanner:
    """Reads values one after another."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position
        self.contents: tuple[int, int] | None = None
        """Where the value of Contents in the outermost dictionary begins and ends."""

    def value(self, depth: int = 0) -> Value:
        """The next value. Raises Malformed `pdf.malformed`."""
        match = _TOKEN.match(self.data, self.position)
        if match is None:
            raise malformed("no value where one belongs", self.position)
        self.position = match.end()
        return self._value(match, depth)

    def keyword(self) -> bytes:
        """The next token, which is a keyword; empty where it is not one. It is consumed."""
        match = _TOKEN.match(self.data, self.position)
        if match is None or match.lastgroup != "keyword":
            return b""
        self.position = match.end()
        return match["keyword"]

    def skip_space(self) -> int:
        """Skip white space and comments; the position after it."""
        match = _SKIP.match(self.data, self.position)
        assert match is not None
        self.position = match.end()
        return self.position

    def _value(self, match: re.Match[bytes], depth: int) -> Value:
        kind = match.lastgroup
        if kind == "name":
            return name_of(match["name"])
        if kind == "integer":
            return int(match["integer"])
        if kind == "reference":
            return Ref(int(match[2]), int(match[3]))
        if kind == "open":
            if depth >= MAX_DEPTH:
                raise malformed("too deeply nested", match.start())
            is_array = match["open"] == b"["
            return self._array(depth + 1) if is_array else self._dictionary(depth + 1)
        if kind == "plain":
            return match["plain"]
        if kind == "hex":
            digits = match["hex"].translate(None, _BLANKS)
            return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
        if kind == "literal":
            return self._literal()
        if kind == "real":
            return float(match["real"])
        if kind == "keyword" and match["keyword"] in _KEYWORDS:
            return _KEYWORDS[match["keyword"]]
        raise malformed("no value where one belongs", match.start())

    def _array(self, depth: int) -> list[Value]:
        items: list[Value] = []
        while True:
            match = _TOKEN.match(self.data, self.position)
            if match is None:
                raise malformed("an array without its end", self.position)
            self.position = match.end()
            if match.lastgroup == "close":
                if match["close"] != b"]":
                    raise malformed("an array without its end", match.start())
                return items
            items.append(self._value(match, depth))

    def _dictionary(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while True:
            match = _TOKEN.match(self.data, self.position)
            if match is None:
                raise malformed("a dictionary without its end", self.position)
            self.position = match.end()
            if match.lastgroup == "close":
                if match["close"] != b">>":
                    raise malformed("a dictionary without its end", match.start())
                return found
            if match.lastgroup != "name":
                raise malformed("a key that is no name", match.start())
            key = name_of(match["name"])
            if key in found:
                # Readers differ in which of the two they take, so it would mean two things.
                raise malformed("a dictionary has the same key twice", match.start())
            if key == "Contents" and depth == 1:
                start = self.skip_space()
                found[key] = self.value(depth)
                self.contents = (start, self.position)
            else:
                found[key] = self.value(depth)

    def _literal(self) -> bytes:
        """The rest of a literal string, with escapes and balanced parentheses (7.3.4.2)."""
        parts, level = [], 1
        while True:
            match = _STRING_PART.match(self.data, self.position)
            if match is None:
                raise malformed("a string without its end", self.position)
            self.position = match.end()
            text, escape = match[0], match[1]
            if escape is not None:
                digits = escape[:1].isdigit() and escape[:1] < b"8"
                octal = bytes((int(escape, 8) & 0xFF,)) if digits else b""
                parts.append(octal or _ESCAPES.get(escape, escape))
                continue
            level += (text == b"(") - (text == b")")
            if level == 0:
                return b"".join(parts)
            parts.append(b"\n" if text[:1] == b"\r" else text)


def name_of(octets: bytes) -> Name:
    if b"#" in octets:
        octets = _NAME_ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), octets)
    return Name(octets.decode("latin-1"))


def malformed(what: str, position: int | None = None) -> Malformed:
    """The refusal for a file that is no PDF as the standard has it."""
    return Malformed("pdf.malformed", what, position=position)


def write(value: Value) -> bytes:
    """The notation of a value."""
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, Name):
        return write_name(value)
    if isinstance(value, Ref):
        return b"%d %d R" % value
    if isinstance(value, bytes):
        return b"<" + value.hex().encode() + b">"
    if isinstance(value, dict):
        parts = [write_name(key) + b" " + write(item) for key, item in value.items()]
        return b"<<" + b" ".join(parts) + b">>"
    if isinstance(value, list):
        return b"[" + b" ".join(map(write, value)) + b"]"
    if value is None:
        return b"null"
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, float):
        return f"{value:.5f}".rstrip("0").rstrip(".").encode()
    if isinstance(value, Stream):
        head = write({**value.dictionary, "Length": len(value.data)})
        return head + b"\nstream\n" + value.data + b"\nendstream"
    raise TypeError(f"no PDF value: {type(value).__name__}")


def write_name(name: str) -> bytes:
    return b"/" + _NAME_UNSAFE.sub(lambda match: b"#%02X" % match[0][0], name.encode("latin-1"))


def text_string(text: str) -> bytes:
    """A text string (7.9.2.2): ASCII as it is, all else UTF-16BE with its mark."""
    return text.encode() if text.isascii() else b"\xfe\xff" + text.encode("utf-16-be")


def read_text(string: Value) -> str | None:
    """The text of a text string; None for anything else."""
    if not isinstance(string, bytes):
        return None
    if string[:2] == b"\xfe\xff":
        return string[2:].decode("utf-16-be", "replace")
    if string[:3] == b"\xef\xbb\xbf":
        return string[3:].decode("utf-8", "replace")
    return string.decode("latin-1")
