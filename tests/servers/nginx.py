"""A private nginx on loopback, with the configuration that docs/nginx/portseal.conf gives."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from portseal.sandbox import processes

DOCUMENTED = Path(__file__).parents[2] / "docs" / "nginx" / "portseal.conf"
_MAIN = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/portseal.conf;
}}
"""


@contextmanager
def running_nginx(
    changes: Mapping[str, str], files: Mapping[str, bytes], port: int
) -> Iterator[Path]:
    """nginx with the documented file: `changes` says what stands there and what instead, `files`
    come where its /etc/portseal/tls is. Gives the directory once `port` answers."""
    program = processes.find_program("nginx", "usr/sbin")
    account = processes.unprivileged_account("www-data")
    directory = processes.private_directory("nginx", account)
    try:
        text = DOCUMENTED.read_text().replace("/etc/portseal/tls", str(directory))
        text = text.replace("/etc/portseal/pages", str(directory / "pages"))
        shutil.copytree(DOCUMENTED.parent / "pages", directory / "pages")
        for there, instead in changes.items():
            if there not in text:
                raise ValueError(f"{there} is not in {DOCUMENTED}")
            text = text.replace(there, instead)
        (directory / "portseal.conf").write_text(text)
        main = directory / "nginx.conf"
        main.write_text(_MAIN.format(directory=directory))
        for name, content in files.items():
            (directory / name).write_bytes(content)
        processes.claim_directory(directory, account)
        log = directory / "output.log"
        process = processes.start_as(
            account,
            [
                str(program),
                "-e",
                str(directory / "error.log"),
                "-c",
                str(main),
                "-p",
                str(directory),
            ],
            log=log,
            end_signal=signal.SIGTERM,
        )
        try:
            _wait(process, port, log)
            yield directory
        finally:
            processes.stop(process, signal.SIGTERM)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    processes.wait_until_ready(process, answers, name="nginx", log=log)
