"""A responder on a pool of two tokens, one in a TPM: answers until its input ends.

Argument: JSON with `modules` and `labels` of the tokens (the PINs stand in PIN_FIRST, PIN_SECOND),
the database's URL, and files with the certificates of issuer and responder. It tells, one JSON
array a line: `["serving"]`, `["told", token, code]`, `["answered"]` for each word on its input
after further answers, and at the end `["failures", ...]`.
"""

import json
import secrets
import sys
import threading
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from ca.ocsp.messages import single_request
from ca.ocsp.responder import OcspResponder
from hsm import failover
from hsm.pins import EnvironmentPin
from hsm.pool import TokenPool
from hsm.token import Token
from kernel.asn1.certificate import Certificate
from kernel.clock import SystemClock
from records.database import Database
from tests.database import load_all_tables

_AT_A_TIME = 20


def tell(*words: object) -> None:
    print(json.dumps(words), flush=True)


class Load:
    """Requests of serials that nobody asked for, from two threads; every answer is verified."""

    def __init__(self, responder: OcspResponder, issuer: Certificate, key: Any) -> None:
        self._responder, self._issuer, self._key = responder, issuer, key
        self._stop = threading.Event()
        self._more = threading.Condition()
        self.answered = 0
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(2)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def go_on(self) -> None:
        with self._more:
            wanted = self.answered + _AT_A_TIME
            assert self._more.wait_for(lambda: self.answered >= wanted, timeout=60)

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                self._ask_once()
            except Exception as failure:
                self.failures.append(repr(failure))
            with self._more:
                self.answered += 1
                self._more.notify_all()

    def _ask_once(self) -> None:
        answer = self._responder.answer(single_request(secrets.randbits(150), self._issuer))
        read = ocsp.load_der_ocsp_response(answer.der)
        assert read.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
        self._key.verify(read.signature, read.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))


def main(words: dict[str, Any]) -> None:
    failover._LONGEST_PAUSE = 0.5
    load_all_tables()
    pins = (EnvironmentPin("PIN_FIRST"), EnvironmentPin("PIN_SECOND"))
    tokens = [
        Token(module, label, pin, limit_seconds=5.0)
        for module, label, pin in zip(words["modules"], words["labels"], pins, strict=True)
    ]
    pool = TokenPool(tokens, lambda token, code: tell("told", token, code))
    issuer, own = (Certificate.parse(Path(words[n]).read_bytes()) for n in ("issuer", "responder"))
    responder = OcspResponder(
        "issuing", issuer, pool.key("ocsp"), own, Database(words["database"]), SystemClock()
    )
    key = x509.load_der_x509_certificate(own.der).public_key()
    load = Load(responder, issuer, key)
    load.start()
    load.go_on()
    tell("serving")
    for _ in sys.stdin:
        load.go_on()
        tell("answered")
    load.stop()
    tell("failures", *load.failures[:5])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
