"""The document security store (EN 319 142-1, 5.4.2): validation data of all signatures."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal
from signing_service.formats.pades.pdf.document import Revision
from signing_service.formats.pades.pdf.filters import decode
from signing_service.formats.pades.pdf.signature import EmbeddedSignature
from signing_service.formats.pades.pdf.syntax import Stream, Value
from signing_service.formats.pades.pdf.update import Update
from signing_service.formats.validation_material import ValidationMaterial, whole_response

MAX_VALUES = 512
MAX_VALUE_BYTES = 8 * 1024 * 1024
MAX_STORE_BYTES = 24 * 1024 * 1024
"""All values of one kind together, inflated."""
_KINDS = (("Certs", "Cert"), ("OCSPs", "OCSP"), ("CRLs", "CRL"))
"""The store's own key and the one of a signature's part of it (VRI)."""


@dataclass(frozen=True, slots=True)
class Store:
    """What a revision's document security store holds."""

    certificates: tuple[Certificate, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    observations: tuple[str, ...] = ()


def read_store(revision: Revision) -> Store:
    """Raises Malformed `pades.too-many`, `pdf.malformed`."""
    store = revision.dictionary(revision.catalog.get("DSS"))
    if not store:
        return Store()
    values = {key: _values(revision, store, key) for key, _ in _KINDS}
    observations = []
    certificates = []
    for encoded in values["Certs"]:
        try:
            certificates.append(Certificate.parse(encoded))
        except Refusal:
            observations.append("a certificate in the document security store cannot be read")
    return Store(
        tuple(certificates), tuple(values["OCSPs"]), tuple(values["CRLs"]), tuple(observations)
    )


def grow_store(update: Update, signature: EmbeddedSignature, material: ValidationMaterial) -> bool:
    """Put what is missing into the store, and name all of it as the signature's.

    False where everything was there already. Raises Malformed `ocsp.malformed`.
    """
    revision = update.revision
    store = revision.dictionary(revision.catalog.get("DSS"))
    known = {key: _by_value(revision, revision.array(store.get(key))) for key, _ in _KINDS}
    wanted = {
        "Certs": material.certificates,
        "OCSPs": tuple(map(whole_response, material.ocsp)),
        "CRLs": material.crls,
    }
    new_store: dict[str, Any] = dict(store)
    own: dict[str, Any] = {}
    is_new = False
    for key, own_key in _KINDS:
        references = []
        for value in wanted[key]:
            if value not in known[key]:
                known[key][value] = update.add(Stream({}, value))
                is_new = True
            references.append(known[key][value])
        if known[key]:
            new_store[key] = list(known[key].values())
        if references:
            own[own_key] = references
    identifier = vri_key(signature.contents)
    entries = dict(revision.dictionary(store.get("VRI")))
    if not is_new and identifier in entries:
        return False
    entries[identifier] = _joined(revision, entries.get(identifier), own)
    new_store["VRI"] = entries
    place = revision.catalog.get("DSS")
    if update.is_place(place):
        update.put(place, new_store)
    else:
        catalog = update.get(revision.root)
        update.put(revision.root, {**catalog, "DSS": update.add(new_store)})
    return True


def vri_key(contents: bytes) -> str:
    """The name of a signature's part of the store: SHA-1 of Contents, a name and no protection."""
    return hashlib.sha1(contents, usedforsecurity=False).hexdigest().upper()


def _joined(revision: Revision, before: Value, own: dict[str, Any]) -> dict[str, Any]:
    joined: dict[str, Any] = dict(revision.dictionary(before))
    for key, references in own.items():
        earlier: Sequence[Any] = revision.array(joined.get(key))
        joined[key] = list(dict.fromkeys((*earlier, *references)))
    return joined


def _values(revision: Revision, store: dict[str, Any], key: str) -> list[bytes]:
    references = revision.array(store.get(key))
    if len(references) > MAX_VALUES:
        raise Malformed(
            "pades.too-many", "at most {most} values in a security store", most=MAX_VALUES
        )
    return list(_by_value(revision, references))


def _by_value(revision: Revision, references: Sequence[Value]) -> dict[bytes, Value]:
    """Each value once, with where it stands. Raises Malformed `pdf.malformed`."""
    found: dict[bytes, Value] = {}
    room = MAX_STORE_BYTES
    for reference in references:
        value = decode(revision.stream(reference), min(MAX_VALUE_BYTES, room))
        room -= len(value)
        found.setdefault(value, reference)
    return found
