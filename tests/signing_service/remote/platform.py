"""A platform that uses the CSC API, and the legal person's browser that agrees."""

import base64
import hashlib
import html
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from kernel.identifiers import uscc_check_character
from portseal.demo.licence import licence_png
from portseal.demo.people import ENTERPRISE
from portseal.demo.people_steps import make_card
from portseal.demo.signin_steps import register_platform
from portseal.holder.service import Service
from tests.portseal.service import RunningService

CALLBACK = "https://platform.example/callback"
SHA256 = "2.16.840.1.101.3.4.2.1"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
AUTHORIZE = "/csc/v2/oauth2/authorize"


def text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def digest(data: bytes) -> str:
    return text(hashlib.sha256(data).digest())


def new_seal(service: RunningService, name: str, label: str = "legal-person") -> str:
    """Asked for by the legal person, approved by an officer; its number."""
    refuse_waiting_seals(service)
    asked = service.stage.signed_in(label).call("POST", "/api/v1/seals", {"name": name})
    officer = service.stage.signed_in("approver")
    path = f"/api/v1/seals/{asked['number']}/approval"
    assert officer.call("POST", path, {})["state"] == "active"
    return str(asked["number"])


def refuse_waiting_seals(service: RunningService) -> None:
    """What other tests asked for and nobody approved, so that there is room for ours."""
    officer = service.stage.signed_in("approver")
    for seal in officer.call("GET", "/api/v1/seals")["seals"]:
        if seal["state"] == "requested":
            officer.call("POST", f"/api/v1/seals/{seal['number']}/refusal", {})


def registered_platform(service: RunningService, client_id: str) -> "RemotePlatform":
    made = register_platform(
        service.stage, f"平台 {client_id}", "--client-id", client_id,
        "--redirect-uri", CALLBACK, "--remote-signing",
    )  # fmt: skip
    return RemotePlatform(service.origin, client_id, made["client_secret"])


@dataclass
class RemotePlatform:
    """Its own server: requests to the service, with its secret."""

    origin: str
    client_id: str
    secret: str

    def question(self, verifier: str, **asked: str | None) -> str:
        """The address that the legal person's browser is sent to."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": "service",
            "state": "s-1",
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **asked,
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return f"{AUTHORIZE}?{urlencode(given)}"

    def redeem(self, code: str, verifier: str, **changes: str) -> requests.Response:
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": verifier,
            "client_id": self.client_id,
            "client_secret": self.secret,
            **changes,
        }
        return requests.post(f"{self.origin}/csc/v2/oauth2/token", data=body, timeout=30)

    def granted(self, browser: Service, **asked: str) -> dict[str, Any]:
        """The token answer after the legal person agreed."""
        verifier = secrets.token_urlsafe(48)
        answer = agree(browser, self.question(verifier, **asked))
        assert "code" in answer, answer
        assert answer["state"] == "s-1"
        response = self.redeem(answer["code"], verifier)
        assert response.status_code == 200, response.text
        token: dict[str, Any] = response.json()
        return token

    def service_token(self, browser: Service) -> str:
        return str(self.granted(browser)["access_token"])

    def activation(self, browser: Service, seal: str, *hashes: str) -> str:
        """A SAD over base64 digests."""
        urlsafe = [each.replace("+", "-").replace("/", "_").rstrip("=") for each in hashes]
        token = self.granted(
            browser,
            scope="credential",
            credentialID=seal,
            numSignatures=str(len(hashes)),
            hashes=",".join(urlsafe),
            hashAlgorithmOID=SHA256,
        )
        assert token["token_type"] == "SAD"
        return str(token["access_token"])

    def post(self, path: str, token: str | None, body: object) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return requests.post(f"{self.origin}/csc/v2/{path}", json=body, headers=headers, timeout=30)

    def sign_hash(
        self, token: str, seal: str, sad: str | None, *hashes: str, **changes: object
    ) -> requests.Response:
        body = {
            "credentialID": seal,
            "SAD": sad,
            "hashes": list(hashes),
            "hashAlgorithmOID": SHA256,
            "signAlgo": ECDSA_SHA256,
            **changes,
        }
        given = {name: value for name, value in body.items() if value is not None}
        return self.post("signatures/signHash", token, given)


def agree(browser: Service, address: str, decision: str = "allow") -> dict[str, str]:
    """The browser follows to the question and answers it; what the platform is told."""
    page = browser.fetch("GET", address, headers={"Accept": "text/html"})
    if page.is_redirect:
        return _told(page.headers["Location"])
    form = re.search(r'<form method="post" action="([^"]*oauth2/authorize[^"]*)"', page.text)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert form is not None, page.text
    assert token is not None
    done = browser.fetch(
        "POST",
        html.unescape(form[1]),
        data={"csrf_token": token[1], "decision": decision},
        headers={"Accept": "text/html"},
    )
    onward = re.search(r'<a id="continue"[^>]* href="([^"]*)"', done.text)
    assert onward is not None, done.text
    return _told(html.unescape(onward[1]))


def _told(address: str) -> dict[str, str]:
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == CALLBACK, address
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


def refusal(response: requests.Response) -> tuple[int, str, str]:
    """Status, the standard's code and ours."""
    told = response.json()
    assert set(told) == {"error", "error_description", "error_uri"}
    return response.status_code, told["error"], told["error_uri"].rpartition(":")[2]


def card_proof(
    service: RunningService,
    platform: RemotePlatform,
    token: str,
    seal: str,
    hashes: list[str],
    label: str = "legal-person",
) -> list[dict[str, str]]:
    """`authData`: a challenge of the service, and the card's signature over what it is for."""
    answer = platform.post("credentials/getChallenge", token, {"credentialID": seal})
    assert answer.status_code == 200, answer.text
    challenge = str(answer.json()["challenge"])
    lines = [
        "PortSeal seal authorisation 1",
        platform.origin,
        platform.client_id,
        seal,
        challenge,
        SHA256,
        *hashes,
    ]
    value = service.stage.cards[label].key.sign(("\n".join(lines) + "\n").encode())
    return [{"id": "challenge", "value": challenge}, {"id": "card", "value": text(value)}]


def new_enterprise(service: RunningService, label: str) -> None:
    """Another enterprise, approved, with a legal-person card of this label."""
    stage, applicant = service.stage, service.anonymous()
    body = "91310115MA1K3XY30"
    fields = {
        **ENTERPRISE,
        "uscc": body + uscc_check_character(body),
        "name": "宁波示例进出口有限公司",
        "customs_code": "3122980011",
    }
    submitted = applicant.call(
        "POST",
        "/api/v1/applications",
        data=fields,
        files={"licence": ("licence.png", licence_png(fields), "image/png")},
        headers={"X-PortSeal-Request": "tests"},
    )
    path = f"/api/v1/applications/{submitted['id']}"
    stage.signed_in("registrar").call("POST", f"{path}/registration", {})
    stage.signed_in("approver").call("POST", f"{path}/approval", {})
    code = applicant.call(
        "POST",
        f"/api/v1/applications/{submitted['reference']}/activation-code",
        {},
        headers={"X-PortSeal-Access-Code": submitted["access_code"]},
    )
    make_card(stage, label, code["activation_code"])
