"""Fuzz one target: `python -m tests.fuzz TARGET [options and corpus directories of libFuzzer]`.

`python -m tests.fuzz --list` names the targets. `--briefly DIRECTORY` runs each for as long as the
test run does and leaves what it told, and the inputs that it failed on, in the directory. Without
a corpus directory the seeds alone are the corpus. docs/fuzzing.md says more.
"""

import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=[
        *("kernel", "policies", "signing_service", "ra_portal", "key_agent"),
        *("ca.issuing.request", "ca.ocsp.messages", "portseal.holder", "openpyxl", "joserfc"),
    ]
):
    from tests.fuzz.targets import TARGETS

SECONDS = 5
"""For one input, under instrumentation and on a loaded machine."""
MEGABYTES = 1024
"""For the whole process."""


def main() -> None:
    match sys.argv[1:]:
        case ["--list"]:
            print("\n".join(TARGETS))
        case ["--briefly", directory]:
            for name in TARGETS:
                briefly(name, Path(directory))
        case [name, *given] if name in TARGETS:
            corpora = [Path(each) for each in given if not each.startswith("-")]
            options = [each for each in given if each.startswith("-")]
            fuzz(name, corpora or [Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))], options)
        case _:
            sys.exit(__doc__)


def fuzz(name: str, corpora: list[Path], options: list[str]) -> None:
    """Until an input fails, or the options say that it is enough. Ends the process."""
    target = TARGETS[name]
    if not corpora[0].is_file():  # a file is one input to be tried alone
        corpora[0].mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(target.seeds()):
            (corpora[0] / f"seed-{number}").write_bytes(seed)
    limits = [f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}", f"-max_len={target.max_bytes}"]
    atheris.Setup([name, *limits, *options, *map(str, corpora)], target)
    atheris.Fuzz()


def briefly(name: str, directory: Path) -> None:
    """In a child: what it tells goes to `name`.log, its exit status to `name`.status."""
    child = os.fork()
    if child == 0:
        with (directory / f"{name}.log").open("wb") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        runs = TARGETS[name].runs
        options = [f"-runs={runs}", "-seed=1", "-len_control=0"]
        fuzz(name, [directory / name], [*options, f"-artifact_prefix={directory}/{name}-"])
        os._exit(70)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    (directory / f"{name}.status").write_text(str(code), encoding="ascii")


if __name__ == "__main__":
    main()
