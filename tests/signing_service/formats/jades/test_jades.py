"""JAdES: what is written comes back, and a stranger's library verifies it."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

from signing_service.formats.claims import PROOF_OF_APPROVAL
from signing_service.formats.jades import whole as jades
from signing_service.formats.jades.whole import Serialisation
from signing_service.validation.evidence import (
    SignatureFormat,
    SignatureLevel,
)
from tests.signing_service.formats.jades.signed import (
    CLAIMS,
    DOCUMENT,
    SERIALISATIONS,
    public_key,
    registry,
    sign,
    verifies,
)
from tests.software_keys import SIGNING_SUITES, Identity, SoftwareAuthority


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("suite", SIGNING_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("serialisation", SERIALISATIONS)
def test_joserfc_verifies_ours(
    suite: Any, serialisation: Serialisation, software_authority: SoftwareAuthority
) -> None:
    signer = software_authority.signer(suite=suite)
    signed = sign(signer, software_authority, serialisation=serialisation, claims=CLAIMS)
    key = public_key(signer)
    if serialisation is Serialisation.COMPACT:
        payload = jws.deserialize_compact(signed, key, registry=registry(suite.jose)).payload
    else:
        chosen = key if serialisation is Serialisation.FLATTENED else KeySet([key])
        value = json.loads(signed)
        payload = jws.deserialize_json(value, chosen, registry=registry(suite.jose)).payload
    assert payload == DOCUMENT
    (evidence,) = jades.read(signed)
    assert verifies(evidence)
    assert evidence.format is SignatureFormat.JADES
    assert evidence.level is SignatureLevel.B_B


def test_joserfc_refuses_a_changed_one(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    signed = sign(signer, software_authority)
    head, _, value = signed.split(b".")
    other = base64.urlsafe_b64encode(b"another").rstrip(b"=")
    with pytest.raises(Exception, match="signature"):
        jws.deserialize_compact(
            b".".join((head, other, value)), public_key(signer), registry=registry("ES256")
        )


@pytest.mark.parametrize("with_chain", [False, True])
def test_a_jws_of_joserfc_is_read_as_no_ades(signer: Identity, with_chain: bool) -> None:
    pem = signer.key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    header: dict[str, Any] = {"alg": "ES256"}
    if with_chain:
        x5c = base64.b64encode(signer.certificate.der).decode()
        header["x5c"] = [x5c]
    signed = jws.serialize_compact(header, DOCUMENT, ECKey.import_key(pem)).encode()
    (evidence,) = jades.read(signed)
    assert evidence.format is SignatureFormat.JWS
    assert evidence.level is SignatureLevel.BASIC
    assert verifies(evidence) is with_chain


def test_claims_come_back(signer: Identity, software_authority: SoftwareAuthority) -> None:
    (evidence,) = jades.read(sign(signer, software_authority, claims=CLAIMS))
    assert evidence.commitment == PROOF_OF_APPROVAL
    assert evidence.roles == CLAIMS.roles
    assert evidence.policy == "1.3.6.1.4.1.99999.7"
    assert evidence.policy_digest == ("sha256", bytes(32))
    assert evidence.content_type == "application/xml"
    assert evidence.claimed_signing_time == software_authority.now
    assert evidence.embedded_certificates == (signer.certificate, signer.chain[0])
