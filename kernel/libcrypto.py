"""A thin binding to OpenSSL 3's libcrypto, for SM2 signatures, which pyca cannot verify.

The library is loaded when the first SM2 key is met, never at import. It must know the functions
below and pass a known answer before it is used: a build without SM2 or of another version is
refused there and then. All curve arithmetic is the library's; what is foreign is checked for its
shape before it gets there (`kernel.sm2`).

One library serves the process, as pyca's does: `use` names another one than the system's. Every
call releases the interpreter's lock; keys may be used from many threads at once.
"""

import ctypes
import sys
from threading import Lock
from typing import Final

from kernel.refusals import Malformed, Unavailable

_LEAST_VERSION = 0x30000000
_NAMES = {"darwin": "libcrypto.3.dylib", "win32": "libcrypto-3-x64.dll"}
_USUAL_NAME = "libcrypto.so.3"
_UTF8_STRING, _OCTET_STRING = 4, 5
_PUBLIC_KEY = 0x86
"""EVP_PKEY_PUBLIC_KEY: the public key with its parameters."""
_POINTER, _SIZE, _TEXT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p


class _Parameter(ctypes.Structure):
    """OSSL_PARAM."""

    _fields_ = (
        ("key", ctypes.c_char_p),
        ("data_type", ctypes.c_uint),
        ("data", ctypes.c_char_p),
        ("data_size", ctypes.c_size_t),
        ("return_size", ctypes.c_size_t),
    )


_FUNCTIONS: dict[str, tuple[object, tuple[object, ...]]] = {
    "OpenSSL_version_num": (ctypes.c_ulong, ()),
    "OpenSSL_version": (_TEXT, (ctypes.c_int,)),
    "ERR_set_mark": (ctypes.c_int, ()),
    "ERR_pop_to_mark": (ctypes.c_int, ()),
    "EVP_PKEY_CTX_new_from_name": (_POINTER, (_POINTER, _TEXT, _TEXT)),
    "EVP_PKEY_CTX_free": (None, (_POINTER,)),
    "EVP_PKEY_fromdata_init": (ctypes.c_int, (_POINTER,)),
    "EVP_PKEY_fromdata": (ctypes.c_int, (_POINTER, _POINTER, ctypes.c_int, _POINTER)),
    "EVP_PKEY_free": (None, (_POINTER,)),
    "EVP_MD_CTX_new": (_POINTER, ()),
    "EVP_MD_CTX_free": (None, (_POINTER,)),
    "EVP_DigestVerifyInit_ex": (
        ctypes.c_int,
        (_POINTER, _POINTER, _TEXT, _POINTER, _TEXT, _POINTER, _POINTER),
    ),
    "EVP_PKEY_CTX_set_params": (ctypes.c_int, (_POINTER, _POINTER)),
    "EVP_DigestVerify": (ctypes.c_int, (_POINTER, _TEXT, _SIZE, _TEXT, _SIZE)),
}
"""Result and arguments of every function that is called."""

# GM/T 0003.5-2012, annex A: a signature of its example key, by the default user identifier.
_KNOWN_POINT = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
_KNOWN_SIGNATURE = bytes.fromhex(
    "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)
_KNOWN_USER, _KNOWN_MESSAGE = b"1234567812345678", b"message digest"


class Sm2Key:
    """A public key on the SM2 curve, held by the library; freed with this object."""

    def __init__(self, library: ctypes.CDLL, pointer: int) -> None:
        self._library = library
        self._pointer = pointer

    def __del__(self) -> None:
        self._library.EVP_PKEY_free(self._pointer)

    def verify(self, signature: bytes, message: bytes, user: bytes) -> bool:
        """Whether `signature` (DER, strict already) over `message` is this key's, made for the
        user identifier `user` (GB/T 32918.2, 5.5) with SM3.

        Raises Unavailable `libcrypto.unfit`.
        """
        library, chosen = self._library, ctypes.c_void_p()
        parameters = _parameters((b"distid", _OCTET_STRING, user))
        library.ERR_set_mark()
        context = library.EVP_MD_CTX_new()
        try:
            if not context:
                raise MemoryError
            begun = library.EVP_DigestVerifyInit_ex(
                context, ctypes.byref(chosen), b"SM3", None, None, self._pointer, None
            )
            # OpenSSL 3.0 takes the identifier only now.
            if begun != 1 or library.EVP_PKEY_CTX_set_params(chosen, parameters) != 1:
                raise _unfit("it does not begin to verify")
            size = len(signature)
            verified = library.EVP_DigestVerify(context, signature, size, message, len(message))
        finally:
            library.EVP_MD_CTX_free(context)
            # The system's library may be Python's ssl module's, too, which reads this queue.
            library.ERR_pop_to_mark()
        return bool(verified == 1)


class _Loader:
    """The process's one library: which it is, and whether it has been loaded."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._path: str | None = None
        self._loaded: ctypes.CDLL | None = None

    def use(self, path: str | None) -> None:
        with self._lock:
            if path != self._path:
                self._path, self._loaded = path, None

    def library(self) -> ctypes.CDLL:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self._path or _NAMES.get(sys.platform, _USUAL_NAME))
            return self._loaded


_LOADER: Final = _Loader()


def use(path: str | None) -> None:
    """Take the library at `path` from now on; None: the system's, by its usual name."""
    _LOADER.use(path)


def description() -> str:
    """The library's own name and version. Raises Unavailable as `sm2_key`."""
    told: bytes = _LOADER.library().OpenSSL_version(0)
    return told.decode("utf-8", "replace")


def sm2_key(point: bytes) -> Sm2Key:
    """The public key of a point, 04 || x || y (65 octets).

    Raises Malformed `public-key.malformed` (not on the curve); Unavailable `libcrypto.missing`,
    `libcrypto.too-old`, `libcrypto.unfit`.
    """
    key = _key(_LOADER.library(), point)
    if key is None:
        raise Malformed("public-key.malformed", "the point is not on the SM2 curve")
    return key


def _load(path: str) -> ctypes.CDLL:
    """Raises Unavailable."""
    try:
        library = ctypes.CDLL(path)
    except OSError:
        raise Unavailable(
            "libcrypto.missing", "SM2 needs OpenSSL 3's libcrypto, which is not there"
        ) from None
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name, None)
        if function is None:
            raise _too_old()
        function.restype, function.argtypes = result, arguments
    if library.OpenSSL_version_num() < _LEAST_VERSION:
        raise _too_old()
    key = _key(library, _KNOWN_POINT)
    if key is None:
        raise _unfit("it was built without SM2")
    signed, user = _KNOWN_MESSAGE, _KNOWN_USER
    right = key.verify(_KNOWN_SIGNATURE, signed, user)
    wrong = key.verify(_KNOWN_SIGNATURE, signed[:-1], user) or _key(library, _off_the_curve())
    if not right or wrong:
        raise _unfit("it does not verify a known SM2 signature as the standard says")
    return library


def _key(library: ctypes.CDLL, point: bytes) -> Sm2Key | None:
    """None: the library does not take the point."""
    parameters = _parameters((b"group", _UTF8_STRING, b"SM2"), (b"pub", _OCTET_STRING, point))
    pointer = ctypes.c_void_p()
    library.ERR_set_mark()
    context = library.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
    try:
        if not context or library.EVP_PKEY_fromdata_init(context) != 1:
            raise _unfit("it was built without SM2")
        made = library.EVP_PKEY_fromdata(context, ctypes.byref(pointer), _PUBLIC_KEY, parameters)
    finally:
        library.EVP_PKEY_CTX_free(context)
        library.ERR_pop_to_mark()
    if made != 1 or pointer.value is None:
        return None
    return Sm2Key(library, pointer.value)


def _parameters(*values: tuple[bytes, int, bytes]) -> ctypes.Array[_Parameter]:
    """OSSL_PARAM[], with its end. The array keeps the octets alive."""
    made = (_Parameter * (len(values) + 1))()
    for entry, (key, kind, value) in zip(made, values, strict=False):
        entry.key, entry.data_type = key, kind
        entry.data, entry.data_size = value, len(value)
        entry.return_size = ctypes.c_size_t(-1).value
    return made


def _off_the_curve() -> bytes:
    return _KNOWN_POINT[:-1] + bytes((_KNOWN_POINT[-1] ^ 1,))


def _too_old() -> Unavailable:
    return Unavailable("libcrypto.too-old", "SM2 needs libcrypto of OpenSSL 3 or later")


def _unfit(why: str) -> Unavailable:
    return Unavailable("libcrypto.unfit", "this libcrypto cannot be used for SM2: {why}", why=why)
