"""SM2-with-SM3 verified through the binding; libcrypto alone beside it, and P-256."""

import secrets
import subprocess
from math import ceil

from kernel.algorithms import SM2_SM3
from tests.bench.site import Site
from tests.bench.timing import Pace, Row, best, repeating
from tests.sm2_keys import Sm2SoftwareKey

_LIMIT = "SM2 verifications of libcrypto (openssl speed)"
_PEER = "P-256 verifications of pyca"


def verification(site: Site, pace: Pace) -> list[Row]:
    key, message = Sm2SoftwareKey.generate(), secrets.token_bytes(200)
    signature, public = key.sign(message), key.public_key
    assert public.verify(SM2_SM3, signature, message)
    rates = best(
        {
            "ours": repeating(lambda: public.verify(SM2_SM3, signature, message)),
            "limit": _openssl_speed,
            "peer": repeating(site.raw_verification()),
        },
        pace,
    )
    return [Row("sm2.verify", rates["ours"], rates["limit"], _LIMIT, rates["peer"], _PEER)]


def _openssl_speed(seconds: float) -> float:
    command = ["openssl", "speed", "-mr", "-elapsed", "-seconds", str(ceil(seconds)), "sm2"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = next(line for line in told.splitlines() if "CurveSM2" in line)
    return float(line.split(":")[-1])
