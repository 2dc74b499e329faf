"""Where PKCS#11 libraries of tokens are usually found, on the systems that people have."""

import os
import sys
from pathlib import Path

_LINUX = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",
    "/usr/lib/aarch64-linux-gnu/opensc-pkcs11.so",
    "/usr/lib64/opensc-pkcs11.so",
)
_MACOS = ("/Library/OpenSC/lib/opensc-pkcs11.so", "/usr/local/lib/softhsm/libsofthsm2.so")
_WINDOWS = (r"OpenSC Project\OpenSC\pkcs11\opensc-pkcs11.dll", r"SoftHSM2\lib\softhsm2-x64.dll")


def known_libraries() -> tuple[str, ...]:
    """Paths on this system, there or not; the likeliest first."""
    if sys.platform == "win32":
        programs = os.environ.get("PROGRAMFILES", r"C:\Program Files")
        return tuple(str(Path(programs) / name) for name in _WINDOWS)
    return _MACOS if sys.platform == "darwin" else _LINUX


def installed_libraries() -> tuple[str, ...]:
    """Those that are there, each once."""
    return tuple(dict.fromkeys(p for p in known_libraries() if Path(p).exists()))
