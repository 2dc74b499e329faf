#!/usr/bin/env bash
# Ask whether the pinned dependencies have known vulnerabilities. Changes nothing here.
#
#   scripts/audit.sh [pip-audit's arguments]
#
# Needs the network: the package index's own record of each release, or with `-s osv` the OSV
# database. Every dependency is looked up, or the audit has failed: one that could not be asked for
# is never taken for one without faults. The tool has an environment of its own, pinned with hashes.
# Afterwards: scripts/lock.sh --upgrade-package NAME, and the tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=var/audit
if ! cmp --silent scripts/audit-requirements.txt "$venv/installed"; then
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install --quiet --require-hashes -r scripts/audit-requirements.txt
    cp scripts/audit-requirements.txt "$venv/installed"
fi
failed=0
for pinned in requirements-dev.txt scripts/audit-requirements.txt; do
    "$venv/bin/pip-audit" --strict --require-hashes --disable-pip --progress-spinner off \
        --requirement "$pinned" "$@" || failed=1
done
exit "$failed"
