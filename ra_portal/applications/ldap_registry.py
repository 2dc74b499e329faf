"""The registry of enterprises in an LDAP directory."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ldap3 import (
    ANONYMOUS,
    NONE,
    SIMPLE,
    SUBTREE,
    Server,
    Tls,
)
from ldap3.core.exceptions import LDAPException, LDAPSizeLimitExceededResult
from ldap3.utils.conv import escape_filter_chars

from ca.directory.connections import connect, disconnect, require_done
from kernel.refusals import Conflict, Unavailable
from ra_portal.applications.registry import COMPARED, RegistryEntry

_CONNECT_SECONDS = 2
_ANSWER_SECONDS = 2
"""An officer waits for it."""


@dataclass(frozen=True)
class LdapAttributes:
    """What the directory calls things."""

    uscc: str = "serialNumber"
    name: str = "o"
    customs_code: str = "businessCategory"
    legal_representative: str = "cn"
    region: str = "l"
    status: str = "description"


class LdapRegistry:
    """Fulfils `Registry`. One connection a question: officers ask seldom. Safe for threads."""

    def __init__(
        self,
        url: str,
        base: str,
        bind_dn: str | None = None,
        password: str | None = None,
        attributes: LdapAttributes = LdapAttributes(),
        ca_file: Path | None = None,
        starttls: bool = False,
    ) -> None:
        self._url = url
        self._tls = Tls(
            validate=ssl.CERT_REQUIRED,
            version=ssl.PROTOCOL_TLS_CLIENT,
            ca_certs_file=str(ca_file) if ca_file else None,
        )
        self._starttls = starttls
        self._base = base
        self._bind_dn, self._password = bind_dn, password
        self._attributes = attributes

    def find(self, uscc: str) -> RegistryEntry | None:
        """Raises Unavailable `registry.unavailable`, `registry.elsewhere` when the directory says
        to ask another one, which is not done; Conflict `registry.ambiguous`."""
        named = self._attributes
        wanted = (*(getattr(named, name) for name in COMPARED), named.status)
        # Made anew: one that could not be reached is refused by ldap3 for a while, even when it is
        # back.
        server: Any = Server(
            self._url, get_info=NONE, connect_timeout=_CONNECT_SECONDS, tls=self._tls
        )
        try:
            connection = connect(
                server,
                starttls=self._starttls,
                answer_seconds=_ANSWER_SECONDS,
                user=self._bind_dn,
                password=self._password,
                authentication=SIMPLE if self._bind_dn else ANONYMOUS,
                read_only=True,
                check_names=False,
            )
            try:
                connection.search(
                    self._base,
                    f"({named.uscc}={escape_filter_chars(uscc)})",
                    SUBTREE,
                    attributes=list(wanted),
                    size_limit=2,
                    time_limit=_ANSWER_SECONDS,
                )
                require_done(connection)
                answered = connection.response
            finally:
                disconnect(connection)
        except LDAPSizeLimitExceededResult as error:
            raise _ambiguous() from error
        except (LDAPException, OSError) as error:
            raise Unavailable(
                "registry.unavailable", "the registry did not answer", error=type(error).__name__
            ) from error
        found = [each for each in answered if each["type"] == "searchResEntry"]
        if len(found) > 1:
            raise _ambiguous()
        if len(answered) > len(found):
            raise Unavailable("registry.elsewhere", "the registry says to ask another directory")
        if not found:
            return None
        values = found[0]["attributes"]
        return RegistryEntry(
            {name: _first(values.get(getattr(named, name))) for name in COMPARED},
            _first(values.get(named.status)),
        )


def _ambiguous() -> Conflict:
    return Conflict("registry.ambiguous", "the registry has several entries of this credit code")


def _first(value: object) -> str | None:
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value) if value else None
