"""Signing on the holder's own computer: a document of any size, read once and never sent.

The service timestamps the signature and otherwise knows nothing of it: it has not checked a right
and keeps no evidence. Anybody can verify the result with the document.
"""

from dataclasses import replace
from pathlib import Path

from kernel.clock import SystemClock
from kernel.refusals import Unprocessable
from portseal.holder.card import Card
from portseal.holder.service import Service
from signing_service.formats import making
from signing_service.formats.asic import whole as asic
from signing_service.formats.catalogue import levels_of
from signing_service.formats.document import StreamedDocument
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.timestamping.client import HttpTimestamper
from signing_service.validation.evidence import Packaging, SignatureFormat

_CONTAINERS = {
    SignatureFormat.ASIC_S: asic.ContainerType.ASIC_S,
    SignatureFormat.ASIC_E: asic.ContainerType.ASIC_E,
}


def sign_locally(
    card: Card, document: Path, manner: Manner, stamping: Service | None, output: Path
) -> None:
    """Write the detached signature, or the container with the document in it: B-B, or B-T by the
    timestamp authority of `stamping`.

    Raises Unprocessable `packaging.unfit` (it is neither), Unavailable `timestamp.*`, and as
    `making.prepare`, `LargeContainer` and the card.
    """
    if manner.act is not Act.FIRST or manner.packaging not in (None, Packaging.DETACHED):
        raise Unprocessable("packaging.unfit", "on this computer alone one signs detached")
    key, now = card.key_under(manner.suite), SystemClock().now()
    stamper = None if stamping is None else HttpTimestamper(f"{stamping.origin}/tsa")
    if manner.format in _CONTAINERS:
        container = asic.LargeContainer(
            _CONTAINERS[manner.format], manner.inner, {document.name: document}
        )
        with output.open("wb") as target:
            container.write(
                target, key, card.certificate, now, timestamper=stamper, claims=manner.claims
            )
        return
    manner = replace(manner, packaging=Packaging.DETACHED)
    with document.open("rb") as file:
        subject = Subject({document.name: StreamedDocument(file)})
        prepared = making.prepare(manner, subject, card.certificate, now)
    signed = making.finish(Act.FIRST, prepared, key.sign(prepared.to_be_signed), None)
    if stamper is not None:
        signed = levels_of(manner.format).add_signature_timestamp(signed, stamper)
    output.write_bytes(signed)
