"""One sign-in with the card opens two platforms."""

import json
import sys
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import KeySet, KeySetSerialization

from portseal.demo.stage import Stage, expect
from portseal.sandbox.ports import free_port

_PLATFORMS = ("单一窗口示例平台", "舱单示例平台")
_PREFIX = "urn:portseal:"
_MOST_REDIRECTS = 10


def start_platforms(stage: Stage) -> list[str]:
    """Register two relying parties and start their own web servers. Their addresses."""
    addresses = []
    for number, name in enumerate(_PLATFORMS, 1):
        client = f"platform-{number}"
        known = _registered(stage, client, name)
        address = f"http://127.0.0.1:{known['port']}"
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(known["port"]),
            "--log-level", "warning", "--factory", "portseal.demo.platform:from_environment",
        ]  # fmt: skip
        process = stage.site.start_program(
            command,
            client,
            PLATFORM_NAME=name,
            PLATFORM_ISSUER=stage.site.origin,
            PLATFORM_CLIENT_ID=client,
            PLATFORM_CLIENT_SECRET=known["client_secret"],
        )
        stage.site.wait_for(f"{address}/", process)
        addresses.append(address)
    return addresses


def register_platform(stage: Stage, name: str, *options: str) -> dict[str, Any]:
    """Proposed at the console by one officer's card, confirmed by another's; name and client
    secret."""
    proposed = stage.site.run_signed_json(
        [stage.cards["administrator"]], "platform", "add", name, *options,
        "--permitted-by", "示例主管部门", "--evidence", "示例〔2026〕1号, 2026-11-01",
    )  # fmt: skip
    path = f"/api/v1/platforms/proposals/{proposed['proposal']}/confirmation"
    made: dict[str, Any] = stage.signed_in("approver").call("POST", path, {})
    return made


def _registered(stage: Stage, client: str, name: str) -> dict[str, Any]:
    """Port and secret of a platform: as an earlier run left them, or registered now."""
    file = stage.site.directory / f"{client}.json"
    if not file.exists():
        port = free_port()
        callback = f"http://127.0.0.1:{port}/callback"
        made = register_platform(
            stage, name, "--client-id", client, "--redirect-uri", callback,
            "--backchannel-logout-uri", f"http://127.0.0.1:{port}/logged-out",
        )  # fmt: skip
        file.touch(mode=0o600)
        file.write_text(json.dumps({"port": port, "client_secret": made["client_secret"]}))
    known: dict[str, Any] = json.loads(file.read_text())
    return known


def sign_in_once(stage: Stage) -> str:
    """The first platform asks for the card; the second asks for nothing."""
    first, second = start_platforms(stage)
    service = stage.anonymous()
    stage.sessions["platforms"] = service
    stage.facts["platforms"] = (first, second)
    where = _follow(service.session, f"{first}/login", stop="/sso/sign-in")
    expect(where.endswith("sign-in") or "/sso/sign-in" in where, "no sign-in was asked for")
    service.sign_in(stage.cards["operator"])
    _follow(service.session, f"{first}/login")
    first_token = service.session.get(f"{first}/me").json()["id_token"]
    end = _follow(service.session, f"{second}/login")
    expect(end.startswith(second), "the second platform asked for something")
    second_token = service.session.get(f"{second}/me").json()["id_token"]
    keys = service.call("GET", "/oidc/jwks")
    claims = [_claims(token, keys, stage.site.origin) for token in (first_token, second_token)]
    expect(claims[0]["sub"] == claims[1]["sub"], "two platforms see two people")
    expect(claims[0]["aud"] != claims[1]["aud"], "one token for both platforms")
    expect(claims[0]["auth_time"] == claims[1]["auth_time"], "the card was asked for twice")
    stage.keep("id-token.jwt", first_token)
    stage.keep("jwks.json", json.dumps(keys, indent=2))
    rights = ", ".join(str(right) for right in claims[0][_PREFIX + "rights"])
    return (
        f"{claims[0]['name']} of {claims[0][_PREFIX + 'enterprise_name']} signed in to "
        f"{_PLATFORMS[0]} with the card,\nthen to {_PLATFORMS[1]} without a PIN; "
        f"both got an ID token (rights: {rights}) that verifies against the published keys."
    )


def _claims(token: str, keys: dict[str, Any], issuer: str) -> dict[str, Any]:
    """Verify with another library than the one that made it: joserfc, ES256 and no other."""
    claims = jwt.decode(
        token, KeySet.import_key_set(cast(KeySetSerialization, keys)), algorithms=["ES256"]
    ).claims
    expect(claims["iss"] == issuer, "the token is not our issuer's")
    return dict(claims)


def _follow(session: requests.Session, url: str, stop: str | None = None) -> str:
    """Follow redirects as a browser does; the address where they end, or where `stop` begins."""
    for _ in range(_MOST_REDIRECTS):
        response = session.get(url, allow_redirects=False, headers={"Accept": "text/html"})
        if not response.is_redirect:
            response.raise_for_status()
            return url
        url = urljoin(url, response.headers["Location"])
        if stop is not None and urlsplit(url).path == stop:
            return url
    raise requests.TooManyRedirects
