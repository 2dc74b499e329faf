"""Free ports on loopback, for servers that are given a port and start later."""

import secrets
import socket

_LOWEST, _COUNT = 20_000, 12_000
"""Below what Linux hands out by itself (ip_local_port_range): between the look and the start of the
server neither an outgoing connection nor a server that asked for any port takes it."""


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    while True:
        port = _LOWEST + secrets.randbelow(_COUNT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
