"""A token that hangs while it makes or destroys a key or stores a certificate: refused in time."""

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from hsm.secret_keys import SecretUse
from hsm.token import Token
from hsm.transport import make_transport_key
from hsm.wrapping import KeyUse
from kernel.algorithms import ECDSA_P256_SHA256, RSA_PKCS1_SHA256
from kernel.refusals import Unavailable
from tests.servers.token_server import TokenServer, two_servers

LIMIT = 1.0
WRITES: dict[str, Callable[[Token], object]] = {
    "generate": lambda token: token.generate("late", RSA_PKCS1_SHA256),
    "generate_secret": lambda token: token.generate_secret("late", SecretUse.MAC),
    "generate_wrapped": lambda token: token.generate_wrapped(
        ECDSA_P256_SHA256, KeyUse.AGREE, "wrapping"
    ),
    "destroy": lambda token: token.destroy("kept"),
    "write_certificate": lambda token: token.write_certificate("kept", b"0"),
    "make_transport_key": make_transport_key,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    with two_servers(tmp_path_factory.mktemp("hanging")) as (one, _):
        token = one.open()
        for label in ("kept", "steady"):
            token.generate(label, ECDSA_P256_SHA256)
        token.close()
        yield one


@pytest.mark.parametrize("write", WRITES)
def test_a_token_that_hangs_while_it_writes_is_refused_in_time(
    server: TokenServer, write: str
) -> None:
    """No limit for anything else: the token alone, as most have it."""
    token = server.open(write_limit_seconds=LIMIT)
    token.login()
    server.signal(signal.SIGSTOP)
    begun = time.monotonic()
    try:
        with pytest.raises(Unavailable, match=r"token\.timeout"):
            WRITES[write](token)
        assert time.monotonic() - begun >= LIMIT
    finally:
        server.signal(signal.SIGCONT)
    assert token.key("steady").sign(b"x")


def test_what_takes_its_time_within_the_limit_is_done(server: TokenServer) -> None:
    """While signing has a limit that a key of RSA would pass."""
    token = server.open(limit_seconds=20.0, write_limit_seconds=60.0)
    made = token.generate("slow", RSA_PKCS1_SHA256)
    assert made.public_key.verify(made.suite, made.sign(b"x"), b"x")
    assert token.destroy("slow") == made.public_key.fingerprint
