"""What the user is told of a draft before signing: one document, or many at once."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from key_agent.display import Shown, add_totals
from key_agent.drafts import Draft
from key_agent.windows import whole
from key_agent.words import Words
from signing_service.formats.claims import COMMITMENT_URIS
from signing_service.formats.pades.said import SaidInPdf, is_usual
from signing_service.formats.recognition import is_xml
from signing_service.sso.confirmation import Confirmation
from signing_service.validation.evidence import SignatureFormat

_SHOWN_DOCUMENTS = 6
_TOTALS_IN_SHORT = 4
LIST = "documents.txt"


@dataclass(frozen=True)
class Told:
    """A document that is to be signed, and what is shown of it."""

    document: bytes
    """Of an internally detached signature the element that it is over."""
    shown: Shown
    name: str | None = None
    """The page's word for the file."""
    recipient: str | None = None
    """The agency that gets it, of several documents under one signature."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.document).hexdigest()

    def suffix(self, to_read: bytes) -> str:
        if to_read.startswith(b"%PDF-"):
            return "pdf"
        return {"text": "txt"}.get(self.shown.kind, "xml" if is_xml(self.document) else "bin")


@dataclass(frozen=True)
class Checked:
    """An item whose draft was read: what is shown of it, and what the key signs."""

    told: Told
    draft: Draft
    format: SignatureFormat
    drafted: bytes
    """The draft itself: of a PDF, what will be seen of the signature stands in it."""
    to_be_signed: bytes
    beside: tuple[Told, ...] = ()
    """More documents under the same signature."""

    @property
    def documents(self) -> tuple[Told, ...]:
        return (self.told, *self.beside)

    def files(self, stem: str) -> dict[str, bytes]:
        """What the user reads to see all that will be signed, by file name."""
        first = self.drafted if self.draft.pdf is not None else self.told.document
        found = {f"{stem}.{self.told.suffix(first)}": first}
        for number, each in enumerate(self.beside, 2):
            found[f"{stem}-{number}.{each.suffix(each.document)}"] = each.document
        return found


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
            lines += whole(words("element" if draft.part else "named", name=draft.name))
        if evidence.content_type is not None:
            lines += whole(words("type", value=evidence.content_type))
        if evidence.commitment is not None:
            name = COMMITMENT_URIS.get(evidence.commitment, evidence.commitment)
            lines += whole(words("commitment", value=name.rpartition("#")[2]))
        for role in evidence.roles:
            lines += whole(words("role", value=role))
        if evidence.policy is not None:
            lines += whole(words("policy", value=evidence.policy))
        if draft.pdf is not None:
            lines += self._in_pdf(draft.pdf)
        for name, each in zip(draft.names[1:], checked.beside, strict=True):
            lines.append(words("also", kind=each.shown.name))
            lines += whole(words("named", name=name))
            lines += self.of_document(each)
        return lines

    def of_document(self, told: Told) -> list[str]:
        """What the document says, and its digest where that was not told yet."""
        digest = self._words("digest", digest=told.sha256)
        return [*told.shown.lines, *(() if digest in told.shown.lines else (digest,))]

    def of_bundle(self, checked: Sequence[Checked], place: str) -> list[str]:
        """Kinds, totals, the first few, and where every one can be read."""
        documents = [each for one in checked for each in one.documents]
        lines = [self._words("sign-many", count=len(documents)), *self._together(documents)]
        lines += whole(self._words("copies", path=place))
        said = dict.fromkeys(line for each in checked for line in self.of_signature(each))
        return [*lines, *said]

    def in_short(self, documents: Sequence[Told]) -> list[str]:
        """How many, or what the only one is, and the totals: what the PIN is typed beside."""
        words = self._words
        first = words("sign-many", count=len(documents))
        if len(documents) == 1:
            first = words("sign", kind=documents[0].shown.name)
        totals = add_totals([each.shown for each in documents])
        left = len(totals) - _TOTALS_IN_SHORT
        more = [words("more", count=left)] if left > 0 else []
        return [first, *totals[:_TOTALS_IN_SHORT], *more]

    def of_tree(self, parts: Sequence[Told], place: str) -> list[str]:
        """The same of documents under one signature, each for its agency."""
        words = self._words
        lines = [words("sign-many", count=len(parts)), words("one-signature")]
        for name in dict.fromkeys(each.recipient or "" for each in parts):
            lines += whole(words("recipient", name=name))
        return [*lines, *self._together(parts), *whole(words("copies", path=place))]

    def _together(self, documents: Sequence[Told]) -> list[str]:
        words = self._words
        kinds = Counter(each.shown.name for each in documents)
        lines = [f"  {name}: {count}" for name, count in kinds.items()]
        lines += add_totals([each.shown for each in documents])
        for number, each in enumerate(documents[:_SHOWN_DOCUMENTS], 1):
            # The page's word for the file stands apart: it must not push the facts out of sight.
            facts = each.shown.lines[0 if each.name is None else 1 :][:3]
            lines.append(f"  {number}. {'  '.join(facts)}")
            if each.name is not None:
                lines.append(f"     {words('file', name=each.name)}")
        if len(documents) > _SHOWN_DOCUMENTS:
            lines.append("  " + words("more", count=len(documents) - _SHOWN_DOCUMENTS))
        return lines

    def to_read(self, checked: Sequence[Checked]) -> dict[str, bytes]:
        """Every document as a file, and a list of them all with everything that is shown."""
        digits = len(str(len(checked)))
        files: dict[str, bytes] = {}
        listed = self._head_of_list([each for one in checked for each in one.documents])
        for number, each in enumerate(checked, 1):
            laid_out = each.files(f"{number:0{digits}}")
            files |= laid_out
            told = (*each.told.shown.lines, *self.of_signature(each))
            listed += self._entry(", ".join(laid_out), each.told, told)
        return {LIST: "\n".join(listed).encode("utf-8", "replace"), **files}

    def tree_to_read(self, parts: Sequence[Told]) -> dict[str, bytes]:
        """The same of documents under one signature."""
        digits = len(str(len(parts)))
        files: dict[str, bytes] = {}
        listed = self._head_of_list(parts)
        for number, each in enumerate(parts, 1):
            name = f"{number:0{digits}}.{each.suffix(each.document)}"
            files[name] = each.document
            agency = self._words("recipient", name=each.recipient)
            listed += self._entry(name, each, (agency, *each.shown.lines))
        return {LIST: "\n".join(listed).encode("utf-8", "replace"), **files}

    def _head_of_list(self, documents: Sequence[Told]) -> list[str]:
        totals = add_totals([each.shown for each in documents])
        return [self._words("sign-many", count=len(documents)), "", *totals]

    def _entry(self, name: str, told: Told, lines: Sequence[str]) -> list[str]:
        shown = (told.shown.name, *lines)
        digest = self._words("digest", digest=told.sha256)
        return ["", name, *(f"  {''.join(whole(line))}" for line in shown), f"  {digest}"]

    def _in_pdf(self, said: SaidInPdf) -> list[str]:
        words = self._words
        lines: list[str] = []
        for word, value in (
            ("reason", said.reason), ("location", said.location), ("contact", said.contact),
            ("field", None if is_usual(said.field) else said.field),
        ):  # fmt: skip
            if value is not None:
                lines += whole(words(word, value=value))
        if said.certification is not None:
            lines += whole(words(f"certifies-{said.certification}"))
        if said.lock is not None:
            named = ", ".join(f"“{each}”" for each in said.lock.fields)
            lines += whole(words(f"locks-{said.lock.action}", fields=named or "-"))
        if said.seal is not None:
            left, bottom, right, top = said.seal.rectangle
            lines.append(words("seal", page=said.seal.page, pages=said.seal.pages))
            lines.append(
                words("seal-place", place=f"{left:g}, {bottom:g}, {right:g}, {top:g}")
            )  # fmt: skip
        return lines
