"""Two tokens hold a responder's key, and one of them, in a TPM, locks itself under load."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields
from tests.ca.world import World
from tests.hsm.test_tpm import run
from tests.servers.tpm import LockingToken
from tests.software_keys import SoftwareKey
from tests.token import TokenBench

_PIN = "right-73519"  # as tests.hsm.test_tpm initialises the token
_GUESSES = """
def outcome(n):
    try:
        Token(module, "tpm", Pin(f"wrong-{n}")).login()
    except Unavailable as refusal:
        return refusal.code
print(json.dumps([outcome(n) for n in range(40)][-1]))
"""


class Responder:
    """The worker process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.told: list[list[str | None]] = []

    def read(self) -> list[str | None]:
        """The next that it says, but what its pool tells."""
        while True:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            assert line, "the responder ended"
            words: list[str | None] = json.loads(line)
            if words[0] != "told":
                return words
            self.told.append(words[1:])

    def go_on(self) -> None:
        """Until it answered more requests."""
        assert self._process.stdin is not None
        self._process.stdin.write("go on\n")
        self._process.stdin.flush()
        assert self.read() == ["answered"]

    def go_on_until(self, told: list[str | None]) -> None:
        while told not in self.told:
            self.go_on()

    def end(self) -> list[str | None]:
        """The requests that failed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self.read()[1:]


@contextmanager
def responding(words: Mapping[str, object], environment: dict[str, str]) -> Iterator[Responder]:
    command = [sys.executable, "-m", "tests.ca.locked_pool_worker", json.dumps(words)]
    process = subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield Responder(process)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def key_of_two_tokens(
    directory: Path, locking: LockingToken, bench: TokenBench
) -> tuple[SoftwareKey, str]:
    """In the TPM's token, and in a SoftHSM2 token whose label is given back."""
    key, path, label = SoftwareKey.generate(), directory / "key.pem", "beside-the-tpm"
    path.write_bytes(
        key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    run(locking, "print(0)")  # initialises the token
    locking.import_key("ocsp", path, _PIN)
    bench.new_token(label)
    subprocess.run(
        ["softhsm2-util", "--import", path, "--token", label, "--label", "ocsp", "--id", "01",
         "--pin", os.environ[bench.pin_variable(label)]],
        env=bench.environment, check=True, capture_output=True,
    )  # fmt: skip
    return key, label


def test_a_token_that_locks_under_load_is_left_out_and_used_again_when_it_is_unlocked(
    world: World, locking_token: LockingToken, token_bench: TokenBench, tmp_path: Path
) -> None:
    """Somebody else guesses PINs until the TPM signs for nobody, not even for who is logged in."""
    key, label = key_of_two_tokens(tmp_path, locking_token, token_bench)
    request = CertificateRequest(
        key.public_key, SubjectFields(organization="E-Port", common_name="Responder"),
        requester="test", reference=secrets.token_hex(8),
    )  # fmt: skip
    certificate = world.issuing.issue(world.issuing.prepare("ocsp", request)).certificate
    files = {"issuer": tmp_path / "issuer.der", "responder": tmp_path / "responder.der"}
    files["issuer"].write_bytes(world.authorities.issuing_key.certificate.der)
    files["responder"].write_bytes(certificate.der)
    words = {
        "modules": [locking_token.module, token_bench.module],
        "labels": ["tpm", label],
        "database": f"sqlite:///{tmp_path / 'portseal.db'}",
        **{name: str(path) for name, path in files.items()},
    }
    environment = {
        **token_bench.environment, **locking_token.environment,
        "SOFTHSM2_CONF": str(token_bench.configuration),
        "PIN_FIRST": _PIN, "PIN_SECOND": os.environ[token_bench.pin_variable(label)],
    }  # fmt: skip
    with responding(words, environment) as responder:
        assert responder.read() == ["serving"]
        assert run(locking_token, _GUESSES, initialise=False) == "token.locked"
        responder.go_on_until(["tpm", "token.locked"])
        locking_token.end_lockout()
        responder.go_on_until(["tpm", None])
        responder.go_on()
        assert responder.end() == []
    assert responder.told == [["tpm", "token.failed"], ["tpm", "token.locked"], ["tpm", None]]
