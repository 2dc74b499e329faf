"""A clock that cannot be trusted gives no time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat import asn1

from kernel.asn1 import tsp
from kernel.clock import FixedClock, SystemClock
from kernel.entropy import SystemEntropy
from signing_service.timestamping.authority import TimestampAuthority
from signing_service.timestamping.client import encode_request
from signing_service.timestamping.health import ClockHealth, KernelTime, boot_time, kernel_time
from tests.signing_service.timestamping.conftest import POLICY
from tests.software_keys import SoftwareAuthority

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Machine:
    """A clock and a steady clock, which time moves together and `set` parts."""

    def __init__(self) -> None:
        self.clock = FixedClock(NOON)
        self.steady = 1000.0

    def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)
        self.steady += by.total_seconds()

    def set_clock(self, by: timedelta) -> None:
        self.clock.advance(by)

    def health(self, **settings: object) -> ClockHealth:
        return ClockHealth(self.clock, steady=lambda: self.steady, **settings)  # type: ignore[arg-type]


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_time_that_passes_is_trusted(machine: Machine) -> None:
    health = machine.health()
    for _ in range(100):
        machine.pass_time(timedelta(hours=7))
        assert health()


def test_a_clock_set_back_waits_for_an_operator(machine: Machine) -> None:
    health = machine.health()
    machine.set_clock(-SECOND)

    assert not health()
    machine.set_clock(SECOND)  # right again: but what happened in between nobody knows
    assert not health()
    fault = health.fault()
    assert fault is not None
    assert "set back" in fault.said()
    health.confirm()
    assert health()


def test_many_small_steps_are_one_large_one(machine: Machine) -> None:
    health = machine.health()
    for _ in range(4):
        machine.pass_time(SECOND)
        assert health()
        machine.set_clock(timedelta(milliseconds=-120))
    machine.set_clock(timedelta(milliseconds=-120))

    assert not health()


def test_a_clock_set_forward_is_trusted_again_when_it_is_right(machine: Machine) -> None:
    health = machine.health()
    machine.set_clock(SECOND)
    assert not health()
    machine.set_clock(-SECOND)
    assert health()


def test_the_operator_confirms_through_a_file(machine: Machine, tmp_path: Path) -> None:
    mark = tmp_path / "clock-confirmed"
    mark.touch()  # an earlier confirmation says nothing of what comes
    health = machine.health(confirmation=mark)
    machine.set_clock(-timedelta(days=1))
    assert not health()
    mark.unlink()
    mark.touch()
    assert health()
    machine.set_clock(-timedelta(days=1))
    assert not health()


@pytest.mark.parametrize(
    ("told", "healthy"),
    [
        (KernelTime(True, 0.02), True),
        (KernelTime(True, 2.0), False),
        (KernelTime(False, 0.02), False),
        (None, False),
    ],
)
def test_the_kernel_is_asked_where_that_is_required(
    machine: Machine, told: KernelTime | None, healthy: bool
) -> None:
    assert machine.health(require_ntp=True, kernel=lambda: told)() is healthy
    assert machine.health(require_ntp=False, kernel=lambda: told)()


def test_this_machine_can_be_asked() -> None:
    told = kernel_time()

    assert told is not None
    assert told.max_error_seconds >= 0
    assert boot_time() > 0
    assert ClockHealth(SystemClock())()


def test_the_authority_refuses_while_time_is_not_trusted(
    machine: Machine, pki: SoftwareAuthority
) -> None:
    tsa, health = pki.timestamp_authority(), machine.health()
    authority = TimestampAuthority(
        tsa.key, tsa.certificate, tsa.chain, POLICY, machine.clock, SystemEntropy(),
        clock_health=health,
    )  # fmt: skip
    request = encode_request(bytes(32), "sha256", nonce=1)

    def is_granted() -> bool:
        response = asn1.decode_der(tsp.TimeStampResp, authority.answer(request))
        return response.status.status == tsp.GRANTED

    assert is_granted()
    machine.set_clock(-timedelta(minutes=1))
    assert not is_granted()
    health.confirm()
    assert is_granted()
