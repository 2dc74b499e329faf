"""CAdES signatures (EN 319 122-1): detached and enveloping, levels B-B to B-LTA.

The whole format by one name; each file beside this one does one part of it.
"""

from signing_service.formats.cades.levels import (
    add_archive_timestamp,
    add_signature_timestamp,
    add_validation_material,
)
from signing_service.formats.cades.parallel import (
    assemble_counter_signature,
    merge,
    prepare_counter_signature,
)
from signing_service.formats.cades.reading import content, read
from signing_service.formats.cades.writing import assemble, prepare, sign

__all__ = [
    "add_archive_timestamp",
    "add_signature_timestamp",
    "add_validation_material",
    "assemble",
    "assemble_counter_signature",
    "content",
    "merge",
    "prepare",
    "prepare_counter_signature",
    "read",
    "sign",
]
