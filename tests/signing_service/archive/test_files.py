"""Objects as files: durable, whole, compared with their name."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kernel.refusals import Unavailable
from signing_service.archive.files import FileStore
from signing_service.archive.objects import address_of, object_digest, pieces_of

ROOT = Path(__file__).parents[3]
DATA = b"what is kept"


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "archive", reserve_bytes=0)


def path_of(store: FileStore, address: str) -> Path:
    (found,) = store._directory.glob(f"??/{address}")
    return found


def test_what_is_put_is_got(store: FileStore) -> None:
    for data in (DATA, b"", os.urandom(1 << 20)):
        address = store.put(data)
        assert address == address_of(data)
        assert store.get(address) == data
    assert len(set(store.addresses())) == 3


def test_the_same_object_lies_there_once(store: FileStore) -> None:
    assert store.put(DATA) == store.put(DATA)
    assert list(store.addresses()) == [address_of(DATA)]
    assert not list((store._directory / "incoming").iterdir())


def test_what_comes_in_pieces_lies_there_whole_or_not_at_all(store: FileStore) -> None:
    pieces: list[bytes | memoryview] = [os.urandom(1 << 20), memoryview(DATA)]
    address, size = store.put_pieces(iter(pieces))
    whole = b"".join(map(bytes, pieces))
    assert (address, size) == (address_of(whole), len(whole))
    assert b"".join(pieces_of(store, address)) == whole
    assert object_digest(store, address, "sha512") == hashlib.sha512(whole).digest()
    assert path_of(store, address).stat().st_mode & 0o077 == 0

    def breaks_off() -> Iterator[bytes]:
        yield DATA
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.put_pieces(breaks_off())
    assert list(store.addresses()) == [address]
    assert not list((store._directory / "incoming").iterdir())


def test_a_large_object_that_was_changed_is_told_at_its_end(store: FileStore) -> None:
    address, _ = store.put_pieces(iter([b"x" * (3 << 20)]))
    path_of(store, address).write_bytes(b"x" * (3 << 20) + b"y")
    with pytest.raises(Unavailable, match=r"archive\.damaged"):
        for _ in pieces_of(store, address):
            pass


def test_what_comes_in_pieces_stops_before_the_disk_is_full(tmp_path: Path) -> None:
    full = FileStore(tmp_path / "archive", reserve_bytes=1 << 62)
    with pytest.raises(Unavailable, match=r"archive\.full"):
        full.put_pieces(iter([DATA]))
    assert not list(full.addresses())


def test_only_the_service_can_read_it(store: FileStore) -> None:
    path = path_of(store, store.put(DATA))
    assert path.stat().st_mode & 0o077 == 0
    assert store._directory.stat().st_mode & 0o077 == 0


def test_a_changed_object_is_told_and_mended_by_putting_it_again(store: FileStore) -> None:
    path = path_of(store, store.put(DATA))
    path.write_bytes(b"what is kapt")
    with pytest.raises(Unavailable, match=r"archive\.damaged"):
        store.get(address_of(DATA))
    store.put(DATA)
    assert store.get(address_of(DATA)) == DATA
    path.unlink()
    with pytest.raises(Unavailable, match=r"archive\.missing"):
        store.get(address_of(DATA))


@pytest.mark.parametrize("address", ["", "../../etc/passwd", "a" * 63, "A" * 64, "g" * 64])
def test_an_address_is_never_a_path(store: FileStore, address: str) -> None:
    with pytest.raises(Unavailable, match=r"archive\.missing"):
        store.get(address)


def test_room_that_is_reserved_is_not_used(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "archive", reserve_bytes=1 << 60)
    with pytest.raises(Unavailable, match=r"archive\.full"):
        store.put(DATA)
    assert not list(store.addresses())


FULL_DISK = """
import sys
from pathlib import Path
from kernel.refusals import Unavailable
from signing_service.archive.files import FileStore
directory = Path(sys.argv[1])
store = FileStore(directory / "archive", reserve_bytes=0)
small = store.put(b"small")
for number in range(100):
    try:
        store.put(bytes([number]) * 40_000)
    except Unavailable as refusal:
        print(refusal.code, number)
        break
filler = (directory / "filler").open("wb", buffering=0)
try:
    while filler.write(b"x" * 1024):
        pass
except OSError:
    pass
try:
    store._write(store._path("0" * 64), b"y" * 9000)  # as if the room went after it was looked for
except OSError as error:
    print(error.errno)
assert store.get(small) == b"small"
assert not list((directory / "archive" / "incoming").iterdir()), "half-stored"
assert all(store.get(address) for address in store.addresses())
print("whole", len(list(store.addresses())))
"""


def test_a_full_disk_is_told_and_leaves_nothing_half_stored(tmp_path: Path) -> None:
    """On a file system of 512 KiB of its own."""
    mount = f"mount -t tmpfs -o size=512k none {tmp_path} && exec {sys.executable} - {tmp_path}"
    command = ["unshare", "--mount", "sh", "-c", mount]
    if os.geteuid() != 0:
        command[1:1] = ["--user", "--map-root-user"]
    done = subprocess.run(
        command, input=FULL_DISK, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if "Operation not permitted" in done.stderr:
        pytest.skip("mounting a small file system is not permitted here")
    assert done.returncode == 0, done.stderr
    first, errno, whole = done.stdout.split("\n")[:3]
    assert first.startswith("archive.full")
    assert errno == "28"
    assert int(whole.split()[1]) >= 5


def test_removal_spares_what_was_put_again(store: FileStore) -> None:
    address = store.put(DATA)
    long_ago = datetime.now(UTC) - timedelta(days=2)
    os.utime(path_of(store, address), (long_ago.timestamp(),) * 2)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    store.put(DATA)
    assert not store.remove(address, yesterday)
    assert store.get(address) == DATA

    os.utime(path_of(store, address), (long_ago.timestamp(),) * 2)
    assert store.remove(address, yesterday)
    assert not store.remove(address, yesterday)
    assert not list(store.addresses())


def test_putting_and_removing_at_once_loses_nothing(store: FileStore) -> None:
    """Whoever was told that an object is kept finds it, whatever is swept beside."""
    over, before = threading.Event(), datetime.now(UTC) - timedelta(hours=1)

    def sweep() -> None:
        while not over.is_set():
            for address in list(store.addresses()):
                store.remove(address, before)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for number in range(200):
            address = store.put(b"%d" % (number % 5))
            with suppress(FileNotFoundError):  # the sweep may just be looking at it
                os.utime(store._path(address), (0, 0))
            store.put(b"%d" % (number % 5))
    finally:
        over.set()
        sweeper.join()
    for number in range(5):
        assert store.get(address_of(b"%d" % number)) == b"%d" % number


def test_what_a_dead_process_left_is_tidied(store: FileStore) -> None:
    store.put(DATA)
    left = store._directory / "incoming" / "half"
    left.write_bytes(b"wha")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    store.tidy(yesterday)
    assert left.exists()
    os.utime(left, (0, 0))
    store.tidy(yesterday)
    assert not left.exists()
    assert store.get(address_of(DATA)) == DATA
