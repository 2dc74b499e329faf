"""Whose keys are where: the server's token holds the house's own keys and enterprises' seals."""

import json
import subprocess
import sys
from pathlib import Path

from tests.portseal.service import RunningService

_LIST = """
import json
from portseal.wiring import House
with House.opened() as house:
    token = house.token
    keys = {label: token.key(label).public_key.spki.hex() for label in token.key_labels()}
print(json.dumps(keys))
"""


def keys_on_the_server(service: RunningService) -> dict[str, str]:
    """SubjectPublicKeyInfo, hexadecimal, of every key pair in the authority's token."""
    done = subprocess.run(
        [sys.executable, "-c", _LIST],
        env=service.site.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_no_holders_key_is_in_the_servers_token(service: RunningService) -> None:
    on_server = keys_on_the_server(service)
    assert {"issuing", "tsa", "sign-in"} <= on_server.keys()
    assert "root" not in on_server  # its token is locked away
    for label, card in service.stage.cards.items():
        assert card.certificate.public_key.spki.hex() not in on_server.values(), label


def test_no_holders_key_is_in_the_servers_files(service: RunningService) -> None:
    """Not even the name under which a USB key keeps it; certificates are there, keys are not."""
    spki = [card.certificate.public_key.spki for card in service.stage.cards.values()]
    files = [each for each in Path(service.site.directory).rglob("*") if each.is_file()]
    texts = {each: each.read_bytes() for each in files if each.stat().st_size < 1 << 26}
    assert any(each in text for text in texts.values() for each in spki), "certificates are kept"
    private = [each for each, text in texts.items() if b"PRIVATE KEY-----" in text]
    assert private == []
    token = [text for each, text in texts.items() if "token" in each.parts[-3:][0]]
    assert not any(each in text for text in token for each in spki)


def test_a_card_cannot_be_used_through_the_remote_interface(service: RunningService) -> None:
    """The remote interface has no credential for a card: a session of the card is no caller."""
    operator = service.signed_in("operator")
    answer = operator.session.post(
        f"{service.origin}/csc/v2/signatures/signHash",
        json={
            "credentialID": service.stage.numbers["operator"],
            "SAD": "x",
            "hashes": ["AAAA"],
            "hashAlgorithmOID": "2.16.840.1.101.3.4.2.1",
            "signAlgo": "1.2.840.10045.4.3.2",
        },
        timeout=30,
    )
    assert answer.status_code in {400, 401, 403}
