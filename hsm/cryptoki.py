"""The few Cryptoki calls that python-pkcs11 does not make, through ctypes.

python-pkcs11 calls C_Initialize(NULL), which promises the module that the application uses one
thread, yet releases the GIL in every call: two threads then crash SoftHSM2. Here the module is
initialised with CKF_OS_LOCKING_OK (PKCS#11 2.40, 5.4). Tokens are also initialised and their
PINs set here, because python-pkcs11 cannot; the PIN stays in memory and in no argument list.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_ubyte, c_ulong, c_void_p

CKF_OS_LOCKING_OK = 0x2
CKF_RW_SESSION = 0x2
CKF_SERIAL_SESSION = 0x4
CKU_SO = 0
CKU_USER = 1
CKR_OK = 0x0
CKR_CRYPTOKI_NOT_INITIALIZED = 0x190

# Positions in CK_FUNCTION_LIST (PKCS#11 2.40, pkcs11f.h), in the order of the header.
_INITIALIZE, _FINALIZE, _INIT_TOKEN, _INIT_PIN, _SET_PIN = 0, 1, 9, 10, 11
_OPEN_SESSION, _CLOSE_SESSION, _LOGIN, _LOGOUT = 12, 13, 18, 19
_FUNCTIONS = 68


class _Structure(ctypes.Structure):
    """On Windows Cryptoki's structures are packed to one octet (PKCS#11 2.40, 2.1)."""

    if sys.platform == "win32":
        _pack_ = 1


class _InitializeArgs(_Structure):
    _fields_ = [
        ("create_mutex", c_void_p),
        ("destroy_mutex", c_void_p),
        ("lock_mutex", c_void_p),
        ("unlock_mutex", c_void_p),
        ("flags", c_ulong),
        ("reserved", c_void_p),
    ]


class _FunctionList(_Structure):
    _fields_ = [
        ("version", c_ubyte * 2),
        ("functions", c_void_p * _FUNCTIONS),
    ]


class CryptokiError(Exception):
    """A Cryptoki function answered something else than CKR_OK."""

    def __init__(self, function: str, value: int) -> None:
        super().__init__(f"{function} returned 0x{value:08X}")
        self.function = function
        self.value = value


class Cryptoki:
    """A loaded module's function list. Loading the same path again gives the same module."""

    def __init__(self, path: str) -> None:
        """Raises OSError when the file is not a loadable PKCS#11 module."""
        library = ctypes.CDLL(path)
        pointer = POINTER(_FunctionList)()
        try:
            get_list = library.C_GetFunctionList
        except AttributeError:
            raise OSError("the library has no C_GetFunctionList") from None
        self._check("C_GetFunctionList", get_list(byref(pointer)))
        self._list = pointer.contents
        self._library = library

    def initialize_with_locking(self, parameters: str | None = None) -> None:
        """C_Initialize with CKF_OS_LOCKING_OK. `parameters`: what NSS wants in pReserved.

        Raises CryptokiError.
        """
        arguments = _InitializeArgs(flags=CKF_OS_LOCKING_OK)
        if parameters is not None:
            self._parameters = c_char_p(parameters.encode())  # lives as long as the module
            arguments.reserved = ctypes.cast(self._parameters, c_void_p)
        self._call("C_Initialize", _INITIALIZE, byref(arguments))

    @contextmanager
    def answering_initialize(self) -> Iterator[None]:
        """C_Initialize says OK and does nothing, for a caller that cannot give its parameters:
        the entry of the module's function list is exchanged until the end of the block."""
        own = self._list.functions[_INITIALIZE]
        nothing = ctypes.CFUNCTYPE(c_ulong, c_void_p)(lambda arguments: CKR_OK)
        self._list.functions[_INITIALIZE] = ctypes.cast(nothing, c_void_p)
        try:
            yield
        finally:
            self._list.functions[_INITIALIZE] = own

    def finalize(self) -> None:
        self._call("C_Finalize", _FINALIZE, None)

    def finalize_if_initialised(self) -> bool:
        """False: it was not. A module that reaches a server (p11-kit's client) gives each caller
        a connection of its own, and python-pkcs11's is not ours. Raises CryptokiError."""
        try:
            self.finalize()
        except CryptokiError as error:
            if error.value != CKR_CRYPTOKI_NOT_INITIALIZED:
                raise
            return False
        return True

    def init_token(self, slot: int, so_pin: str, label: str) -> None:
        """C_InitToken: erases whatever the slot's token held."""
        padded = label.encode().ljust(32)
        if len(padded) > 32:
            raise ValueError("a token label has at most 32 octets")
        pin = so_pin.encode()
        self._call(
            "C_InitToken", _INIT_TOKEN, c_ulong(slot), c_char_p(pin), c_ulong(len(pin)),
            c_char_p(padded),
        )  # fmt: skip

    def init_pin(self, slot: int, so_pin: str, pin: str) -> None:
        """Log in as the security officer and set the user's PIN (C_InitPIN)."""
        session = self._open(slot)
        try:
            self._login(session, CKU_SO, so_pin)
            try:
                value = pin.encode()
                self._call("C_InitPIN", _INIT_PIN, session, c_char_p(value), c_ulong(len(value)))
            finally:
                self._call("C_Logout", _LOGOUT, session)
        finally:
            self._call("C_CloseSession", _CLOSE_SESSION, session)

    @contextmanager
    def security_officer(self, slot: int, so_pin: str) -> Iterator[None]:
        """Logged in as the security officer, the whole process at this token, until the end."""
        session = self._open(slot)
        try:
            self._login(session, CKU_SO, so_pin)
            try:
                yield
            finally:
                self._call("C_Logout", _LOGOUT, session)
        finally:
            self._call("C_CloseSession", _CLOSE_SESSION, session)

    def set_pin(self, slot: int, old: str, new: str) -> None:
        """Change the user's PIN (C_SetPIN in the user's session): logging in proves the old one.
        In a public session tpm2-pkcs11 says that it is changed whatever the old one was."""
        self._change_pin(slot, CKU_USER, old, new)

    def set_so_pin(self, slot: int, old: str, new: str) -> None:
        """Change the security officer's PIN (C_SetPIN in an officer's session)."""
        self._change_pin(slot, CKU_SO, old, new)

    def _change_pin(self, slot: int, user: int, old: str, new: str) -> None:
        session = self._open(slot)
        try:
            self._login(session, user, old)
            before, after = old.encode(), new.encode()
            try:
                self._call(
                    "C_SetPIN", _SET_PIN, session, c_char_p(before), c_ulong(len(before)),
                    c_char_p(after), c_ulong(len(after)),
                )  # fmt: skip
            finally:
                self._call("C_Logout", _LOGOUT, session)
        finally:
            self._call("C_CloseSession", _CLOSE_SESSION, session)

    def _open(self, slot: int) -> c_ulong:
        session = c_ulong()
        flags = CKF_SERIAL_SESSION | CKF_RW_SESSION
        self._call(
            "C_OpenSession", _OPEN_SESSION, c_ulong(slot), c_ulong(flags), None, None,
            byref(session),
        )  # fmt: skip
        return session

    def _login(self, session: c_ulong, user: int, pin: str) -> None:
        value = pin.encode()
        self._call("C_Login", _LOGIN, session, c_ulong(user), c_char_p(value), c_ulong(len(value)))

    def _call(self, name: str, position: int, *arguments: object) -> None:
        address = self._list.functions[position]
        if not address:
            raise CryptokiError(name, 0x54)  # CKR_FUNCTION_NOT_SUPPORTED
        prototype = ctypes.CFUNCTYPE(c_ulong, *(_argument_type(a) for a in arguments))
        self._check(name, prototype(address)(*arguments))

    @staticmethod
    def _check(name: str, value: int) -> None:
        if value != CKR_OK:
            raise CryptokiError(name, value)


def _argument_type(argument: object) -> type[c_ulong] | type[c_void_p] | type[c_char_p]:
    if isinstance(argument, c_ulong):
        return c_ulong
    return c_char_p if isinstance(argument, c_char_p) else c_void_p
