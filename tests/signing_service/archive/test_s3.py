"""The archive on a real S3-compatible store: versitygw, which `scripts/setup.sh test` builds."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kernel.refusals import Unavailable
from portseal.sandbox.ports import free_port
from signing_service.archive.objects import address_of, pieces_of
from signing_service.archive.s3 import S3Store

_GATEWAY = shutil.which("versitygw", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
DATA = b"what is kept"


class Gateway:
    def __init__(self, port: int, directory: Path) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.secret = secrets.token_hex(16)
        self.bucket = directory / "evidence"
        self.bucket.mkdir()

    def store(self, **changes: Any) -> S3Store:
        settings = {
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key": "archive",
            "secret_key": self.secret,
            "timeout_seconds": 2,
        }
        return S3Store("evidence", **{**settings, **changes})


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    if _GATEWAY is None:
        pytest.skip("no versitygw: scripts/setup.sh test builds it where there is a Go")
    directory, port = tmp_path_factory.mktemp("s3"), free_port()
    made = Gateway(port, directory)
    keys = {"ROOT_ACCESS_KEY": "archive", "ROOT_SECRET_KEY": made.secret}
    process = subprocess.Popen(
        [_GATEWAY, "--port", f"127.0.0.1:{port}", "posix", str(directory)],
        env={**os.environ, **keys}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield made
    finally:
        process.terminate()
        process.wait()


def test_what_is_put_is_got(gateway: Gateway) -> None:
    store = gateway.store(prefix="one")
    for data in (DATA, b"", os.urandom(6 << 20)):
        address = store.put(data)
        assert store.put(data) == address == address_of(data)
        assert store.get(address) == data
    assert len(list(store.addresses())) == 3


def test_what_comes_in_pieces_is_got(gateway: Gateway) -> None:
    store = gateway.store(prefix="pieces")
    pieces: list[bytes | memoryview] = [os.urandom(6 << 20), memoryview(DATA)]
    address, size = store.put_pieces(iter(pieces))
    whole = b"".join(map(bytes, pieces))
    assert (address, size) == (address_of(whole), len(whole))
    assert b"".join(pieces_of(store, address)) == whole
    with pytest.raises(Unavailable, match=r"archive\.missing"):
        store.open("0" * 64)


def test_a_changed_object_is_told(gateway: Gateway) -> None:
    store = gateway.store(prefix="two")
    address = store.put(DATA)
    (gateway.bucket / "two" / address).write_bytes(b"what is kapt")
    with pytest.raises(Unavailable, match=r"archive\.damaged"):
        store.get(address)
    store.put(DATA)
    assert store.get(address) == DATA
    with pytest.raises(Unavailable, match=r"archive\.missing"):
        store.get("0" * 64)


def test_removal_spares_what_was_put_lately(gateway: Gateway) -> None:
    store = gateway.store(prefix="three")
    address = store.put(DATA)
    assert not store.remove(address, datetime.now(UTC) - timedelta(hours=1))
    assert store.get(address) == DATA
    assert store.remove(address, datetime.now(UTC) + timedelta(hours=1))
    assert not store.remove(address, datetime.now(UTC) + timedelta(hours=1))
    assert not list(store.addresses())


@pytest.mark.parametrize("changes", [{"secret_key": "wrong"}, {"endpoint": "http://127.0.0.1:9"}])
def test_a_store_that_does_not_answer_is_told(changes: dict[str, str], gateway: Gateway) -> None:
    with pytest.raises(Unavailable, match=r"archive\.unavailable") as caught:
        gateway.store(**changes).put(DATA)
    assert gateway.secret not in str(caught.value)
