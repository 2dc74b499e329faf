"""The agent on a second make of token, tpm2-pkcs11 on a software TPM, which locks itself."""

import base64
from pathlib import Path

from signing_service.formats import making
from signing_service.formats.manner import Act
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import SignatureFormat
from tests.key_agent.cards import make_card, prepare
from tests.key_agent.running import running_agent
from tests.servers.tpm import LockingToken
from tests.software_keys import SoftwareAuthority

DECLARATION = (Path(__file__).parents[1] / "samples" / "dec-import.xml").read_bytes()
NONCE = "n" * 44


def test_a_card_in_a_tpm_is_made_signs_and_locks(
    locking_token: LockingToken, authority: SoftwareAuthority, tmp_path: Path
) -> None:
    surroundings = locking_token.environment.items()
    tpm = {name: value for name, value in surroundings if name.startswith("TPM2_PKCS11")}
    pins = {"mine": "right-73519"}
    with running_agent(tmp_path, locking_token.module, pins, None, **tpm) as agent:
        agent.call("connect")
        card = make_card(agent, authority, "mine")
        assert agent.call("sign_in", nonce=NONCE)["certificate"]["id"] == card.identifier
        prepared, asked = prepare(SignatureFormat.XADES, DECLARATION, card.certificate)
        told = agent.call("sign", certificate=card.identifier, **asked)
        value = base64.b64decode(told["signature_value"])
        (evidence,) = read_signatures(making.finish(Act.FIRST, prepared, value, None), None)
        assert evidence.covers_document
        codes = []
        for number in range(40):
            agent.human.answer = lambda window, number=number: {"pin": f"wrong-{number}"}  # type: ignore[misc]
            codes.append(agent.refused("sign_in", nonce=NONCE)["code"])
            if codes[-1] != "token.pin-wrong":
                break
        assert codes[:2] == ["token.pin-wrong"] * 2
        assert codes[-1] == "token.locked"
        (token,) = [t for t in agent.call("tokens")["tokens"] if t["label"] == "mine"]
        assert token["certificates"][0]["id"] == card.identifier
        agent.human.answer = agent.human.agree
        assert agent.refused("sign_in", nonce=NONCE)["code"] == "token.locked"
