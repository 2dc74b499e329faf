"""Ten thousand declarations in one job: killed on the way, finished, memory bounded."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from portseal.demo.signing_steps import import_declaration
from signing_service.formats.recognition import read_signatures
from tests.portseal.cli.test_sign_batch import signatures, start
from tests.portseal.memory import forget_peaks, peak_mebibytes, servers_of
from tests.portseal.service import RunningService

COUNT = 10_000


def watched(process: subprocess.Popen[str], output: Path, until: int) -> int:
    """The run's peak memory in MiB, when it ended or wrote `until` signatures."""
    peak = 0
    while process.poll() is None and len(signatures(output)) < until:
        try:
            peak = max(peak, peak_mebibytes(process.pid))
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            continue
        except (FileNotFoundError, ProcessLookupError, ValueError):
            break
    return peak


@pytest.mark.long
def test_ten_thousand_declarations_are_signed_through_a_kill(
    service: RunningService, tmp_path: Path
) -> None:
    directory, output = tmp_path / "in", tmp_path / "out"
    directory.mkdir()
    declaration = import_declaration()
    for number in range(COUNT):
        (directory / f"{number:05}.xml").write_bytes(declaration + b" " * (number + 1))
    servers = servers_of()
    forget_peaks(servers)
    before = {process: peak_mebibytes(process) for process in servers}

    killed = start(service, directory, output)
    early = watched(killed, output, COUNT // 10)
    late = watched(killed, output, COUNT // 2)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    done = len(signatures(output))
    assert COUNT // 2 <= done < COUNT, "killed in between"

    again = start(service, directory, output)
    rest = watched(again, output, COUNT)
    told, _ = again.communicate(timeout=600)
    summary = json.loads(told)
    assert (summary["total"], summary["signed"], summary["refused"]) == (COUNT, COUNT, [])
    assert len(signatures(output)) == COUNT
    outcomes: set[str] = set()
    operator, after = service.signed_in("operator"), -1
    path = f"/api/v1/batches/{summary['id']}/signed"
    while items := operator.call("GET", f"{path}?after={after}")["items"]:
        outcomes |= {item["outcome"] for item in items}
        after = items[-1]["position"]
    assert len(outcomes) == COUNT, "none was signed twice"
    for number in range(0, COUNT, COUNT // 20):
        name = f"{number:05}.xml"
        (evidence,) = read_signatures(
            (directory / name).read_bytes(), (output / f"{name}.p7s").read_bytes()
        )
        assert evidence.references[0].intact
    grown = max(peak_mebibytes(process) - before[process] for process in servers)
    print(
        f"{COUNT - done} in {summary['seconds']} s; client {early} MiB at a tenth, {late} MiB at "
        f"half, {rest} MiB in the second run; server grew by {grown} MiB; {os.cpu_count()} cores"
    )
    assert max(late, rest) < early + 48, "memory does not grow with the count"
    assert grown < 160
