"""Connections to LDAP directories, which leave no socket behind when they fail."""

from contextlib import suppress
from typing import Any

from ldap3 import Connection, Server
from ldap3.core.exceptions import LDAPException


def connect(server: Server, *, starttls: bool, answer_seconds: int, **identity: Any) -> Any:
    """A bound connection; with `starttls`, TLS is there before anything else is said.

    `identity`: what ldap3's Connection takes of who we are. Raises LDAPException, OSError.
    """
    connection: Any = Connection(
        server, receive_timeout=answer_seconds, raise_exceptions=True, **identity
    )
    try:
        connection.open(read_server_info=False)
        if starttls:
            connection.start_tls(read_server_info=False)
        connection.bind(read_server_info=False)
    except BaseException:
        drop(connection)
        raise
    return connection


def disconnect(connection: Any) -> None:
    """Say goodbye, where somebody still listens."""
    with suppress(LDAPException, OSError):
        connection.unbind()
    drop(connection)


def drop(connection: Any) -> None:
    """Without a word. ldap3 by itself forgets the socket of a connection that failed."""
    socket = connection.socket
    with suppress(LDAPException, OSError):
        connection.strategy.close()
    if socket is not None:
        socket.close()
