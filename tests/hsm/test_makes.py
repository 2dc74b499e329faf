"""One contract, three unrelated makes of token.

What a make cannot do stands in `CANNOT` and in docs/tokens.md. It must refuse that with a code;
a make that learns it fails the test.
"""

import pytest

from tests.servers.token_makes import Make

CANNOT: dict[str, dict[str, str]] = {
    "SoftHSM2": {},
    "tpm2-pkcs11": {
        "rsa-pkcs1-sha256": "token.failed",
        "rsa-pss-sha256": "token.failed",
        "ed25519": "token.mechanism",
        "encrypt": "token.failed",
        "mac": "token.failed",
        "wrap": "token.failed",
        "trusted": "token.failed",
        "leaves": "token.failed",
    },
    "NSS softokn": {
        "ed25519": "token.mechanism",
        "encrypt": "token.failed",
        "wrap": "token.failed",
        "backup": "token.failed",
        # It wraps a key whatever CKA_EXTRACTABLE and CKA_WRAP_WITH_TRUSTED say.
        "never": "token.unguarded-key",
        "trusted": "token.unguarded-key",
    },
}
"""By make: what it cannot do, and the code of its refusal."""

SUITES = (
    "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pkcs1-sha256", "rsa-pss-sha256", "ed25519",
)  # fmt: skip

_SIGN = """
suite = SUITES[NAME]
def work():
    key = token.generate("made", suite, export=export)
    assert key.public_key.verify(suite, key.sign(b"message"), b"message")
    assert not key.public_key.verify(suite, key.sign(b"message"), b"another")
    token.require_guarded("made", export)
told(code_of(work))
"""


@pytest.mark.parametrize("suite", SUITES)
def test_a_key_is_made_and_signs(make: Make, suite: str) -> None:
    said = make.run(f"NAME = {suite!r}" + _SIGN)
    assert said == CANNOT[make.name].get(suite, "done")


_OF_A_KEY = """
key = token.generate("k", SUITES["ecdsa-p256-sha256"], export=export)
again = code_of(lambda: token.generate("k", SUITES["ecdsa-p256-sha256"], export=export))
absent = code_of(lambda: token.key("absent"))
from tests.hsm.test_token import certificate_of
first, second = certificate_of(key, 1), certificate_of(key, 2)
token.write_certificate("k", first)
token.write_certificate("k", second)
token.close()
later = opened()
message = b"after logging in again"
signs = later.key("k").public_key.verify(key.suite, later.key("k").sign(message), message)
told([again, absent, later.certificate("k") == second, later.key_labels(), signs])
"""


def test_keys_and_certificates_are_found_again(make: Make) -> None:
    assert make.run(_OF_A_KEY) == ["key.exists", "token.no-key", True, ["k"], True]


_THREADS = """
from concurrent.futures import ThreadPoolExecutor
key = token.generate("k", SUITES["ecdsa-p256-sha256"], export=export)
def sign(number):
    message = number.to_bytes(4, "big")
    return key.public_key.verify(key.suite, key.sign(message), message)
with ThreadPoolExecutor(4) as threads:
    told(all(threads.map(sign, range(60))))
"""


def test_several_threads_sign(make: Make) -> None:
    assert make.run(_THREADS) is True


_WRONG_PIN = """
codes = [code_of(opened("wrong-pin").login) for _ in range(12)]
told([sorted(set(codes)), code_of(opened().login)])
"""


def test_a_wrong_pin_is_told_and_not_tried_again(make: Make) -> None:
    assert make.run(_WRONG_PIN) == [["token.pin-wrong"], "done"]


_SECRETS = """
def encrypts():
    secret = token.generate_secret("data")
    made = secret.encrypt(b"person", b"row")
    assert secret.decrypt(made, b"row") == b"person"
    assert code_of(lambda: secret.decrypt(made, b"other")) == "secret.not-authentic"
def indexes():
    secret = token.generate_secret("index", SecretUse.MAC)
    assert secret.mac(b"x") == secret.mac(b"x") != secret.mac(b"y")
def wraps():
    wrapping = token.generate_secret("wrap", SecretUse.WRAP)
    key = token.generate("leaves", SUITES["ecdsa-p256-sha256"], export=Export.WRAPPED)
    wrapped = wrapping.wrap("leaves")
    token.destroy("leaves")
    back = wrapping.unwrap(wrapped, "back")
    assert back.public_key == key.public_key
    assert key.public_key.verify(key.suite, back.sign(b"m"), b"m")
told([code_of(encrypts), code_of(indexes), code_of(wraps)])
"""


def test_secret_keys_encrypt_index_and_wrap(make: Make) -> None:
    cannot = CANNOT[make.name]
    wanted = [cannot.get(what, "done") for what in ("encrypt", "mac", "wrap")]
    assert make.run(_SECRETS) == wanted


_TRUSTED = """
def work():
    token.generate("k", SUITES["ecdsa-p256-sha256"], export=Export.TRUSTED)
    token.generate_secret("wrap", SecretUse.WRAP)
    assert code_of(lambda: token.secret_key("wrap").wrap("k")) == "token.not-exportable"
    with token.lent(bytes(range(32)), so_pin) as officer:
        assert officer.wrap("k").value
told(code_of(work))
"""


def test_a_key_leaves_only_under_a_key_that_the_officer_marked(make: Make) -> None:
    assert make.run(_TRUSTED) == CANNOT[make.name].get("trusted", "done")


_NEVER = """
said = code_of(lambda: token.generate("k", SUITES["ecdsa-p256-sha256"]))
told([said, token.key_labels()])
"""


def test_a_token_that_does_not_keep_its_keys_is_caught(make: Make) -> None:
    """What it says of a key is not enough: a wrapping key is tried on it."""
    wanted = CANNOT[make.name].get("never", "done")
    assert make.run(_NEVER) == [wanted, ["k"] if wanted == "done" else []]


_BACKUP = """
from datetime import UTC, datetime
from hsm.backup import back_up, restore
backup_key, documents = bytes(range(32)), []
def generates():
    token.generate("k", SUITES["ecdsa-p256-sha256"], export=Export.WRAPPED)
def backs_up():
    document, made = back_up(token, backup_key, datetime(2026, 11, 29, tzinfo=UTC))
    assert made.keys == ("k",)
    documents.append(document)
def restores():
    public = token.key("k").public_key
    token.destroy("k")
    assert restore(token, documents[0], backup_key).keys == ("k",)
    assert public.verify(token.key("k").suite, token.key("k").sign(b"m"), b"m")
said = []
for step in (generates, backs_up, restores):
    said.append(code_of(step))
    if said[-1] != "done":
        break
told([said, token.secret_labels()])
"""


def test_keys_are_backed_up_and_restored_or_that_is_refused(make: Make) -> None:
    """The backup key does not stay in the token, either way."""
    cannot = CANNOT[make.name]
    wanted = ["done", "done", "done"]
    for number, step in enumerate(("leaves", "backup")):
        if step in cannot:
            wanted = [*wanted[:number], cannot[step]]
            break
    assert make.run(_BACKUP) == [wanted, []]
