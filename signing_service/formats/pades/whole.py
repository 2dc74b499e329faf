"""PAdES signatures (EN 319 142-1): PDF by incremental updates, levels B-B to B-LTA.

The whole format by one name; each file beside this one does one part of it, and `pdf` knows PDF.
"""

from signing_service.formats.pades.levels import (
    add_archive_timestamp,
    add_signature_timestamp,
    add_validation_material,
)
from signing_service.formats.pades.pdf.document import is_pdf
from signing_service.formats.pades.pdf.seal import Seal
from signing_service.formats.pades.reading import read
from signing_service.formats.pades.writing import (
    INVISIBLE,
    Certification,
    Placement,
    assemble,
    prepare,
    prepare_contents,
    sign,
    update_of,
)

__all__ = [
    "INVISIBLE",
    "Certification",
    "Placement",
    "Seal",
    "add_archive_timestamp",
    "add_signature_timestamp",
    "add_validation_material",
    "assemble",
    "is_pdf",
    "prepare",
    "prepare_contents",
    "read",
    "sign",
    "update_of",
]
