"""Documents too large for memory: read in pieces, for their digests alone."""

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from kernel.algorithms import DIGEST_OIDS
from kernel.refusals import TooLarge, Unprocessable

MAX_STREAMED_BYTES = 16 * 1024 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
SHA2_BY_LENGTH = {32: "sha256", 48: "sha384", 64: "sha512"}


class Digestible(Protocol):
    """Something that is covered by its digest, without its octets being at hand."""

    def digest(self, name: str) -> bytes | None:
        """The digest under hashlib's `name`; None where it cannot be told."""
        ...


class StreamedDocument:
    """A document in a seekable binary file. Memory stays at one piece, whatever its size."""

    def __init__(
        self,
        file: BinaryIO,
        max_bytes: int = MAX_STREAMED_BYTES,
        *,
        start: int = 0,
        size: int | None = None,
        digests: Mapping[str, bytes] | None = None,
    ) -> None:
        """The document reaches from `start` to the file's end, or has `size` octets. `digests`:
        those that are known already, by hashlib's names."""
        self.file = file
        self._max_bytes = max_bytes
        self._start = start
        self._size = size
        self._digests: dict[str, bytes] = dict(digests or {})

    def digest(self, name: str) -> bytes | None:
        """One pass over the file for each `name`. Raises TooLarge `document.too-large`."""
        if name not in DIGEST_OIDS or name not in hashlib.algorithms_available:
            return None
        known = self._digests.get(name)
        if known is None:
            known = self._digests[name] = self._pass(name)
        return known

    def pieces(self) -> Iterator[memoryview]:
        """The octets, piece by piece; each is valid until the next. Raises as `digest`."""
        seen, left = 0, self._size
        piece = memoryview(bytearray(_PIECE_BYTES))
        self.file.seek(self._start)
        while left is None or left:
            room = piece if left is None else piece[:left]
            count: int = self.file.readinto(room)  # type: ignore[attr-defined]
            if not count:
                return
            seen += count
            left = None if left is None else left - count
            if seen > self._max_bytes:
                raise TooLarge("document.too-large", "the document is too large")
            yield piece[:count]

    @property
    def size(self) -> int:
        """In octets."""
        if self._size is None:
            self._size = self.file.seek(0, 2) - self._start
        return self._size

    def head(self, count: int) -> bytes:
        """The first `count` octets, or all."""
        self.file.seek(self._start)
        return self.file.read(count if self._size is None else min(count, self._size))

    def begins_with(self, head: bytes) -> bool:
        return self.head(len(head)) == head

    def _pass(self, name: str) -> bytes:
        running = hashlib.new(name)
        for piece in self.pieces():
            running.update(piece)
        return running.digest()


class DigestedDocument(StreamedDocument):
    """A document that is not here: only digests of it are."""

    def __init__(self, digests: Mapping[str, bytes]) -> None:
        """`digests`: by hashlib's names."""
        super().__init__(io.BytesIO(), size=0)
        self.known = dict(digests)

    @classmethod
    def of(cls, digest: bytes) -> "DigestedDocument":
        """By one digest of SHA-2, whose length names it. Raises KeyError."""
        return cls({SHA2_BY_LENGTH[len(digest)]: digest})

    def digest(self, name: str) -> bytes | None:
        return self.known.get(name)

    def pieces(self) -> Iterator[memoryview]:
        """Raises Unprocessable `document.digest-only`."""
        raise Unprocessable(
            "document.digest-only", "this needs the document itself, not only its digest"
        )


class ByteRangeDigest(DigestedDocument):
    """The digest of a PDF's byte range: somebody else holds the PDF and puts the CMS into it."""

    def __init__(self, digests: Mapping[str, bytes], signed_at: datetime) -> None:
        """`signed_at`: stands for the claimed time, which the PDF tells (its M)."""
        super().__init__(digests)
        self.signed_at = signed_at


Document = bytes | StreamedDocument
"""What is signed: its octets, or where they can be read."""


def head_of(document: Document, count: int) -> bytes:
    """The first `count` octets, or all."""
    return document[:count] if isinstance(document, bytes) else document.head(count)


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Several documents one after another, for one digest over all."""

    parts: Sequence[Document]

    def digest(self, name: str) -> bytes | None:
        """Raises as `StreamedDocument.digest`."""
        if name not in DIGEST_OIDS or name not in hashlib.algorithms_available:
            return None
        running = hashlib.new(name)
        for part in self.parts:
            pieces: Iterable[bytes | memoryview] = (
                (part,) if isinstance(part, bytes) else part.pieces()
            )
            for piece in pieces:
                running.update(piece)
        return running.digest()
