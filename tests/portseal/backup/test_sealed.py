"""Sealed files: what went in comes out, and nothing else does."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.refusals import Malformed, Unprocessable
from portseal.backup.sealed import PIECE, SealedWriter, derived, opened, read_key

KEY = derived(b"\1" * 32, b"salt", "database")


def sealed(path: Path, data: bytes) -> Path:
    writer = SealedWriter(path, KEY)
    writer.write(data)
    writer.close()
    assert writer.size == path.stat().st_size
    return path


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_what_was_sealed_is_opened(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path = sealed(tmp_path / "part", data)
    assert b"".join(opened(path, KEY)) == data
    assert path.stat().st_mode & 0o777 == 0o600


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    path = sealed(tmp_path_factory.mktemp("sealed") / "part", b"records" * 100)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(Malformed, match=r"backup\.damaged"):
        b"".join(opened(path, KEY))


def test_a_file_that_was_cut_or_put_in_anothers_place_is_noticed(tmp_path: Path) -> None:
    path = sealed(tmp_path / "part", os.urandom(2 * PIECE + 5))
    whole = path.read_bytes()
    path.write_bytes(whole[: 2 * (PIECE + 16)])
    with pytest.raises(Malformed):
        b"".join(opened(path, KEY))
    path.write_bytes(whole)
    with pytest.raises(Malformed):
        b"".join(opened(path, derived(b"\1" * 32, b"salt", "archive")))


@pytest.mark.parametrize(("text", "mode"), [("00" * 31, 0o600), ("xx", 0o600), ("00" * 32, 0o644)])
def test_a_bad_key_file_is_refused(tmp_path: Path, text: str, mode: int) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(Unprocessable, match=r"backup\.key"):
        read_key(path)
