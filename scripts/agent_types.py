#!/usr/bin/env python3
"""TypeScript declarations of the key agent's client, beside its files, from what their JSDoc says.

    .venv/bin/python scripts/agent_types.py [DIRECTORY]     default: key_agent/web/

Needs the TypeScript compiler (`apt install node-typescript`; scripts/setup.sh test does). A test
holds what is committed against what this makes.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CLIENT = Path(__file__).parents[1] / "key_agent" / "web"
_OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "declaration": True,
    "emitDeclarationOnly": True,
    "strict": True,
    "target": "es2022",
    "module": "es2022",
    "moduleResolution": "node",
    "lib": ["es2022", "dom", "dom.iterable"],
    "types": [],
}


def write_types(directory: Path) -> list[Path]:
    """One file for each of the client's. Raises CalledProcessError where JSDoc is wrong."""
    with tempfile.TemporaryDirectory() as name:
        stage = Path(name)  # without the declarations, which would go before what they are made of
        files = [str(shutil.copy(file, stage)) for file in sorted(CLIENT.glob("*.js"))]
        options = {**_OPTIONS, "outDir": str(stage / "types"), "rootDir": str(stage)}
        project = stage / "tsconfig.json"
        project.write_text(json.dumps({"compilerOptions": options, "files": files}))
        subprocess.run(["tsc", "-p", project], check=True)
        made = sorted((stage / "types").glob("*.d.ts"))
        return [Path(shutil.copy(each, directory)) for each in made]


if __name__ == "__main__":
    for made in write_types(Path(sys.argv[1]) if len(sys.argv) > 1 else CLIENT):
        print(made)
