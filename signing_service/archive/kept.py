"""A document of any size that lies in the archive's store, used where it is."""

import tempfile
from collections.abc import Callable, Mapping
from typing import BinaryIO

from kernel.refusals import Unavailable
from signing_service.archive.objects import ObjectStore
from signing_service.formats.document import StreamedDocument


class KeptDocument(StreamedDocument):
    """Its file is open; `close` it when it is not needed any more."""

    def __init__(
        self,
        store: ObjectStore,
        address: str,
        size: int,
        *,
        digests: Mapping[str, bytes] | None = None,
    ) -> None:
        """`digests`: made when it was put there. Without them the octets are read again, and a
        document that was changed since has other ones. Raises as `ObjectStore.open`."""
        super().__init__(store.open(address), size=size, digests=digests)
        self.address = address

    def close(self) -> None:
        self.file.close()


def keep_written(store: ObjectStore, write: Callable[[BinaryIO], None]) -> KeptDocument:
    """What `write` puts into a file, kept. Raises as `ObjectStore.put` and `write`."""
    try:
        with tempfile.TemporaryFile() as file:
            write(file)
            address, size = store.put_pieces(StreamedDocument(file).pieces())
    except OSError as error:
        raise Unavailable(
            "archive.unavailable", "there is no room to put it together", error=error.strerror
        ) from error
    return KeptDocument(store, address, size)
