"""The interactive form (ISO 32000-2, 12.7): its fields, and the signatures in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from signing_service.formats.pades.pdf.document import Revision
from signing_service.formats.pades.pdf.syntax import Name, Ref, Value, malformed, read_text

MAX_FIELDS = 20_000
_MAX_DEPTH = 32
_SIGNATURE = Name("Sig")


@dataclass(frozen=True, slots=True)
class Field:
    """A terminal field."""

    name: str
    """Fully qualified (12.7.4.2)."""
    reference: Ref
    dictionary: dict[str, Any]
    kind: Value
    """FT, inherited where it is."""
    value: Value
    """V as it stands, inherited where it is."""
    widgets: tuple[Ref, ...]
    """The widget annotations, the field itself where both are one."""

    @property
    def is_signature(self) -> bool:
        return bool(self.kind == _SIGNATURE)


def form_of(revision: Revision) -> dict[str, Any]:
    """The AcroForm dictionary; empty where there is none."""
    return revision.dictionary(revision.catalog.get("AcroForm"))


def fields(revision: Revision) -> list[Field]:
    """Every terminal field. Raises Malformed where the field tree is none."""
    walk = _Walk(revision)
    roots = revision.array(form_of(revision).get("Fields"))
    return [field for root in roots for field in walk.fields(root, "", {}, 0)]


def signature_fields(revision: Revision) -> list[Field]:
    """The signature fields that are signed, in the form's order."""
    return [field for field in fields(revision) if field.is_signature and field.value is not None]


class _Walk:
    def __init__(self, revision: Revision) -> None:
        self._revision = revision
        self._seen: set[Ref] = set()

    def fields(
        self, node: Value, prefix: str, inherited: dict[str, Value], depth: int
    ) -> Iterator[Field]:
        if not isinstance(node, Ref) or node in self._seen or depth > _MAX_DEPTH:
            raise malformed("the field tree is no tree of indirect objects")
        self._seen.add(node)
        if len(self._seen) > MAX_FIELDS:
            raise malformed(f"more than {MAX_FIELDS} fields")
        dictionary = self._revision.dictionary(node)
        partial = read_text(self._revision.get(dictionary.get("T")))
        name = prefix if partial is None else f"{prefix}.{partial}" if prefix else partial
        own: dict[str, Value] = {key: dictionary[key] for key in ("FT", "V") if key in dictionary}
        known: dict[str, Value] = {**inherited, **own}
        kids = self._revision.array(dictionary.get("Kids"))
        named = [kid for kid in kids if "T" in self._revision.dictionary(kid)]
        if named:
            for kid in kids:
                yield from self.fields(kid, name, known, depth + 1)
            return
        for kid in kids:
            if not isinstance(kid, Ref):
                raise malformed("the field tree is no tree of indirect objects")
        yield Field(
            name, node, dictionary, self._revision.get(known.get("FT")), known.get("V"),
            tuple(kids) or (node,),
        )  # fmt: skip
