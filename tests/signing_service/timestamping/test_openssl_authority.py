"""A timestamp authority that openssl runs: its answers are taken, its tokens are read."""

import subprocess
from pathlib import Path

import pytest

from kernel.refusals import Unavailable
from signing_service.formats.cades import whole as cades
from signing_service.formats.xades import whole as xades
from signing_service.timestamping.client import check_answer, encode_request
from signing_service.validation.evidence import SignatureLevel
from tests.software_keys import Identity, SoftwareAuthority, write_pem

NONCE = 4711
DOCUMENT = b"<declaration>1</declaration>"
_CONFIGURATION = """
[tsa]
default_tsa = it
[it]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.3.6.1.4.1.32473.7
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = {algorithm}
"""


class OpensslTimestamper:
    """`openssl ts -reply` behind our own client's checks."""

    def __init__(self, directory: Path, tsa: Identity, algorithm: str) -> None:
        self._directory = directory
        (directory / "ts.cnf").write_text(_CONFIGURATION.format(algorithm=algorithm))
        (directory / "serial").write_text("01\n")
        (directory / "tsa.key").write_bytes(tsa.key.pem())
        write_pem(directory / "tsa.pem", [tsa.certificate])
        write_pem(directory / "chain.pem", tsa.chain)

    def answer(self, request: bytes) -> bytes:
        (self._directory / "q.tsq").write_bytes(request)
        command = ["openssl", "ts", "-reply", "-config", "ts.cnf", "-queryfile", "q.tsq"]
        command += ["-inkey", "tsa.key", "-signer", "tsa.pem", "-chain", "chain.pem"]
        subprocess.run(
            [*command, "-out", "a.tsr"], cwd=self._directory, check=True, capture_output=True
        )
        return (self._directory / "a.tsr").read_bytes()

    def stamp(self, imprint: bytes, digest: str) -> bytes:
        answer = self.answer(encode_request(imprint, digest, nonce=NONCE))
        return check_answer(answer, imprint, digest, nonce=NONCE, policy="1.3.6.1.4.1.32473.7")


@pytest.fixture(params=["sha1", "sha256"])
def openssl(
    tmp_path: Path, pki: SoftwareAuthority, request: pytest.FixtureRequest
) -> OpensslTimestamper:
    """With ESSCertID (RFC 2634) and ESSCertIDv2 (RFC 5816)."""
    return OpensslTimestamper(tmp_path, pki.timestamp_authority(), request.param)


def test_its_tokens_raise_signatures(openssl: OpensslTimestamper, pki: SoftwareAuthority) -> None:
    signer, now = pki.signer(), pki.now
    p7s = cades.sign(DOCUMENT, signer.key, signer.certificate, now, timestamper=openssl)
    xml = xades.sign(DOCUMENT, signer.key, signer.certificate, now, timestamper=openssl)

    for (evidence,) in (cades.read(p7s, DOCUMENT), xades.read(xml)):
        (stamp,) = evidence.timestamps
        assert evidence.level is SignatureLevel.B_T
        assert stamp.imprint.intact
        assert stamp.policy == "1.3.6.1.4.1.32473.7"
        assert stamp.accuracy_seconds == 1.0
        assert all(each.intact for each in stamp.signature.references)


def test_its_answer_to_another_question_is_not_taken(openssl: OpensslTimestamper) -> None:
    other = openssl.answer(encode_request(bytes(32), "sha256", nonce=NONCE))
    for imprint, nonce in ((b"\x01" * 32, NONCE), (bytes(32), NONCE + 1)):
        with pytest.raises(Unavailable, match="bad-answer"):
            check_answer(other, imprint, "sha256", nonce=nonce, policy=None)


def test_its_refusal_is_told(openssl: OpensslTimestamper) -> None:
    """Of a policy that it does not have."""
    request = encode_request(bytes(32), "sha256", nonce=NONCE, policy="1.2.3")
    with pytest.raises(Unavailable, match="refused"):
        check_answer(openssl.answer(request), bytes(32), "sha256", nonce=NONCE, policy=None)
