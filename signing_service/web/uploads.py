"""What is presented for verification, out of a request: in memory, or piece by piece."""

import shutil
import tempfile
from typing import BinaryIO, cast

from flask import request
from werkzeug.datastructures import FileStorage

from kernel.refusals import Malformed, TooLarge, Unavailable
from signing_service.formats.document import StreamedDocument
from signing_service.validation.report import ValidationReport
from signing_service.verification import MAX_PRESENTED_BYTES, Verification
from signing_service.web.streams import Streams

_PARTS = frozenset({"document", "signature"})
_MAX_FORM_BYTES = 2 * MAX_PRESENTED_BYTES + 64 * 1024
_ZIP = b"PK\x03\x04"


class Uploads:
    """Verifies the files of the present request."""

    def __init__(
        self,
        verification: Verification,
        max_streamed_bytes: int = 0,
        streams: Streams | None = None,
    ) -> None:
        self._verification = verification
        self._max_streamed_bytes = max_streamed_bytes
        self._streams = streams or Streams()

    def verify(self) -> ValidationReport:
        """Raises as `verify_small`; Unavailable `verification.busy`."""
        if (request.content_length or 0) <= MAX_PRESENTED_BYTES or not self._max_streamed_bytes:
            return self.verify_small()
        return self._verify_streamed()

    def verify_small(self) -> ValidationReport:
        """In memory. Raises Malformed `request.malformed`; TooLarge; and as `Verification`."""
        _read_form(_MAX_FORM_BYTES)
        document, signature = _presented("document"), _presented("signature")
        return self._verification.verify(document, signature).complete()

    def _verify_streamed(self) -> ValidationReport:
        """Werkzeug puts a large part into a temporary file; its digests are made from there."""
        with self._streams.one("verification.busy"):
            return self._verify_file()

    def _verify_file(self) -> ValidationReport:
        if shutil.disk_usage(tempfile.gettempdir()).free < 2 * (request.content_length or 0):
            raise Unavailable("verification.busy", "there is no room for so large a document now")
        _read_form(self._max_streamed_bytes + MAX_PRESENTED_BYTES)
        try:
            signature, document = _presented("signature"), request.files.get("document")
            if document is None:
                raise Malformed("request.malformed", "the part document is missing")
            file = cast(BinaryIO, document.stream)
            streamed = StreamedDocument(file, self._max_streamed_bytes)
            if streamed.size <= MAX_PRESENTED_BYTES:
                whole = streamed.head(MAX_PRESENTED_BYTES)
                return self._verification.verify(whole, signature).complete()
            if signature is None and not streamed.begins_with(_ZIP):
                raise TooLarge(
                    "document.too-large",
                    "only a document beside its signature, or an ASiC container, may have more "
                    "than {mib} MiB",
                    mib=MAX_PRESENTED_BYTES >> 20,
                )
            return self._verification.verify(streamed, signature).complete()
        finally:
            for part in request.files.values():
                part.close()


def _read_form(max_bytes: int) -> None:
    request.max_content_length = max_bytes
    request.max_form_parts = 8
    if request.mimetype != "multipart/form-data":
        raise Malformed(
            "request.malformed", "send the files as multipart/form-data: document, signature"
        )
    unknown = set(request.files) - _PARTS
    if unknown:
        raise Malformed("request.malformed", "the file parts are document and signature")


def _presented(part: str) -> bytes | None:
    files: list[FileStorage] = request.files.getlist(part)
    if not files:
        return None
    if len(files) > 1:
        raise Malformed("request.malformed", "there may be one part {part}", part=part)
    data: bytes = files[0].stream.read(MAX_PRESENTED_BYTES + 1)
    if len(data) > MAX_PRESENTED_BYTES:
        limit = MAX_PRESENTED_BYTES >> 20
        raise TooLarge("document.too-large", "at most {mib} MiB are verified at once", mib=limit)
    return data or None
