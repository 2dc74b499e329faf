"""A private apache2 on loopback: a platform of strangers' making (mod_auth_openidc)."""

import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portseal.sandbox import processes

_MODULES = "/usr/lib/apache2/modules"
_CONFIGURATION = """
ServerName 127.0.0.1
ServerRoot {directory}
PidFile {directory}/apache.pid
Listen 127.0.0.1:{port}
ErrorLog {directory}/error.log
LogLevel warn
Mutex file:{directory} default
LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule env_module {modules}/mod_env.so
LoadModule headers_module {modules}/mod_headers.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule cgid_module {modules}/mod_cgid.so
LoadModule auth_openidc_module {modules}/mod_auth_openidc.so
ScriptSock {directory}/cgid
# Its five seconds for a short answer are not enough on a machine that does much else.
OIDCHTTPTimeoutShort 30
OIDCHTTPTimeoutLong 60
StartServers 2
MaxRequestWorkers 8
DocumentRoot {directory}/pages
ScriptAlias /who {directory}/who.cgi
<Directory {directory}>
    Options +ExecCGI
</Directory>
{more}
"""
_WHO = """#!/bin/sh
echo "Content-Type: text/plain"
echo
env | grep "^OIDC_\\|^REMOTE_USER" | sort
"""


@contextmanager
def running_apache(port: int, more: str) -> Iterator[Path]:
    """apache2 as a user without rights; `/who` tells the environment that the module set. Gives
    its directory once it answers."""
    program = processes.find_program("apache2", "usr/sbin")
    account = processes.unprivileged_account("www-data")
    directory = processes.private_directory("apache", account)
    try:
        (directory / "pages").mkdir()
        script = directory / "who.cgi"
        script.write_text(_WHO)
        main = directory / "apache.conf"
        text = _CONFIGURATION.format(directory=directory, port=port, modules=_MODULES, more=more)
        main.write_text(text)
        processes.claim_directory(directory, account)
        script.chmod(0o700)
        log = directory / "output.log"
        process = processes.start_as(
            account,
            [str(program), "-D", "FOREGROUND", "-f", str(main)],
            log=log,
            end_signal=signal.SIGTERM,
        )

        def answers() -> bool:
            # It writes its process id when the port is its own: another server may answer there.
            if not (directory / "apache.pid").exists():
                return False
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        try:
            processes.wait_until_ready(
                process, answers, name="apache2", log=directory / "error.log"
            )
            yield directory
        finally:
            processes.stop(process, signal.SIGTERM)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
