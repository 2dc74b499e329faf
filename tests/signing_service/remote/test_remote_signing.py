"""Remote signing through the running service, as platforms use it over HTTP."""

import base64

from kernel.algorithms import ECDSA_P256_SHA256
from kernel.asn1.certificate import Certificate
from tests.portseal.service import RunningService
from tests.signing_service.remote.platform import (
    RemotePlatform,
    digest,
)

DOCUMENT = b"bill of lading"


def certificate_of(platform: RemotePlatform, token: str, seal: str) -> Certificate:
    answer = platform.post("credentials/info", token, {"credentialID": seal})
    assert answer.status_code == 200, answer.text
    return Certificate.parse(base64.b64decode(answer.json()["cert"]["certificates"][0]))


def test_a_seal_signs_the_digest_that_the_legal_person_agreed_to(
    service: RunningService, platform: RemotePlatform, seal: str
) -> None:
    browser = service.stage.signed_in("legal-person")
    token = platform.service_token(browser)
    assert seal in platform.post("credentials/list", token, {}).json()["credentialIDs"]
    sad = platform.activation(browser, seal, digest(DOCUMENT))
    signed = platform.sign_hash(token, seal, sad, digest(DOCUMENT))
    assert signed.status_code == 200, signed.text
    (value,) = signed.json()["signatures"]
    key = certificate_of(platform, token, seal).public_key
    assert key.verify(ECDSA_P256_SHA256, base64.b64decode(value), DOCUMENT)
