"""DER is written as asn1crypto writes it and read strictly; BER is brought to DER, bounded."""

from datetime import UTC, datetime

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from kernel.asn1 import ber, der
from kernel.refusals import Malformed


@given(value=st.integers(-(1 << 600), 1 << 600))
def test_integers(value: int) -> None:
    assert der.integer(value) == core.Integer(value).dump()


@given(content=st.binary(max_size=70_000))
def test_octet_strings_of_every_length(content: bytes) -> None:
    encoded = der.octet_string(content)

    assert encoded == core.OctetString(content).dump()
    element = der.read_only(encoded, 0x04)
    assert encoded[element.content : element.end] == content


@given(
    arcs=st.tuples(st.integers(0, 2), st.integers(0, 39)),
    rest=st.lists(st.integers(0, 1 << 70), min_size=1, max_size=8),
)
def test_object_identifiers(arcs: tuple[int, int], rest: list[int]) -> None:
    dotted = ".".join(map(str, (*arcs, *rest)))

    assert der.oid(dotted) == core.ObjectIdentifier(dotted).dump()


@pytest.mark.parametrize("dotted", ["", "1", "1.x", "3.1", "1.40.1", "1.2.-3"])
def test_what_is_no_object_identifier(dotted: str) -> None:
    with pytest.raises(Malformed, match=r"oid\.malformed"):
        der.oid(dotted)


def test_times() -> None:
    at = datetime(2026, 11, 21, 8, 5, 9, 120000, UTC)

    assert der.time(at) == b"\x17\x0d261121080509Z"
    assert der.time(at.replace(year=2050)) == b"\x18\x0f20501121080509Z"
    assert der.generalized_time(at) == b"\x18\x1220261121080509.12Z"
    assert der.generalized_time(at.replace(microsecond=0)) == b"\x18\x0f20261121080509Z"


def test_sets_are_sorted() -> None:
    assert der.set_of([der.integer(3), der.integer(1)]) == der.tlv(
        0x31, b"\x02\x01\x01\x02\x01\x03"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x04",
        b"\x04\x02a",
        b"\x04\x81\x01a",
        b"\x04\x82\x00\x80" + bytes(128),
        b"\x24\x80\x00\x00",
        b"\x04\x85\x00\x00\x00\x00\x01a",
        b"\x1f\x81\x01\x00",
        b"\x04\x01aa",
        b"\x05\x00",
    ],
)
def test_only_strict_der_is_read(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"der\.malformed"):
        der.read_only(data, 0x04)


def test_indefinite_lengths_become_definite() -> None:
    pieces = b"\x24\x80\x04\x02ab\x24\x80\x04\x01c\x00\x00\x04\x81\x01d\x00\x00"
    data = b"\x30\x80" + pieces + b"\x02\x01\x05\x00\x00"

    assert ber.to_definite(data) == der.sequence(der.octet_string(b"abcd"), der.integer(5))


@given(content=st.binary(max_size=300))
def test_der_stays_as_it_is(content: bytes) -> None:
    encoded = der.sequence(der.octet_string(content), der.explicit(0, der.set_of([der.NULL])))

    assert ber.to_definite(encoded) == encoded


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "ber.malformed"),
        (b"\x30\x80", "ber.malformed"),
        (b"\x30\x80" * 100, "ber.too-complex"),
        (b"\x30\x84\x00\x10\x00\x00" + b"\x05\x00" * 0x80000, "ber.too-complex"),
        (b"\x04\x80\x00\x00", "ber.malformed"),
        (b"\x24\x03\x02\x01\x05", "der.malformed"),
        (b"\x30\x89" + bytes(9), "ber.malformed"),
        (b"\x30\x00\x00", "ber.malformed"),
        (b"\x3f\x81\x01\x00", "ber.malformed"),
    ],
)
def test_hostile_ber_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Malformed) as refusal:
        ber.to_definite(data)

    assert refusal.value.code == code


@given(junk=st.binary(max_size=200))
def test_junk_is_refused_or_becomes_strict(junk: bytes) -> None:
    try:
        encoded = ber.to_definite(junk)
    except Malformed:
        return
    assert der.read(encoded).end == len(encoded)
