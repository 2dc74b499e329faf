"""The types that scripts declare in their comments hold: a real TypeScript compiler says so."""

import json
import shutil
import subprocess
import sys
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


def complaints(directory: Path, files: list[Path], **options: bool) -> list[str]:
    """What the compiler says of these files, a line each."""
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.fail("no TypeScript compiler here: scripts/setup.sh test installs it")
    project = directory / "tsconfig.json"
    named = [str(file) for file in files]
    chosen = {**_OPTIONS, **options}
    project.write_text(json.dumps({"compilerOptions": chosen, "files": named}))
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


def test_the_declarations_say_what_the_client_does(tmp_path: Path) -> None:
    """After a change: scripts/agent_types.py."""
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "agent_types.py", tmp_path], check=True, timeout=60
    )
    made = {file.name: file.read_text() for file in tmp_path.glob("*.d.ts")}
    kept = {file.name: file.read_text() for file in (ROOT / "key_agent" / "web").glob("*.d.ts")}
    assert set(made) == {file.with_suffix(".d.ts").name for file in CLIENT}
    assert kept == made


PLATFORM = """
import { AgentError, PortSealAgent, type AgentState, type Token } from "./portseal-agent.js";
import { AgencyBundle, ServiceError, onlyToken } from "./portseal-journeys.js";
import { SigningJob, usualFormat } from "./portseal-signing.js";

const words: Record<AgentState, string> = {
  ready: "", missing: "", blocked: "", "too-old": "", "origin-unknown": "", "origin-refused": "",
  busy: "", "no-token": "", "no-certificate": "", "wrong-pin": "", locked: "", cancelled: "",
  "timed-out": "", refused: "", failed: "",
};
const agent = new PortSealAgent({ minimumVersion: "1.3.0" });

export async function sign(document: Uint8Array, gaveUp: AbortSignal): Promise<string> {
  try {
    const { tokens }: { tokens: Token[] } = await agent.tokens({ signal: gaveUp });
    const job = new SigningJob(agent, { level: "B-T", changed: (item) => console.log(item.state) });
    job.add([{ document, name: tokens[0].label }], usualFormat(document));
    await job.prepare();
    return "";
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const left: "one" | "few" | null = error.tries;
    return words[error.state] + (left ?? "");
  }
}

export async function signForAll(document: Uint8Array): Promise<string[]> {
  const bundle = new AgencyBundle(agent, [{ recipient: "x", document }], { level: "B-T" });
  try {
    return (await bundle.run()).map((each) => each.proof);
  } catch (error) {
    const again: boolean = bundle.isSigned && error instanceof ServiceError && error.status === 0;
    return again ? (await bundle.run()).map((each) => each.id) : [(await onlyToken(agent)).label];
  }
}
"""


def in_typescript(directory: Path, text: str) -> list[str]:
    """What the compiler says of a platform's own TypeScript, which has the declarations alone."""
    for file in (ROOT / "key_agent" / "web").glob("*.d.ts"):
        shutil.copy(file, directory)
    page = directory / "platform.ts"
    page.write_text(text)
    return complaints(directory, [page], allowJs=False, checkJs=False)


def test_a_platform_in_typescript_needs_the_declarations_alone(tmp_path: Path) -> None:
    assert in_typescript(tmp_path, PLATFORM) == []


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("failed:", "broken:", "'broken' does not exist in type 'Record<AgentState, string>'"),
        ("{ signal: gaveUp }", "{ timeout: 5 }", "'timeout' does not exist in type 'CallOptions'"),
        ("agent.tokens(", "agent.signDigest(", "'signDigest' does not exist on type"),
    ],
)
def test_typescript_tells_a_platform_what_it_does_wrong(
    tmp_path: Path, right: str, wrong: str, says: str
) -> None:
    told = in_typescript(tmp_path, PLATFORM.replace(right, wrong, 1))
    assert says in "\n".join(told)
