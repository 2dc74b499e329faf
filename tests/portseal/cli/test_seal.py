"""`portseal seal`: from the request to an authorised use, with the cards of two people."""

import base64
import hashlib
import json
import os
from collections.abc import Callable

import pytest

from tests.portseal.cli.conftest import Holder
from tests.portseal.cli.terminal import Outcome
from tests.portseal.service import RunningService
from tests.signing_service.remote.platform import (
    SHA256,
    RemotePlatform,
    refuse_waiting_seals,
    registered_platform,
)

HASH = base64.b64encode(hashlib.sha256(b"bill of lading").digest()).decode()
Run = Callable[..., Outcome]


@pytest.fixture
def run(holder: Holder, service: RunningService) -> Run:
    """`portseal` with the service's own USB keys, each with its PIN."""
    keys = service.stage.usb_keys.keys

    def call(label: str, *arguments: str) -> Outcome:
        return holder.run(
            *arguments,
            "--token",
            label,
            "--pin-env",
            "PIN_FOR_TEST",
            PIN_FOR_TEST=keys[label].pin,
            SOFTHSM2_CONF=os.environ["SOFTHSM2_CONF"],
        )

    return call


def test_a_seal_from_its_request_to_its_use(service: RunningService, run: Run) -> None:
    refuse_waiting_seals(service)
    asked = run("legal-person", "seal", "request", "命令行专用章", "--json")
    assert asked.code == 0, asked.said
    number = json.loads(asked.out)["number"]
    refused = run("legal-person", "seal", "approve", number)
    assert (refused.code, "[role.missing]" in refused.err) == (1, True)
    assert number in run("approver", "seal", "list").out
    approved = json.loads(run("approver", "seal", "approve", number, "--json").out)
    assert approved["state"] == "active"

    platform: RemotePlatform = registered_platform(service, "cli-platform")
    token = platform.service_token(service.signed_in("legal-person"))
    challenge = platform.post("credentials/getChallenge", token, {"credentialID": number}).json()
    done = run(
        "legal-person", "seal", "authorise", number, HASH, "--client-id", "cli-platform",
        "--challenge", challenge["challenge"],
    )  # fmt: skip
    assert done.code == 0, done.said
    body = {
        "credentialID": number,
        "numSignatures": 1,
        "hashes": [HASH],
        "hashAlgorithmOID": SHA256,
        "authData": json.loads(done.out),
    }
    granted = platform.post("credentials/authorize", token, body)
    assert granted.status_code == 200, granted.text
    signed = platform.sign_hash(token, number, granted.json()["SAD"], HASH)
    assert signed.status_code == 200

    ended = run("legal-person", "seal", "revoke", number, "--reason", "superseded", "--json")
    assert json.loads(ended.out)["state"] == "revoked"


def test_a_digest_of_the_wrong_length_is_not_signed(run: Run) -> None:
    done = run(
        "legal-person", "seal", "authorise", "SE-2026-22222222", "AAAA", "--client-id", "x",
        "--challenge", "y",
    )  # fmt: skip
    assert (done.code, "[remote.hash-length]" in done.err) == (1, True)
