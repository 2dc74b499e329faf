"""How much a request may bring, set before anything reads it, chunked or not, and how often an
address may send one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request

from ra_portal.papers.documents import LARGEST_LICENCE, DocumentKind
from ra_portal.spreadsheets.reading import LARGEST_FILE

LARGEST_BODY = 64 * 1024
LARGEST_UPLOAD = 3 * LARGEST_LICENCE
"""On pages: two scans and half as much again, so that one too large is answered in the form."""
LARGEST_LIST = 512 * 1024
"""Of cards, with what the form says besides."""

_LARGEST = {
    "portal.apply": LARGEST_UPLOAD,
    "portal.save_draft": LARGEST_UPLOAD,
    "portal.import_file": 2 * LARGEST_FILE,
    "portal.correction": LARGEST_UPLOAD,
    "portal.enterprise_data": LARGEST_UPLOAD,
    "portal.mass": LARGEST_LIST,
    "portal.api_apply": 2 * LARGEST_LICENCE + LARGEST_BODY,
    "portal.api_correct": 2 * LARGEST_LICENCE + LARGEST_BODY,
}


def _unlimited() -> None:
    """Nobody is counted."""


@dataclass(frozen=True)
class AddressLimits:
    """Counts the present request, made without a session, against its address. Each raises
    TooMany."""

    saving: Callable[[], None] = _unlimited
    """What an applicant saves or looks up, also with a code that may be guessed."""
    asking: Callable[[], None] = _unlimited
    """What reaches somebody else: a message to a holder, an entry in the officers' queue."""
    uploading: Callable[[], None] = _unlimited
    """Scans: each is kept, with pictures of its pages, as megabytes in the database."""

    def scans(self) -> None:
        """Count the scans that the present request brings."""
        for kind in DocumentKind:
            file = request.files.get(kind)
            if file is not None and file.filename:
                self.uploading()


def limit_requests(blueprint: Blueprint) -> None:
    """Cap every body of the blueprint's routes, ahead of the form token's check, which reads it.

    Whatever its Content-Length says, no more of a body than that is read: Werkzeug answers 413 or,
    for a plain form without a length, cuts it there.
    """

    @blueprint.url_value_preprocessor
    def limit(endpoint: str | None, values: dict[str, Any] | None) -> None:
        request.max_content_length = _LARGEST.get(endpoint or "", LARGEST_BODY)
        request.max_form_parts = 200
