"""A port that was given is nobody else's while the process that asked for it lives."""

import socket
import subprocess
import sys

import pytest

from portseal.sandbox import ports

ASK = """
import secrets
from portseal.sandbox import ports
numbers = iter([PORT, PORT + 1])
secrets.randbelow = lambda count: next(numbers) - ports._LOWEST
print(ports.free_port())
"""


def asked_elsewhere(port: int) -> int:
    """What another process is given that would take this port, or else the next."""
    program = ASK.replace("PORT", str(port))
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return int(told.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there are no abstract sockets")
def test_a_port_that_nothing_listens_on_yet_is_not_given_twice() -> None:
    port = ports.free_port()
    other = asked_elsewhere(port)
    assert other != port
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))  # the mark keeps nobody from using it
    again = asked_elsewhere(other)
    assert again == other, "a process that has ended keeps nothing"
