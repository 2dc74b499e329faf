"""The CSC API over HTTP: what it says of itself and of seals, and how strictly it reads."""

import json
from typing import Any

import pytest
import requests

from tests.portseal.service import RunningService
from tests.signing_service.remote.platform import (
    ECDSA_SHA256,
    SHA256,
    RemotePlatform,
    digest,
    new_seal,
    refusal,
)

HASH = digest(b"bill of lading")


def test_anybody_learns_what_the_service_offers(platform: RemotePlatform) -> None:
    answer = platform.post("info", None, {"lang": "en"})
    assert answer.status_code == 200
    told = answer.json()
    assert told["specs"] == "2.0.0.2"
    assert told["authType"] == ["oauth2code"]
    assert told["oauth2"] == f"{platform.origin}/csc/v2"
    assert ECDSA_SHA256 in told["signAlgorithms"]["algos"]
    for method in told["methods"]:
        answer = requests.post(f"{platform.origin}/csc/v2/{method}", timeout=30)
        assert answer.status_code not in (404, 405), method


def test_a_seal_is_described_as_a_credential(
    platform: RemotePlatform, token: str, seal: str
) -> None:
    body = {"credentialID": seal, "certificates": "chain", "certInfo": True}
    told = platform.post("credentials/info", token, body).json()
    assert told["key"] == {
        "status": "enabled",
        "algo": [ECDSA_SHA256],
        "len": 256,
        "curve": "1.2.840.10045.3.1.7",
    }
    assert len(told["cert"]["certificates"]) == 3
    assert told["cert"]["status"] == "valid"
    assert seal in told["cert"]["subjectDN"]
    assert told["auth"] == {"mode": "oauth2code"}
    assert (told["SCAL"], told["multisign"]) == ("2", 50)


def test_the_list_comes_in_pages(
    service: RunningService, platform: RemotePlatform, token: str
) -> None:
    new_seal(service, "备用章")
    whole = platform.post("credentials/list", token, {}).json()
    assert "nextPageToken" not in whole
    read: list[str] = []
    page: dict[str, Any] = {}
    while len(read) < len(whole["credentialIDs"]):
        asked = {"maxResults": 1, "credentialInfo": True}
        if page:
            asked["pageToken"] = page["nextPageToken"]
        page = platform.post("credentials/list", token, asked).json()
        assert [each["credentialID"] for each in page["credentialInfos"]] == page["credentialIDs"]
        read += page["credentialIDs"]
    assert read == whole["credentialIDs"]
    unknown = platform.post("credentials/list", token, {"pageToken": "SE-2026-22222222"})
    assert refusal(unknown)[1] == "invalid_request"


def raw(
    platform: RemotePlatform, token: str, path: str, body: bytes, kind: str
) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    return requests.post(f"{platform.origin}/csc/v2/{path}", data=body, headers=headers, timeout=30)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"{" * 5000,
        b'{"credentialID": "a", "credentialID": "b"}',
        b'{"credentialID": NaN}',
        b'{"credentialID": 7}',
        b'{"credentialID": ""}',
        b'{"credentialID": "\\ud800"}',
        b'{"credentialID": "\\u0000"}',
        b'{"credentialID": "SE-2026-22222222", "unknown": 1}',
        b'{"credentialID": "SE-2026-22222222", "certInfo": "true"}',
        b'{"certificates": "all", "credentialID": "x"}',
        b'{"credentialID": "' + b"x" * 70_000 + b'"}',
    ],
)
def test_what_is_not_exactly_a_request_is_refused(
    platform: RemotePlatform, token: str, body: bytes
) -> None:
    answer = raw(platform, token, "credentials/info", body, "application/json")
    assert answer.status_code in (400, 404, 413)
    assert answer.json()["error"] == "invalid_request"


def test_forms_of_foreign_pages_are_not_read(platform: RemotePlatform, token: str) -> None:
    body = json.dumps({"credentialID": "x"}).encode()
    answer = raw(platform, token, "credentials/info", body, "text/plain")
    assert refusal(answer) == (400, "invalid_request", "request.media-type")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signAlgo": "1.2.840.113549.1.1.11"}, "remote.algorithm"),
        ({"signAlgo": "1.2.840.10045.2.1"}, "remote.algorithm"),
        ({"signAlgo": "1.2.840.10045.4.3.3"}, "remote.algorithm"),
        ({"signAlgo": "ES256"}, "remote.request"),
        ({"hashAlgorithmOID": "1.3.14.3.2.26"}, "remote.algorithm"),
        ({"hashAlgorithmOID": "2.16.840.1.101.3.4.2.2"}, "remote.algorithm"),
        ({"signAlgoParams": "MAA="}, "remote.algorithm"),
        ({"hashes": []}, "remote.request"),
        ({"hashes": ["AAAA"]}, "remote.hash-length"),
        ({"hashes": ["*"]}, "remote.hash"),
        ({"hashes": [HASH] * 51}, "remote.request"),
        ({"hashes": HASH}, "remote.request"),
        ({"hash": [HASH]}, "remote.request"),
        ({"hashAlgo": SHA256}, "remote.request"),
        ({"operationMode": "A"}, "remote.request"),
        ({"credentialID": "SE-2026-22222222"}, "remote.credential"),
    ],
)
def test_a_malformed_signing_request_is_refused(
    platform: RemotePlatform, token: str, seal: str, changes: dict[str, object], code: str
) -> None:
    sad = "0" * 32 + "." + "A" * 43
    answer = platform.sign_hash(token, seal, sad, HASH, **changes)
    assert refusal(answer)[1:] == ("invalid_request", code)
