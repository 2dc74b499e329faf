"""A running service whose journal takes nothing more: neither OCSP answers nor timestamps."""

import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import OCSPNonce, load_der_x509_certificate, ocsp

from portseal.demo.strangers import openssl_timestamp_query
from tests.portseal.service import RunningService, Twin

Status = ocsp.OCSPResponseStatus
_PREVENT = "CREATE TRIGGER unwritable BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'no'); END"


class Asking:
    """What anybody asks a service."""

    def __init__(self, origin: str, certificate: bytes) -> None:
        self._origin = origin
        issuing = requests.get(f"{origin}/certs/issuing.cer", timeout=30).content
        own, issuer = map(load_der_x509_certificate, (certificate, issuing))
        self._builder = ocsp.OCSPRequestBuilder().add_certificate(own, issuer, SHA1())
        self._query = openssl_timestamp_query(Path(__file__))

    def kept(self) -> Status:
        """Of an answer that is kept."""
        return self._ask_ocsp(self._builder)

    def fresh(self) -> Status:
        """Of an answer that must be signed: it has another nonce each time."""
        nonce = OCSPNonce(time.monotonic_ns().to_bytes(16, "big"))
        return self._ask_ocsp(self._builder.add_extension(nonce, critical=False))

    def timestamp(self) -> str:
        """As `openssl ts -reply -text` tells it."""
        body = self._post("tsa", "application/timestamp-query", self._query)
        return subprocess.run(
            ["openssl", "ts", "-reply", "-in", "/dev/stdin", "-text"],
            input=body,
            check=True,
            capture_output=True,
        ).stdout.decode()

    def _ask_ocsp(self, request: ocsp.OCSPRequestBuilder) -> Status:
        encoded = request.build().public_bytes(Encoding.DER)
        body = self._post("ocsp", "application/ocsp-request", encoded)
        return ocsp.load_der_ocsp_response(body).response_status

    def _post(self, path: str, kind: str, body: bytes) -> bytes:
        headers = {"Content-Type": kind}
        answer = requests.post(f"{self._origin}/{path}", body, headers=headers, timeout=30)
        assert answer.status_code == 200
        return answer.content


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.long
def test_without_its_journal_a_service_signs_no_answers_and_no_timestamps_and_gives_what_it_kept(
    twin: Twin, service: RunningService
) -> None:
    twin.serve(PORTSEAL_JOURNAL__KEY_USE_SECONDS="1")
    asking = Asking(twin.origin, service.stage.cards["operator"].certificate.der)
    assert asking.kept() is asking.fresh() is Status.SUCCESSFUL
    assert "Status: Granted" in asking.timestamp()
    journal = sqlite3.connect(twin.database_file, isolation_level=None)
    journal.execute(_PREVENT)
    wait_until(lambda: asking.fresh() is Status.TRY_LATER)
    wait_until(lambda: "Status: Rejected" in asking.timestamp())
    assert "due to system failure" in asking.timestamp()
    assert asking.fresh() is Status.TRY_LATER
    assert asking.kept() is Status.SUCCESSFUL
    journal.execute("DROP TRIGGER unwritable")
    wait_until(lambda: asking.fresh() is Status.SUCCESSFUL)
    wait_until(lambda: "Status: Granted" in asking.timestamp())
    query = "SELECT DISTINCT subject FROM journal WHERE event = 'key.used' ORDER BY subject"
    wait_until(lambda: journal.execute(query).fetchall() == [("ocsp issuing",), ("timestamps",)])
    journal.close()
    verdict = twin.site.run_json("journal", "verify")
    assert verdict["journal"] == "intact"
