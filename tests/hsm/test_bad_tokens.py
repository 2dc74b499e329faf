"""A token that is full: refused with a code, nothing half made, what it held goes on working."""

from pathlib import Path

from tests.servers.token_makes import MAKES

_FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
key = token.generate("k", SUITES["ecdsa-p256-sha256"])
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # as on a disk that is full
def keeps_a_certificate():
    from tests.hsm.test_token import certificate_of
    token.write_certificate("k", certificate_of(key, 1))
codes = [code_of(lambda: token.generate("more", SUITES["ecdsa-p256-sha256"])),
         code_of(lambda: token.generate_secret("hidden")), code_of(keeps_a_certificate)]
signs = key.public_key.verify(key.suite, key.sign(b"still"), b"still")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
token.close()
later = opened()
left = [later.key_labels(), later.secret_labels()]
again = later.generate("more", SUITES["ecdsa-p256-sha256"])
told([codes, signs, left, later.key_labels()])
"""


def test_a_full_token_refuses_and_goes_on(tmp_path: Path) -> None:
    with MAKES["SoftHSM2"](tmp_path) as make:
        codes, signs, left, then = make.run(_FULL)
    assert set(codes) <= {"token.failed", "token.full"}
    assert signs is True
    assert left == [["k"], []]
    assert then == ["k", "more"]
