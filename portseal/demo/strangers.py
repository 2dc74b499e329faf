"""Programs that know nothing of PortSeal and judge what it made."""

import subprocess
from pathlib import Path

from kernel.refusals import Unprocessable


def _run(*command: str | Path, stdin: bytes | None = None) -> str:
    """Run a tool. Raises Unprocessable `demo.stranger` with its own words when it says no."""
    done = subprocess.run(command, capture_output=True, input=stdin)
    said = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode:
        raise Unprocessable("demo.stranger", f"{command[0]} does not accept it: {said[-500:]}")
    return said


def openssl_verifies_chain(certificate: Path, issuing: Path, root: Path, crl: Path) -> None:
    """`openssl verify -crl_check`: chain and revocation by CRL."""
    _run(
        "openssl", "verify", "-crl_check", "-CRLfile", crl, "-CAfile", root,
        "-untrusted", issuing, certificate,
    )  # fmt: skip


def openssl_says_revoked(certificate: Path, issuing: Path, root: Path, crl: Path) -> bool:
    """Whether `openssl verify -crl_check` refuses the certificate as revoked."""
    try:
        openssl_verifies_chain(certificate, issuing, root, crl)
    except Unprocessable as refusal:
        return "certificate revoked" in refusal.detail
    return False


def openssl_verifies_cades(signature: Path, document: Path, root: Path) -> None:
    """`openssl cms -verify` of a detached signature; the chain comes from the signature."""
    _run(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", signature,
        "-content", document, "-CAfile", root, "-purpose", "any", "-out", "/dev/null",
    )  # fmt: skip


def openssl_encrypts(document: Path, certificate: Path, output: Path) -> None:
    """`openssl cms -encrypt` to whoever holds the certificate's key."""
    _run(
        "openssl", "cms", "-encrypt", "-binary", "-aes256", "-in", document,
        "-outform", "DER", "-out", output, certificate,
    )  # fmt: skip


def openssl_verifies_timestamp(answer: Path, data: Path, root: Path, issuing: Path) -> None:
    """`openssl ts -verify` of a time-stamp response over a file."""
    _run(
        "openssl", "ts", "-verify", "-data", data, "-in", answer, "-CAfile", root,
        "-untrusted", issuing,
    )  # fmt: skip


def openssl_timestamp_query(data: Path) -> bytes:
    """A request made by `openssl ts -query`."""
    command = ["openssl", "ts", "-query", "-data", str(data), "-sha256", "-cert"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def openssl_ocsp_request(certificate: Path, issuing: Path, *, nonce: bool = False) -> bytes:
    """A request made by `openssl ocsp`."""
    request = ["-issuer", str(issuing), "-cert", str(certificate)]
    request.append("-nonce" if nonce else "-no_nonce")
    command = ["openssl", "ocsp", *request, "-reqout", "/dev/stdout"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def openssl_reads_ocsp(answer: Path, certificate: Path, issuing: Path, root: Path) -> str:
    """`openssl ocsp -respin`: verifies the response and tells `good` or `revoked`."""
    said = _run(
        "openssl", "ocsp", "-respin", answer, "-issuer", issuing, "-cert", certificate,
        "-CAfile", root, "-verify_other", issuing, "-no_nonce",
    )  # fmt: skip
    if "Response verify OK" not in said:
        raise Unprocessable("demo.stranger", f"openssl does not accept the answer: {said[-300:]}")
    line = next(line for line in said.splitlines() if line.startswith(str(certificate)))
    return line.partition(":")[2].strip()


def xmlsec1_verifies(document: Path, root: Path, issuing: Path) -> None:
    """`xmlsec1 --verify`: signature, references and chain."""
    _run(
        "xmlsec1", "--verify", "--trusted-pem", root, "--untrusted-pem", issuing,
        "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", document,
    )  # fmt: skip


def ldapsearch(uri: str, base: str, filter_: str, *attributes: str) -> str:
    """What an anonymous `ldapsearch` finds, as LDIF without line breaks in values."""
    return _run(
        "ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", uri, "-b", base, filter_,
        *attributes,
    )  # fmt: skip
