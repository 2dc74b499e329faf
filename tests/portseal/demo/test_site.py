"""A site's processes end with it, and what they started ends with them."""

import sys
import time
from pathlib import Path

from portseal.demo.site import Site

SERVER = """
import subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(worker.pid, flush=True)
"""


def lives(process: int) -> bool:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return False
    return fields[0] != "Z"  # whoever takes orphans in may be slow to bury them


def test_a_server_that_died_leaves_no_worker_behind(tmp_path: Path) -> None:
    site = Site(tmp_path)
    server = site.start_program([sys.executable, "-c", SERVER], "server")
    assert server.wait(60) == 0
    worker = int((tmp_path / "server.log").read_text())
    assert lives(worker)
    site.stop()
    deadline = time.monotonic() + 30
    while lives(worker):
        assert time.monotonic() < deadline, "the worker outlived the site"
        time.sleep(0.01)
