"""Time: the timestamp authority, its clock, and the journal's witness."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from kernel.keys import KeyHandle
from portseal.settings import JOURNAL_POLICY
from portseal.wiring.authority import AuthorityFloor
from portseal.witness import FILE_NAME, Seal, Witness
from records.common_time import CommonTime
from signing_service.timestamping.authority import Accuracy, TimestampAuthority
from signing_service.timestamping.client import HttpTimestamper, LocalTimestamper, Timestamper
from signing_service.timestamping.failover import FailoverTimestamper
from signing_service.timestamping.health import ClockHealth

_TSA_POLICY = "2.1"
"""Arc of the timestamp policy below the operator's own identifier."""


class TimestampFloor(AuthorityFloor):
    """Timestamps of our own and of others."""

    @cached_property
    def timestamp_authority(self) -> TimestampAuthority:
        configured = self.settings.timestamp
        key = self.key_uses.of(self.authorities.tsa.key, "timestamps")
        return self._timestamp_authority(
            key, _TSA_POLICY, configured.further_policies, configured.ordering
        )

    def _timestamp_authority(
        self, key: KeyHandle, policy: str, further: Sequence[str] = (), ordering: bool = False
    ) -> TimestampAuthority:
        pair = self.authorities.tsa
        return TimestampAuthority(
            key,
            pair.certificate,
            pair.chain[:1],
            f"{self.settings.policy.arc}.{policy}",
            self.clock,
            self.entropy,
            Accuracy.of_milliseconds(self.settings.timestamp.accuracy_milliseconds),
            self.clock_health,
            further_policies=further,
            ordering=ordering,
        )

    @cached_property
    def timestamper(self) -> Timestamper:
        own: Timestamper = LocalTimestamper(self.timestamp_authority, self.entropy)
        configured = self.settings.timestamp
        if not configured.others:
            return own
        others = (
            (url, HttpTimestamper(url, timeout=configured.others_timeout_seconds))
            for url in configured.others
        )
        return FailoverTimestamper([("own", own), *others])

    @cached_property
    def common_time(self) -> CommonTime:
        """Whether this node's clock is that of the others."""
        limit = timedelta(milliseconds=self.settings.nodes.max_clock_difference_milliseconds)
        return CommonTime(self.database, self.clock, limit)

    @cached_property
    def clock_health(self) -> ClockHealth:
        configured = self.settings.timestamp
        return ClockHealth(
            self.clock,
            max_drift=timedelta(milliseconds=configured.max_clock_drift_milliseconds),
            require_ntp=configured.require_synchronised_clock,
            max_error=timedelta(milliseconds=configured.max_clock_error_milliseconds),
            confirmation=self.clock_confirmation,
            others=self.common_time.fault,
        )

    @property
    def clock_confirmation(self) -> Path:
        """Touched by `portseal clock confirm`; every process looks at it."""
        return self.settings.data_directory / "clock-confirmed"

    @cached_property
    def witness(self) -> Witness:
        """Makes the journal's checkpoints."""
        # Not accounted for: each checkpoint is kept with its token, and to record it would make the
        # next one due.
        own = self._timestamp_authority(self.authorities.tsa.key, JOURNAL_POLICY)
        return Witness(
            self.database,
            LocalTimestamper(own, self.entropy),
            self.journal_seal,
            self.clock,
            self.journal_checkpoints,
        )

    @property
    def journal_seal(self) -> Seal:
        """How the journal's checkpoints are known."""
        return Seal(
            self.authorities.tsa.certificate, f"{self.settings.policy.arc}.{JOURNAL_POLICY}"
        )

    @property
    def journal_checkpoints(self) -> Path:
        """Each checkpoint as a line of JSON, for shipping elsewhere."""
        return self.settings.data_directory / FILE_NAME
