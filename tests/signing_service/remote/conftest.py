"""A running service with an enterprise's seal, and a platform that may ask to use it."""

import pytest

from tests.portseal.service import RunningService, service, twin
from tests.signing_service.remote.platform import RemotePlatform, new_seal, registered_platform

__all__ = ["service", "twin"]


@pytest.fixture(scope="session")
def seal(service: RunningService) -> str:
    """An active seal of the session's enterprise; tests leave it alive."""
    return new_seal(service, "报关专用章")


@pytest.fixture(scope="session")
def platform(service: RunningService) -> RemotePlatform:
    return registered_platform(service, "remote-1")
