"""Bouncy Castle and gmsm beside us: what they sign is verified here, and ours by Bouncy Castle.

Not collected by itself; README.md beside this file says how to run it.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from signing_service.formats.cades import whole as cades
from tests.signing_service.formats.test_sm2_strangers import KEPT, verdicts
from tests.sm2_authority import Sm2Authority, sm2_authority

HERE = Path(__file__).parent
DOCUMENT = KEPT / "document"


@pytest.fixture(scope="module")
def authority() -> Sm2Authority:
    return sm2_authority()


def bouncy_castle(*arguments: str | Path) -> str:
    classes = f"{os.environ['BOUNCY_CASTLE']}/*"
    program = HERE / "bouncy_castle" / "Sm2Messages.java"
    command = ["java", "-cp", classes, str(program), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_what_they_sign_passes_here(tmp_path: Path) -> None:
    bouncy_castle("make", tmp_path, DOCUMENT)
    command = ["go", "run", ".", str(tmp_path), str(DOCUMENT)]
    subprocess.run(command, cwd=HERE / "gmsm", check=True)
    shutil.copy(DOCUMENT, tmp_path / "document")

    assert set(verdicts(tmp_path).values()) == {"passed"}
    if os.environ.get("SM2_VECTORS") == "keep":
        for made in tmp_path.iterdir():
            shutil.copy(made, KEPT)


def test_what_we_sign_is_genuine_there(authority: Sm2Authority, tmp_path: Path) -> None:
    signer = authority.signer
    signed = cades.sign(
        DOCUMENT.read_bytes(), signer.key, signer.certificate, authority.now, chain=signer.chain
    )
    (tmp_path / "ours.p7s").write_bytes(signed)
    (tmp_path / "other").write_bytes(b"another document")

    assert bouncy_castle("verify", tmp_path / "ours.p7s", DOCUMENT) == "genuine"
    assert bouncy_castle("verify", tmp_path / "ours.p7s", tmp_path / "other") == "refused"
