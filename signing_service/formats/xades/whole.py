"""XAdES signatures (EN 319 132-1): every packaging, levels B-B to B-LTA.

The whole format by one name; each file beside this one does one part of it.
"""

from signing_service.formats.xades.counter import prepare_counter_signature
from signing_service.formats.xades.levels import (
    add_archive_timestamp,
    add_signature_timestamp,
    add_validation_material,
)
from signing_service.formats.xades.reading import content, read
from signing_service.formats.xades.writing import (
    as_container,
    assemble,
    prepare,
    properties_of,
    sign,
)

__all__ = [
    "add_archive_timestamp",
    "add_signature_timestamp",
    "add_validation_material",
    "as_container",
    "assemble",
    "content",
    "prepare",
    "prepare_counter_signature",
    "properties_of",
    "read",
    "sign",
]
