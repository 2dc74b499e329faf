"""`portseal init` makes sure that it can write its results before it makes a key."""

import os
import subprocess
from pathlib import Path

from tests.portseal.cli.terminal import run
from tests.token import TokenBench


def verify_transcript(directory: Path) -> None:
    """By openssl alone: the signature by the new authority, the time by the new timestamp one."""
    for command in (
        ["cms", "-verify", "-binary", "-inform", "DER", "-in", "transcript.p7s",
         "-content", "transcript.txt", "-CAfile", "root.pem", "-purpose", "any", "-out", "out"],
        ["ts", "-verify", "-token_in", "-in", "transcript.tst", "-data", "transcript.txt",
         "-CAfile", "root.pem", "-untrusted", "issuing.pem"],
    ):  # fmt: skip
        told = subprocess.run(["openssl", *command], cwd=directory, capture_output=True, text=True)
        assert told.returncode == 0, told.stderr
    (directory / "out").unlink()
    content = (directory / "transcript.txt").read_bytes()
    (directory / "forged.txt").write_bytes(content.replace(b"generated", b"invented "))
    command = ["cms", "-verify", "-binary", "-inform", "DER", "-in", "transcript.p7s",
               "-content", "forged.txt", "-CAfile", "root.pem", "-purpose", "any"]  # fmt: skip
    told = subprocess.run(["openssl", *command], cwd=directory, capture_output=True, text=True)
    assert told.returncode != 0


def test_an_output_that_cannot_be_written_is_refused_before_any_key_is_made(
    token_bench: TokenBench, tmp_path: Path
) -> None:
    token = token_bench.new_token("bad-output")
    settings = {
        "PORTSEAL_WEB__SECRET_KEY": os.urandom(32).hex(),
        "PORTSEAL_DATABASE__URL": f"sqlite:///{tmp_path}/portseal.db",
        "PORTSEAL_TOKEN__MODULE": token_bench.module,
        "PORTSEAL_TOKEN__LABEL": token.label,
        "PORTSEAL_TOKEN__PIN_VARIABLE": TokenBench.pin_variable(token.label),
    }
    environment = {**token_bench.environment, **settings}
    (tmp_path / "file").touch()
    refused = run(["init", "--output", str(tmp_path / "file" / "below")], environment)
    assert "[output.unwritable]" in refused.err
    assert refused.code == 3
    assert token.key_labels() == []
    held = run(["init", "--output", str(tmp_path / "new" / "below")], environment)
    assert held.code == 0, held.said
    assert sorted(path.name for path in (tmp_path / "new" / "below").iterdir()) == [
        "issuing.pem",
        "root.pem",
        "transcript.p7s",
        "transcript.tst",
        "transcript.txt",
    ]
    told = (tmp_path / "new" / "below" / "transcript.txt").read_text()
    assert told.splitlines()[-1].endswith("Ceremony finished.")
    verify_transcript(tmp_path / "new" / "below")
    again = run(["init", "--output", str(tmp_path / "again")], environment)
    assert "[ceremony.done]" in again.err
    assert list((tmp_path / "again").iterdir()) == []
