"""Keys are backed up wrapped, restored on a second token, and destroyed."""

import json
import os
import secrets

import pytest
from pkcs11 import Attribute, ObjectClass

from hsm.admin import initialise_token
from hsm.backup import back_up, restore
from hsm.generation import Export
from hsm.pins import EnvironmentPin
from hsm.pool import TokenPool
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


def test_a_pair_whose_restoring_died_between_its_halves_is_completed(
    token_bench: TokenBench,
) -> None:
    one, two = token_bench.new_token("half-one"), token_bench.new_token("half-two")
    key = one.generate("issuing", ECDSA_P256_SHA256, export=Export.WRAPPED)
    document, _ = back_up(one, _KEY, SystemClock().now())
    restore(two, document, _KEY)
    _without_public_half(two, "issuing")
    told: list[tuple[str, bool]] = []
    again = restore(two, document, _KEY, lambda *key: told.append(key))
    assert (again.left_out, told) == (("issuing",), [("issuing", True)])
    assert key.public_key.verify(key.suite, two.key("issuing").sign(b"x"), b"x")

    other = token_bench.new_token("half-other")
    other.generate("issuing", ECDSA_P256_SHA256)
    _without_public_half(other, "issuing")
    with pytest.raises(Conflict, match=r"backup\.other-key"):
        restore(other, document, _KEY)
    with pytest.raises(Unavailable, match=r"token\.no-key"):
        other.key("issuing")  # no public key that is not its own was left beside it


def _without_public_half(token: Token, label: str) -> None:
    with token.pool.write() as session:
        wanted = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: label}
        for each in list(session.get_objects(wanted)):
            each.destroy()


@pytest.mark.parametrize("use", list(SecretUse))
def test_a_token_with_another_secret_key_of_the_name_is_told(
    use: SecretUse, token_bench: TokenBench
) -> None:
    one, two = (token_bench.new_token(f"secret-{name}-{use}") for name in ("a", "b"))
    for token in (one, two):
        token.generate_secret("shared", use, export=Export.WRAPPED)
    document, _ = back_up(one, _KEY, SystemClock().now())
    with pytest.raises(Conflict, match=r"backup\.other-key"):
        restore(two, document, _KEY)
    pool = TokenPool([one, two])
    pool.login()
    assert pool.left_out == {two.label: "token.other-key"}
    pool.close()
    two.destroy_secret("shared")
    restore(two, document, _KEY)
    pool = TokenPool([one, two])
    pool.login()
    assert pool.left_out == {}
    pool.close()
