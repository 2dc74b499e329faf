"""What recurs in one signer's signatures, so that the next one need not be taken apart.

A detached B-B signature of a signer differs from the one before in three fields of fixed place:
signing time, message digest and signature value. One that was read the long way leaves a mould.
Where all octets outside the three fields are those of a mould, the structure is the mould's too
(the lengths are outside), and only the fields are read. Everything else goes the long way.
"""

from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import NamedTuple

from signing_service.formats.cms.evidence import Covered
from signing_service.formats.cms.signed_data import SignedMessage, digest_of, read_time
from signing_service.validation.evidence import DigestReference, SignatureEvidence

MAX_MOULDS = 2048
MAX_MOULD_BYTES = 8 * 1024
MAX_PLACES = 8
"""Places of the signature value known for one length of message."""
_MARK_BYTES = 64
"""Octets before the signature value by which a mould is found; they hold the hash of the signer's
certificate, as most write it. Whether a mould fits is decided by all octets."""


class _Mould(NamedTuple):
    """A message without its three fields: three pieces, and where the fields lie between them."""

    before: bytes
    between: bytes
    after: bytes
    """Up to the signature value, which ends the message."""
    first: slice
    second: slice
    digest_first: bool
    """Whether the message digest stands before the signing time."""
    attributes: slice
    """The signed attributes without their tag."""
    value_start: int
    digest: str
    """hashlib's name."""
    evidence: SignatureEvidence
    """Without what the fields tell."""


class Moulds:
    """Remembers moulds; safe to use from many threads."""

    def __init__(self, limit: int = MAX_MOULDS) -> None:
        self._limit = limit
        self._moulds: OrderedDict[tuple[int, bytes], _Mould] = OrderedDict()
        self._places: dict[int, tuple[int, ...]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._moulds)

    def evidence(self, message: bytes, covered: Covered) -> SignatureEvidence | None:
        """The evidence of a message that fits a mould; None: read it the long way."""
        for place in self._places.get(len(message), ()):
            mould = self._moulds.get((place, message[place - _MARK_BYTES : place]))
            if mould is not None and _fits(mould, message):
                return _evidence(mould, message, covered)
        return None

    def remember(self, encoded: bytes, message: SignedMessage, evidence: SignatureEvidence) -> None:
        """Make a mould of a message that was read the long way, where it can be one."""
        mould = _mould_of(encoded, message, evidence)
        if mould is None:
            return
        place = mould.value_start
        with self._lock:
            places = self._places.get(len(encoded), ())
            if place not in places:
                if len(places) >= MAX_PLACES:
                    return
                self._places[len(encoded)] = (*places, place)
            self._moulds[place, encoded[place - _MARK_BYTES : place]] = mould
            while len(self._moulds) > self._limit:
                self._moulds.popitem(last=False)


def _mould_of(encoded: bytes, message: SignedMessage, evidence: SignatureEvidence) -> _Mould | None:
    if len(encoded) > MAX_MOULD_BYTES or len(message.signers) != 1 or message.content is not None:
        return None
    (signer,) = message.signers
    if signer.unsigned or evidence.observations or not encoded.endswith(signer.signature):
        return None
    value_start = len(encoded) - len(signer.signature)
    attributes = _only(encoded, signer.signed_bytes[1:], slice(0, value_start))
    if attributes is None or value_start < _MARK_BYTES:
        return None
    time = _only(encoded, _utc_time(evidence.claimed_signing_time), attributes)
    digest = _only(encoded, signer.message_digest, attributes)
    if time is None or digest is None:
        return None
    first, second = (digest, time) if digest.start < time.start else (time, digest)
    return _Mould(
        before=encoded[: first.start],
        between=encoded[first.stop : second.start],
        after=encoded[second.stop : value_start],
        first=first,
        second=second,
        digest_first=first is digest,
        attributes=attributes,
        value_start=value_start,
        digest=signer.digest,
        # What belongs to this one message alone is not kept.
        evidence=evidence._replace(signed_bytes=b"", signature_value=b"", references=()),
    )


def _utc_time(at: datetime | None) -> bytes:
    """Nothing where the time is not written as UTCTime."""
    if at is None or not 1950 <= at.year < 2050:
        return b""
    return b"\x17\x0d" + at.strftime("%y%m%d%H%M%SZ").encode()


def _only(encoded: bytes, field: bytes, where: slice) -> slice | None:
    """Where `field` stands, if it stands there once."""
    if not field or encoded.count(field, where.start, where.stop) != 1:
        return None
    start = encoded.find(field, where.start, where.stop)
    return slice(start, start + len(field))


def _fits(mould: _Mould, message: bytes) -> bool:
    return (
        message.startswith(mould.before)
        and message.startswith(mould.between, mould.first.stop)
        and message.startswith(mould.after, mould.second.stop)
    )


def _evidence(mould: _Mould, message: bytes, covered: Covered) -> SignatureEvidence | None:
    first, second = message[mould.first], message[mould.second]
    digest, encoded_time = (first, second) if mould.digest_first else (second, first)
    try:
        signing_time = read_time(encoded_time)
    except ValueError:
        return None
    content = covered.content
    actual = None if content is None else digest_of(mould.digest, content)
    return mould.evidence._replace(
        signed_bytes=b"\x31" + message[mould.attributes],
        signature_value=message[mould.value_start :],
        references=(DigestReference(covered.name, mould.digest, digest, actual),),
        covers_document=covered.whole,
        claimed_signing_time=signing_time,
    )
