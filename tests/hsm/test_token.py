"""Keys made in a token stay there, sign under every suite, and say clearly what is wrong."""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from pkcs11 import Attribute, ObjectClass

import hsm.sessions
from hsm.admin import change_pin, check_pin, initialise_token
from hsm.mechanisms import MECHANISMS
from hsm.module import Module
from hsm.pins import DescriptorPin, EnvironmentPin, FilePin, PromptPin
from hsm.pyca import as_pyca_private_key, pyca_hash
from hsm.token import Token
from hsm.token_key import TokenKey
from kernel.algorithms import ECDSA_P256_SHA256, RSA_PKCS1_SHA1, SUITES, Padding
from kernel.refusals import Conflict, Refusal, Unavailable, Unprocessable
from tests.token import TokenBench, softhsm_module


@pytest.fixture(scope="module")
def token(token_bench: TokenBench) -> Iterator[Token]:
    made = token_bench.new_token("hsm-tests")
    yield made
    made.close()


@pytest.fixture(scope="module")
def key(token: Token) -> TokenKey:
    return token.generate("signer", ECDSA_P256_SHA256)


@pytest.mark.parametrize("name", sorted(MECHANISMS))
def test_every_suite_signs_in_the_token_and_verifies_outside(token: Token, name: str) -> None:
    suite = SUITES[name]
    made = token.generate(f"suite {name}", suite)
    signature = made.sign("报关单".encode())
    assert made.public_key.verify(suite, signature, "报关单".encode())
    assert not made.public_key.verify(suite, signature, "报关单。".encode())
    assert suite.from_raw(suite.to_raw(signature)) == signature


@pytest.mark.parametrize("name", sorted(MECHANISMS))
def test_pyca_builders_sign_in_the_token(token: Token, name: str, tmp_path: Path) -> None:
    made = token.generate(f"pyca {name}", SUITES[name])
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    rsa_padding = pss if made.suite.padding is Padding.PSS else None
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "测试")]))
        .sign(as_pyca_private_key(made), pyca_hash(made), rsa_padding=rsa_padding)
    )
    path = tmp_path / "request.pem"
    path.write_bytes(request.public_bytes(Encoding.PEM))
    answer = subprocess.run(
        ["openssl", "req", "-in", path, "-verify", "-noout"], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr


def test_a_private_key_cannot_be_read_from_the_token(token: Token, key: TokenKey) -> None:
    posed = as_pyca_private_key(key)
    with pytest.raises(Unprocessable, match=r"key\.not-extractable"):
        posed.private_numbers()  # type: ignore[union-attr]
    pin = TokenBench.pin_variable("hsm-tests")
    listed = subprocess.run(
        ["pkcs11-tool", "--module", token._module.path, "--token-label", "hsm-tests", "--login",
         "--pin", f"env:{pin}", "--list-objects", "--type", "privkey"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    entry = listed.stdout.split("signer", 1)[1]
    assert "sensitive, always sensitive, never extractable" in entry.split("Private Key")[0]


def test_a_second_key_of_the_same_name_is_refused(token: Token, key: TokenKey) -> None:
    with pytest.raises(Conflict, match=r"key\.exists"):
        token.generate("signer", ECDSA_P256_SHA256)


def test_sha1_is_never_signed_with(token: Token) -> None:
    with pytest.raises(Unprocessable, match=r"key\.suite"):
        token.generate("weak", RSA_PKCS1_SHA1)


def test_a_digest_of_the_wrong_length_is_refused(key: TokenKey) -> None:
    with pytest.raises(Unprocessable, match=r"key\.digest"):
        key.sign_digest(b"short")


def test_many_threads_sign_at_once(token: Token, key: TokenKey) -> None:
    def sign(number: int) -> bool:
        message = number.to_bytes(4, "big")
        return key.public_key.verify(key.suite, key.sign(message), message)

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(sign, range(4000)))


_WORKER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from hsm.pins import EnvironmentPin
from hsm.token import Token
module, label, variable = sys.argv[1:4]
key = Token(module, label, EnvironmentPin(variable)).key("signer")
def sign(number):
    message = number.to_bytes(4, "big")
    return key.public_key.verify(key.suite, key.sign(message), message)
with ThreadPoolExecutor(8) as threads:
    print(sum(threads.map(sign, range(1000))))
"""


def test_several_processes_with_many_threads_sign_at_once(
    token_bench: TokenBench, token: Token, key: TokenKey
) -> None:
    arguments = [token._module.path, "hsm-tests", TokenBench.pin_variable("hsm-tests")]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env=token_bench.environment,
        )
        for _ in range(4)
    ]
    for worker in workers:
        printed, _ = worker.communicate(timeout=120)
        assert (worker.returncode, printed.strip()) == (0, "1000")


def test_use_after_a_fork_is_refused(key: TokenKey) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            key.sign(b"from the child")
            said = b"signed"
        except Refusal as refusal:
            said = refusal.code.encode()
        except BaseException:
            said = b"broke"
        os.write(writer, said)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        assert told.read() == b"token.forked"
    os.waitpid(child, 0)


def test_a_wrong_pin_is_told_apart_and_a_right_one_works_afterwards(
    token_bench: TokenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_bench.new_token("wrong-pin")
    variable = TokenBench.pin_variable("wrong-pin")
    right = os.environ[variable]
    monkeypatch.setenv(variable, "not-the-pin")
    with pytest.raises(Unavailable) as refused:
        token.login()
    assert refused.value.code == "token.pin-wrong"
    assert "not-the-pin" not in str(refused.value)
    monkeypatch.setenv(variable, right)
    token.login()


class CountingPin:
    """Gives what it is told to, and counts how often it is asked."""

    def __init__(self, value: str, *, attended: bool = False) -> None:
        self.value, self.attended, self.asked = value, attended, 0

    def pin(self, token: str) -> str:
        self.asked += 1
        return self.value


@pytest.fixture
def presented(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The PINs that reach any token from now on."""
    seen: list[str] = []
    log_in = hsm.sessions.present_pin

    def watched(token: Any, pin: str) -> Any:
        seen.append(pin)
        return log_in(token, pin)

    monkeypatch.setattr(hsm.sessions, "present_pin", watched)
    return seen


def test_a_wrong_pin_is_presented_once(token_bench: TokenBench, presented: list[str]) -> None:
    right = os.environ[TokenBench.pin_variable(token_bench.new_token("once").label)]
    source = CountingPin("not-the-pin")
    for token in [Token(token_bench.module, "once", source) for _ in range(2)] * 3:
        with pytest.raises(Unavailable, match=r"token\.pin-wrong"):
            token.key_labels()
    assert (presented, source.asked) == (["not-the-pin"], 6)
    source.value = right
    assert token.key_labels() == []
    source.value = "not-the-pin"
    assert token.key_labels() == []  # logged in already
    assert presented == ["not-the-pin", right]
    held = gc.get_referrers(token._module.wrong_pins)
    assert "not-the-pin" not in repr([vars(token._module.wrong_pins), held])


def test_the_last_try_is_left_to_a_person(
    token_bench: TokenBench, presented: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SoftHSM2 never counts down, so the flag is set on what it says of itself."""
    right = os.environ[TokenBench.pin_variable(token_bench.new_token("last-try").label)]

    class LastTry:
        def __init__(self, token: Any) -> None:
            self.flags = token.flags | pkcs11.TokenFlag.USER_PIN_FINAL_TRY
            self.serial, self.open = token.serial, token.open

    find = Module.token
    monkeypatch.setattr(Module, "token", lambda self, *which: LastTry(find(self, *which)))
    with pytest.raises(Unavailable, match=r"token\.last-try"):
        Token(token_bench.module, "last-try", CountingPin(right)).login()
    assert presented == []
    Token(token_bench.module, "last-try", CountingPin(right, attended=True)).login()
    assert presented == [right]
    assert PromptPin().attended


def test_a_missing_pin_is_told_apart(token_bench: TokenBench) -> None:
    token_bench.new_token("no-pin")
    with pytest.raises(Unavailable, match=r"pin\.missing"):
        Token(token_bench.module, "no-pin", EnvironmentPin("SURELY_UNSET")).login()


def test_a_missing_token_is_told_apart(token_bench: TokenBench) -> None:
    with pytest.raises(Unavailable, match=r"token\.missing"):
        Token(token_bench.module, "nobody's", EnvironmentPin("SURELY_UNSET")).login()


def test_a_missing_module_is_told_apart() -> None:
    with pytest.raises(Unavailable, match=r"token\.module"):
        Token("/nowhere/module.so", "x", EnvironmentPin("SURELY_UNSET"))


def test_a_key_that_the_token_does_not_hold_is_told_apart(token: Token) -> None:
    with pytest.raises(Unavailable, match=r"token\.no-key"):
        token.key("absent")


_PULLED = """
import shutil, sys, time
import hsm.module
from hsm.pins import EnvironmentPin
from hsm.session_copies import LOOK_AGAIN_SECONDS
from hsm.token import Token
from kernel.refusals import Unavailable
module, tokens, variable = sys.argv[1:4]
key = Token(module, "pulled", EnvironmentPin(variable)).key("k")
key.sign(b"in")
shutil.move(tokens, tokens + ".pulled")
believed = time.monotonic() + LOOK_AGAIN_SECONDS
while time.monotonic() <= believed: pass
try:
    key.sign(b"out")
    print("signed without the token")
except Unavailable as refusal:
    print(refusal.code)
hsm.module._RELOAD_PAUSE_SECONDS = 0
shutil.move(tokens + ".pulled", tokens)
message = b"in again"
print(key.public_key.verify(key.suite, key.sign(message), message))
"""


def test_a_pulled_token_refuses_and_a_returned_one_is_used_again(tmp_path: Path) -> None:
    """A token's directory is moved away under a running process: SoftHSM2's way to be pulled."""
    program = (
        "import sys; from pathlib import Path; from tests.token import TokenBench\n"
        "from kernel.algorithms import ECDSA_P256_SHA256\n"
        f"bench = TokenBench(Path({str(tmp_path)!r}))\n"
        "bench.new_token('pulled').generate('k', ECDSA_P256_SHA256)\n"
        "import os; print(os.environ['PIN_PULLED'])\n"
    )
    made = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    environment = {
        **os.environ,
        "SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf"),
        "PIN_PULLED": made.stdout.strip(),
    }
    module = softhsm_module()
    answer = subprocess.run(
        [sys.executable, "-c", _PULLED, module, str(tmp_path / "tokens"), "PIN_PULLED"],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert answer.stdout.split() == ["token.missing", "True"], answer.stderr


def certificate_of(key: TokenKey, serial: int, age: int = 0) -> bytes:
    """Signed by its own key, valid since `age` days."""
    since = datetime.now(UTC) - timedelta(days=age)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "holder")])
    builder = x509.CertificateBuilder(
        name, name, as_pyca_private_key(key).public_key(), serial, since, since + timedelta(days=9)
    )
    return builder.sign(as_pyca_private_key(key), pyca_hash(key)).public_bytes(Encoding.DER)


_CERTIFICATE = {Attribute.CLASS: ObjectClass.CERTIFICATE}


def objects_of(token: Token, label: str) -> list[pkcs11.Object]:
    wanted = {**_CERTIFICATE, Attribute.LABEL: label}
    return token._pool.run(lambda session: list(session.session.get_objects(wanted)))


def test_a_certificate_is_kept_beside_its_key_and_replaced(token: Token, key: TokenKey) -> None:
    token.write_certificate("signer", certificate_of(key, 1))
    token.write_certificate("signer", certificate_of(key, 2))
    (stored,) = objects_of(token, "signer")
    found = x509.load_der_x509_certificate(stored[Attribute.VALUE])
    assert found.serial_number == 2


def test_of_two_certificates_of_a_label_the_newest_of_its_key_counts(token: Token) -> None:
    """A write that dies leaves the older beside the newer; the next one tidies up."""
    own = token.generate("twice", ECDSA_P256_SHA256)
    foreign = token.generate("not-twice", ECDSA_P256_SHA256)
    newest = certificate_of(own, 2, age=1)
    left = [certificate_of(own, 1, age=2), newest, certificate_of(foreign, 3)]
    for order in (left, left[::-1]):
        for number, der in enumerate(order):
            token.write_certificate(f"left {number}", der)
        with token._pool.write() as session:
            for number in range(len(order)):
                label = {Attribute.LABEL: f"left {number}"}
                for each in session.get_objects({**_CERTIFICATE, **label}):
                    each[Attribute.LABEL] = "twice"
        assert len(objects_of(token, "twice")) == 3
        assert token.certificate("twice") == newest
        assert [each.der for each in token.certificates() if each.label == "twice"] == [newest]
        token.write_certificate("twice", newest)
        assert [each[Attribute.VALUE] for each in objects_of(token, "twice")] == [newest]
        with token._pool.write() as session:
            for each in session.get_objects({**_CERTIFICATE, Attribute.LABEL: "twice"}):
                each.destroy()


def test_the_self_test_refuses_a_key_that_is_not_the_one_it_shows(token: Token) -> None:
    first = token.generate("shown", ECDSA_P256_SHA256)
    second = token.generate("used", ECDSA_P256_SHA256)
    liar = TokenKey(token._pool, second.uri, first.public_key, second.suite)
    with pytest.raises(Unavailable, match=r"token\.wrong-key"):
        liar.self_test()


def test_a_pin_is_changed_and_a_guessable_one_refused(
    token_bench: TokenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_bench.new_token("change-pin")
    variable = TokenBench.pin_variable("change-pin")
    old = os.environ[variable]
    with pytest.raises(Unprocessable, match=r"pin\.weak"):
        change_pin(token_bench.module, "change-pin", old, "88888888")
    with pytest.raises(Unavailable, match=r"token\.pin-wrong"):
        change_pin(token_bench.module, "change-pin", "wrong" + old, "another-pin-1")
    change_pin(token_bench.module, "change-pin", old, "another-pin-1")
    monkeypatch.setenv(variable, "another-pin-1")
    token.login()


@pytest.mark.parametrize("pin", ["12345", "88888888", "123456", "987654", "x" * 65])
def test_weak_pins_are_refused(pin: str) -> None:
    with pytest.raises(Unprocessable, match=r"pin\.weak"):
        check_pin(pin)


def test_an_existing_token_is_never_initialised_again(token_bench: TokenBench) -> None:
    token_bench.new_token("precious")
    with pytest.raises(Conflict, match=r"token\.exists"):
        initialise_token(token_bench.module, "precious", "so-pin-1", "user-pin-1")


def test_a_pin_file_readable_by_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pin"
    path.write_text("secret-pin\n")
    path.chmod(0o644)
    with pytest.raises(Unavailable, match=r"pin\.exposed"):
        FilePin(path).pin("t")
    path.chmod(0o600)
    assert FilePin(path).pin("t") == "secret-pin"


def test_a_pin_is_read_from_a_descriptor_once() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"from-a-pipe\n")
    os.close(writer)
    source = DescriptorPin(reader)
    assert (source.pin("t"), source.pin("t")) == ("from-a-pipe", "from-a-pipe")
    assert "from-a-pipe" not in repr(source)
