"""Whose process is at the other end of a loopback connection."""

import os
import sys
from pathlib import Path

from kernel.refusals import Forbidden


def require_own_user(peer_port: int, own_port: int) -> None:
    """Refuse a process of another user of the same computer.

    Linux tells (/proc/net/tcp); where the system does not, nothing is checked: another user's
    process could name any origin then, but still opens no more than a window that shows it.
    Raises Forbidden `peer.other-user`.
    """
    if not sys.platform.startswith("linux"):
        return
    owner = _owner(peer_port, own_port)
    if owner != os.getuid():
        raise Forbidden("peer.other-user", "the request comes from another user's process")


def _owner(peer_port: int, own_port: int) -> int | None:
    """The user of the socket 127.0.0.1:peer_port that is connected to 127.0.0.1:own_port."""
    wanted = (f"0100007F:{peer_port:04X}", f"0100007F:{own_port:04X}")
    if sys.byteorder == "big":
        wanted = (f"7F000001:{peer_port:04X}", f"7F000001:{own_port:04X}")
    with Path("/proc/net/tcp").open(encoding="ascii") as table:
        next(table)
        for line in table:
            fields = line.split()
            if (fields[1], fields[2]) == wanted:
                return int(fields[7])
    return None
