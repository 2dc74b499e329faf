"""What is signed: of which kind, for which enterprise, and who may file it."""

from dataclasses import dataclass

from lxml import etree

from kernel.identifiers import parse_customs_code, parse_uscc
from kernel.refusals import Forbidden, Malformed, Refusal, Unprocessable
from policies.rights import Act, DeclarationKind, RightsCatalogue
from signing_service.formats import xml_security
from signing_service.ports import Holder

_MAX_OCCURRENCES = 10_000


@dataclass(frozen=True)
class DeclaredField:
    """One field shown to the person who signs, with its names."""

    name_zh: str
    name_en: str
    value: str


@dataclass(frozen=True)
class Declaration:
    """A declaration that was recognised. Exactly one of the two declarant codes is set."""

    kind: DeclarationKind
    act: Act
    document: bytes
    """The bytes as presented."""
    declaring_uscc: str | None
    customs_code: str | None
    fields: tuple[DeclaredField, ...]

    @property
    def declarant(self) -> str:
        return self.declaring_uscc or self.customs_code or ""


def read_declaration(document: bytes, rights: RightsCatalogue) -> Declaration:
    """Recognise a declaration.

    Raises what `xml_security.parse` raises, Unprocessable `declaration.unknown-kind`,
    Malformed `declaration.field-missing`, `declaration.field-ambiguous`,
    `declaration.field-malformed`, `declaration.declarant-malformed`, `declaration.unknown-act`.
    """
    root = xml_security.parse(document)
    name = etree.QName(root)
    candidates = [
        kind
        for kind in rights.kinds
        if (kind.namespace, kind.root) == (name.namespace, name.localname)
    ]
    for kind in candidates:
        if all(_value(root, kind, c.path) == c.equals for c in kind.conditions):
            return _of_kind(document, root, kind)
    raise Unprocessable(
        "declaration.unknown-kind",
        "a document <{element}> of this content is no declaration that can be filed here",
        root=name.localname[:80],
        element=name.localname,
    )


def check_right(declaration: Declaration, holder: Holder, rights: RightsCatalogue) -> None:
    """Refuse a holder who may not file this declaration.

    Raises Forbidden `declaration.by-seal`, `right.missing`, `declaration.other-enterprise`.
    """
    if holder.is_seal:
        raise Forbidden(
            "declaration.by-seal",
            "a declaration is filed with the card of an operator who was granted the right, not "
            "with a seal",
            kind=declaration.kind.code,
        )
    kind = declaration.kind
    sufficient = rights.rights_to_file(kind, declaration.act)
    if not any(right.code in holder.rights for right in sufficient):
        needed = sufficient[0]
        raise Forbidden(
            "right.missing",
            "{name} has not been granted the right “{right_en}” ({right_zh}), which a document of "
            "the kind “{kind_en}” ({kind_zh}) needs. The enterprise's legal-person card can grant "
            "it.",
            name=holder.name,
            right=needed.code,
            right_en=needed.name_en,
            right_zh=needed.name_zh,
            kind=kind.code,
            kind_en=kind.name_en,
            kind_zh=kind.name_zh,
        )
    own = holder.enterprise_uscc if declaration.declaring_uscc else holder.customs_code
    if own != declaration.declarant:
        raise Forbidden(
            "declaration.other-enterprise",
            "this document declares for the enterprise {declarant}, but the card belongs to "
            "{enterprise} ({holder})",
            declarant=declaration.declarant,
            enterprise=holder.enterprise_name,
            holder=own,
            kind=kind.code,
        )


def _of_kind(document: bytes, root: etree._Element, kind: DeclarationKind) -> Declaration:
    field = kind.declarant
    text = _value(root, kind, field.path)
    if not text:
        raise Malformed(
            "declaration.field-missing",
            "the field {field}, which names the declaring enterprise, is empty",
            field=field.path,
        )
    try:
        uscc = parse_uscc(text) if field.identifies == "uscc" else None
        customs = parse_customs_code(text) if field.identifies == "customs-code" else None
    except Refusal as refusal:
        raise Malformed(
            "declaration.declarant-malformed",
            "the field {field} names no enterprise: {detail}",
            field=field.path,
            detail=refusal.detail,
        ) from None
    act = _act(root, kind)
    shown = tuple(
        DeclaredField(item.name_zh, item.name_en, value)
        for item in kind.shown
        if (value := _first(root, kind, item.path))
    )
    return Declaration(kind, act, document, uscc, customs, shown)


def _act(root: etree._Element, kind: DeclarationKind) -> Act:
    if kind.acts is None:
        return "declare"
    told = _value(root, kind, kind.acts.path)
    act = kind.acts.named(told)
    if act is None:
        raise Malformed(
            "declaration.unknown-act",
            "the field {field} says neither {enter} (entered) nor {declare} (declared)",
            field=kind.acts.path,
            enter=kind.acts.enter,
            declare=kind.acts.declare,
        )
    return act


def _value(root: etree._Element, kind: DeclarationKind, path: str) -> str:
    """The one value of a field. Every parent must have it and all the values must agree, so
    that two readers of the document cannot see two different values."""
    found = [root]
    for step in path.split("/"):
        tag = f"{{{kind.namespace}}}{step}"
        below: list[etree._Element] = []
        for parent in found:
            children = parent.findall(tag)
            if not children:
                raise Malformed(
                    "declaration.field-missing", "the field {field} is missing", field=path
                )
            below += children
        if len(below) > _MAX_OCCURRENCES:
            raise Malformed("declaration.field-ambiguous", "{field} occurs too often", field=path)
        found = below
    values = {_text(element, path) for element in found}
    if len(values) != 1:
        raise Malformed(
            "declaration.field-ambiguous",
            "the field {field} occurs with different values",
            field=path,
        )
    return values.pop()


def _first(root: etree._Element, kind: DeclarationKind, path: str) -> str:
    """A field's first value, for display; empty where there is none."""
    steps = "/".join(f"{{{kind.namespace}}}{step}" for step in path.split("/"))
    element = root.find(steps)
    return "" if element is None else _text(element, path)


def _text(element: etree._Element, path: str) -> str:
    # A comment or element inside would split the text: readers then differ on what it says.
    if len(element):
        raise Malformed(
            "declaration.field-malformed", "the field {field} holds more than text", field=path
        )
    return (element.text or "").strip()
