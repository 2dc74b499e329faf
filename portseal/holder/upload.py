"""A multipart/form-data body (RFC 7578) that is read from its files while it is sent."""

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

_PIECE = 1 << 20


class FormUpload:
    """Parts by their names, in order. Its length is known; memory stays at one piece."""

    def __init__(self, parts: Mapping[str, Path]) -> None:
        self._boundary = secrets.token_hex(16)
        self._parts = [
            (
                f"--{self._boundary}\r\n"
                f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n".encode(),
                file,
                file.stat().st_size,
            )
            for name, file in parts.items()
        ]
        self._end = f"--{self._boundary}--\r\n".encode()

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={self._boundary}"

    def __len__(self) -> int:
        return sum(len(head) + size + 2 for head, _, size in self._parts) + len(self._end)

    def __iter__(self) -> Iterator[bytes]:
        for head, path, size in self._parts:
            yield head
            left = size
            with path.open("rb") as file:
                while left and (piece := file.read(min(_PIECE, left))):
                    left -= len(piece)
                    yield piece
            if left:
                raise OSError(f"{path} became shorter while it was sent")
            yield b"\r\n"
        yield self._end
