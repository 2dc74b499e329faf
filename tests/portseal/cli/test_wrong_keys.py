"""A token holds another key under a name of the authority's: nothing is signed with it."""

import json
import subprocess
import sys

from portseal.demo.tokens import FIRST
from records.database import Database
from records.journal import records
from tests.portseal.cli.terminal import Outcome, run
from tests.portseal.service import Twin
from tests.token import softhsm_module

_PIN = "spare-73519"
_ALONE = {"PORTSEAL_TOKEN_REPLICAS": "[]"}
"""The first token is no pool with another."""
_REPLACE_KEY = """
import sys
from pathlib import Path
from hsm.pins import FilePin
from hsm.token import Token
from kernel.algorithms import ECDSA_P256_SHA256
token = Token(sys.argv[1], sys.argv[2], FilePin(Path(sys.argv[3])))
if "issuing" in token.key_labels():
    token.destroy("issuing")
token.generate("issuing", ECDSA_P256_SHA256)
"""


def make_another_issuing_key(twin: Twin, token: str, pin_file: str) -> None:
    arguments = [softhsm_module(), token, pin_file]
    environment = twin.site.environment
    subprocess.run([sys.executable, "-c", _REPLACE_KEY, *arguments], env=environment, check=True)


def portseal(twin: Twin, *arguments: str, **environment: str) -> Outcome:
    return run(arguments, {**twin.site.environment, **environment})


def test_a_service_whose_key_is_not_the_certificate_s_does_not_start(twin: Twin) -> None:
    pin_file = str(twin.site.tokens.pin_file(FIRST))
    make_another_issuing_key(twin, FIRST, pin_file)
    done = portseal(twin, "serve", **_ALONE)
    assert done.code == 3, done.said
    assert done.err.startswith("portseal: the key is not the certificate's [authority.wrong-key]")
    assert "Traceback" not in done.said
    told = portseal(twin, "status", "--json", **_ALONE)
    assert told.code == 3, told.said
    assert "[authority.wrong-key]" in json.loads(told.out)["keys"]


def test_status_tells_of_a_second_token_with_another_key_and_the_first_signs(twin: Twin) -> None:
    pin_file = twin.token_directory / "spare-pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text(_PIN)
    made = portseal(
        twin, "card", "init", "--token", "spare", "--pin-env", "SPARE", "--so-pin-env", "SO",
        SPARE=_PIN, SO="spare-so-1",
    )  # fmt: skip
    assert made.code == 0, made.said
    make_another_issuing_key(twin, "spare", str(pin_file))
    spare = {"module": softhsm_module(), "label": "spare", "pin_file": str(pin_file)}
    replicas = {"PORTSEAL_TOKEN_REPLICAS": json.dumps([spare])}
    told = portseal(twin, "status", "--json", **replicas)
    assert told.code == 3, told.said
    status = json.loads(told.out)
    assert status["token"] == "not in order: spare is left out [token.other-key]"
    assert status["keys"] == "every key signs and verifies"
    database = Database(f"sqlite:///{twin.database_file}")
    with database.reading() as connection:
        (failed,) = records(connection, "spare")
    database.dispose()
    assert (failed.event, json.loads(failed.facts)) == ("token.failed", {"code": "token.other-key"})
