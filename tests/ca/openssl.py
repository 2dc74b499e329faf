"""OpenSSL's command line as an oracle."""

import subprocess
from pathlib import Path


def openssl(*arguments: str | Path, stdin: bytes | None = None) -> str:
    """Run `openssl`; its output, both streams. Fails with it when openssl does."""
    done = run(*arguments, stdin=stdin)
    output = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, output
    return output


def run(*arguments: str | Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["openssl", *map(str, arguments)],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30,
        check=False,
    )
