"""What programs send is one JSON object, read strictly and no further than the limit."""

import io

import pytest
from flask import Flask, request

from kernel.json_bodies import json_octets, read_base64, read_object
from kernel.refusals import Malformed, TooLarge


class Endless(io.RawIOBase):
    """A sender that never stops; counts what was taken."""

    def __init__(self) -> None:
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self.taken += len(buffer)
        buffer[:] = b" " * len(buffer)
        return len(buffer)


def _read(stream: io.RawIOBase, limit: int, **told: object) -> bytes:
    surroundings = {"wsgi.input": stream, **told}
    with Flask("body").test_request_context(
        method="POST", content_type="application/json", environ_overrides=surroundings
    ):
        return json_octets(request, limit)


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    stream = Endless()
    with pytest.raises(TooLarge, match=r"request\.too-large"):
        _read(stream, 1000, CONTENT_LENGTH="1000000000")
    assert stream.taken == 0


def test_a_body_in_chunks_is_refused_when_it_goes_past_the_limit_and_never_cut() -> None:
    stream = Endless()
    chunks = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    with pytest.raises(TooLarge, match=r"request\.too-large"):
        _read(stream, 1000, **chunks)
    assert stream.taken <= 64 * 1024


@pytest.mark.parametrize("told", [{"CONTENT_LENGTH": "4"}, {"wsgi.input_terminated": True}])
def test_a_body_as_long_as_the_limit_is_read_whole(told: dict[str, object]) -> None:
    surroundings = {"CONTENT_LENGTH": "", **told}
    assert _read(io.BytesIO(b'{"" '), 4, **surroundings) == b'{"" '  # type: ignore[arg-type]


@pytest.mark.parametrize("media_type", ["text/plain", "multipart/form-data", ""])
def test_no_form_of_a_foreign_page_is_read(media_type: str) -> None:
    with Flask("body").test_request_context(method="POST", data="{}", content_type=media_type):
        with pytest.raises(Malformed, match=r"request\.media-type"):
            json_octets(request, 10)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"[" * 50_000,
        b"\xff\xfe",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\\ud800"}',
        b'{"\\udc00": 1}',
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_one_plain_object_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"request\.malformed"):
        read_object(data)


def test_an_object_is_read_with_its_texts() -> None:
    told = '{"名": "\\u4e2d\\ud83d\\ude00", "n": [1.5, null]}'.encode()
    assert read_object(told) == {"名": "中\U0001f600", "n": [1.5, None]}


def test_base64_is_read_strictly() -> None:
    assert read_base64("AAE=") == b"\0\1"
    for bad in ("AAE", "A A=", "AAE=\n", "AA-_", "中"):
        with pytest.raises(Malformed, match=r"request\.malformed"):
            read_base64(bad)
