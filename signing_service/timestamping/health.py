"""Whether the clock can be trusted (EN 319 421, 7.7.2): no timestamp is better than a wrong one."""

import ctypes
import ctypes.util
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from kernel.clock import Clock
from kernel.refusals import Reason

_log = logging.getLogger(__name__)

_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""
_STA_UNSYNC = 0x0040


@dataclass(frozen=True)
class KernelTime:
    """What the kernel knows of its clock's discipline (adjtimex(2))."""

    synchronised: bool
    max_error_seconds: float


class _Timeval(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("microseconds", ctypes.c_long))


class _Timex(ctypes.Structure):
    """struct timex of Linux, on every 64-bit and 32-bit ABI that uses C longs."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", _Timeval),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


def kernel_time() -> KernelTime | None:
    """Ask the kernel, changing nothing; None where it cannot be asked (not Linux, forbidden)."""
    try:
        library = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
        asked = _Timex()
        state = library.adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    synchronised = state != _TIME_ERROR and not asked.status & _STA_UNSYNC
    return KernelTime(synchronised, asked.maxerror / 1e6)


def boot_time() -> float:
    """Seconds that no step of the clock changes; sleep of the machine counts, too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ClockHealth:
    """Compares the clock with the machine's steady one, and asks the kernel where told to.

    Ask before each timestamp. Both clocks are slewed alike by NTP, so they part only when the
    clock is set. After it was set back, time is not trusted again until an operator confirms it;
    after it was set forward, until it is back or confirmed. Thread-safe; one per process.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        max_drift: timedelta = timedelta(milliseconds=500),
        require_ntp: bool = False,
        max_error: timedelta = timedelta(seconds=1),
        confirmation: Path | None = None,
        steady: Callable[[], float] = boot_time,
        kernel: Callable[[], KernelTime | None] = kernel_time,
        others: Callable[[], Reason | None] = lambda: None,
    ) -> None:
        """`max_drift`: how far the two clocks may part since the start or the confirmation.
        `max_error`: the kernel's bound on its error, asked for only with `require_ntp`.
        `confirmation`: a file that the operator touches to confirm the clock. `others`: what
        speaks against the clock elsewhere.
        """
        self._clock = clock
        self._max_drift = max_drift.total_seconds()
        self._require_ntp = require_ntp
        self._max_error = max_error
        self._confirmation = None if confirmation is None else str(confirmation)
        self._steady = steady
        self._kernel = kernel
        self._others = others
        self._lock = threading.Lock()
        self._set_back = False
        self._trust_now()

    def __call__(self) -> bool:
        """Whether time can be told now."""
        return self.fault() is None

    def fault(self) -> Reason | None:
        """Why time cannot be told; None: the clock is trusted."""
        with self._lock:
            return self._step() or self._kernel_fault() or self._others()

    def confirm(self) -> None:
        """An operator has checked the clock: trust it from now on."""
        with self._lock:
            self._trust_now()

    def _trust_now(self) -> None:
        self._set_back = False
        self._confirmed_mark = self._mark()
        self._start, self._steady_start = self._clock.now(), self._steady()

    def _step(self) -> Reason | None:
        if self._mark() != self._confirmed_mark:
            self._trust_now()
        elapsed = self._steady() - self._steady_start
        drift = (self._clock.now() - self._start).total_seconds() - elapsed
        if drift < -self._max_drift and not self._set_back:
            self._set_back = True
            _log.error("the clock was set back by %.3f s", -drift)
        if self._set_back:
            return Reason("the clock was set back; an operator must confirm it")
        if drift > self._max_drift:
            ahead = f"{drift:.3f}"
            return Reason("the clock is {seconds} s ahead of the steady one", {"seconds": ahead})
        return None

    def _mark(self) -> int | None:
        """Changes whenever an operator confirms."""
        # Mostly there is no such file, and an exception costs more than asking twice.
        if self._confirmation is None or not os.access(self._confirmation, os.F_OK):
            return None
        try:
            return os.stat(self._confirmation).st_mtime_ns
        except OSError:
            return None

    def _kernel_fault(self) -> Reason | None:
        if not self._require_ntp:
            return None
        told = self._kernel()
        if told is None:
            return Reason("the kernel does not tell whether its clock is synchronised")
        if not told.synchronised:
            return Reason("the kernel's clock is not synchronised")
        if told.max_error_seconds > self._max_error.total_seconds():
            bound = f"{told.max_error_seconds:.3f}"
            return Reason("the clock may be wrong by {seconds} s", {"seconds": bound})
        return None
