"""The binding to libcrypto: what it needs, what it leaves behind, who may use it at once."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kernel import libcrypto
from kernel.algorithms import SM2_SM3, PublicKey
from kernel.refusals import Malformed, Unavailable
from tests.sm2_keys import DEFAULT_USER, Sm2SoftwareKey, octets
from tests.software_keys import SoftwareKey

KEY = Sm2SoftwareKey.generate()
POINT = b"\x04" + octets(*KEY.point)
OFF_THE_CURVE = POINT[:-1] + bytes((POINT[-1] ^ 1,))
MESSAGE = b"declaration"
SIGNATURE = KEY.sign(MESSAGE)


@pytest.fixture
def another_library() -> Iterator[None]:
    yield
    libcrypto.use(None)


@pytest.mark.usefixtures("another_library")
@pytest.mark.parametrize(
    ("path", "code"),
    [("/nowhere/libcrypto.so.3", "libcrypto.missing"), ("libm.so.6", "libcrypto.too-old")],
)
def test_without_the_library_sm2_is_refused_and_all_else_goes_on(path: str, code: str) -> None:
    libcrypto.use(path)
    fresh = Sm2SoftwareKey.generate()

    with pytest.raises(Unavailable) as refused:
        PublicKey.from_spki(fresh.spki)
    assert refused.value.code == code
    assert path not in str(refused.value)
    p256 = SoftwareKey.generate()
    assert p256.public_key.verify(p256.suite, p256.sign(MESSAGE), MESSAGE)

    libcrypto.use(None)  # a refusal is not remembered
    assert PublicKey.from_spki(fresh.spki).verify(SM2_SM3, fresh.sign(MESSAGE), MESSAGE)


def test_a_library_that_may_not_do_sm2_is_refused(tmp_path: Path) -> None:
    """Builds without SM2 and systems that allow FIPS algorithms alone."""
    (tmp_path / "openssl.cnf").write_text(
        "openssl_conf = init\n[init]\nalg_section = algorithms\n"
        "[algorithms]\ndefault_properties = fips=yes\n"
    )
    program = (
        "from kernel import libcrypto\nfrom kernel.refusals import Unavailable\n"
        f"try:\n    libcrypto.sm2_key(bytes.fromhex('{POINT.hex()}'))\n"
        "except Unavailable as refusal:\n    print(refusal.code)\n"
    )
    environment = os.environ | {"OPENSSL_CONF": str(tmp_path / "openssl.cnf")}
    told = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    )
    assert told.stdout.strip() == "libcrypto.unfit"


def test_nothing_is_loaded_before_it_is_needed() -> None:
    """Where there is no library, all that imports the binding can still be imported and used."""
    program = (
        "from kernel import libcrypto\nlibcrypto.use('/nowhere')\n"
        "import kernel.algorithms, signing_service.verification, key_agent.agent, ca.authority\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_library_tells_what_it_is() -> None:
    assert libcrypto.description().startswith("OpenSSL 3")


_CALLS = 200
_USE = """
import ctypes, gc, sys
from kernel import libcrypto
from kernel.refusals import Malformed
from tests.sm2_keys import DEFAULT_USER

kept, calls, point, wrong, signature = (*sys.argv[1:3], *map(bytes.fromhex, sys.argv[3:]))
names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


class Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]


system = ctypes.CDLL(None)
system.mallinfo2.restype = Mallinfo2


def use(times):
    for _ in range(times):
        key = libcrypto.sm2_key(point)
        if kept == "keys":
            held.append(key)
        try:
            libcrypto.sm2_key(wrong)
        except Malformed:
            pass
        assert key.verify(signature, b"declaration", DEFAULT_USER)
        assert not key.verify(signature, b"declaration", b"another")
        assert not key.verify(signature[:-1], b"declaration", DEFAULT_USER)
    gc.collect()
    return system.mallinfo2().uordblks


held = []
after = [use(int(calls)) for _ in range(3)]  # caches of the library fill in the first
print(after[2] - after[1])
"""


def _grows_by(kept: str) -> int:
    """Octets that the C library has given out and not got back, between N and 2N calls, in a
    process that does nothing else."""
    octets_given = (POINT.hex(), OFF_THE_CURVE.hex(), SIGNATURE.hex())
    told = subprocess.run(
        [sys.executable, "-c", _USE, kept, str(_CALLS), *octets_given],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return int(told.stdout)


def test_what_the_library_holds_is_freed() -> None:
    """A block that each call lost would be 32 octets at least, as malloc rounds them."""
    assert _grows_by("keys") > 500 * _CALLS, "keys that are kept are seen"
    assert _grows_by("nothing") < 16 * _CALLS


def test_many_threads_use_one_key() -> None:
    key = libcrypto.sm2_key(POINT)

    def work(number: int) -> bool:
        right = key.verify(SIGNATURE, MESSAGE, DEFAULT_USER)
        fresh = libcrypto.sm2_key(POINT).verify(SIGNATURE, MESSAGE, DEFAULT_USER)
        return right and fresh and not key.verify(SIGNATURE, b"%d" % number, DEFAULT_USER)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(400)))


def test_refusals_leave_no_errors_for_pythons_own_use_of_the_library() -> None:
    system = ctypes.CDLL("libcrypto.so.3")
    system.ERR_peek_error.restype = ctypes.c_ulong
    system.ERR_clear_error()

    key = libcrypto.sm2_key(POINT)
    key.verify(SIGNATURE[:-1], MESSAGE, DEFAULT_USER)
    key.verify(b"", MESSAGE, DEFAULT_USER)
    with pytest.raises(Malformed):
        libcrypto.sm2_key(OFF_THE_CURVE)

    assert system.ERR_peek_error() == 0
