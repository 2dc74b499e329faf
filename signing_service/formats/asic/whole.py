"""ASiC containers (EN 319 162-1): ASiC-S and ASiC-E with CAdES or XAdES, B-B to B-LTA.

The whole format by one name; each file beside this one does one part of it.
"""

from signing_service.formats.asic.container import (
    Container,
    ContainerType,
    add_evidence_record,
    is_zip,
)
from signing_service.formats.asic.counter import (
    assemble_counter_signature,
    prepare_counter_signature,
)
from signing_service.formats.asic.levels import (
    add_archive_timestamp,
    add_signature_timestamp,
    add_validation_material,
)
from signing_service.formats.asic.reading import read
from signing_service.formats.asic.streaming import LargeContainer
from signing_service.formats.asic.writing import (
    assemble,
    assemble_large,
    manifest_of,
    prepare,
    prepare_parallel,
    prepared_parts,
    sign,
)

__all__ = [
    "Container",
    "ContainerType",
    "LargeContainer",
    "add_archive_timestamp",
    "add_evidence_record",
    "add_signature_timestamp",
    "add_validation_material",
    "assemble",
    "assemble_counter_signature",
    "assemble_large",
    "is_zip",
    "manifest_of",
    "prepare",
    "prepare_counter_signature",
    "prepare_parallel",
    "prepared_parts",
    "read",
    "sign",
]
