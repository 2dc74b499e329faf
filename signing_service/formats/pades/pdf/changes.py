"""What later incremental updates did to a signed revision, and whether a signature bears it.

Every object that an update adds or replaces must be explained by a change on the list: a
document security store, a signature or document timestamp, a field filled in where the
certification allows it, metadata. What is left unexplained (page content, annotations, an object
that an old reference was waiting for) is a change of what was signed. Nothing is compared by
looks. Annotations are never accepted: a note can cover what was certified.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from signing_service.formats.pades.pdf.document import Revision
from signing_service.formats.pades.pdf.form import Field, fields, form_of
from signing_service.formats.pades.pdf.syntax import Name, Ref, Stream, Value, malformed
from signing_service.formats.pades.pdf.xref import InStream

MAX_CHANGED = 50_000
_FILLED_KEYS = frozenset({"V", "AP", "AS", "I", "M"})
_SIGNED_KEYS = frozenset({"V", "AP", "AS", "F", "M"})
_FORM_KEYS = frozenset({"Fields", "SigFlags", "DR"})
_FIRST_FORM_KEYS = frozenset({"DA", "NeedAppearances"})
_WIDGET_ACTIONS = frozenset({"A", "AA"})
_CATALOG_KEYS = frozenset({"AcroForm", "DSS", "Metadata", "Extensions", "Version"})
_VERSION = re.compile(r"[12]\.\d")
_STORE_KEYS = frozenset({"Type", "VRI", "Certs", "OCSPs", "CRLs"})


@dataclass(frozen=True, slots=True)
class Permissions:
    """What may happen after a signature."""

    certification: int | None = None
    """DocMDP's permissions; None where the document is not certified."""
    is_locked: Callable[[str], bool] = lambda name: False
    """Whether a field, by its full name, must stay as it is (FieldMDP)."""
    certifies: Ref | None = None
    """A signature that comes with the change and may certify the document (DocMDP)."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The judgement."""

    refused: tuple[str, ...]
    """Why the later updates change what was signed; empty where they do not."""
    notes: tuple[str, ...]
    """What they did."""


def judge(old: Revision, permissions: Permissions) -> Changes:
    """Judge everything in the file after `old`."""
    if old.sections[0].offset == old.file.current.sections[0].offset:
        return Changes((), ())
    return _Judge(old, permissions).judge()


class _Judge:
    def __init__(self, old: Revision, permissions: Permissions) -> None:
        self._old = old
        self._new = old.file.current
        self._permissions = permissions
        later = self._new.sections[: len(self._new.sections) - len(old.sections)]
        self._later = later
        numbers = {number for section in later for number in section.entries}
        if len(numbers) > MAX_CHANGED:
            raise malformed(f"more than {MAX_CHANGED} objects were changed after signing")
        self._changed = {n for n in numbers if old.entry(n) != self._new.entry(n)}
        self._added = {n for n in self._changed if old.entry(n) is None}
        self._explained: set[int] = set()
        self._refused: list[str] = []
        self._notes: dict[str, None] = {}

    def judge(self) -> Changes:
        self._infrastructure()
        self._trailer()
        self._catalog()
        self._form()
        self._pages()
        unexplained = [n for n in self._changed - self._explained if not self._same(n)]
        if unexplained:
            self._refuse(
                f"{len(unexplained)} objects were changed or hidden that no signature needs, "
                f"the first is {min(unexplained)}"
            )
        if self._added & self._old.references():
            self._refuse("an object was supplied that the signed document was waiting for")
        return Changes(tuple(self._refused), tuple(self._notes))

    def _refuse(self, reason: str) -> None:
        self._refused.append(reason)

    def _note(self, fact: str) -> None:
        self._notes[fact] = None

    def _same(self, number: int) -> bool:
        old, new = self._old, self._new
        return bool(
            old.entry(number) is not None
            and old.file.load(number, old.entry(number), old)
            == new.file.load(number, new.entry(number), new)
        )

    def _explain(self, *values: Value) -> None:
        """New objects reachable from here through new objects are explained."""
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            if isinstance(value, Ref):
                if value.number in self._added and value.number not in self._explained:
                    self._explained.add(value.number)
                    waiting.append(self._new.get(value))
            elif isinstance(value, list):
                waiting.extend(value)
            elif isinstance(value, dict):
                waiting.extend(value.values())
            elif isinstance(value, Stream):
                waiting.extend(value.dictionary.values())

    def _infrastructure(self) -> None:
        """Cross-reference streams and object streams, where they are new."""
        for section in self._later:
            if section.number is not None:
                self._explained |= {section.number} & self._added
            for entry in section.entries.values():
                if isinstance(entry, InStream) and entry.stream in self._added:
                    self._explained.add(entry.stream)
                    holder = self._new.get(Ref(entry.stream))
                    if isinstance(holder, Stream):
                        self._explain(holder.dictionary.get("Length"))

    def _trailer(self) -> None:
        if self._new.root != self._old.root:
            self._refuse("the document has another catalog")
        information = self._new.trailer.get("Info")
        if isinstance(information, Ref):
            old_information = self._old.trailer.get("Info")
            is_text = all(
                not isinstance(value, Ref) for value in self._new.dictionary(information).values()
            )
            is_place = information == old_information or information.number in self._added
            if information.number in self._changed and is_text and is_place:
                self._explained.add(information.number)
                self._note("the document information was changed later")

    def _catalog(self) -> None:
        old, new = self._old.catalog, self._new.catalog
        for key in old.keys() | new.keys():
            if key == "Perms" and self._is_certified():
                continue
            if key not in _CATALOG_KEYS and old.get(key) != new.get(key):
                self._refuse(f"the catalog's {key} was changed")
        if not _VERSION.fullmatch(str(new.get("Version", "1.0"))):
            self._refuse("the catalog's Version is none")
        self._explained.add(self._new.root.number)
        self._metadata(old.get("Metadata"), new.get("Metadata"))
        self._extensions(old.get("Extensions"), new.get("Extensions"))
        if "DSS" in new:
            self._store(old.get("DSS"), new["DSS"])
        elif "DSS" in old:
            self._refuse("the document security store was removed")

    def _is_certified(self) -> bool:
        """Perms names the signature that may certify the document (12.8.6), and is else as it
        was."""
        before = self._old.dictionary(self._old.catalog.get("Perms"))
        after = self._new.catalog.get("Perms")
        certifies = self._permissions.certifies
        if certifies is None or "DocMDP" in before:
            return False
        return bool(after == {**before, "DocMDP": certifies})

    def _metadata(self, old: Value, new: Value) -> None:
        if not isinstance(new, Ref) or new.number not in self._changed:
            if old != new:
                self._refuse("the catalog's Metadata was changed")
            return
        found = self._new.get(new)
        is_place = new == old or new.number in self._added
        is_metadata = isinstance(found, Stream) and found.dictionary.get("Type") == Name("Metadata")
        if is_place and is_metadata:
            self._explained.add(new.number)
            self._explain(found.dictionary.get("Length"))
            self._note("the metadata were changed later")

    def _extensions(self, old: Value, new: Value) -> None:
        """Developer extensions may be added (7.12); they change nothing that is seen."""
        if old == new:
            return
        before, after = self._old.dictionary(old), self._new.dictionary(new)
        if any(after.get(key) != value for key, value in before.items()):
            self._refuse("the catalog's Extensions were changed")
        if isinstance(new, Ref) and (new == old or new.number in self._added):
            self._explained.add(new.number)
        self._explain(*after.values())

    def _store(self, old: Value, new: Value) -> None:
        """The document security store (EN 319 142-1, 5.4.2) may grow."""
        before = {number for number, _ in _structure(self._old, old)}
        self._explained |= before & self._changed
        store = self._new.dictionary(new)
        if not store.keys() <= _STORE_KEYS:
            self._refuse("the document security store holds something else")
        for number, value in _structure(self._new, new):
            if number in self._changed and number not in self._added | before:
                self._refuse("the document security store took the place of another object")
            self._explained |= {number} & self._added
            if isinstance(value, Stream):
                if value.dictionary.keys() - {"Length", "Filter", "DecodeParms", "Type"}:
                    self._refuse("the document security store holds something else")
                self._explain(value.dictionary.get("Length"))
        if {number for number, _ in _structure(self._new, new)} & self._changed:
            self._note("validation data were added later")

    def _form(self) -> None:
        old_form, new_form = form_of(self._old), form_of(self._new)
        for key in old_form.keys() | new_form.keys():
            # A new default appearance, drawn anew, could make what was filled in invisible.
            is_free = key in _FORM_KEYS or (not old_form and key in _FIRST_FORM_KEYS)
            if not is_free and old_form.get(key) != new_form.get(key):
                self._refuse(f"the form's {key} was changed")
        self._grown(old_form.get("DR"), new_form.get("DR"))
        for holder, key in ((self._new.catalog, "AcroForm"), (new_form, "Fields")):
            before = self._old.catalog if key == "AcroForm" else old_form
            place = holder.get(key)
            if isinstance(place, Ref) and (place == before.get(key) or place.number in self._added):
                self._explained.add(place.number)
        known = {field.reference: field for field in fields(self._old)}
        for field in self._new_fields:
            before_field = known.pop(field.reference, None)
            if before_field is None:
                self._added_field(field)
            else:
                self._kept_field(before_field, field)
        if known:
            self._refuse("a form field was removed")

    @cached_property
    def _new_fields(self) -> list[Field]:
        return fields(self._new)

    def _grown(self, old: Value, new: Value) -> None:
        """Resources of the form: names may be added, none may change."""
        if old == new and not (isinstance(new, Ref) and new.number in self._changed):
            return
        before, after = self._old.dictionary(old), self._new.dictionary(new)
        for key, value in before.items():
            was, now = self._old.get(value), self._new.get(after.get(key))
            if isinstance(was, dict) and isinstance(now, dict):
                if any(now.get(name) != item for name, item in was.items()):
                    self._refuse("the form's resources were changed")
            elif was != now:
                self._refuse("the form's resources were changed")
        for place, place_before in ((new, old), *((after[k], before.get(k)) for k in after)):
            if isinstance(place, Ref) and (place == place_before or place.number in self._added):
                self._explained.add(place.number)
        self._explain(after)

    def _added_field(self, field: Field) -> None:
        if not field.is_signature or field.widgets != (field.reference,):
            self._refuse(f"the form field {field.name} was added")
            return
        if field.reference.number not in self._added:
            self._refuse("a form field took the place of another object")
        if field.dictionary.keys() & _WIDGET_ACTIONS:
            self._refuse(f"the signature field {field.name} does more than sign")
        visible = _is_visible(self._new, field.dictionary)
        self._signed(field, visible=visible)
        if visible and self._permissions.certification is not None:
            self._refuse("a visible signature was put on a certified document")
        self._explain(field.reference)

    def _kept_field(self, old: Field, new: Field) -> None:
        if old.name != new.name or old.kind != new.kind or old.widgets != new.widgets:
            self._refuse(f"the form field {old.name} was rebuilt")
            return
        touched = [ref for ref in {new.reference, *new.widgets} if self._touches(ref)]
        if not touched:
            return
        is_signing = new.is_signature and old.value is None and new.value is not None
        if new.is_signature and not is_signing:
            self._refuse(f"the signature field {old.name} was changed")
            return
        allowed = _SIGNED_KEYS if is_signing else _FILLED_KEYS
        for reference in touched:
            before, after = self._old.dictionary(reference), self._new.dictionary(reference)
            if any(before.get(k) != after.get(k) for k in (before.keys() | after.keys()) - allowed):
                self._refuse(f"the form field {old.name} was changed beyond its value")
            self._explained.add(reference.number)
            self._explain(after)
        self._filled(old.name, new, is_signing=is_signing)

    def _filled(self, name: str, field: Field, *, is_signing: bool) -> None:
        if self._permissions.is_locked(name):
            self._refuse(f"the form field {name} was locked")
        if is_signing:
            self._signed(field, visible=_is_visible(self._new, field.dictionary))
        elif self._permissions.certification not in {2, 3}:
            self._refuse(f"the form field {name} was filled in after signing")
        else:
            self._note(f"the form field {name} was filled in later, as the certification allows")

    def _touches(self, reference: Ref) -> bool:
        """Whether a field's own object was changed, or one that only it should hold."""
        if reference.number in self._changed and not self._same(reference.number):
            return True
        dictionary = self._new.dictionary(reference)
        return any(
            isinstance(part := dictionary.get(key), Ref) and part.number in self._changed
            for key in _FILLED_KEYS
        )

    def _signed(self, field: Field, *, visible: bool) -> None:
        value = self._new.dictionary(field.value)
        if not value:
            if visible:
                self._refuse(f"the visible field {field.name} was added without a signature")
            self._note(f"the signature field {field.name} was added later")
        elif value.get("Type") == Name("DocTimeStamp"):
            if visible:
                self._refuse("a document timestamp has no appearance (EN 319 142-1, 5.4.3)")
            self._note("a document timestamp was added later")
            return
        else:
            where = " with a visible seal" if visible else ""
            self._note(f"the signature {field.name} was added later{where}")
        if self._permissions.certification == 1:
            self._refuse("the certification allows no further signature")

    def _pages(self) -> None:
        """A page may get the widgets of new signatures, and nothing else."""
        if not self._changed - self._explained:
            return
        known = {field.reference for field in fields(self._old)}
        added = {field.reference for field in self._new_fields} - known
        for page in self._old.pages():
            old, new = self._old.dictionary(page), self._new.dictionary(page)
            annotations = new.get("Annots")
            is_changed = page.number in self._changed
            array_changed = isinstance(annotations, Ref) and annotations.number in self._changed
            if not is_changed and not array_changed:
                continue
            if any(old.get(k) != new.get(k) for k in (old.keys() | new.keys()) - {"Annots"}):
                continue
            before, after = self._old.array(old.get("Annots")), self._new.array(annotations)
            if (
                after[: len(before)] != before
                or not set(map(_hashable, after[len(before) :])) <= added
            ):
                continue
            self._explained.add(page.number)
            if isinstance(annotations, Ref) and (
                annotations == old.get("Annots") or annotations.number in self._added
            ):
                self._explained.add(annotations.number)


def _hashable(value: Value) -> Value:
    return value if isinstance(value, Ref) else None


def _is_visible(revision: Revision, widget: dict[str, Any]) -> bool:
    corners = revision.array(widget.get("Rect"))
    if len(corners) != 4 or not all(isinstance(n, int | float) for n in corners):
        return True
    return bool(corners[0] != corners[2] and corners[1] != corners[3])


def _structure(revision: Revision, store: Value) -> Iterator[tuple[int, Value]]:
    """The numbered objects that a document security store consists of."""
    seen: set[int] = set()
    waiting: list[tuple[Value, int]] = [(store, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, Ref):
            if value.number in seen:
                continue
            seen.add(value.number)
            found = revision.get(value)
            yield value.number, found
            value = found
        if depth > 4:
            raise malformed("the document security store is too deep")
        inner: Iterable[Value] = ()
        if isinstance(value, list):
            inner = value
        elif isinstance(value, dict):
            inner = value.values()
        waiting.extend((each, depth + 1) for each in inner)
