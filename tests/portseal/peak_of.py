"""Run a program and write the most memory that it took, in MiB: `peak_of.py FILE PROGRAM ...`."""

import resource
import subprocess
import sys
from pathlib import Path

code = subprocess.call(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
Path(sys.argv[1]).write_text(str(peak))
sys.exit(code)
