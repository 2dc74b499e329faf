"""Sign-in by TLS client certificate through a real nginx, set up by docs/nginx/portseal.conf."""

import os
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from requests.adapters import HTTPAdapter

from hsm.token_key import TokenKey
from portseal.sandbox.ports import free_port
from records.database import Database
from signing_service.sso.platform import SELF_SIGNED_TLS, PlatformTerms
from signing_service.sso.services import SsoServices
from tests.servers.certificates import key_pem, own_certificate, pem_of
from tests.servers.nginx import running_nginx
from tests.signing_service.sso.cards import Card, CardAuthority, Registry
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.flow import registered
from tests.signing_service.sso.served import served
from tests.software_keys import SoftwareKey
from tests.token import TokenBench

PROXY, SECRET = "127.0.0.2", "5e" * 32  # the same in each process of a test run


@dataclass
class Site:
    """PortSeal behind nginx."""

    services: SsoServices
    portal: str
    certificates: str
    behind: str
    trust: Path

    def sign_in(self, browser: requests.Session, **options: object) -> requests.Response:
        """Open the sign-in page and send its form for certificates."""
        page = browser.get(f"{self.portal}/sso/sign-in", verify=str(self.trust), timeout=20)
        return browser.post(
            f"{self.certificates}/sso/certificate",
            data={"nonce": nonce_of(page.text), "next": "/sso/session"},
            headers={"Origin": self.portal},
            verify=str(self.trust),
            allow_redirects=False,
            timeout=20,
            **options,  # type: ignore[arg-type]
        )

    def who(self, browser: requests.Session) -> dict[str, object]:
        address = f"{self.portal}/sso/session"
        told: dict[str, object] = browser.get(address, verify=str(self.trust), timeout=20).json()
        return told


def nonce_of(page: str) -> str:
    found = re.search(r'name="nonce" value="([^"]*)"', page)
    assert found is not None
    return found[1]


@pytest.fixture
def site(
    database: Database,
    make_services: Callable[..., SsoServices],
    card_authority: CardAuthority,
    tmp_path: Path,
) -> Iterator[Site]:
    portal, asking, status = free_port(), free_port(), free_port()
    made: list[SsoServices] = []
    own = f"https://localhost:{portal}"

    def make(_origin: str) -> Flask:
        made.append(
            make_services(
                database,
                origin=own,
                certificate_origin=f"https://localhost:{asking}",
                certificate_proxies=frozenset({PROXY}),
                proxy_secret=SECRET,
            )
        )
        return application(made[0])

    server, key = own_certificate("localhost")
    trust = tmp_path / "server.pem"
    trust.write_bytes(server)
    files = {
        "server.pem": server,
        "server.key": key,
        "client-authorities.pem": pem_of(card_authority.certificate.der),
        "trusted-roots.pem": pem_of(card_authority.certificate.der),
        "proxy-secret.conf": f'proxy_set_header X-PortSeal-Proxy "{SECRET}";\n'.encode(),
    }
    with served(make) as behind:
        changes = {
            "listen 443 ssl": f"listen 127.0.0.1:{portal} ssl",
            "listen 8443 ssl": f"listen 127.0.0.1:{asking} ssl",
            "listen 80;": f"listen 127.0.0.1:{status};",
            "http://127.0.0.1:8080": behind,
            "id.example": "localhost",
        }
        with running_nginx(changes, files, asking):
            yield Site(made[0], own, f"https://localhost:{asking}", behind, trust)


@pytest.fixture
def software_card(
    card_authority: CardAuthority, registry: Registry, tmp_path: Path
) -> tuple[str, str]:
    """Certificate and key of a card in files, for Python's own TLS."""
    key = SoftwareKey.generate()
    certificate = card_authority.issue(key, "Operator Zhao")
    registry.register(certificate, "card-9", "赵六")
    paths = tmp_path / "card.pem", tmp_path / "card.key"
    paths[0].write_bytes(pem_of(certificate.der))
    assert isinstance(key.private_key, ec.EllipticCurvePrivateKey)
    paths[1].write_bytes(key_pem(key.private_key))
    return str(paths[0]), str(paths[1])


def test_a_certificate_signs_in_and_signing_out_holds_though_the_browser_still_has_it(
    site: Site, software_card: tuple[str, str]
) -> None:
    browser = requests.Session()
    done = site.sign_in(browser, cert=software_card)
    assert (done.status_code, done.headers["Location"]) == (
        303,
        f"{site.portal}/sso/arrived?next=%2Fsso%2Fsession",
    )
    assert site.who(browser)["name"] == "赵六"
    out = browser.delete(
        f"{site.portal}/api/v1/sign-in",
        headers={"Origin": site.portal},
        verify=str(site.trust),
        timeout=20,
    )
    assert out.status_code == 204
    # The browser goes on presenting the certificate; without a new challenge of our page, nobody.
    again = browser.post(
        f"{site.certificates}/sso/certificate",
        data={"next": "/"},
        headers={"Origin": site.portal},
        cert=software_card,
        verify=str(site.trust),
        timeout=20,
    )
    assert again.json()["code"] == "signin.challenge-missing"
    assert not site.who(browser)["signed_in"]


def test_without_a_certificate_or_with_a_strangers_nobody_signs_in(
    site: Site, tmp_path: Path
) -> None:
    browser = requests.Session()
    assert site.sign_in(browser).json()["code"] == "signin.no-certificate"
    stranger, key = own_certificate("stranger")
    (tmp_path / "s.pem").write_bytes(stranger)
    (tmp_path / "s.key").write_bytes(key)
    refused = site.sign_in(browser, cert=(str(tmp_path / "s.pem"), str(tmp_path / "s.key")))
    assert refused.json()["code"].startswith("signin.")
    assert not site.who(browser)["signed_in"]


def test_a_forged_header_reaches_nothing_through_nginx_or_past_it(
    site: Site, software_card: tuple[str, str]
) -> None:
    forged = {
        "X-Client-Certificate": quote(Path(software_card[0]).read_text()),
        "X-Client-Verify": "SUCCESS",
        "X-PortSeal-Proxy": SECRET,
        "X-Forwarded-For": "127.0.0.2",
        "Origin": site.portal,
    }
    browser = requests.Session()
    for base in (site.certificates, site.portal, site.behind):
        page = browser.get(f"{site.portal}/sso/sign-in", verify=str(site.trust), timeout=20)
        form = {"nonce": nonce_of(page.text), "next": "/"}
        cookies = {each.name: each.value or "" for each in browser.cookies}
        refused = requests.post(
            f"{base}/sso/certificate",
            data=form,
            headers=forged,
            cookies=cookies,
            verify=str(site.trust),
            timeout=20,
        )
        assert refused.json()["code"] == "signin.no-certificate", base


class FromProxysAddress(HTTPAdapter):
    """Any process of the machine may bind it."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, source_address=(PROXY, 0), **options)


@pytest.mark.parametrize(
    ("secret", "code"),
    [(None, "signin.no-certificate"), ("0" * 64, "signin.no-certificate"), (SECRET, None)],
)
def test_who_takes_the_proxys_address_needs_its_secret_as_well(
    site: Site, software_card: tuple[str, str], secret: str | None, code: str | None
) -> None:
    browser = requests.Session()
    page = browser.get(f"{site.portal}/sso/sign-in", verify=str(site.trust), timeout=20)
    headers = {
        "X-Client-Certificate": quote(Path(software_card[0]).read_text()),
        "X-Client-Verify": "SUCCESS",
        "Origin": site.portal,
    }
    if secret is not None:
        headers["X-PortSeal-Proxy"] = secret
    neighbour = requests.Session()
    neighbour.mount("http://", FromProxysAddress())
    answer = neighbour.post(
        f"{site.behind}/sso/certificate",
        data={"nonce": nonce_of(page.text), "next": "/"},
        headers=headers,
        cookies={each.name: each.value or "" for each in browser.cookies},
        allow_redirects=False,
        timeout=20,
    )
    if code is None:
        assert answer.status_code == 303
    else:
        assert answer.json()["code"] == code


def test_the_port_that_asks_for_certificates_serves_nothing_else(
    site: Site, software_card: tuple[str, str]
) -> None:
    for path in ("/", "/sso/sign-in", "/sso/session", "/oidc/authorize", "/admin/platforms"):
        answer = requests.get(
            site.certificates + path, cert=software_card, verify=str(site.trust), timeout=20
        )
        assert answer.status_code == 404, path


@pytest.mark.parametrize(
    "path", ["oauth2/token", "info", "credentials/getChallenge", "signatures/signHash"]
)
def test_platforms_reach_remote_signing_at_the_port_that_asks_for_certificates(
    site: Site, path: str
) -> None:
    """The service behind this proxy has no remote signing, and says so itself."""
    address = f"{site.certificates}/csc/v2/{path}"
    answer = requests.post(address, json={}, verify=str(site.trust), timeout=20)
    assert (answer.status_code, "<center>nginx" in answer.text) == (404, False)
    page = requests.get(
        f"{site.certificates}/csc/v2/oauth2/authorize", verify=str(site.trust), timeout=20
    )
    assert (page.status_code, "<center>nginx" in page.text) == (404, True)


@pytest.mark.parametrize(
    ("path", "megabytes", "line"),
    [
        ("/api/v1/verifications", 2048, b"HTTP/1.1 100 Continue"),
        ("/api/v1/documents", 1024, b"HTTP/1.1 100 Continue"),
        ("/api/v1/verifications", 2050, b"HTTP/1.1 413 Request Entity Too Large"),
        ("/api/v1/signatures", 131, b"HTTP/1.1 413 Request Entity Too Large"),
    ],
)
def test_large_documents_pass_where_the_service_takes_them(
    site: Site, path: str, megabytes: int, line: bytes
) -> None:
    at = urlsplit(site.portal)
    context = ssl.create_default_context(cafile=str(site.trust))
    with (
        socket.create_connection((at.hostname, at.port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=at.hostname) as connection,
    ):
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: {at.netloc}\r\nExpect: 100-continue\r\n"
            f"Content-Length: {megabytes << 20}\r\n\r\n".encode()
        )
        assert connection.makefile("rb").readline().rstrip() == line


def test_few_names_of_authorities_are_sent_and_no_session_is_resumed(site: Site) -> None:
    port = site.certificates.rpartition(":")[2]
    told = subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{port}", "-CAfile", str(site.trust),
         "-reconnect", "-tls1_2"],
        input="", capture_output=True, text=True, timeout=60, check=False,
    ).stdout  # fmt: skip
    names = told.partition("Acceptable client certificate CA names\n")[2]
    first, second = names.splitlines()[:2]
    assert "Card CA" in first
    assert second.startswith("Client Certificate Types"), "one name alone"
    assert "Reused," not in told


def test_a_platform_calls_with_its_own_certificate(site: Site, tmp_path: Path) -> None:
    certificate, key = own_certificate("platform.example")
    (tmp_path / "p.pem").write_bytes(certificate)
    (tmp_path / "p.key").write_bytes(key)
    print_ = x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256()).hex()
    terms = PlatformTerms(auth_method=SELF_SIGNED_TLS, tls_thumbprint=print_)
    client_id = registered(site.services, terms=terms).platform.client_id
    told = requests.get(
        f"{site.portal}/.well-known/openid-configuration", verify=str(site.trust), timeout=20
    ).json()
    endpoint = told["mtls_endpoint_aliases"]["introspection_endpoint"]
    form = {"client_id": client_id, "token": "x"}

    def status(address: str, cert: tuple[str, str] | None) -> int:
        return requests.post(
            address, data=form, cert=cert, verify=str(site.trust), timeout=20
        ).status_code

    pair = (str(tmp_path / "p.pem"), str(tmp_path / "p.key"))
    assert status(endpoint, pair) == 200
    assert status(endpoint, None) == 401
    assert status(told["introspection_endpoint"], pair) == 401


def test_curl_signs_in_with_the_key_of_a_token(
    site: Site,
    card: Card,
    card_key: TokenKey,
    token_bench: TokenBench,
    tmp_path: Path,
) -> None:
    """The private key stays in SoftHSM2; OpenSSL's pkcs11 engine has it sign the handshake."""
    certificate = tmp_path / "card.pem"
    certificate.write_bytes(pem_of(card.certificate.der))
    pin = tmp_path / "pin"
    pin.touch(mode=0o600)
    pin.write_text(os.environ[token_bench.pin_variable("sso-card")])
    browser = requests.Session()
    page = browser.get(f"{site.portal}/sso/sign-in", verify=str(site.trust), timeout=20)
    cookies = "; ".join(f"{each.name}={each.value}" for each in browser.cookies)
    key = f"pkcs11:token=sso-card;object={card_key.uri.object};type=private;pin-source=file:{pin}"
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--include", "--cacert", str(site.trust),
         "--engine", "pkcs11", "--key-type", "ENG", "--key", key, "--cert", str(certificate),
         "--header", f"Origin: {site.portal}", "--cookie", cookies,
         "--data-urlencode", f"nonce={nonce_of(page.text)}", "--data", "next=/",
         f"{site.certificates}/sso/certificate"],
        env={**os.environ, "PKCS11_MODULE_PATH": token_bench.module},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert " 303 " in done.stdout.splitlines()[0], done.stdout + done.stderr
    assert "__Host-portseal-session=" in done.stdout
