"""Several processes use one token at once: logging in beside each other, none loses sight of it."""

import subprocess
import sys

from kernel.algorithms import ECDSA_P256_SHA256
from tests.token import TokenBench

_LOGINS = 60
_PROGRAM = """
import sys
from hsm.pins import EnvironmentPin
from hsm.token import Token
from tests.token import TokenBench, softhsm_module
_, label, times = sys.argv
token = Token(softhsm_module(), label, EnvironmentPin(TokenBench.pin_variable(label)))
for _ in range(int(times)):
    token.key("shared").sign(b"x")
    token.close()
print("done")
"""


def test_processes_that_log_in_at_the_same_time_all_see_the_token(token_bench: TokenBench) -> None:
    """SoftHSM2 writes the token's file at each login."""
    token = token_bench.new_token("neighbours")
    token.generate("shared", ECDSA_P256_SHA256)
    command = [sys.executable, "-c", _PROGRAM, "neighbours", str(_LOGINS)]
    processes = [
        subprocess.Popen(
            command,
            env=token_bench.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    told = [process.communicate(timeout=120) for process in processes]
    assert [output for output, _ in told] == ["done\n"] * 3, [errors for _, errors in told]


_ELSEWHERE = """
import contextlib, os, sys, time
sys.platform, sys.modules["fcntl"] = "win32", None
from hsm.neighbours import kept_out
with kept_out(sys.argv[1]):
    print("done")
"""


def test_where_there_are_no_such_locks_nobody_is_kept_out() -> None:
    """The key agent's own computers may be Windows, which has no fcntl."""
    command = [sys.executable, "-c", _ELSEWHERE, __file__]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert told.stdout == "done\n", told.stderr
