"""A body becomes its model, or the members at fault are named."""

import pytest
from flask import Flask
from pydantic import BaseModel

from kernel.refusals import Malformed
from signing_service.web.body import read_body


class Body(BaseModel):
    name: str


def test_a_body_within_the_limit_is_read_strictly() -> None:
    with Flask("body").test_request_context(method="POST", json={"name": "x"}):
        assert read_body(Body, 1000).name == "x"
    with Flask("body").test_request_context(method="POST", json={"name": 1}):
        with pytest.raises(Malformed, match=r"request\.malformed"):
            read_body(Body, 1000)
