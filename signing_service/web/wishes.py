"""What a caller wishes a signature to be, as JSON: read strictly into the formats' own words."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from kernel.algorithms import suite_named
from kernel.json_bodies import read_base64
from kernel.refusals import Malformed, Unprocessable
from policies.signature_policy import known_signature_policies
from signing_service.filing import Filing
from signing_service.formats.claims import (
    COMMITMENTS_BY_NAME,
    MAX_ROLES,
    NO_CLAIMS,
    Claims,
    PolicyReference,
)
from signing_service.formats.document import Document
from signing_service.formats.jades import whole as jades
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.pades import whole as pades
from signing_service.validation.evidence import Packaging, SignatureFormat, SignatureLevel

MAX_DOCUMENTS = 64
_FILE_NAME = r"^[^\x00-\x1f\x7f\\]+$"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ClaimsBody(Body):
    """What the signer says beside the document."""

    commitment: str | None = Field(default=None, max_length=128)
    """One of `COMMITMENTS_BY_NAME`, or a dotted identifier."""
    roles: list[str] = Field(default=[], max_length=MAX_ROLES)
    policy: str | None = Field(default=None, max_length=128)
    """Identifier of an explicit signature policy of this service, dotted."""
    mime_type: str | None = None

    def read(self) -> Claims:
        """Raises Unprocessable `claims.*`."""
        commitment = self.commitment
        if commitment is not None:
            commitment = COMMITMENTS_BY_NAME.get(commitment, commitment)
        policy = None
        if self.policy is not None:
            known = known_signature_policies().get(self.policy)
            if known is None:
                raise Unprocessable(
                    "claims.policy", "no such signature policy here", policy=self.policy
                )
            policy = PolicyReference.to(known)
        return Claims(commitment, tuple(self.roles), policy, self.mime_type)


class SealBody(Body):
    """The visible seal of a PDF."""

    rectangle: list[float] = Field(min_length=4, max_length=4)
    page: int = Field(default=0, ge=-1, le=100_000)
    lines: list[str] = []
    picture: str | None = Field(default=None, max_length=3_000_000)
    """Base64 of a PNG."""
    qr_code: bool = True
    """Whether a QR code leads to the page with the verdict on this signature."""

    def read(self) -> pades.Seal:
        """Raises Unprocessable `seal.*`."""
        left, bottom, right, top = self.rectangle
        picture = None if self.picture is None else read_base64(self.picture)
        return pades.Seal((left, bottom, right, top), self.page, tuple(self.lines), picture)


class PdfBody(Body):
    """Where the signature goes in a PDF, and what it says there."""

    field: str | None = Field(default=None, max_length=256)
    reason: str | None = None
    location: str | None = None
    contact: str | None = None
    certification: int | None = Field(default=None, ge=1, le=2)
    seal: SealBody | None = None

    def read(self) -> pades.Placement:
        """Raises Unprocessable `pades.text`, `seal.*`."""
        certification = self.certification
        return pades.Placement(
            self.field,
            None if self.seal is None else self.seal.read(),
            self.reason,
            self.location,
            self.contact,
            None if certification is None else pades.Certification(certification),
        )


class DocumentBody(Body):
    name: str = Field(min_length=1, max_length=255, pattern=_FILE_NAME)
    content: str | None = None
    """Base64."""
    upload: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    """Instead: the identifier of a document that was sent ahead."""


class PrepareBody(Body):
    """A whole wish. See the description of the interface for what goes together."""

    certificate: str = Field(max_length=90_000)
    """Base64 of the signer's certificate, DER."""
    format: str
    level: str | None = None
    document: str | None = None
    """Base64. Absent where the signatures that are there hold it."""
    documents: list[DocumentBody] = Field(default=[], max_length=MAX_DOCUMENTS)
    """Instead of `document`: several for one container, or one with its name."""
    act: str = "first"
    signed: str | None = None
    """Base64 of the file that a parallel signature or a counter-signature joins."""
    signer: int = Field(default=0, ge=0, le=1000)
    packaging: str | None = None
    inner: str = "CAdES"
    serialisation: str = "flattened"
    target: str | None = Field(default=None, max_length=256)
    parallel_later: bool = False
    suite: str | None = Field(default=None, max_length=64)
    claims: ClaimsBody | None = None
    pdf: PdfBody | None = None
    draft: bool = False
    """Whether the answer shall hold the draft of the finished file, for a key agent."""

    @property
    def chosen_level(self) -> SignatureLevel | None:
        """Raises Malformed `request.malformed`."""
        try:
            return None if self.level is None else SignatureLevel(self.level)
        except ValueError:
            raise _no_such() from None

    @property
    def qr_code(self) -> bool:
        return self.pdf is not None and self.pdf.seal is not None and self.pdf.seal.qr_code

    @property
    def uploads(self) -> list[str]:
        """Identifiers of the documents that were sent ahead."""
        return [each.upload for each in self.documents if each.upload is not None]

    def subject(self, uploaded: Mapping[str, Document]) -> Subject:
        """`uploaded`: those documents. Raises Malformed `request.malformed`."""
        signed = None if self.signed is None else read_base64(self.signed)
        if (signed is None) == (self.act != Act.FIRST):
            raise Malformed("request.malformed", "`signed` goes with another act than the first")
        if self.document is not None:
            if self.documents:
                raise Malformed("request.malformed", "`document` or `documents`, not both")
            return Subject(Subject.of(read_base64(self.document)).documents, signed)
        named: dict[str, Document] = {}
        for each in self.documents:
            if (each.content is None) == (each.upload is None):
                raise Malformed("request.malformed", "`content` or `upload`, one of them")
            named[each.name] = (
                read_base64(each.content)
                if each.content is not None
                else uploaded[each.upload or ""]
            )
        if len(named) != len(self.documents):
            raise Malformed("request.malformed", "each document has a name of its own")
        return Subject(named, signed)

    def manner(self) -> Manner:
        """Raises Malformed `request.malformed`; Unprocessable `packaging.unfit`, `claims.*`,
        `seal.*`, `pades.text`."""
        try:
            format_, act = SignatureFormat(self.format), Act(self.act)
            packaging = None if self.packaging is None else Packaging(self.packaging)
            inner = SignatureFormat(self.inner)
            serialisation = jades.Serialisation(self.serialisation)
            suite = None if self.suite is None else suite_named(self.suite)
        except ValueError:
            raise _no_such() from None
        return Manner(
            format_,
            act,
            packaging,
            inner,
            serialisation,
            self.target,
            self.parallel_later,
            self.signer,
            suite,
            NO_CLAIMS if self.claims is None else self.claims.read(),
            pades.INVISIBLE if self.pdf is None else self.pdf.read(),
        )


class CompleteBody(Body):
    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    signature_value: str = Field(max_length=4096)
    """Base64; ECDSA as the DER SEQUENCE of r and s."""


def shown(filing: Filing) -> dict[str, object]:
    """What is shown to the person who signs."""
    return {
        "kind": filing.kind,
        "fields": [
            {"name_zh": each.name_zh, "name_en": each.name_en, "value": each.value}
            for each in filing.fields
        ],
    }


def _no_such() -> Malformed:
    return Malformed("request.malformed", "no such format, level, act, packaging or algorithm")
