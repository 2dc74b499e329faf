"""What a document is filed as: a declaration of a known kind, or a general document.

A declaration is XML and needs the right to file its kind. A general document is a PDF: a
contract, a letter, a certificate of origin. It declares nothing, so any active holder may sign
one for the enterprise that the card belongs to.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from kernel.refusals import Forbidden, Unprocessable
from policies.rights import RightsCatalogue
from signing_service.declaration import DeclaredField, check_right, read_declaration
from signing_service.formats import pades
from signing_service.ports import Holder

GENERAL_DOCUMENT = "document"
"""The kind of a general document, beside the codes of declarations."""


@dataclass(frozen=True)
class Filing:
    """What somebody is about to sign."""

    kind: str
    """A declaration's code from `policies/rights.toml`, or GENERAL_DOCUMENT."""
    fields: tuple[DeclaredField, ...]
    """What is shown to the person who signs."""


def file_all(documents: Sequence[bytes], holder: Holder, rights: RightsCatalogue) -> Filing:
    """Documents that are signed together: each must be one that the holder may sign. The kind is
    the first one's; everything is shown. Raises Unprocessable `document.missing`; as `file_as`."""
    filings = [file_as(each, holder, rights) for each in documents]
    if not filings:
        raise Unprocessable("document.missing", "there is nothing to sign")
    shown = tuple(each for filing in filings for each in filing.fields)
    return Filing(filings[0].kind, shown)


def file_as(document: bytes, holder: Holder, rights: RightsCatalogue) -> Filing:
    """Recognise a document and refuse a holder who may not sign it.

    Raises Forbidden `document.no-enterprise`, Malformed `pdf.*` for what only begins like a PDF,
    and as `read_declaration` and `check_right`.
    """
    if pades.is_pdf(document):
        pades.read(document)
        return _general(document, holder)
    declaration = read_declaration(document, rights)
    check_right(declaration, holder, rights)
    return Filing(declaration.kind.code, declaration.fields)


def _general(document: bytes, holder: Holder) -> Filing:
    if holder.enterprise_uscc is None:
        raise Forbidden(
            "document.no-enterprise",
            "documents are signed for an enterprise, and this card belongs to none",
        )
    digest = hashlib.sha256(document).hexdigest()
    shown = (
        DeclaredField("文件摘要", "SHA-256 of the document", digest),
        DeclaredField("签署单位", "Signed for", holder.enterprise_name or ""),
    )
    return Filing(GENERAL_DOCUMENT, shown)
