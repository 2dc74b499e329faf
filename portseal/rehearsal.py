"""A ceremony's rehearsal: throwaway SoftHSM2 tokens, throwaway records, the same steps."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hsm.admin import initialise_token
from kernel.refusals import Unavailable
from policies.ceremony_plan import CeremonyPlan
from portseal.settings import DatabaseSettings, Settings, TokenSettings, WebSettings
from portseal.settings.signing import TimestampSettings

_SOFTHSM = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
)


@contextmanager
def rehearsal(plan: CeremonyPlan) -> Iterator[Settings]:
    """Settings for it. Everything is below one temporary directory, which is removed.

    A token whose PINs the plan splits is left blank, for the ceremony to initialise.
    Raises Unavailable `rehearsal.no-softhsm`.
    """
    module = next((path for path in _SOFTHSM if Path(path).exists()), None)
    if module is None:
        raise Unavailable("rehearsal.no-softhsm", "a rehearsal needs SoftHSM2")
    with tempfile.TemporaryDirectory(prefix="portseal-rehearsal-") as name:
        directory = Path(name)
        (directory / "tokens").mkdir()
        configuration = directory / "softhsm2.conf"
        configuration.write_text(
            f"directories.tokendir = {directory / 'tokens'}\nlog.level = ERROR\n"
        )
        os.environ["SOFTHSM2_CONF"] = str(configuration)
        yield Settings(
            data_directory=directory,
            web=WebSettings(secret_key=secrets.token_hex(32)),
            database=DatabaseSettings(url=f"sqlite:///{directory / 'rehearsal.db'}"),
            # Nobody relies on its times, and a machine for ceremonies may have no NTP.
            timestamp=TimestampSettings(require_synchronised_clock=False),
            token=_token(plan, "issuing", module, directory),
            root_token=_token(plan, "root", module, directory),
        )


def _token(plan: CeremonyPlan, name: str, module: str, directory: Path) -> TokenSettings:
    file, label = directory / f"{name}.pin", f"rehearsal-{name}"
    if plan.custody_of(f"{name}-token") is None:
        pin = secrets.token_hex(16)
        file.touch(mode=0o600)
        file.write_text(pin)
        initialise_token(module, label, secrets.token_hex(16), pin)
    elif name == "root":
        return TokenSettings(module=module, label=label, custodians=True)
    return TokenSettings(module=module, label=label, pin_file=file)
