"""Keys are backed up wrapped, restored on a second token, and destroyed."""

import json
import os
import secrets

import pytest

from hsm.admin import initialise_token
from hsm.backup import back_up, restore
from hsm.generation import Export
from hsm.pins import EnvironmentPin
from hsm.secret_keys import SecretUse
from hsm.token import Token
from kernel.algorithms import ECDSA_P256_SHA256, ECDSA_P384_SHA384, RSA_PKCS1_SHA256
from kernel.clock import SystemClock
from kernel.refusals import Conflict, Malformed, Unavailable
from tests.hsm.test_token import certificate_of
from tests.token import TokenBench

_KEY = secrets.token_bytes(32)
_SO_PIN = secrets.token_hex(8)


@pytest.fixture(scope="module")
def first(token_bench: TokenBench) -> Token:
    """Its keys leave only under a key that the security officer marked."""
    pin = secrets.token_hex(8)
    initialise_token(token_bench.module, "backed-up", _SO_PIN, pin)
    os.environ["PIN_BACKED_UP"] = pin
    token = Token(token_bench.module, "backed-up", EnvironmentPin("PIN_BACKED_UP"))
    suites = (ECDSA_P256_SHA256, ECDSA_P384_SHA384, RSA_PKCS1_SHA256)
    for label, suite in zip(("issuing", "root", "seal"), suites, strict=True):
        token.generate(label, suite, export=Export.TRUSTED)
    token.generate("rooted", ECDSA_P256_SHA256)
    token.generate_secret("data", export=Export.TRUSTED)
    token.generate_secret("index", SecretUse.MAC, export=Export.TRUSTED)
    token.write_certificate("issuing", certificate_of(token.key("issuing"), 1))
    return token


@pytest.fixture(scope="module")
def document(first: Token) -> bytes:
    made, told = back_up(first, _KEY, SystemClock().now(), _SO_PIN)
    assert sorted(told.keys) == ["data", "index", "issuing", "root", "seal"]
    assert told.left_out == ("rooted",)
    return made


def test_a_second_token_signs_with_the_same_keys(
    first: Token, document: bytes, token_bench: TokenBench
) -> None:
    second = token_bench.new_token("restored")
    done = restore(second, document, _KEY)
    assert sorted(done.keys) == ["data", "index", "issuing", "root", "seal"]
    for label in ("issuing", "root", "seal"):
        known = first.key(label).public_key
        assert known.verify(first.key(label).suite, second.key(label).sign(b"drill"), b"drill")
        second.require_guarded(label, Export.TRUSTED)
    assert second.certificate("issuing") == first.certificate("issuing")
    encrypted = first.secret_key("data").encrypt(b"person", b"row")
    assert second.secret_key("data").decrypt(encrypted, b"row") == b"person"
    assert second.secret_key("index").mac(b"x") == first.secret_key("index").mac(b"x")
    again = restore(second, document, _KEY)
    assert again.keys == ()
    assert not [label for label in second.secret_labels() if label.startswith("lent")]


def test_without_the_security_officer_nothing_leaves(first: Token) -> None:
    with pytest.raises(Unavailable, match=r"token\.not-exportable"):
        back_up(first, _KEY, SystemClock().now())
    with pytest.raises(Unavailable, match=r"token\.officer"):
        back_up(first, _KEY, SystemClock().now(), "wrong-so-pin")
    assert first.key("issuing").sign(b"still works")


def test_the_document_holds_no_key_in_clear(document: bytes) -> None:
    told = json.loads(document)
    assert set(told["keys"]["issuing"]) == {"export", "spki", "use", "mechanism", "value"}
    assert _KEY.hex() not in document.decode()


def test_another_backup_key_or_a_change_is_told(document: bytes, token_bench: TokenBench) -> None:
    other = token_bench.new_token("not-restored")
    swapped = json.loads(document)
    keys = swapped["keys"]
    keys["issuing"], keys["seal"] = keys["seal"], keys["issuing"]
    for data, key in (
        (document, secrets.token_bytes(32)),
        (json.dumps(swapped).encode(), _KEY),
    ):
        with pytest.raises(Malformed, match=r"backup\.not-authentic"):
            restore(other, data, key)
    for nonsense in (b"", b"{}", b"[]", b'{"mac": 1, "format": "x"}'):
        with pytest.raises(Malformed, match=r"backup\.malformed"):
            restore(other, nonsense, _KEY)
    assert other.key_labels() == []


def test_a_token_with_another_key_of_that_name_is_left_alone(
    document: bytes, token_bench: TokenBench
) -> None:
    other = token_bench.new_token("taken-names")
    own = other.generate("issuing", ECDSA_P256_SHA256)
    with pytest.raises(Conflict, match=r"backup\.other-key"):
        restore(other, document, _KEY)
    assert other.key("issuing").public_key == own.public_key


def test_a_destroyed_key_is_gone_for_good(token_bench: TokenBench) -> None:
    token = token_bench.new_token("destroys")
    key = token.generate("old", ECDSA_P256_SHA256)
    key.sign(b"before")
    assert token.destroy("old") == key.public_key.fingerprint
    assert token.key_labels() == []
    with pytest.raises(Unavailable, match=r"token\.no-key"):
        key.sign(b"after")
    with pytest.raises(Unavailable, match=r"token\.no-key"):
        token.destroy("old")
