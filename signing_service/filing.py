"""What a document is filed as: a declaration of a known kind, or a general document.

A declaration is XML and needs the right to file its kind. Everything else is a general document:
a contract, a letter, a scan, a ZIP file of papers. It declares nothing, so any active holder may
sign one for the enterprise that the card belongs to. What a parser might take for XML never is;
but a seal, which files nothing, may stand on any other XML, such as a contract.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kernel.refusals import Forbidden, TooLarge, Unprocessable
from policies.rights import RightsCatalogue
from signing_service.declaration import DeclaredField, check_right, read_declaration
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.document import DigestedDocument, Document, head_of
from signing_service.formats.pades import whole as pades
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.formats.recognition import may_be_xml
from signing_service.ports import Holder

GENERAL_DOCUMENT = "document"
"""The kind of a general document, beside the codes of declarations."""
_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Filing:
    """What somebody is about to sign."""

    kind: str
    """A declaration's code from `policies/rights.toml`, or GENERAL_DOCUMENT."""
    fields: tuple[DeclaredField, ...]
    """What is shown to the person who signs."""


def file_all(documents: Sequence[Document], holder: Holder, rights: RightsCatalogue) -> Filing:
    """Documents that are signed together: each must be one that the holder may sign. The kind is
    the first one's; everything is shown. Raises Unprocessable `document.missing`; as `file_as`."""
    filings = [file_as(each, holder, rights) for each in documents]
    if not filings:
        raise Unprocessable("document.missing", "there is nothing to sign")
    shown = tuple(each for filing in filings for each in filing.fields)
    return Filing(filings[0].kind, shown)


def file_as(document: Document, holder: Holder, rights: RightsCatalogue) -> Filing:
    """Recognise a document and refuse a holder who may not sign it.

    Raises Forbidden `document.no-enterprise`, Malformed `pdf.*` for what only begins like a PDF,
    TooLarge `declaration.too-large`, and as `read_declaration` and `check_right`.
    """
    if isinstance(document, DigestedDocument):
        return _general(document, holder)  # a seal's, as a signature upon a bare digest is
    if not may_be_xml(head_of(document, _HEAD_BYTES)):
        if isinstance(document, bytes) and pades.is_pdf(document):
            pades.read(document)
        return _general(document, holder)
    if not isinstance(document, bytes):
        raise TooLarge(
            "declaration.too-large",
            "XML is a declaration, and a declaration has at most {mib} MiB",
            mib=MAX_DOCUMENT_BYTES >> 20,
        )
    try:
        declaration = read_declaration(document, rights)
    except Unprocessable as refusal:
        if holder.is_seal and refusal.code == "declaration.unknown-kind":
            return _general(document, holder)
        raise
    check_right(declaration, holder, rights)
    return Filing(declaration.kind.code, declaration.fields)


def _general(document: Document, holder: Holder) -> Filing:
    if holder.enterprise_uscc is None:
        raise Forbidden(
            "document.no-enterprise",
            "documents are signed for an enterprise, and this card belongs to none",
        )
    digest = digest_of("sha256", document) or b""
    shown = (
        DeclaredField("文件摘要", "SHA-256 of the document", digest.hex()),
        DeclaredField("签署单位", "Signed for", holder.enterprise_name or ""),
    )
    return Filing(GENERAL_DOCUMENT, shown)
