#!/usr/bin/env bash
# Pin every dependency again, with hashes, for all Pythons that the project supports.
# Needs uv on PATH. Arguments go to uv: `scripts/lock.sh --upgrade`, `--upgrade-package flask`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lock() {  # output file, then uv's arguments
    local output="$1"
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --output-file "$output" "$@"
}

ours=(pyproject.toml scripts/build-requirements.in)
lock requirements.txt "${ours[@]}" "$@"
lock requirements-dev.txt "${ours[@]}" --extra dev --constraint requirements.txt "$@"
lock scripts/audit-requirements.txt scripts/audit-requirements.in "$@"
