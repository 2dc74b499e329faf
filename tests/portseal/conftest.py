"""The running service that the tests of the front hall share."""

from tests.portseal.service import service, twin

__all__ = ["service", "twin"]
