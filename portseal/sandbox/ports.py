"""Free ports on loopback, for servers that are given a port and start later."""

import secrets
import socket
import sys
from collections import deque

_LOWEST, _COUNT = 20_000, 12_000
"""Below what Linux hands out by itself (ip_local_port_range): between the look and the start of the
server neither an outgoing connection nor a server that asked for any port takes it."""

_kept: deque[socket.socket] = deque(maxlen=200)
"""Marks on the ports of this process, which end with it; the oldest make room."""


def free_port() -> int:
    """A loopback port that nothing listens on now, and that no other process is given here while
    this one lives: the server may start much later. Servers that share their port with whoever
    asks (SO_REUSEPORT, as granian's) would start beside a stranger and get half of its requests.
    """
    while True:
        port = _LOWEST + secrets.randbelow(_COUNT)
        if not _mark(port):
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _mark(port: int) -> bool:
    """Whether the port is this process's now. The mark is a name among Linux's abstract sockets,
    which one process at a time can hold and none leaves behind; elsewhere there is no mark."""
    if sys.platform != "linux":
        return True
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0portseal-port-{port}")
    except OSError:
        mark.close()
        return False
    if len(_kept) == _kept.maxlen:
        _kept.popleft().close()
    _kept.append(mark)
    return True
