"""Real servers on loopback, and the load on them. Server and load share the machine's cores."""

import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.timing import Measure, repeating

_READY_SECONDS = 90.0
_STOP_SECONDS = 10.0
_CONNECTIONS = 16
_SCRIPT = Path(__file__).parent / "load.lua"


@dataclass(frozen=True)
class HttpRequest:
    method: str
    path: str
    content_type: str = ""
    body: bytes = b""


@contextmanager
def serving(
    command: Sequence[str], ready_url: str, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server from when `ready_url` answers 200 until the end of the block; its process."""
    with (
        tempfile.TemporaryFile() as log,  # a pipe that nobody reads would stop the server
        subprocess.Popen(
            command, env=environment or os.environ, stdout=subprocess.DEVNULL, stderr=log
        ) as process,
    ):
        try:
            if not _is_ready(process, ready_url):
                log.seek(0)
                told = log.read()[-2000:].decode(errors="replace")
                raise RuntimeError(f"{command} did not start: {told}")
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _is_ready(process: "subprocess.Popen[bytes]", url: str) -> bool:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
    return False


def answer_to(origin: str, request: HttpRequest) -> bytes:
    """One answer, as a client gets it. Raises urllib's errors."""
    headers = {"Content-Type": request.content_type} if request.content_type else {}
    asked = urllib.request.Request(
        origin + request.path, request.body or None, headers, method=request.method
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def load(
    origin: str, requests: Sequence[HttpRequest], directory: Path, smallest: int = 0
) -> Measure:
    """Send the requests in turn over kept-alive connections, with wrk.

    Raises RuntimeError when an answer is not 200, or they have fewer octets than `smallest`.
    """
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("wrk is missing: `scripts/setup.sh test` installs it")
    file = directory / f"requests-{origin.rpartition(':')[2]}-{abs(hash(tuple(requests)))}.txt"
    file.write_text(
        "".join(f"{r.method} {r.path} {r.content_type} {r.body.hex()}\n" for r in requests)
    )
    command = [program, "--threads=1", f"--connections={_CONNECTIONS}", "--timeout=5s"]

    def measure(seconds: float) -> float:
        # wrk counts in whole seconds.
        run = [*command, f"--duration={max(1, round(seconds))}s", f"--script={_SCRIPT}", origin]
        done = subprocess.run([*run, "--", str(file)], capture_output=True, text=True, check=True)
        told = json.loads(done.stdout.splitlines()[-1])
        enough = told["answers"] > 0 and told["bytes"] >= told["answers"] * smallest
        if told["refused"] or told["failed"] or not enough:
            raise RuntimeError(f"not every request was answered well: {told}")
        rate: float = told["answers"] / told["microseconds"] * 1e6
        return rate

    return measure


def one_by_one(origin: str, requests: Sequence[HttpRequest]) -> Measure:
    """GET in turn, each over a connection of its own, for a server that closes after an answer.

    wrk opens a connection to try it out, and `openssl ocsp` waits for ever on one that says
    nothing.
    """
    host, _, port = origin.removeprefix("http://").rpartition(":")
    address = (host, int(port))
    texts = [f"{r.method} {r.path} HTTP/1.0\r\n\r\n".encode() for r in requests]
    waiting = itertools.cycle(texts)

    def work() -> None:
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(next(waiting))
            start = answer = connection.recv(65536)
            while answer:
                answer = connection.recv(65536)
        if b" 200 " not in start[:16]:
            raise RuntimeError(f"not answered well: {start[:80]!r}")

    return repeating(work)
