#!/usr/bin/env python3
"""Build the key agent's own wheel: key_agent, and of the other rooms what it imports.

    .venv/bin/python scripts/build_agent.py [--if-changed] [DIRECTORY]     default: dist/

With `--if-changed` a wheel that is there is kept while what it was built from is the same.

Follows the imports in the source from key_agent on, so that nothing else of the house gets in. The
rooms lie below one package, `portseal_agent` (key_agent/standalone.py says why).
"""

import argparse
import ast
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("hsm", "kernel", "key_agent", "policies", "signing_service")
OF_THE_PACKAGE = ("key_agent/pyproject.toml", "key_agent/README.md", "LICENSE")
DATA = ("key_agent/templates/*.toml", "key_agent/web/*.js", "key_agent/web/*.d.ts")


def build(directory: Path) -> Path:
    """The wheel, in `directory`."""
    with tempfile.TemporaryDirectory() as name:
        stage = Path(name)
        package = stage / "portseal_agent"
        for source in needed_files():
            target = package / "house" / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        for file in ("__init__.py", "__main__.py"):
            shutil.copyfile(ROOT / "key_agent" / "standalone.py", package / file)
        for file in OF_THE_PACKAGE:
            shutil.copyfile(ROOT / file, stage / Path(file).name)
        subprocess.run(
            [
                sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
                "--no-build-isolation", "--disable-pip-version-check",
                "--wheel-dir", str(directory), str(stage),
            ],
            check=True,
        )  # fmt: skip
    return max(directory.glob("portseal_agent-*.whl"), key=lambda path: path.stat().st_mtime)


def build_if_changed(directory: Path) -> Path:
    """The wheel, in `directory`, which holds this one alone."""
    digest, noted = digest_of_sources(), directory / "sources.sha256"
    kept = list(directory.glob("portseal_agent-*.whl"))
    if len(kept) == 1 and noted.is_file() and noted.read_text() == digest:
        return kept[0]
    for each in (*kept, noted):
        each.unlink(missing_ok=True)
    made = build(directory)
    noted.write_text(digest)
    return made


def digest_of_sources() -> str:
    """Of every file that goes into the wheel, and of this one."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in sorted({*needed_files(), *(ROOT / name for name in OF_THE_PACKAGE)}):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(ROOT)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def needed_files() -> set[Path]:
    """Every source file that the agent may load, with its packages' own, and its data."""
    wanted = sorted((ROOT / "key_agent").glob("**/*.py"))
    found: set[Path] = set()
    while wanted:
        file = wanted.pop()
        if file not in found:
            found.add(file)
            wanted += imported_files(file)
    return found | {path for pattern in DATA for path in ROOT.glob(pattern)}


def imported_files(file: Path) -> Iterator[Path]:
    for module in imported_modules(file):
        parts = module.split(".")
        if parts[0] not in ROOMS:
            continue
        for length in range(1, len(parts) + 1):
            base = ROOT.joinpath(*parts[:length])
            yield from (p for p in (base / "__init__.py", base.with_suffix(".py")) if p.exists())


def imported_modules(file: Path) -> Iterator[str]:
    """Names in import statements; of `from a import b` both a and a.b, which may be a module."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--if-changed", action="store_true")
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / "dist")
    asked = parser.parse_args()
    print((build_if_changed if asked.if_changed else build)(asked.directory))
