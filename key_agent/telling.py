"""What the user is told of a draft before signing: one document, or many at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from key_agent.display import Shown, add_totals
from key_agent.drafts import Draft
from key_agent.pdf_said import SaidInPdf, is_usual
from key_agent.windows import whole
from key_agent.words import Words
from signing_service.formats.claims import COMMITMENT_URIS
from signing_service.formats.recognition import is_xml
from signing_service.sso.confirmation import Confirmation
from signing_service.validation.evidence import SignatureFormat

_SHOWN_DOCUMENTS = 6
LIST = "documents.txt"


@dataclass(frozen=True)
class Checked:
    """An item whose draft was read: what is shown of it, and what the key signs."""

    shown: Shown
    draft: Draft
    format: SignatureFormat
    document: bytes
    drafted: bytes
    """The draft itself: of a PDF, what will be seen of the signature stands in it."""
    to_be_signed: bytes
    sha256: str
    name: str | None
    """The page's word for the file."""

    @property
    def to_read(self) -> bytes:
        """What the user reads to see all that will be signed."""
        return self.drafted if self.draft.pdf is not None else self.document

    @property
    def suffix(self) -> str:
        if self.to_read.startswith(b"%PDF-"):
            return "pdf"
        return {"text": "txt"}.get(self.shown.kind, "xml" if is_xml(self.document) else "bin")


class Telling:
    """In the user's language."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def of_confirmation(self, confirm: Confirmation) -> tuple[str, ...]:
        """What a platform has confirmed with the card; all of it, set off from the agent's own
        words."""
        return (
            self._words("confirm"),
            *whole(self._words("confirm-for", platform=confirm.platform)),
            *(line for act in confirm.acts for line in whole(act, margin="  ")),
        )

    def of_signature(self, checked: Checked) -> list[str]:
        """What the signer says beside the document."""
        words, draft = self._words, checked.draft
        evidence = draft.evidence
        lines = [words("format", format=checked.format)]
        if draft.upon is not None and draft.upon.signing_certificate is not None:
            below = draft.upon.signing_certificate
            subject = below.attribute("2.5.4.3") or below.subject_text()
            lines += whole(words("upon", subject=subject))
            lines.append(words("digest", digest=below.fingerprint))
        if draft.name is not None:
            lines += whole(words("named", name=draft.name))
        if evidence.content_type is not None:
            lines += whole(words("type", value=evidence.content_type))
        if evidence.commitment is not None:
            name = COMMITMENT_URIS.get(evidence.commitment, evidence.commitment)
            lines += whole(words("commitment", value=name.rpartition("#")[2]))
        for role in evidence.roles:
            lines += whole(words("role", value=role))
        if evidence.policy is not None:
            lines += whole(words("policy", value=evidence.policy))
        return lines if draft.pdf is None else [*lines, *self._in_pdf(draft.pdf)]

    def of_bundle(self, checked: Sequence[Checked], place: str) -> list[str]:
        """Kinds, totals, the first few, and where every one can be read."""
        words = self._words
        kinds: dict[str, int] = {}
        for each in checked:
            kinds[each.shown.name] = kinds.get(each.shown.name, 0) + 1
        lines = [words("sign-many", count=len(checked))]
        lines += (f"  {name}: {count}" for name, count in kinds.items())
        lines += add_totals([each.shown for each in checked])
        for number, each in enumerate(checked[:_SHOWN_DOCUMENTS], 1):
            # The page's word for the file stands apart: it must not push the facts out of sight.
            facts = each.shown.lines[0 if each.name is None else 1 :][:3]
            lines.append(f"  {number}. {'  '.join(facts)}")
            if each.name is not None:
                lines.append(f"     {words('file', name=each.name)}")
        if len(checked) > _SHOWN_DOCUMENTS:
            lines.append("  " + words("more", count=len(checked) - _SHOWN_DOCUMENTS))
        lines += whole(words("copies", path=place))
        said = dict.fromkeys(line for each in checked for line in self.of_signature(each))
        return [*lines, *said]

    def to_read(self, checked: Sequence[Checked]) -> dict[str, bytes]:
        """Every document as a file, and a list of them all with everything that is shown."""
        digits = len(str(len(checked)))
        files: dict[str, bytes] = {}
        listed: list[str] = [self._words("sign-many", count=len(checked)), ""]
        listed += add_totals([each.shown for each in checked])
        for number, each in enumerate(checked, 1):
            name = f"{number:0{digits}}.{each.suffix}"
            files[name] = each.to_read
            told = (each.shown.name, *each.shown.lines, *self.of_signature(each))
            listed += ["", name, *(f"  {''.join(whole(line))}" for line in told)]
            listed.append(f"  {self._words('digest', digest=each.sha256)}")
        return {LIST: "\n".join(listed).encode("utf-8", "replace"), **files}

    def _in_pdf(self, said: SaidInPdf) -> list[str]:
        words = self._words
        lines: list[str] = []
        for word, value in (
            ("reason", said.reason), ("location", said.location), ("contact", said.contact),
            ("field", None if is_usual(said.field) else said.field),
        ):  # fmt: skip
            if value is not None:
                lines += whole(words(word, value=value))
        if said.seal is not None:
            left, bottom, right, top = said.seal.rectangle
            lines.append(words("seal", page=said.seal.page, pages=said.seal.pages))
            lines.append(
                words("seal-place", place=f"{left:g}, {bottom:g}, {right:g}, {top:g}")
            )  # fmt: skip
        return lines
