"""Publication in an LDAP directory (RFC 4523), driven by the outbox.

A message says only what to look at; what is published is read from the records at the moment of
delivery. So a message delivered twice, late or out of date does no harm.
"""

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ldap3 import (
    BASE,
    EXTERNAL,
    LEVEL,
    MODIFY_REPLACE,
    NONE,
    SASL,
    Server,
    Tls,
)
from ldap3.core.exceptions import (
    LDAPConstraintViolationResult,
    LDAPEntryAlreadyExistsResult,
    LDAPException,
    LDAPInvalidAttributeSyntaxResult,
    LDAPInvalidDNSyntaxResult,
    LDAPNamingViolationResult,
    LDAPNoSuchObjectResult,
    LDAPObjectClassViolationResult,
    LDAPUndefinedAttributeTypeResult,
)
from ldap3.utils.dn import escape_rdn

from ca.crl.archive import CrlArchive
from ca.directory.connections import connect, disconnect, drop, require_done
from ca.inventory import CertificateRecord, CertificateState, Inventory
from kernel.clock import Clock
from kernel.identifiers import parse_serial, serial_text
from kernel.refusals import Malformed, Unavailable, Unprocessable
from records.database import Database
from records.events import Event
from records.journal import Journal

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 10
_PAGE = 500
_AUTHORITY_CLASSES = ["cRLDistributionPoint", "pkiCA", "deltaCRL"]
_HOLDER_CLASSES = ["device", "pkiUser"]


_REFUSALS = (
    LDAPConstraintViolationResult,
    LDAPInvalidAttributeSyntaxResult,
    LDAPInvalidDNSyntaxResult,
    LDAPNamingViolationResult,
    LDAPObjectClassViolationResult,
    LDAPUndefinedAttributeTypeResult,
)
"""The directory is there and does not take what was sent; trying again would not help."""


@dataclass(frozen=True)
class DirectoryTls:
    """How the connection is protected."""

    ca_file: Path | None = None
    """Who vouches for the directory; None: the system's authorities."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    """Our own certificate, for SASL EXTERNAL."""
    starttls: bool = False
    """StartTLS on `ldap://` before anything else is said (RFC 4513, 3); not for `ldaps://`."""

    def settings(self) -> Tls:
        """The directory's certificate is always checked, its name too (RFC 4513, 3.1.3)."""
        return Tls(
            local_private_key_file=str(self.key_file) if self.key_file else None,
            local_certificate_file=str(self.certificate_file) if self.certificate_file else None,
            validate=ssl.CERT_REQUIRED,
            version=ssl.PROTOCOL_TLS_CLIENT,
            ca_certs_file=str(self.ca_file) if self.ca_file else None,
        )


class Directory:
    """Writes and reads entries below `base`; entries and their parents are made when missing.

    Authorities: `cn=<name>,ou=authorities,<base>` with cACertificate and
    certificateRevocationList. Holders: `serialNumber=<serial>,ou=<profile>,ou=certificates,<base>`
    with userCertificate. Not safe for threads: the outbox has one worker at a time.
    """

    def __init__(
        self,
        url: str,
        bind_dn: str | None,
        password: str | None,
        base: str,
        tls: DirectoryTls | None = None,
    ) -> None:
        """`url`: `ldap://`, `ldaps://` or `ldapi://%2Frun%2Fslapd%2Fldapi`. Without `bind_dn` the
        directory knows us by the client certificate or the socket's peer (SASL EXTERNAL)."""
        self._url = url
        self._tls = tls or DirectoryTls()  # ldap3 by itself would check no certificate
        self._identity: dict[str, Any] = {"user": bind_dn, "password": password}
        if bind_dn is None:
            self._identity = {
                "authentication": SASL,
                "sasl_mechanism": EXTERNAL,
                "sasl_credentials": "",
            }
        self._base = base
        self._connection: Any = None

    def _server(self) -> Server:
        """A new one for each connection: ldap3's remembers a failure and does not try for a
        while, although the directory may be back."""
        return Server(
            self._url,
            get_info=NONE,
            connect_timeout=_CONNECT_SECONDS,
            tls=self._tls.settings(),
        )

    def __repr__(self) -> str:
        return f"Directory({self._url}, {self._base})"

    def put_authority(self, name: str, certificate: bytes) -> None:
        """Raises, as every method here, Unavailable `directory.unavailable`, and Unprocessable
        `directory.refused` when the directory does not take what the entry holds."""
        self._put_authority(name, {"cACertificate;binary": certificate})

    def put_crl(self, name: str, crl: bytes, *, delta: bool = False) -> None:
        """`name`: of the authority, or of a part of its list."""
        kind = "deltaRevocationList" if delta else "certificateRevocationList"
        self._put_authority(name, {f"{kind};binary": crl})

    def put_certificate(self, record: CertificateRecord) -> None:
        """`record` is an issued certificate's."""
        certificate = record.certificate
        if certificate is None:
            raise Malformed("directory.no-certificate", "the certificate was never issued")
        common_name = certificate.attribute("2.5.4.3") or serial_text(record.serial)
        attributes = {"cn": common_name, "userCertificate;binary": certificate.der}
        organization = certificate.attribute("2.5.4.10")
        if organization is not None:
            attributes["o"] = organization
        self._put(self._holder_dn(record), _HOLDER_CLASSES, attributes)

    def remove_certificate(self, record: CertificateRecord) -> None:
        """Nothing happens when it is not there."""
        with self._connected() as connection:
            try:
                connection.delete(self._holder_dn(record))
            except LDAPNoSuchObjectResult:
                return

    def certificates(self, profile: str, serials: Sequence[str]) -> dict[str, bytes]:
        """What the directory holds of these serial numbers."""
        wanted = "".join(f"(serialNumber={serial})" for serial in serials)
        found: dict[str, bytes] = {}
        for entry in self._search(self._unit(profile), f"(|{wanted})", "userCertificate;binary"):
            serial = entry["dn"].split(",", 1)[0].partition("=")[2]
            values = entry["raw_attributes"].get("userCertificate;binary") or [b""]
            found[serial] = values[0] if len(values) == 1 else b""
        return found

    def serials(self, profile: str) -> Iterator[str]:
        """Every serial number that the directory holds for a profile."""
        for entry in self._search(self._unit(profile), "(objectClass=pkiUser)", "serialNumber"):
            yield entry["dn"].split(",", 1)[0].partition("=")[2]

    def authority_value(self, name: str, attribute: str) -> bytes | None:
        """`cACertificate`, `certificateRevocationList` or `deltaRevocationList` of one entry."""
        kind = f"{attribute};binary"
        unit = f"cn={escape_rdn(name)},ou=authorities,{self._base}"
        for entry in self._search(unit, "(objectClass=*)", kind, scope=BASE):
            values = entry["raw_attributes"].get(kind) or [b""]
            return bytes(values[0])
        return None

    def remove(self, profile: str, serial: str) -> None:
        """Nothing happens when it is not there."""
        with self._connected() as connection, suppress(LDAPNoSuchObjectResult):
            connection.delete(f"serialNumber={escape_rdn(serial)},{self._unit(profile)}")

    def _search(
        self, base: str, filter_: str, attribute: str, scope: Any = LEVEL
    ) -> Iterator[dict[str, Any]]:
        with self._connected() as connection, suppress(LDAPNoSuchObjectResult):
            yield from connection.extend.standard.paged_search(
                base, filter_, scope, attributes=[attribute], paged_size=_PAGE, generator=True
            )

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            disconnect(connection)

    def _holder_dn(self, record: CertificateRecord) -> str:
        return f"serialNumber={serial_text(record.serial)},{self._unit(record.profile)}"

    def _unit(self, profile: str) -> str:
        return f"ou={escape_rdn(profile)},ou=certificates,{self._base}"

    def _put_authority(self, name: str, attributes: dict[str, bytes]) -> None:
        dn = f"cn={escape_rdn(name)},ou=authorities,{self._base}"
        self._put(dn, _AUTHORITY_CLASSES, attributes)

    def _put(self, dn: str, classes: list[str], attributes: dict[str, Any]) -> None:
        with self._connected() as connection:
            changes = {name: [(MODIFY_REPLACE, [value])] for name, value in attributes.items()}
            try:
                connection.modify(dn, changes)
                return
            except LDAPNoSuchObjectResult:
                self._make_units(connection, dn.split(",", 1)[1])
            try:
                connection.add(dn, classes, attributes)
            except LDAPEntryAlreadyExistsResult:
                connection.modify(dn, changes)

    def _make_units(self, connection: Any, dn: str) -> None:
        """The organizational units above an entry, from the base down."""
        missing: list[str] = []
        while dn != self._base:
            missing.append(dn)
            dn = dn.split(",", 1)[1]
        for unit in reversed(missing):
            try:
                connection.add(unit, "organizationalUnit")
            except LDAPEntryAlreadyExistsResult:
                continue

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        try:
            if self._connection is None:
                self._connection = connect(
                    self._server(),
                    starttls=self._tls.starttls,
                    answer_seconds=_ANSWER_SECONDS,
                    **self._identity,
                )
            yield self._connection
            require_done(self._connection)
        except _REFUSALS as error:
            raise Unprocessable(
                "directory.refused",
                "the directory refuses the entry for what it holds",
                error=type(error).__name__,
            ) from error
        except (LDAPException, OSError) as error:
            self._abandon()
            raise Unavailable(
                "directory.unavailable",
                "the directory did not take the entry",
                error=type(error).__name__,
            ) from error

    def _abandon(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            drop(connection)


class DirectoryPublisher:
    """The outbox's handler for the channel `directory`."""

    def __init__(
        self, directory: Directory, database: Database, journal: Journal, clock: Clock
    ) -> None:
        self._directory = directory
        self._database = database
        self._inventory = Inventory(database)
        self._crls = CrlArchive(database)
        self._journal = journal
        self._clock = clock
        self._kinds: dict[str, Callable[[dict[str, Any]], None]] = {
            "certificate": self._publish_certificate,
            "crl": self._publish_crl,
        }

    def __call__(self, payload: dict[str, Any]) -> None:
        """Publish what the message points at.

        Raises Unavailable, whereupon the message stays in the outbox; Malformed
        `directory.message` for one that this version does not know.
        """
        kind = self._kinds.get(payload.get("kind", ""))
        if kind is None:
            raise Malformed("directory.message", "not a message for the directory")
        kind(payload)

    def _publish_certificate(self, payload: dict[str, Any]) -> None:
        record = self._inventory.by_serial(parse_serial(payload["serial"]))
        if record is None or record.certificate is None:
            return
        lives = record.state is CertificateState.ISSUED and record.not_after > self._clock.now()
        if record.certificate.is_ca:
            self._directory.put_authority(record.profile, record.certificate.der)
        elif lives:
            self._directory.put_certificate(record)
        else:
            self._directory.remove_certificate(record)
        self._tell(serial_text(record.serial), "published" if lives else "removed")

    def _publish_crl(self, payload: dict[str, Any]) -> None:
        shard, delta = payload.get("shard", 0), payload.get("delta", False)
        crl = self._crls.latest(payload["authority"], shard, delta=delta)
        if crl is not None:
            name = f"{crl.authority}-{shard}" if shard else crl.authority
            self._directory.put_crl(name, crl.der, delta=delta)
            self._tell(crl.authority, f"{'delta CRL' if delta else 'CRL'} {crl.number}")

    def _tell(self, subject: str, what: str) -> None:
        with self._database.transaction() as connection:
            self._journal.append(
                connection, Event.DIRECTORY_PUBLISHED, subject=subject, actor="system", what=what
            )
