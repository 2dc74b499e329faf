"""What is to be signed, and how: the words in which every format is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kernel.algorithms import AlgorithmSuite
from kernel.refusals import Unprocessable
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.document import Document, StreamedDocument
from signing_service.formats.jades.message import Serialisation
from signing_service.formats.pades import whole as pades
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.recognition import is_xml
from signing_service.validation.evidence import Packaging, SignatureFormat


class Act(StrEnum):
    """What the signature is to those that are there."""

    FIRST = "first"
    PARALLEL = "parallel"
    """Over the same document, beside the signatures that are there."""
    COUNTER = "counter"
    """Upon another signature's value."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a signature shall be made. Raises Unprocessable `packaging.unfit` where parts of it
    contradict each other."""

    format: SignatureFormat
    act: Act = Act.FIRST
    packaging: Packaging | None = None
    """None: the format's usual one."""
    inner: SignatureFormat = SignatureFormat.CADES
    """Inside a container."""
    serialisation: Serialisation = Serialisation.FLATTENED
    target: str | None = None
    """Internally detached XAdES: the identifier of the element that is signed."""
    parallel_later: bool = False
    """Enveloped XAdES: so that others can sign beside it."""
    signer: int = 0
    """Counter-signature: upon which signature, from zero."""
    suite: AlgorithmSuite | None = None
    """None: the key's usual one."""
    claims: Claims = NO_CLAIMS
    placement: pades.Placement = pades.INVISIBLE

    def __post_init__(self) -> None:
        usual, *others = _PACKAGINGS.get(self.format, (None,))
        if self.packaging not in (None, usual, *others):
            raise Unprocessable(
                "packaging.unfit",
                "{format} is not {packaging}",
                format=self.format,
                packaging=self.packaging,
            )


_PACKAGINGS: Mapping[SignatureFormat, tuple[Packaging, ...]] = {
    SignatureFormat.CADES: (Packaging.DETACHED, Packaging.ENVELOPING),
    SignatureFormat.XADES: (
        Packaging.ENVELOPED,
        Packaging.ENVELOPING,
        Packaging.DETACHED,
        Packaging.INTERNALLY_DETACHED,
    ),
    SignatureFormat.PADES: (Packaging.ENVELOPED,),
    SignatureFormat.JADES: (Packaging.ENVELOPING, Packaging.DETACHED),
}
"""The usual one first. A container is a packaging of its own."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is signed."""

    documents: Mapping[str, Document]
    """By name, in order. Of signatures that hold their document: none, but for a first one."""
    signed: bytes | None = None
    """The signature file or signed document that another signature joins."""

    @classmethod
    def of(cls, document: bytes) -> "Subject":
        """One document, named after what it is."""
        if is_xml(document):
            return cls({"document.xml": document})
        return cls({"document.pdf" if pades.is_pdf(document) else "document": document})

    @property
    def document(self) -> Document | None:
        """The one document. Raises Unprocessable `document.several`."""
        if len(self.documents) > 1:
            raise Unprocessable("document.several", "several documents are signed as ASiC-E")
        return next(iter(self.documents.values()), None)

    def in_memory(self) -> tuple[bytes, ...]:
        """Every document. Raises Unprocessable `document.streamed`."""
        found = tuple(each for each in self.documents.values() if isinstance(each, bytes))
        if len(found) != len(self.documents):
            raise Unprocessable("document.streamed", "a document this large is signed detached")
        return found

    @property
    def large(self) -> dict[str, StreamedDocument]:
        """The documents that are not in memory."""
        return {name: each for name, each in self.documents.items() if not isinstance(each, bytes)}

    def whole(self) -> bytes:
        """The one document, in memory. Raises Unprocessable `document.streamed`,
        `document.missing`, `document.several`."""
        found = self.document
        if found is None:
            raise Unprocessable("document.missing", "the document is needed")
        if not isinstance(found, bytes):
            raise Unprocessable("document.streamed", "a document this large is signed detached")
        return found

    def any(self) -> Document:
        """The one document. Raises Unprocessable `document.missing`, `document.several`."""
        found = self.document
        if found is None:
            raise Unprocessable("document.missing", "the detached document is needed")
        return found

    def joined(self) -> bytes:
        """Raises Unprocessable `signature.missing`."""
        if self.signed is None:
            raise Unprocessable("signature.missing", "the signature to join is needed")
        return self.signed


def lies_beside(prepared: PreparedSignature) -> bool:
    """Whether a first signature lies beside its document, in a file of its own."""
    return prepared.format in _PACKAGINGS and prepared.packaging is Packaging.DETACHED
