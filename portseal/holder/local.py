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
from signing_service.formats.catalogue import levels_of
from signing_service.formats.document import StreamedDocument
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.timestamping.client import HttpTimestamper
from signing_service.validation.evidence import Packaging


def sign_locally(card: Card, document: Path, manner: Manner, stamping: Service | None) -> bytes:
    """The detached signature, B-B, or B-T by the timestamp authority of `stamping`.

    Raises Unprocessable `packaging.unfit` (it is not detached), Unavailable `timestamp.*`, and as
    `making.prepare` and the card.
    """
    if manner.act is not Act.FIRST or manner.packaging not in (None, Packaging.DETACHED):
        raise Unprocessable("packaging.unfit", "on this computer alone one signs detached")
    manner = replace(manner, packaging=Packaging.DETACHED)
    key = card.key_under(manner.suite)
    with document.open("rb") as file:
        subject = Subject({document.name: StreamedDocument(file)})
        prepared = making.prepare(manner, subject, card.certificate, SystemClock().now())
    signed = making.finish(Act.FIRST, prepared, key.sign(prepared.to_be_signed), None)
    if stamping is None:
        return signed
    stamper = HttpTimestamper(f"{stamping.origin}/tsa")
    return levels_of(manner.format).add_signature_timestamp(signed, stamper)
