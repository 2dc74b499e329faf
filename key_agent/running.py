"""The agent as a process: its parts joined, its door open on loopback."""

import errno
import socket
import sys
from pathlib import Path

from waitress.server import BaseWSGIServer, create_server

from kernel.clock import SystemClock
from kernel.refusals import Unavailable
from key_agent.agent import Agent
from key_agent.cards import Cards
from key_agent.door import Door
from key_agent.messages import LARGE
from key_agent.origins import Origins
from key_agent.pinentry import Pinentry, find_pinentry, own_terminal
from key_agent.places import LOG_FILE, ORIGINS_FILE
from key_agent.reading import Copies
from key_agent.settings import AgentSettings
from key_agent.terminal import Terminal
from key_agent.uses import UseLog
from key_agent.windows import Windows
from key_agent.words import Words, user_language

_THREADS = 8
_MAX_CONNECTIONS = 64
_MAX_HEADER_BYTES = 16 * 1024
_SLOWEST_SECONDS = 30


def choose_windows(settings: AgentSettings, words: Words) -> Windows:
    """A pinentry where there is one, else the terminal. Raises Unavailable `window.failed`."""
    if settings.windows != "terminal":
        program = find_pinentry(settings.pinentry)
        if program is not None:
            return Pinentry(program, words, own_terminal())
        if settings.windows == "pinentry" or settings.pinentry is not None:
            raise Unavailable("window.failed", "there is no such pinentry program")
    return Terminal(words)


def make_agent(settings: AgentSettings, home: Path, windows: Windows, words: Words) -> Agent:
    clock = SystemClock()
    return Agent(
        cards=Cards(settings.libraries()),
        windows=windows,
        words=words,
        origins=Origins(home / ORIGINS_FILE, clock),
        log=UseLog(home / LOG_FILE, clock),
        clock=clock,
        copies=Copies(home),
    )


def open_door(agent: Agent, port: int) -> BaseWSGIServer:
    """Listening; `run()` serves. Raises Unavailable `agent.port` when the port is taken."""
    server = create_server(
        Door(agent, port),
        sockets=[_listening(port)],
        threads=_THREADS,
        connection_limit=_MAX_CONNECTIONS,
        max_request_header_size=_MAX_HEADER_BYTES,
        max_request_body_size=LARGE,
        channel_timeout=_SLOWEST_SECONDS,
        channel_request_lookahead=1,  # needed to notice that a page went away
        clear_untrusted_proxy_headers=True,
        ident=None,
    )
    assert isinstance(server, BaseWSGIServer)  # one address, one listener
    return server


def _listening(port: int) -> socket.socket:
    """Loopback's port for this process alone. Raises Unavailable `agent.port`."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform == "win32":
        # There SO_REUSEADDR lets another process share a port that is in use, and answer pages.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(("127.0.0.1", port))
        made.listen()
    except OSError as error:
        made.close()
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        raise Unavailable(
            "agent.port", f"port {port} is in use: is the key agent running already?"
        ) from None
    return made


def words_of(settings: AgentSettings) -> Words:
    return Words(settings.language or user_language())
