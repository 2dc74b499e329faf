"""JAdES signatures (TS 119 182-1): compact and JSON, attached and detached, levels B-B to B-LTA.

The whole format by one name; each file beside this one does one part of it.
"""

from signing_service.formats.jades.levels import (
    add_archive_timestamp,
    add_signature_timestamp,
    add_validation_material,
)
from signing_service.formats.jades.message import Serialisation
from signing_service.formats.jades.parallel import (
    assemble_counter_signature,
    merge,
    prepare_counter_signature,
)
from signing_service.formats.jades.reading import content, read
from signing_service.formats.jades.writing import assemble, prepare, sign

__all__ = [
    "Serialisation",
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
