"""The status host behind a real nginx, as docs/nginx/portseal.conf sets it up."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from portseal.sandbox.ports import free_port
from tests.ca.openssl import openssl
from tests.portseal.service import RunningService
from tests.servers.certificates import own_certificate
from tests.servers.nginx import running_nginx


@pytest.fixture(scope="module")
def status(service: RunningService) -> Iterator[str]:
    """Where nginx serves the status host of the running service."""
    ports = [free_port() for _ in range(3)]
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{ports[0]} ssl",
        "listen 8443 ssl": f"listen 127.0.0.1:{ports[1]} ssl",
        "listen 80;": f"listen 127.0.0.1:{ports[2]};",
        "http://127.0.0.1:8080": service.origin,
    }
    certificate, key = own_certificate("id.example")
    files = {
        "server.pem": certificate,
        "server.key": key,
        "client-authorities.pem": certificate,
        "trusted-roots.pem": certificate,
        "proxy-secret.conf": b"",
    }
    with running_nginx(changes, files, ports[2]):
        yield f"http://127.0.0.1:{ports[2]}"


def fetched(address: str) -> bytes:
    answer = requests.get(address, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.fixture(scope="module")
def issuer(status: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(fetched(f"{status}/certs/issuing.cer"))


def pem_file(path: Path, *certificates: x509.Certificate) -> Path:
    pem = serialization.Encoding.PEM
    path.write_bytes(b"".join(each.public_bytes(pem) for each in certificates))
    return path


def test_openssl_asks_for_status_through_it(
    status: str, issuer: x509.Certificate, service: RunningService, tmp_path: Path
) -> None:
    root = x509.load_der_x509_certificate(fetched(f"{status}/certs/root.cer"))
    card = x509.load_der_x509_certificate(service.stage.cards["operator"].certificate.der)
    told = openssl(
        "ocsp", "-url", f"{status}/ocsp", "-issuer", pem_file(tmp_path / "issuer", issuer),
        "-cert", pem_file(tmp_path / "card", card),
        "-CAfile", pem_file(tmp_path / "chain", root, issuer),
    )  # fmt: skip
    assert "Response verify OK" in told
    assert f"{tmp_path / 'card'}: good" in told


def test_a_request_in_the_path_arrives_with_its_slashes(
    status: str, issuer: x509.Certificate, service: RunningService
) -> None:
    card = x509.load_der_x509_certificate(service.stage.cards["operator"].certificate.der)
    path = ""
    while "//" not in path:
        nonce = x509.OCSPNonce(os.urandom(32))
        request = ocsp.OCSPRequestBuilder().add_certificate(card, issuer, hashes.SHA1())
        der = request.add_extension(nonce, critical=False).build()
        path = base64.b64encode(der.public_bytes(serialization.Encoding.DER)).decode()
    answer = ocsp.load_der_ocsp_response(fetched(f"{status}/ocsp/{path}"))
    assert answer.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
    assert answer.serial_number == card.serial_number


def test_lists_timestamps_and_the_practice_statement_are_there(
    status: str, issuer: x509.Certificate, tmp_path: Path
) -> None:
    crl = x509.load_der_x509_crl(fetched(f"{status}/crl/issuing.crl"))
    assert crl.issuer == issuer.subject
    openssl("ts", "-query", "-data", Path(__file__), "-sha256", "-cert", "-out", tmp_path / "asked")
    stamped = requests.post(
        f"{status}/tsa",
        data=(tmp_path / "asked").read_bytes(),
        headers={"Content-Type": "application/timestamp-query"},
        timeout=20,
    )
    (tmp_path / "answer").write_bytes(stamped.content)
    assert "Granted" in openssl("ts", "-reply", "-in", tmp_path / "answer", "-text")
    assert "4.9.7" in fetched(f"{status}/cps").decode()
    assert fetched(f"{status}/cps/en.md")


@pytest.mark.parametrize("path", ["/", "/sso/sign-in", "/api/v1/cards", "/ocspx", "/health/live"])
def test_nothing_else_is_served_over_plain_http(status: str, path: str) -> None:
    assert requests.get(status + path, timeout=20).status_code == 404
