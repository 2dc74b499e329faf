"""`python -m ra_portal.papers.pdf_reader`: a PDF comes in, pictures of its pages go out.

The first line says `read` and the size of each picture, or why there is none (`REFUSALS` of
`ra_portal/papers/page_pictures.py`). The process limits itself before it reads anything.
"""

import io
import resource
import sys
from collections.abc import Iterator

import pikepdf
import pypdfium2

from ra_portal.papers.page_pictures import LONGEST_EDGE, MOST_PAGES, encode

_MOST_MEMORY = 1 << 30
_MOST_SECONDS = 15
_MOST_OBJECTS = 50_000
_DEEPEST = 40

_ACTIVE_KEYS = frozenset(
    {
        "/JS",
        "/JavaScript",
        "/AA",
        "/EmbeddedFiles",
        "/EF",
        "/RichMedia",
        "/XFA",
        "/AF",
        "/Collection",
    }
)
_ACTIVE_NAMES = frozenset(
    f"/{name}"
    for name in (
        *("JavaScript", "Launch", "SubmitForm", "ImportData", "ResetForm", "GoToE", "GoToR"),
        *("Rendition", "Movie", "Sound", "RichMedia", "RichMediaExecute", "Trans", "Hide"),
        *("SetOCGState", "FileAttachment", "Screen", "3D", "Widget", "EmbeddedFile", "Filespec"),
    )
)
"""Values of /S, /Subtype and /Type that make a PDF do, carry or ask something (ISO 32000-1, 12)."""


class Said(Exception):
    """Why there are no pictures: a key of `REFUSALS`."""


def read(content: bytes) -> list[bytes]:
    try:
        with pikepdf.open(io.BytesIO(content), suppress_warnings=True) as pdf:
            if pdf.is_encrypted:
                raise Said("encrypted")
            if not 1 <= len(pdf.pages) <= MOST_PAGES:
                raise Said("pages")
            _require_passive(pdf)
    except pikepdf.PasswordError:
        raise Said("encrypted") from None
    except pikepdf.PdfError:
        raise Said("damaged") from None
    return list(_draw(content))


def _require_passive(pdf: pikepdf.Pdf) -> None:
    waiting = [(item, 0) for item in pdf.objects]
    waiting.append((pdf.trailer, 0))
    if len(waiting) > _MOST_OBJECTS:
        raise Said("damaged")
    while waiting:
        item, depth = waiting.pop()
        if depth > _DEEPEST:
            raise Said("damaged")
        if isinstance(item, pikepdf.Dictionary | pikepdf.Stream):
            _require_passive_dictionary(item)
            children = _values(item)
        elif isinstance(item, pikepdf.Array):
            children = list(item)
        else:
            continue
        waiting += [
            (child, depth + 1)
            for child in children
            if isinstance(child, pikepdf.Object) and not child.is_indirect
        ]


def _values(item: pikepdf.Object) -> list[object]:
    try:
        return [item.get(key) for key in item.keys()]  # noqa: SIM118 -- not a mapping
    except (TypeError, ValueError):  # a key that is not UTF-8 is not found again
        raise Said("damaged") from None


def _require_passive_dictionary(item: pikepdf.Object) -> None:
    keys = set(item.keys())
    if keys & _ACTIVE_KEYS:
        raise Said("active")
    for key in ("/S", "/Subtype", "/Type"):
        value = item.get(key)
        if isinstance(value, pikepdf.Name) and str(value) in _ACTIVE_NAMES:
            raise Said("active")


def _draw(content: bytes) -> Iterator[bytes]:
    try:
        document = pypdfium2.PdfDocument(content)
        for page in document:
            scale = min(LONGEST_EDGE / max(*page.get_size(), 1), 4)
            yield encode(page.render(scale=scale).to_pil())
    except pypdfium2.PdfiumError:
        raise Said("damaged") from None


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = sys.stdout.buffer
    try:
        pages = read(sys.stdin.buffer.read())
    except Said as said:
        out.write(f"{said}\n".encode())
        return
    out.write(" ".join(["read", *(str(len(page)) for page in pages)]).encode() + b"\n")
    for page in pages:
        out.write(page)


if __name__ == "__main__":
    main()
