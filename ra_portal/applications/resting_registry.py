"""A registry that is left alone for a while after it did not answer."""

from datetime import datetime, timedelta

from kernel.clock import Clock
from kernel.refusals import Unavailable
from ra_portal.applications.registry import Registry, RegistryEntry

REST = timedelta(seconds=30)
"""Of how often an officer's page waits for a registry that is silent, in each process."""


class RestingRegistry:
    """Fulfils `Registry`. Safe for threads: who asks at the same moment waits, too."""

    def __init__(self, registry: Registry, clock: Clock, rest: timedelta = REST) -> None:
        self._registry = registry
        self._clock = clock
        self._rest = rest
        self._failed_at: datetime | None = None

    def find(self, uscc: str) -> RegistryEntry | None:
        """Raises as the registry; Unavailable `registry.resting` at once while it is left alone."""
        failed_at = self._failed_at
        if failed_at is not None and self._clock.now() - failed_at < self._rest:
            raise Unavailable(
                "registry.resting",
                "the registry did not answer just now and is asked again in half a minute",
            )
        try:
            entry = self._registry.find(uscc)
        except Unavailable as refusal:
            if refusal.code == "registry.unavailable":
                self._failed_at = self._clock.now()
            raise
        self._failed_at = None
        return entry
