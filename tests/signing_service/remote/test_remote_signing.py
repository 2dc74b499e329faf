"""Seals used at a distance through the running service: what is signed, and what is refused."""

import base64
import secrets
import sqlite3
from contextlib import closing

import pytest

from kernel.algorithms import ECDSA_P256_SHA256
from kernel.asn1.certificate import Certificate
from portseal.holder.service import Service
from records.database import Database
from records.journal import records
from tests.portseal.service import RunningService
from tests.signing_service.remote.platform import (
    SHA256,
    RemotePlatform,
    card_proof,
    digest,
    new_seal,
    refusal,
)

DOCUMENT = b"bill of lading"
HASH = digest(DOCUMENT)
OTHER = digest(b"another bill")


def public_key_verifies(platform: RemotePlatform, token: str, seal: str, value: str) -> bool:
    answer = platform.post("credentials/info", token, {"credentialID": seal}).json()
    certificate = Certificate.parse(base64.b64decode(answer["cert"]["certificates"][0]))
    key = certificate.public_key
    return key.verify(ECDSA_P256_SHA256, base64.b64decode(value), DOCUMENT)


def test_a_seal_signs_the_digests_that_the_legal_person_agreed_to(
    platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    sad = platform.activation(browser, seal, HASH, OTHER)
    signed = platform.sign_hash(token, seal, sad, OTHER, HASH)
    assert signed.status_code == 200, signed.text
    other, value = signed.json()["signatures"]
    assert public_key_verifies(platform, token, seal, value)
    assert not public_key_verifies(platform, token, seal, other)


def test_the_activation_data_is_an_access_token_for_signing(
    platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    sad = platform.activation(browser, seal, HASH)
    for path in ("credentials/getChallenge", "credentials/authorize"):
        assert platform.post(path, sad, {"credentialID": seal}).status_code == 401
    signed = platform.sign_hash(sad, seal, None, HASH)
    assert public_key_verifies(platform, token, seal, signed.json()["signatures"][0])
    assert refusal(platform.sign_hash(sad, seal, None, HASH)) == (
        401, "invalid_token", "remote.token",
    )  # fmt: skip


def test_signing_needs_the_right_activation_data(
    platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    sad = platform.activation(browser, seal, HASH)
    wrong = sad[:-1] + ("A" if sad[-1] != "A" else "B")
    unknown = "0" * 32 + sad[32:]
    for each in (wrong, unknown, "x", sad + "=", token):
        assert refusal(platform.sign_hash(token, seal, each, HASH)) == (
            400, "invalid_request", "remote.sad",
        )  # fmt: skip
    assert refusal(platform.sign_hash(token, seal, None, HASH))[2] == "remote.sad"
    assert platform.sign_hash(token, seal, sad, HASH).status_code == 200


def test_activation_data_is_good_once(
    platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    sad = platform.activation(browser, seal, HASH)
    assert platform.sign_hash(token, seal, sad, HASH).status_code == 200
    assert refusal(platform.sign_hash(token, seal, sad, HASH)) == (
        400, "invalid_request", "remote.sad-used",
    )  # fmt: skip


@pytest.mark.parametrize("presented", [(OTHER,), (HASH, OTHER), (HASH, HASH, OTHER), (HASH,)])
def test_other_digests_than_authorised_are_not_signed(
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    presented: tuple[str, ...],
) -> None:
    sad = platform.activation(browser, seal, HASH, HASH)
    answer = platform.sign_hash(token, seal, sad, *presented)
    assert refusal(answer) == (400, "invalid_request", "remote.hash-not-authorised")
    assert platform.sign_hash(token, seal, sad, HASH, HASH).status_code == 200


def test_activation_data_serves_its_own_platform_and_session_alone(
    service: RunningService,
    platform: RemotePlatform,
    other_platform: RemotePlatform,
    browser: Service,
    seal: str,
) -> None:
    sad = platform.activation(browser, seal, HASH)
    foreign = other_platform.service_token(browser)
    told = (403, "access_denied", "remote.sad-foreign")
    assert refusal(other_platform.sign_hash(foreign, seal, sad, HASH)) == told
    elsewhere = platform.service_token(service.signed_in("legal-person"))
    assert refusal(platform.sign_hash(elsewhere, seal, sad, HASH)) == told


def test_activation_data_of_one_seal_does_not_serve_another(
    service: RunningService, platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    second = new_seal(service, "合同专用章")
    sad = platform.activation(browser, seal, HASH)
    assert refusal(platform.sign_hash(token, second, sad, HASH))[2] == "remote.sad-foreign"


def test_another_enterprises_seal_is_neither_seen_nor_used(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    other_seal: str,
) -> None:
    listed = platform.post("credentials/list", token, {}).json()["credentialIDs"]
    assert seal in listed
    assert other_seal not in listed
    nowhere = (404, "invalid_request", "remote.credential")
    body = {"credentialID": other_seal}
    assert refusal(platform.post("credentials/info", token, body)) == nowhere
    assert refusal(platform.post("credentials/getChallenge", token, body)) == nowhere
    stranger = service.signed_in("legal-person-2")
    sad = platform.activation(stranger, other_seal, HASH)
    assert refusal(platform.sign_hash(token, other_seal, sad, HASH)) == nowhere


def test_a_revoked_seal_signs_no_more_even_with_activation_data(
    service: RunningService, platform: RemotePlatform, browser: Service, token: str
) -> None:
    seal = new_seal(service, "旧章")
    sad = platform.activation(browser, seal, HASH)
    path = f"/api/v1/seals/{seal}/revocation"
    browser.call("POST", path, {"reason": "cessationOfOperation"})
    told = (403, "access_denied", "remote.credential-state")
    assert refusal(platform.sign_hash(token, seal, sad, HASH)) == told
    shown = platform.post("credentials/info", token, {"credentialID": seal}).json()
    assert (shown["key"]["status"], shown["cert"]["status"]) == ("disabled", "revoked")
    valid = platform.post("credentials/list", token, {"onlyValid": True}).json()
    assert seal not in valid["credentialIDs"]


def test_with_the_session_everything_that_it_gave_ends(
    service: RunningService, platform: RemotePlatform, seal: str
) -> None:
    browser = service.signed_in("legal-person")
    token = platform.service_token(browser)
    sad = platform.activation(browser, seal, HASH)
    assert platform.post("credentials/list", token, {}).status_code == 200
    browser.call("DELETE", "/api/v1/sign-in")
    told = (401, "invalid_token", "remote.token")
    assert refusal(platform.post("credentials/list", token, {})) == told
    assert refusal(platform.sign_hash(token, seal, sad, HASH)) == told
    assert refusal(platform.sign_hash(sad, seal, None, HASH)) == told


def test_a_disabled_or_unknown_token_is_refused(platform: RemotePlatform) -> None:
    told = (401, "invalid_token", "remote.token")
    assert refusal(platform.post("credentials/list", None, {})) == told
    for token in ("x" * 43, "é".encode().decode("latin-1"), "0" * 32 + "." + "A" * 43):
        assert refusal(platform.post("credentials/list", token, {})) == told


# -- authorised by the card itself -----------------------------------------------------------------


def authorised(
    platform: RemotePlatform, token: str, seal: str, proof: object, *hashes: str
) -> tuple[int, str]:
    body = {
        "credentialID": seal,
        "numSignatures": len(hashes),
        "hashes": list(hashes),
        "hashAlgorithmOID": SHA256,
        "authData": proof,
    }
    answer = platform.post("credentials/authorize", token, body)
    return answer.status_code, answer.json().get("error_uri", "").rpartition(":")[2]


def test_the_card_authorises_exactly_what_it_signed(
    service: RunningService, platform: RemotePlatform, token: str, seal: str
) -> None:
    proof = card_proof(service, platform, token, seal, [HASH])
    assert authorised(platform, token, seal, proof, OTHER) == (403, "remote.card-signature")
    # The challenge is spent whatever came of it.
    assert authorised(platform, token, seal, proof, HASH) == (400, "remote.challenge")
    proof = card_proof(service, platform, token, seal, [HASH])
    assert authorised(platform, token, seal, proof, HASH) == (200, "")
    assert authorised(platform, token, seal, proof, HASH) == (400, "remote.challenge")


def test_another_card_authorises_nothing(
    service: RunningService, platform: RemotePlatform, token: str, seal: str
) -> None:
    proof = card_proof(service, platform, token, seal, [HASH], label="operator")
    assert authorised(platform, token, seal, proof, HASH) == (403, "remote.card-signature")


def test_a_challenge_serves_its_own_platform_alone(
    service: RunningService,
    platform: RemotePlatform,
    other_platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
) -> None:
    proof = card_proof(service, platform, token, seal, [HASH])
    foreign = other_platform.service_token(browser)
    assert authorised(other_platform, foreign, seal, proof, HASH) == (400, "remote.challenge")


# -- what is kept ----------------------------------------------------------------------------------


def test_the_journal_tells_of_every_authorisation_use_and_refusal(
    service: RunningService, platform: RemotePlatform, browser: Service, token: str
) -> None:
    seal = new_seal(service, "记账章")
    sad = platform.activation(browser, seal, HASH)
    platform.sign_hash(token, seal, sad, OTHER)
    platform.sign_hash(token, seal, sad, HASH)
    database = Database(f"sqlite:///{service.database_file}")
    with database.reading() as connection:
        found = [record.event for record in records(connection, seal)]
    database.dispose()
    assert found == [
        "seal.requested",
        "seal.approved",
        "seal.key-made",
        "seal.made",
        "seal.use-authorised",
        "seal.use-refused",
        "seal.used",
    ]


def test_no_secret_is_stored_in_clear(
    service: RunningService, platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    sad = platform.activation(browser, seal, digest(secrets.token_bytes(8)))
    name, _, secret = sad.partition(".")
    with closing(sqlite3.connect(service.database_file)) as connection:
        dump = "\n".join(connection.iterdump())
    assert name in dump
    assert secret not in dump
    assert token not in dump
    assert platform.secret not in dump
