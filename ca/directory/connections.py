"""Connections to LDAP directories, which leave no socket behind when they fail."""

from contextlib import suppress
from typing import Any

from ldap3 import Connection, Server
from ldap3.core.exceptions import LDAPException, LDAPOperationResult
from ldap3.core.results import (
    RESULT_REFERRAL,
    RESULT_SIZE_LIMIT_EXCEEDED,
    RESULT_TIME_LIMIT_EXCEEDED,
)

_NOT_DONE = (RESULT_REFERRAL, RESULT_SIZE_LIMIT_EXCEEDED, RESULT_TIME_LIMIT_EXCEEDED)
"""Results that ldap3 passes over in silence."""


def connect(server: Server, *, starttls: bool, answer_seconds: int, **identity: Any) -> Any:
    """A bound connection; with `starttls`, TLS is there before anything else is said.

    `identity`: what ldap3's Connection takes of who we are. Raises LDAPException, OSError.
    Referrals are not followed: ldap3 would tell our password to whatever host one names, in clear.
    """
    connection: Any = Connection(
        server,
        receive_timeout=answer_seconds,
        raise_exceptions=True,
        auto_referrals=False,
        **identity,
    )
    try:
        connection.open(read_server_info=False)
        if starttls:
            connection.start_tls(read_server_info=False)
        connection.bind(read_server_info=False)
        require_done(connection)
    except BaseException:
        drop(connection)
        raise
    return connection


def require_done(connection: Any) -> None:
    """The last operation was done, and all of it, by this very directory.

    Raises LDAPOperationResult for a referral and for a limit that was exceeded.
    """
    told = connection.result
    if told and told["result"] in _NOT_DONE:
        raise LDAPOperationResult(result=told["result"], description=told["description"])


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
