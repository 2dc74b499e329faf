"""What a signature locks (ISO 32000-2, 12.8.2.4), for who must know it before signing: the fields
that the shown document itself says, in the Lock of the signature's own field (12.7.5.5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kernel.refusals import Malformed
from signing_service.formats.pades.pdf.document import Revision
from signing_service.formats.pades.pdf.form import Field, fields
from signing_service.formats.pades.pdf.signature import EmbeddedSignature
from signing_service.formats.pades.pdf.syntax import Name, Value, read_text

_REFERENCE = frozenset({"Type", "TransformMethod", "TransformParams"})
_DOC_MDP, _FIELD_MDP = Name("DocMDP"), Name("FieldMDP")
_PARAMETERS = {
    _DOC_MDP: frozenset({"Type", "V", "P"}),
    _FIELD_MDP: frozenset({"Type", "V", "Action", "Fields"}),
}
_SAYS_NOTHING = {
    "reference": (None, Name("SigRef")),
    "parameters": (None, Name("TransformParams")),
    "version": (None, Name("1.2")),
}


class LockAction(StrEnum):
    ALL = "All"
    INCLUDE = "Include"
    EXCLUDE = "Exclude"


@dataclass(frozen=True)
class Lock:
    """Form fields that must stay as they are after the signature."""

    action: LockAction
    names: tuple[bytes, ...]
    """Text strings, as they stand."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Those that are locked, or those that are not."""
        return tuple(read_text(each) or "" for each in self.names)


def field_shown(signature: EmbeddedSignature, shown: Revision) -> Field | None:
    """The signature's field as it was in the document that was shown; None for a new one."""
    place = signature.field.reference
    return next((each for each in fields(shown) if each.reference == place), None)


def lock_as_shown(signature: EmbeddedSignature, shown: Revision) -> Lock | None:
    """What the signature locks, which is what its field said already in `shown`.

    Raises Malformed `pades.lock` where it locks anything else than that, and where its transforms
    say more than a lock and a certification.
    """
    parameters = _field_mdp(signature)
    field = field_shown(signature, shown)
    expected = _of_field(shown, field)
    says = None if parameters is None else _read(signature.revision, parameters)
    if not says == expected == _of_field(signature.revision, signature.field):
        raise _refused("it locks other fields than the document says")
    return says


def _field_mdp(signature: EmbeddedSignature) -> Mapping[str, Any] | None:
    revision = signature.revision
    found: dict[Value, Mapping[str, Any]] = {}
    for each in map(revision.dictionary, revision.array(signature.dictionary.get("Reference"))):
        method = each.get("TransformMethod")  # by reference other readers would not see it
        if not isinstance(method, Name) or method in found or method not in _PARAMETERS:
            raise _refused("a transform that is not known, or twice")
        parameters = revision.dictionary(each.get("TransformParams"))
        said = {
            "reference": revision.get(each.get("Type")),
            "parameters": revision.get(parameters.get("Type")),
            "version": revision.get(parameters.get("V")),
        }
        is_known = each.keys() <= _REFERENCE and parameters.keys() <= _PARAMETERS[method]
        if not is_known or any(value not in _SAYS_NOTHING[key] for key, value in said.items()):
            raise _refused("a transform with more than its parameters")
        found[method] = parameters
    return found.get(_FIELD_MDP)


def _of_field(revision: Revision, field: Field | None) -> Lock | None:
    if field is None:
        return None
    lock = revision.dictionary(field.dictionary.get("Lock"))
    return _read(revision, lock) if lock else None


def _read(revision: Revision, lock: Mapping[str, Any]) -> Lock:
    """Of a Lock or of FieldMDP's parameters, which name fields alike."""
    action = revision.get(lock.get("Action"))
    names = [*map(revision.get, revision.array(lock.get("Fields")))]
    if not isinstance(action, Name) or str(action) not in set(LockAction):
        raise _refused("no action that exists")
    if not all(isinstance(each, bytes) for each in names):
        raise _refused("a field that has no name")
    return Lock(LockAction(action), tuple(names))


def _refused(what: str) -> Malformed:
    return Malformed("pades.lock", what)
