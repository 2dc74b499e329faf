"""Fixture: a real LDAP directory."""

from collections.abc import Iterator

import pytest

from portseal.sandbox.slapd import Slapd


@pytest.fixture
def slapd() -> Iterator[Slapd]:
    """A running directory for this test alone, with nothing but its base entry in it."""
    with Slapd() as server:
        yield server
