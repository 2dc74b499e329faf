"""Objects in an S3-compatible store, through obstore."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store as Bucket

from kernel.refusals import Unavailable
from signing_service.archive.objects import ARCHIVE_FULL, address_of, checked

_LIST_CHUNK = 1000
_FULL_WORDS = ("507", "QuotaExceeded", "StorageFull", "InsufficientStorage", "XMinioStorageFull")


class S3Store:
    """Objects below one prefix of one bucket. A put is atomic: S3 shows whole objects only."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None,
        region: str,
        access_key: str,
        secret_key: str,
        prefix: str = "portseal",
        timeout_seconds: int = 30,
    ) -> None:
        """`endpoint` is the address of a store of one's own (http or https); None: AWS."""
        plain = endpoint is not None and endpoint.startswith("http://")
        self._bucket = Bucket(
            bucket,
            prefix=prefix,
            endpoint=endpoint or f"https://s3.{region}.amazonaws.com",
            region=region,
            access_key_id=access_key,
            secret_access_key=secret_key,
            virtual_hosted_style_request=False,
            checksum_algorithm="SHA256",
            client_options={
                "allow_http": plain,
                "timeout": timedelta(seconds=timeout_seconds),
                "connect_timeout": timedelta(seconds=min(timeout_seconds, 5)),
            },
            retry_config={
                "max_retries": 3,
                "retry_timeout": timedelta(seconds=2 * timeout_seconds),
            },
        )

    def put(self, data: bytes) -> str:
        address = address_of(data)
        with _refusing():
            # Written even where it is there: LastModified then says that it is wanted again.
            obstore.put(self._bucket, address, data, use_multipart=False)
        return address

    def put_pieces(self, pieces: Iterable[bytes | memoryview]) -> tuple[str, int]:
        """Through a temporary file: the address is known after the last piece alone."""
        running = hashlib.sha256()
        with tempfile.TemporaryFile() as file:
            for piece in pieces:
                running.update(piece)
                file.write(piece)
            size = file.tell()
            file.seek(0)
            with _refusing():
                obstore.put(self._bucket, running.hexdigest(), file)
        return running.hexdigest(), size

    def open(self, address: str) -> BinaryIO:
        """A copy in a temporary file."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        try:
            with _refusing():
                for piece in obstore.get(self._bucket, address).stream(min_chunk_size=1 << 20):
                    file.write(piece)
        except FileNotFoundError:
            file.close()
            raise Unavailable(
                "archive.missing", "an archived object is missing", object=address
            ) from None
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def get(self, address: str) -> bytes:
        try:
            with _refusing():
                data = bytes(obstore.get(self._bucket, address).bytes())
        except FileNotFoundError:
            raise Unavailable(
                "archive.missing", "an archived object is missing", object=address
            ) from None
        return checked(data, address)

    def addresses(self) -> Iterator[str]:
        with _refusing():
            for chunk in obstore.list(self._bucket, chunk_size=_LIST_CHUNK):
                for entry in chunk:
                    yield entry["path"].rpartition("/")[2]

    def remove(self, address: str, put_before: datetime) -> bool:
        try:
            with _refusing():
                if obstore.head(self._bucket, address)["last_modified"] >= put_before.astimezone(
                    UTC
                ):
                    return False
                obstore.delete(self._bucket, address)
        except FileNotFoundError:
            return False
        return True

    def tidy(self, put_before: datetime) -> None:
        """Nothing to do: a put leaves a whole object or none."""


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        text = str(error)
        if any(word in text for word in _FULL_WORDS):
            raise Unavailable(ARCHIVE_FULL, "the archive's store is full") from None
        raise Unavailable(
            "archive.unavailable", "the archive's store does not answer", error=type(error).__name__
        ) from None
