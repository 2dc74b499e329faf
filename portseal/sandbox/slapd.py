"""A private OpenLDAP directory on loopback.

It speaks LDAP with simple bind, holds the suffix `dc=portseal,dc=example` in an LMDB database and
knows the schema that certificates are published in (RFC 4523: `pkiUser`, `pkiCA`,
`cRLDistributionPoint`, all in core.schema) beside cosine and inetOrgPerson.
"""

import secrets
import shutil
import signal
import socket
import subprocess
from base64 import b64encode
from hashlib import sha1
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from portseal.sandbox import processes
from portseal.sandbox.ports import free_port

SUFFIX = "dc=portseal,dc=example"
ROOT_DN = f"cn=admin,{SUFFIX}"

_SCHEMA_DIRECTORY = Path("/etc/ldap/schema")
_SCHEMAS = ("core", "cosine", "inetorgperson")
_MODULE_DIRECTORY = Path("/usr/lib/ldap")
_DATABASE_BYTES = 256 * 1024 * 1024
_START_ATTEMPTS = 3

# RFC 4511, 4.2: an anonymous BindRequest, and the BindResponse "success" that answers it.
_ANONYMOUS_BIND = bytes.fromhex("300c020101600702010304008000")
_BIND_SUCCESS = bytes.fromhex("300c02010161070a010004000400")

_CONFIGURATION = """\
{schemas}
pidfile {directory}/slapd.pid
argsfile {directory}/slapd.args
modulepath {modules}
moduleload back_mdb
sizelimit 10000
idletimeout 600
disallow tls_2_anon
{more}
database mdb
maxsize {database_bytes}
suffix "{suffix}"
rootdn "{root_dn}"
rootpw {root_password}
directory {directory}/data
index objectClass eq
index cn,uid,serialNumber eq
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""

_BASE_ENTRY = f"""\
dn: {SUFFIX}
objectClass: top
objectClass: dcObject
objectClass: organization
dc: portseal
o: PortSeal
"""


class Slapd:
    """One directory server: start, stop and restart keep its data and its address.

    Used as a context manager it starts on entry; on exit it stops, and removes its directory
    unless the caller named one. Raises `ServerUnavailableError` when slapd is missing or does not
    start.
    """

    suffix = SUFFIX
    root_dn = ROOT_DN

    def __init__(
        self,
        directory: Path | None = None,
        port: int | None = None,
        global_configuration: str = "",
        socket: bool = False,
    ) -> None:
        """Prepare a server in `directory` (default: a temporary one) on `port` (default: free).

        `global_configuration`: lines of slapd.conf before the database's, in which `{directory}`
        stands for the server's own. `socket`: listen on `ldapi_uri` too.
        """
        self._global_configuration = global_configuration
        self._has_socket = socket
        self._program = processes.find_program("slapd", "/usr/sbin", "/usr/libexec")
        self._account = processes.unprivileged_account("openldap")
        self._is_temporary = directory is None
        if directory is None:
            self.directory = processes.private_directory("slapd", self._account)
        else:
            self.directory = directory.resolve()
        self._fixed_port = port
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Address for clients, for example `ldap://127.0.0.1:38911`."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def ldapi_uri(self) -> str:
        """Address of the socket (`socket=True`), for clients on this machine."""
        return "ldapi://" + quote(str(self.directory / "ldapi"), safe="")

    @property
    def _listeners(self) -> str:
        return f"{self.uri} {self.ldapi_uri}" if self._has_socket else self.uri

    @property
    def password_file(self) -> Path:
        """File with the password of `root_dn`, mode 0600, without a line end."""
        return self.directory / "root.password"

    @property
    def password(self) -> str:
        return self.password_file.read_text()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and return once it answers; does nothing when it runs already."""
        if self.is_running:
            return
        is_new = not (self.directory / "data").exists()
        if is_new:
            self._create()
        processes.claim_directory(self.directory, self._account)
        self._write_configuration()
        if is_new:
            self._load_base_entry()
        for attempt in range(1, _START_ATTEMPTS + 1):
            try:
                self._launch()
                return
            except processes.ServerUnavailableError:
                # Another process may have taken the port meanwhile; clients know a port only
                # after the first start, so only then may it change.
                if not is_new or self._fixed_port or attempt == _START_ATTEMPTS:
                    raise
                self.port = free_port()

    def stop(self) -> None:
        """Stop in order; the data stay."""
        if self._process is not None:
            processes.stop(self._process, signal.SIGTERM)
            self._process = None

    def restart(self) -> None:
        """Stop and start again on the same port with the same data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop and delete the directory with everything in it."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_temporary:
            self.remove()
        else:
            self.stop()

    def _create(self) -> None:
        (self.directory / "data").mkdir(mode=0o700, parents=True)
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(secrets.token_urlsafe(24))

    def _write_configuration(self) -> None:
        configuration = self.directory / "slapd.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            _CONFIGURATION.format(
                schemas="\n".join(
                    f"include {_SCHEMA_DIRECTORY}/{name}.schema" for name in _SCHEMAS
                ),
                directory=self.directory,
                modules=_MODULE_DIRECTORY,
                database_bytes=_DATABASE_BYTES,
                suffix=SUFFIX,
                root_dn=ROOT_DN,
                root_password=_salted_sha1(self.password),
                more=self._global_configuration.format(directory=self.directory),
            )
        )
        processes.claim_directory(self.directory, self._account)

    def _load_base_entry(self) -> None:
        # slapadd is slapd under another name.
        loaded = processes.run_as(
            self._account,
            [str(self._unconfined_program()), "-T", "add", "-f", self._configuration_path()],
            stdin=_BASE_ENTRY,
        )
        if loaded.returncode != 0:
            raise processes.ServerUnavailableError(f"slapd -T add failed: {loaded.stdout.strip()}")

    def _launch(self) -> None:
        log = self.directory / "slapd.log"
        self._pid_file.unlink(missing_ok=True)
        process = processes.start_as(
            self._account,
            # -d keeps it in the foreground; 32768 logs only what is always worth logging.
            [
                str(self._unconfined_program()),
                *("-d", "32768", "-h", self._listeners, "-f", self._configuration_path()),
            ],
            log=log,
            end_signal=signal.SIGTERM,
        )
        processes.wait_until_ready(process, self._answers, name="slapd", log=log)
        self._process = process

    @property
    def _pid_file(self) -> Path:
        return self.directory / "slapd.pid"

    def _configuration_path(self) -> str:
        return str(self.directory / "slapd.conf")

    def _answers(self) -> bool:
        # slapd writes its process id once it holds the port: without that, whoever answers there
        # is somebody else.
        if not self._pid_file.exists():
            return False
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(_ANONYMOUS_BIND)
                return connection.recv(len(_BIND_SUCCESS)) == _BIND_SUCCESS
        except OSError:
            return False

    def _unconfined_program(self) -> Path:
        """The program itself, or a copy where AppArmor would keep it out of our directory.

        Ubuntu's profile is bound to the path /usr/sbin/slapd and allows its usual directories
        only; a copy elsewhere is not confined by it.
        """
        if not _is_confined(self._program):
            return self._program
        copy = self.directory / "slapd"
        if not copy.exists():
            shutil.copy(self._program, copy)
            copy.chmod(0o755)
        return copy


def _is_confined(
    program: Path,
    loaded_profiles: Path = Path("/sys/kernel/security/apparmor/profiles"),
    enabled: Path = Path("/sys/module/apparmor/parameters/enabled"),
    profile_directory: Path = Path("/etc/apparmor.d"),
) -> bool:
    """Whether AppArmor has an enforced profile for the program."""
    try:
        lines = loaded_profiles.read_text().splitlines()
    except OSError:
        # Often readable for root alone: then a profile on disk on a system with AppArmor counts.
        try:
            is_enabled = enabled.read_text().strip() == "Y"
        except OSError:
            return False
        return is_enabled and (profile_directory / str(program)[1:].replace("/", ".")).exists()
    return any(line in (f"{program} (enforce)", f"{program.name} (enforce)") for line in lines)


def _salted_sha1(password: str) -> str:
    # {SSHA} is the strongest scheme built into every slapd; the password has 192 random bits.
    salt = secrets.token_bytes(16)
    digest = sha1(password.encode() + salt, usedforsecurity=False).digest()
    return "{SSHA}" + b64encode(digest + salt).decode()
