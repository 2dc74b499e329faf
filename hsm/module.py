"""One PKCS#11 module, loaded once per process and safe to call from its threads."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import ClassVar

import pkcs11
from pkcs11.exceptions import PKCS11Error

from hsm.cryptoki import Cryptoki, CryptokiError
from hsm.neighbours import kept_out
from hsm.pins import WrongPins
from hsm.quirks import (
    shows_half_written_tokens,
    signs_from_copies,
    takes_one_call_at_a_time,
)
from kernel.refusals import Unavailable

_RELOAD_PAUSE_SECONDS = 5.0
_ADDRESS_VARIABLE = "P11_KIT_SERVER_ADDRESS"


@contextmanager
def _told(server_address: str | None) -> Iterator[None]:
    """p11-kit's client is told the address by a variable, when it is loaded."""
    if server_address is not None:
        os.environ[_ADDRESS_VARIABLE] = server_address
    try:
        yield
    finally:
        if server_address is not None:
            del os.environ[_ADDRESS_VARIABLE]


class Module:
    """A PKCS#11 library, initialised with operating-system locking.

    A module belongs to the process that initialised it (PKCS#11 2.40, 5.4): workers are started
    first and open their tokens afterwards. Use after a fork is refused, because most modules
    would share session state with the parent and fail at random.
    """

    _loaded: ClassVar[dict[str, "Module"]] = {}  # PKCS#11 has one state per process
    _loading: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: str, parameters: str | None = None) -> None:
        self.path = path
        self._parameters = parameters
        self._pid = os.getpid()
        self._idle = threading.Condition(threading.Lock())
        self._active = self._awaited = 0
        self._reloaded_at = -_RELOAD_PAUSE_SECONDS
        self.wrong_pins = WrongPins()
        self.generation = 0
        """Counts reloads: handles of an older generation are dead and must not be used."""
        self._shows_half_written = False
        try:
            self._cryptoki = Cryptoki(path)
            if parameters is None:
                self._lib = pkcs11.lib(path)
                self._shows_half_written = shows_half_written_tokens(self.manufacturer)
                self._is_shared = self._cryptoki.finalize_if_initialised()
                with self.alone():
                    self._cryptoki.initialize_with_locking()
            else:  # python-pkcs11 cannot give them
                self._is_shared = True
                self._cryptoki.initialize_with_locking(parameters)
                with self._cryptoki.answering_initialize():
                    self._lib = pkcs11.lib(path)
        except (OSError, PKCS11Error, CryptokiError) as error:
            raise Unavailable(
                "token.module", "the PKCS#11 module cannot be loaded or initialised", path=path
            ) from error
        self.takes_one_call = takes_one_call_at_a_time(
            self.manufacturer, through_a_server=not self._is_shared
        )
        """Whether a call waits for the one before, whoever makes it."""
        self._turn = threading.RLock() if self.takes_one_call else None
        self.signs_from_copies = signs_from_copies(self.manufacturer)

    @classmethod
    def load(
        cls, path: str, server_address: str | None = None, parameters: str | None = None
    ) -> "Module":
        """The process's module for this path. Raises Unavailable `token.module`.

        `server_address`: of the server that p11-kit's client module reaches a token through. A
        module has one address; for another server it is loaded from another copy of its file.
        `parameters`: a string that C_Initialize of this module wants (NSS softokn). Both count
        when the process loads the module for the first time.
        """
        with cls._loading:
            module = cls._loaded.get(path)
            if module is None:
                with _told(server_address):
                    module = cls._loaded[path] = cls(path, parameters)
        module.require_own_process()
        return module

    def alone(self) -> AbstractContextManager[None]:
        """No other process looks for tokens or logs in meanwhile, where that would go wrong. Does
        not nest."""
        return kept_out(self.path) if self._shows_half_written else nullcontext()

    @property
    def cryptoki(self) -> Cryptoki:
        return self._cryptoki

    @property
    def manufacturer(self) -> str:
        """Whose library it is (CK_INFO)."""
        return str(self._lib.manufacturer_id).strip()

    def require_own_process(self) -> None:
        """Raises Unavailable `token.forked` in a child of the process that loaded the module."""
        if os.getpid() != self._pid:
            raise Unavailable("token.forked", "the PKCS#11 module was loaded before a fork")

    def operation(self) -> "_Operation":
        """Keeps the module loaded while a call into it runs."""
        self.require_own_process()
        return _Operation(self)

    def begin(self) -> None:
        """Of an operation; `end` it."""
        if self._turn is not None:
            self._turn.acquire()
        with self._idle:
            self._active += 1

    def end(self) -> None:
        with self._idle:
            self._active -= 1
            if not self._active and self._awaited:
                self._idle.notify_all()
        if self._turn is not None:
            self._turn.release()

    def rediscover(self) -> bool:
        """Finalise and initialise the module again, for one that forgets a pulled token for good.

        Waits shortly until no operation runs; at most once in a few seconds. True when it was
        done: the caller may look for its token again.
        """
        with self._idle:
            if time.monotonic() - self._reloaded_at < _RELOAD_PAUSE_SECONDS:
                return False
            self._awaited += 1
            try:
                if not self._idle.wait_for(lambda: self._active == 0, timeout=2):
                    return False
            finally:
                self._awaited -= 1
            self._reloaded_at = time.monotonic()
            self.generation += 1
            try:
                with self.alone():
                    self._cryptoki.finalize_if_initialised()
                    if not self._is_shared:
                        with suppress(PKCS11Error):  # an earlier try may have got only this far
                            self._lib.finalize()
                        self._lib.initialize()
                    self._cryptoki.initialize_with_locking(self._parameters)
            except (CryptokiError, PKCS11Error):
                return False
            return True

    def tokens(self) -> list[pkcs11.Token]:
        """The tokens that are present now, initialised or not. Raises PKCS11Error."""
        found = []
        with self.alone():
            for slot in self._lib.get_slots(token_present=True):
                with suppress(PKCS11Error):
                    found.append(slot.get_token())
        return found

    def token(self, label: str, serial: str | None = None) -> pkcs11.Token:
        """Of several with one label the one with this serial number.

        Raises Unavailable `token.missing` or `token.ambiguous`.
        """
        try:
            with self.operation():
                found = [token for token in self.tokens() if token.label == label]
                if serial is not None:
                    found = [token for token in found if serial_of(token) == serial]
        except PKCS11Error as error:
            raise Unavailable("token.failed", "the token's slots cannot be read") from error
        if not found:
            raise Unavailable("token.missing", "no such token is present", token=label)
        if len(found) > 1:
            raise Unavailable("token.ambiguous", "two tokens have this label", token=label)
        return found[0]


def serial_of(token: pkcs11.Token) -> str:
    """The serial number as text (PKCS#11 2.40, 3.2: blanks fill it up)."""
    return str(token.serial.decode("ascii", "replace").strip())


class _Operation:
    """`with module.operation():`, without the cost of a generator: each signature passes here."""

    __slots__ = ("_module",)

    def __init__(self, module: Module) -> None:
        self._module = module

    def __enter__(self) -> None:
        self._module.begin()

    def __exit__(self, *_: object) -> None:
        self._module.end()
