"""A running service with an enterprise's seal, and platforms that may ask to use it."""

import pytest

from portseal.holder.service import Service
from tests.portseal.service import RunningService
from tests.signing_service.remote.platform import (
    RemotePlatform,
    new_enterprise,
    new_seal,
    registered_platform,
)


@pytest.fixture(scope="session")
def seal(service: RunningService) -> str:
    """An active seal of the session's enterprise; tests leave it alive."""
    return new_seal(service, "报关专用章")


@pytest.fixture(scope="session")
def platform(service: RunningService) -> RemotePlatform:
    return registered_platform(service, "remote-1")


@pytest.fixture(scope="session")
def other_platform(service: RunningService) -> RemotePlatform:
    return registered_platform(service, "remote-2")


@pytest.fixture(scope="session")
def other_seal(service: RunningService) -> str:
    """Of another enterprise, whose card has the label `legal-person-2`."""
    new_enterprise(service, "legal-person-2")
    return new_seal(service, "合同专用章", "legal-person-2")


@pytest.fixture
def browser(service: RunningService) -> Service:
    """The legal person's, signed in just now: signing with a seal wants a recent proof."""
    return service.signed_in("legal-person")


@pytest.fixture
def token(platform: RemotePlatform, browser: Service) -> str:
    """Of the scope `service`."""
    return platform.service_token(browser)
