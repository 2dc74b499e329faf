"""Request bodies are measured before they are read."""

import io

import pytest
from flask import Flask
from pydantic import BaseModel

from kernel.refusals import Malformed, TooLarge
from signing_service.web.body import read_body


class Body(BaseModel):
    name: str


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


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    stream = Endless()
    surroundings = {"wsgi.input": stream, "CONTENT_LENGTH": "1000000000"}
    with Flask("body").test_request_context(
        method="POST", content_type="application/json", environ_overrides=surroundings
    ):
        with pytest.raises(TooLarge, match=r"request\.too-large"):
            read_body(Body, 1000)
    assert stream.taken == 0


def test_a_body_within_the_limit_is_read_strictly() -> None:
    with Flask("body").test_request_context(method="POST", json={"name": "x"}):
        assert read_body(Body, 1000).name == "x"
    with Flask("body").test_request_context(method="POST", json={"name": 1}):
        with pytest.raises(Malformed, match=r"request\.malformed"):
            read_body(Body, 1000)
