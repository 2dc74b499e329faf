"""The types that scripts declare in their comments hold: a real TypeScript compiler says so."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENT = sorted((ROOT / "key_agent" / "web").glob("*.js"))
PAGES = sorted((ROOT / "portseal" / "web" / "static").rglob("agent/*.js"))
_OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "strict": True,
    "target": "es2022",
    "module": "es2022",
    "moduleResolution": "node",
    "lib": ["es2022", "dom", "dom.iterable"],
    "types": [],
    "baseUrl": str(ROOT),
    # As pages name the client's files.
    "paths": {"/agent/*": ["key_agent/web/*"]},
}


def complaints(directory: Path, files: list[Path]) -> list[str]:
    """What the compiler says of these files, a line each."""
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.fail("no TypeScript compiler here: scripts/setup.sh test installs it")
    project = directory / "tsconfig.json"
    named = [str(file) for file in files]
    project.write_text(json.dumps({"compilerOptions": _OPTIONS, "files": named}))
    told = subprocess.run(
        [compiler, "--pretty", "false", "-p", project], capture_output=True, text=True, check=False
    )
    assert told.stderr == ""
    return told.stdout.splitlines()


def test_the_client_and_the_pages_that_use_it_keep_their_types(tmp_path: Path) -> None:
    assert len(CLIENT) >= 3
    assert len(PAGES) >= 3
    assert complaints(tmp_path, [*CLIENT, *PAGES]) == []


def test_a_platform_that_misuses_the_client_is_told_so(tmp_path: Path) -> None:
    page = tmp_path / "page.js"
    page.write_text(
        'import { PortSealAgent } from "/agent/portseal-agent.js";\n'
        'const agent = new PortSealAgent({ port: "7" });\n'
        "agent.signDigest(new Uint8Array(32));\n"
    )
    told = complaints(tmp_path, [page])
    assert len(told) == 2
    assert "Type 'string' is not assignable to type 'number'" in told[0]
    assert "Property 'signDigest' does not exist on type 'PortSealAgent'" in told[1]
