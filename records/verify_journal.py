#!/usr/bin/env python3
"""Verify a proof about PortSeal's journal, without its database or keys.

    python3 verify_journal.py PROOF.json [--root ROOT.pem] [--kept journal-checkpoints]

It needs Python 3.9 and openssl, and checks, one line each:

1. every checkpoint of the proof: `openssl ts -verify` of its timestamp token over the position,
   the chain's hash and the Merkle tree's head, and the token's policy, which is the journal's own;
2. every record: that its audit path leads to the newest checkpoint's head (RFC 6962, 2.1.1);
3. every older checkpoint: that its tree is the beginning of the newest one (RFC 6962, 2.1.2);
4. with --kept: that a copy of the file journal-checkpoints that was kept elsewhere says the same
   of every position that the proof speaks of.

Without --root the root in the proof is used, whose fingerprint you must compare with the one that
the authority published. Exit codes: 0 everything holds, 1 something does not, 2 wrong command.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FORMAT = "portseal-journal-proof-1"
POLICY_END = ".2.2"
"""Of the policy that the authority's timestamps carry for the journal alone."""
MAX_BYTES = 64 << 20


class Failed(Exception):
    """Something does not hold; the text says what."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify a proof about PortSeal's journal.")
    parser.add_argument("proof", type=Path)
    parser.add_argument("--root", type=Path, help="trusted root certificate, PEM")
    parser.add_argument("--kept", type=Path, help="a copy of the file journal-checkpoints")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as directory:
            verify(arguments.proof, arguments.root, arguments.kept, Path(directory))
    except Failed as failure:
        print(f"FAILED  {failure}")
        return 1
    except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        print(f"FAILED  not a proof: {error}")
        return 1
    print("Everything holds.")
    return 0


def verify(file: Path, root: Path | None, kept: Path | None, place: Path) -> None:
    proof = json.loads(limited(file))
    if proof["format"] != FORMAT:
        raise Failed("not a proof of this format")
    certificates = [str(each) for each in proof["certificates"]]
    trusted = root or place / "root.pem"
    if root is None:
        trusted.write_text(certificates[-1], encoding="ascii")
        print(f"root    {fingerprint(trusted)} (from the proof: compare it)")
    (place / "chain.pem").write_text("".join(certificates), encoding="ascii")
    newest = proof["checkpoint"]
    for number, checkpoint in enumerate([newest, *proof["older"]]):
        check_token(checkpoint, str(proof["policy"]), trusted, place, number)
        print(
            f"ok      checkpoint of record {checkpoint['position']}, witnessed {checkpoint['at']}"
        )
    if not proof["records"]:
        raise Failed("the proof is about no record")
    head, size = bytes.fromhex(newest["root"]), int(newest["position"])
    for record in proof["records"]:
        told = json.loads(record["entry"])
        leaf = hashlib.sha256(b"\x00" + record["entry"].encode("utf-8")).digest()
        if included(leaf, int(told["position"]) - 1, size, path_of(record)) != head:
            raise Failed(f"record {told['position']} is not in the tree")
        print(f"ok      record {told['position']}: {told['at']} {told['event']} {told['subject']}")
    for older in proof["older"]:
        start = bytes.fromhex(older["root"])
        if not extends(int(older["position"]), start, size, head, path_of(older)):
            raise Failed(f"the tree of record {older['position']} was changed afterwards")
        print(f"ok      nothing up to record {older['position']} was changed")
    if kept is not None:
        compare(kept, [newest, *proof["older"]])


def included(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The head that the audit path leads to (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise Failed("the record is beyond the checkpoint")
    here, last, found = index, size - 1, leaf
    for each in path:
        if last == 0:
            raise Failed("the path is too long")
        if here & 1 or here == last:
            found = node(each, found)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            found = node(found, each)
        here, last = here >> 1, last >> 1
    if last != 0:
        raise Failed("the path is too short")
    return found


def extends(old: int, old_root: bytes, new: int, new_root: bytes, path: list[bytes]) -> bool:
    """Whether the tree of `new` begins with that of `old` (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        raise Failed("an older checkpoint is not older")
    if old == new:
        return old_root == new_root and not path
    steps = list(path)
    if old & (old - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        return False
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    first = second = steps[0]
    for each in steps[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            first, second = node(each, first), node(each, second)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            second = node(second, each)
        here, last = here >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def check_token(
    checkpoint: dict[str, Any], policy: str, root: Path, place: Path, number: int
) -> None:
    """The timestamp, by openssl; and that it is of the journal's own policy, which nobody is
    granted on request."""
    position, chain, head = (checkpoint[name] for name in ("position", "hash", "root"))
    text = f"PortSeal journal checkpoint {int(position)} {chain} {head}\n"
    token, data = place / f"{number}.token", place / f"{number}.data"
    token.write_bytes(base64.b64decode(checkpoint["token"], validate=True))
    data.write_text(text, encoding="ascii")
    done = openssl(
        *("ts", "-verify", "-token_in", "-in", str(token), "-data", str(data)),
        *("-CAfile", str(root), "-untrusted", str(place / "chain.pem")),
    )
    if "Verification: OK" not in done:
        raise Failed(f"the checkpoint of record {position} was not witnessed so: {done.strip()}")
    told = openssl("ts", "-reply", "-token_in", "-in", str(token), "-token_out", "-text")
    found = re.search(r"^Policy OID: (\S+)$", told, re.MULTILINE)
    if found is None or found[1] != policy or not policy.endswith(POLICY_END):
        raise Failed(f"the timestamp of record {position} is no checkpoint of the journal")
    when = re.search(r"^Time stamp: (.+)$", told, re.MULTILINE)
    print(f"        timestamp {'?' if when is None else when[1]}")


def compare(kept: Path, checkpoints: list[dict[str, Any]]) -> None:
    """With a copy that the authority could not change."""
    known = {}
    for line in limited(kept).splitlines():
        told = json.loads(line)
        known[told["position"]] = (told["hash"], told.get("root"))
    seen = 0
    for each in checkpoints:
        if each["position"] in known:
            seen += 1
            if known[each["position"]] != (each["hash"], each["root"]):
                raise Failed(f"the kept copy says otherwise of record {each['position']}")
    if not seen:
        raise Failed("the kept copy has none of these checkpoints: ask for --since one of its own")
    print(f"ok      {seen} of the checkpoints are those of the kept copy")


def path_of(told: dict[str, Any]) -> list[bytes]:
    path = [bytes.fromhex(each) for each in told["path"]]
    if len(path) > 128 or any(len(each) != 32 for each in path):
        raise Failed("a path is malformed")
    return path


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def fingerprint(certificate: Path) -> str:
    return openssl("x509", "-noout", "-fingerprint", "-sha256", "-in", str(certificate)).strip()


def openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def limited(file: Path) -> str:
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Failed(f"{file} is too large")
    return data.decode("utf-8")


if __name__ == "__main__":
    sys.exit(main())
