"""Secret keys stay in the token, do one thing each, and agree with pyca and openssl."""

import dataclasses
import os
import secrets
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_private_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error

from hsm.generation import Export
from hsm.secret_keys import LONGEST_PLAINTEXT, SecretKey, SecretUse
from hsm.token import Token
from hsm.wrapping import KeyUse, WrappedKey
from kernel.algorithms import ECDSA_P256_SHA256, ECDSA_P384_SHA384, RSA_PKCS1_SHA256, AlgorithmSuite
from kernel.asn1.der import read
from kernel.refusals import Conflict, Malformed, TooLarge, Unavailable, Unprocessable
from tests.token import TokenBench

_KNOWN = secrets.token_bytes(32)
"""A wrapping key that the tests know, so that pyca can open what the token wrapped."""


def import_known(token: Token, label: str = "known") -> SecretKey:
    with token._pool.write() as session:
        session.create_object(
            {
                Attribute.CLASS: ObjectClass.SECRET_KEY,
                Attribute.KEY_TYPE: KeyType.AES,
                Attribute.VALUE: _KNOWN,
                Attribute.TOKEN: True,
                Attribute.LABEL: label,
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.PRIVATE: True,
                Attribute.ENCRYPT: False,
                Attribute.DECRYPT: False,
                Attribute.SIGN: False,
                Attribute.WRAP: True,
                Attribute.UNWRAP: True,
            }
        )
    return token.secret_key(label)


def value_of(token: Token, label: str) -> bytes:
    """An exportable secret key in clear, by way of the wrapping key that the tests know."""
    with token._pool.write() as session:
        wrapping = session.get_key(ObjectClass.SECRET_KEY, label="known")
        key = session.get_key(ObjectClass.SECRET_KEY, label=label)
        wrapped = wrapping.wrap_key(key, mechanism=Mechanism.AES_KEY_WRAP_PAD)  # type: ignore[attr-defined]
    return aes_key_unwrap_with_padding(_KNOWN, wrapped)


def opened(wrapped: WrappedKey) -> bytes:
    """The PrivateKeyInfo, by pyca. SoftHSM2 fills it up with zeros to a multiple of 8."""
    inside = aes_key_unwrap_with_padding(_KNOWN, wrapped.value)
    end = read(inside).end
    assert len(inside) - end < 8
    assert not any(inside[end:])
    return inside[:end]


@pytest.fixture(scope="module")
def token(token_bench: TokenBench) -> Iterator[Token]:
    made = token_bench.new_token("secrets")
    import_known(made)
    yield made
    made.close()


@pytest.fixture(scope="module")
def data_key(token: Token) -> SecretKey:
    return token.generate_secret("data", export=Export.WRAPPED)


def test_what_is_encrypted_is_aes_gcm_with_associated_data(
    token: Token, data_key: SecretKey
) -> None:
    made = data_key.encrypt("张三".encode(), b"person 7")
    assert data_key.decrypt(made, b"person 7") == "张三".encode()
    outside = AESGCM(value_of(token, "data"))
    assert outside.decrypt(made[1:13], made[13:], b"person 7") == "张三".encode()


@given(plaintext=st.binary(max_size=300), associated=st.binary(max_size=80))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_decryption_gives_back_what_was_encrypted(
    data_key: SecretKey, plaintext: bytes, associated: bytes
) -> None:
    made = data_key.encrypt(plaintext, associated)
    assert data_key.decrypt(made, associated) == plaintext
    assert data_key.encrypt(plaintext, associated) != made


def test_changed_or_misplaced_data_is_refused_and_the_key_goes_on(data_key: SecretKey) -> None:
    made = data_key.encrypt(b"value", b"row 1")
    for octet in range(1, len(made)):
        changed = made[:octet] + bytes([made[octet] ^ 1]) + made[octet + 1 :]
        with pytest.raises(Unprocessable, match=r"secret\.not-authentic"):
            data_key.decrypt(changed, b"row 1")
    with pytest.raises(Unprocessable, match=r"secret\.not-authentic"):
        data_key.decrypt(made, b"row 2")
    for shape in (b"", made[:28], b"\x02" + made[1:], made + bytes(LONGEST_PLAINTEXT)):
        with pytest.raises(Malformed, match=r"secret\.malformed"):
            data_key.decrypt(shape, b"row 1")
    with pytest.raises(TooLarge, match=r"secret\.too-large"):
        data_key.encrypt(bytes(LONGEST_PLAINTEXT + 1))
    assert data_key.decrypt(made, b"row 1") == b"value"


def test_a_blind_index_is_hmac_sha256(token: Token) -> None:
    key = token.generate_secret("index", SecretUse.MAC, export=Export.WRAPPED)
    outside = hmac.HMAC(value_of(token, "index"), hashes.SHA256())
    outside.update(b"110101199003070000")
    assert key.mac(b"110101199003070000") == outside.finalize()
    assert token.secret_key("index").use is SecretUse.MAC


def test_a_secret_key_has_one_use(token: Token, data_key: SecretKey) -> None:
    wrapping = token.generate_secret("one-use", SecretUse.WRAP)
    for refused in (
        lambda: wrapping.encrypt(b"x"),
        lambda: wrapping.mac(b"x"),
        lambda: data_key.mac(b"x"),
        lambda: data_key.wrap("x"),
    ):
        with pytest.raises(Unprocessable, match=r"key\.use"):
            refused()
    with token._pool.write() as session:  # nor can the token be talked into another
        key = session.get_key(ObjectClass.SECRET_KEY, label="one-use")
        assert not any(key[each] for each in (Attribute.DECRYPT, Attribute.ENCRYPT, Attribute.SIGN))
        with pytest.raises(PKCS11Error):
            key[Attribute.DECRYPT] = True


def test_a_secret_key_never_shows_its_value(token: Token, data_key: SecretKey) -> None:
    stays = token.generate_secret("stays")
    with token._pool.write() as session:
        wrapping = session.get_key(ObjectClass.SECRET_KEY, label="known")
        for label in (stays.uri.object, "data"):
            key = session.get_key(ObjectClass.SECRET_KEY, label=label)
            with pytest.raises(PKCS11Error):
                key[Attribute.VALUE]
        key = session.get_key(ObjectClass.SECRET_KEY, label="stays")
        with pytest.raises(PKCS11Error):
            wrapping.wrap_key(key, mechanism=Mechanism.AES_KEY_WRAP_PAD)  # type: ignore[attr-defined]


def test_a_second_secret_of_the_same_name_is_refused(token: Token, data_key: SecretKey) -> None:
    with pytest.raises(Conflict, match=r"key\.exists"):
        token.generate_secret("data")
    with pytest.raises(Unavailable, match=r"token\.no-key"):
        token.secret_key("absent")


def test_many_threads_encrypt_at_once(data_key: SecretKey) -> None:
    def turn(number: int) -> bool:
        value = number.to_bytes(4, "big")
        return data_key.decrypt(data_key.encrypt(value, value), value) == value

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(turn, range(400)))


@pytest.mark.parametrize("suite", [ECDSA_P256_SHA256, ECDSA_P384_SHA384, RSA_PKCS1_SHA256])
def test_a_wrapped_key_signs_on_a_second_token(
    token: Token, token_bench: TokenBench, suite: AlgorithmSuite
) -> None:
    label = f"moved-{suite.name}"
    first = token.generate(label, suite, export=Export.WRAPPED)
    wrapped = token.secret_key("known").wrap(label)
    assert WrappedKey.decode(wrapped.encode()) == wrapped
    inside = load_der_private_key(opened(wrapped), None)
    assert isinstance(inside, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    assert inside.public_key() == first.public_key.pyca

    other = token_bench.new_token(f"second-{suite.name}")
    restored = import_known(other).unwrap(wrapped, label)
    other.require_guarded(label)
    assert restored.public_key == first.public_key
    assert first.public_key.verify(suite, other.key(label, suite).sign(b"message"), b"message")
    with pytest.raises(Conflict, match=r"key\.exists"):
        other.secret_key("known").unwrap(wrapped, label)


def test_openssl_opens_what_the_token_wrapped(token: Token) -> None:
    token.generate("for-openssl", ECDSA_P256_SHA256, export=Export.WRAPPED)
    wrapped = token.secret_key("known").wrap("for-openssl")
    told = subprocess.run(
        ["openssl", "enc", "-d", "-id-aes256-wrap-pad", "-K", _KNOWN.hex(), "-iv", "A65959A6"],
        input=wrapped.value, capture_output=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    shown = subprocess.run(
        ["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"],
        input=told.stdout, capture_output=True, check=True,
    )  # fmt: skip
    assert shown.stdout == wrapped.spki


def test_a_changed_or_foreign_wrapping_leaves_nothing_behind(token: Token) -> None:
    token.generate("tampered", ECDSA_P256_SHA256, export=Export.WRAPPED)
    known = token.secret_key("known")
    wrapped = known.wrap("tampered")
    changed = wrapped.value[:20] + bytes([wrapped.value[20] ^ 1]) + wrapped.value[21:]
    stranger = token.generate_secret("stranger", SecretUse.WRAP)
    for key, value in ((known, changed), (stranger, wrapped.value)):
        with pytest.raises(Malformed, match=r"wrapped-key\.malformed"):
            key.unwrap(dataclasses.replace(wrapped, value=value), "gone-wrong")
    assert "gone-wrong" not in token.key_labels()


def test_a_pair_that_does_not_belong_together_is_removed_again(token: Token) -> None:
    token.generate("mine", ECDSA_P256_SHA256, export=Export.WRAPPED)
    other = token.generate("yours", ECDSA_P256_SHA256)
    known = token.secret_key("known")
    crossed = dataclasses.replace(known.wrap("mine"), spki=other.public_key.spki)
    with pytest.raises(Unavailable, match=r"token\.wrong-key"):
        known.unwrap(crossed, "crossed")
    assert "crossed" not in token.key_labels()


def test_a_key_that_was_not_made_exportable_is_not_wrapped(token: Token) -> None:
    token.generate("rooted", ECDSA_P256_SHA256)
    token.generate("trusting", ECDSA_P256_SHA256, export=Export.TRUSTED)
    for label in ("rooted", "trusting"):  # the second only under a key that an officer marked
        with pytest.raises(Unavailable, match=r"token\.not-exportable"):
            token.secret_key("known").wrap(label)


def test_a_pair_for_escrow_leaves_nothing_in_the_token(token: Token) -> None:
    before = token.key_labels()
    wrapped = token.generate_wrapped(RSA_PKCS1_SHA256, KeyUse.DECRYPT, "known")
    assert token.key_labels() == before
    inside = load_der_private_key(opened(wrapped), None)
    assert isinstance(inside, rsa.RSAPrivateKey)
    token.secret_key("known").unwrap(wrapped, "recovered")
    assert "recovered" in token.key_labels()


def test_nonsense_is_not_a_wrapped_key() -> None:
    for data in (b"", b"[]", b"{}", os.urandom(40), b"9" * 60000):
        with pytest.raises(Malformed, match=r"wrapped-key\.malformed"):
            WrappedKey.decode(data)
