"""An SM2 authority by the openssl command line: root, issuing CA, signer, responder, TSA.

openssl makes every key, certificate, list and response; only what its command line cannot make
(CMS, XML) is signed by `tests.sm2_keys`.
"""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kernel.algorithms import DIGEST_OIDS
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.clock import FixedClock
from policies.validation import ValidationPolicy, load_validation_policy
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.timestamping.client import check_answer
from signing_service.timestamping.response import ResponseMould
from signing_service.trust import TrustAnchors, TrustedAuthority
from signing_service.verification import Verification
from tests.signing_service.validation.scenery import Registry
from tests.sm2_keys import Sm2SoftwareKey

ID = "distid:1234567812345678"
_CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
_SIGNER = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,nonRepudiation\n"
_IDENTIFIERS = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
_RESPONDER = "extendedKeyUsage=OCSPSigning\nnoCheck=ignored\n"
_TSA = "extendedKeyUsage=critical,timeStamping\n"


@dataclass(frozen=True)
class Sm2Identity:
    """A key with its certificate and the certificates above it, issuer first, root last."""

    name: str
    key: Sm2SoftwareKey
    certificate: Certificate
    chain: tuple[Certificate, ...]


class Sm2Authority:
    """Everything lives below `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._next_serial = 0x1000
        self.root = self.certify("SM2 root", None, _CA)
        self.issuing = self.certify("SM2 issuing", self.root, _CA)
        self.signer = self.certify("SM2 signer", self.issuing, _SIGNER)
        self.responder = self.certify("SM2 responder", self.issuing, _SIGNER + _RESPONDER)
        self.tsa = self.certify("SM2 TSA", self.issuing, _SIGNER + _TSA)

    @property
    def now(self) -> datetime:
        """What openssl makes is of this moment: it takes no other."""
        return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)

    @property
    def policy(self) -> ValidationPolicy:
        """Read anew: a copy of one that was used would keep what it has worked out."""
        return load_validation_policy()

    def anchors(self) -> TrustAnchors:
        authority = TrustedAuthority("国密机构", (self.root.certificate,))
        return TrustAnchors((authority,), (self.issuing.certificate,))

    def certify(
        self,
        name: str,
        issuer: Sm2Identity | None,
        extensions: str = _SIGNER,
        public_key: bytes | None = None,
    ) -> Sm2Identity:
        """`public_key`: another's key, PEM, certified instead of the new one."""
        key = Sm2SoftwareKey.generate()
        self._next_serial += 1
        self._file(f"{name}.key", key.pem())
        self._file(f"{name}.ext", (extensions + _IDENTIFIERS).encode())
        self._openssl(
            "req", "-new", "-key", f"{name}.key", "-subj", f"/C=CN/CN={name}", "-sm3",
            "-sigopt", ID, "-out", f"{name}.csr",
        )  # fmt: skip
        by = ["-signkey", f"{name}.key"]
        if issuer is not None:
            by = ["-CA", f"{issuer.name}.pem", "-CAkey", f"{issuer.name}.key"]
        if public_key is not None:
            self._file(f"{name}.pub", public_key)
            by += ["-force_pubkey", f"{name}.pub"]
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", *by, "-days", "300", "-sm3", "-sigopt", ID,
            "-vfyopt", ID, "-set_serial", str(self._next_serial), "-extfile", f"{name}.ext",
            "-out", f"{name}.pem",
        )  # fmt: skip
        certificate = Certificate.parse(self._read(f"{name}.pem"))
        chain = () if issuer is None else (issuer.certificate, *issuer.chain)
        return Sm2Identity(name, key, certificate, chain)

    def material(self) -> ValidationMaterial:
        """What proves signer and timestamp authority good: OCSP for the ends, the root's list."""
        return ValidationMaterial(
            (self.issuing.certificate.der, self.root.certificate.der),
            (self.ocsp(self.signer.certificate), self.ocsp(self.tsa.certificate)),
            (self.crl(self.root),),
        )

    def keep(self, identity: Sm2Identity) -> None:
        """Its files are those of its name again."""
        self._file(f"{identity.name}.key", identity.key.pem())
        self._file(f"{identity.name}.pem", identity.certificate.pem.encode())

    def verification(self, **changes: Any) -> Verification:
        """Nobody's records help: the status comes with the signature or not at all."""
        policy = self.policy.model_copy(update=changes)
        clock = FixedClock(self.now + timedelta(minutes=1))
        return Verification(self.anchors(), (), Registry(), policy, clock)

    def request(self, name: str) -> bytes:
        """The PKCS#10 that the certificate of `name` was made from, PEM."""
        return self._read(f"{name}.csr")

    def crl(self, issuer: Sm2Identity, *revoked: Certificate) -> bytes:
        """A list for a week, DER."""
        self._index(self.now, revoked)
        self._file("crlnumber", b"01\n")
        self._file(
            "ca.cnf",
            b"[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\ncrlnumber=crlnumber\n"
            b"default_md=sm3\ndefault_crl_days=7\ncrl_extensions=list\n"
            b"[list]\nauthorityKeyIdentifier=keyid\n",
        )
        self._openssl(
            "ca", "-gencrl", "-config", "ca.cnf", "-cert", f"{issuer.name}.pem",
            "-keyfile", f"{issuer.name}.key", "-sigopt", ID, "-out", "crl.pem",
        )  # fmt: skip
        self._openssl("crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der")
        return self._read("crl.der")

    def ocsp(
        self,
        certificate: Certificate,
        *,
        revoked: bool = False,
        by: Sm2Identity | None = None,
        digest: str = "sha1",
    ) -> bytes:
        """An OCSPResponse for a week, DER; `digest` of the CertID."""
        signer = by or self.responder
        self._index(self.now, (certificate,) if revoked else (), (certificate,))
        self._file("end.pem", certificate.pem.encode())
        self._openssl(
            "ocsp", f"-{digest}", "-issuer", "SM2 issuing.pem", "-cert", "end.pem", "-no_nonce",
            "-reqout", "ocsp.req",
        )  # fmt: skip
        self._openssl(
            "ocsp", "-index", "index.txt", "-CA", "SM2 issuing.pem", "-rsigner",
            f"{signer.name}.pem", "-rkey", f"{signer.name}.key", "-rmd", "sm3", "-rsigopt", ID,
            "-reqin", "ocsp.req", "-ndays", "7", "-respout", "ocsp.der",
        )  # fmt: skip
        return self._read("ocsp.der")

    def _index(
        self, at: datetime, revoked: tuple[Certificate, ...], known: tuple[Certificate, ...] = ()
    ) -> None:
        """openssl's database of a CA."""
        lines = []
        for each in dict.fromkeys((*revoked, *known)):
            end = each.not_after.strftime("%y%m%d%H%M%SZ")
            state, when = "V", ""
            if each in revoked:
                state, when = "R", (at - timedelta(minutes=1)).strftime("%y%m%d%H%M%SZ")
                when += ",keyCompromise"
            lines.append(f"{state}\t{end}\t{when}\t{each.serial:04X}\tunknown\t/CN=x\n")
        self._file("index.txt", "".join(lines).encode())
        self._file("index.txt.attr", b"unique_subject=no\n")

    def _openssl(self, *arguments: str) -> None:
        command = ["openssl", *arguments]
        done = subprocess.run(command, cwd=self._directory, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def _file(self, name: str, octets: bytes) -> None:
        (self._directory / name).write_bytes(octets)

    def _read(self, name: str) -> bytes:
        return (self._directory / name).read_bytes()


class Sm2Timestamper:
    """A timestamp authority with an SM2 key; imprints are whatever is asked for."""

    def __init__(self, authority: Sm2Authority) -> None:
        self._authority = authority

    def stamp(self, imprint: bytes, digest: str) -> bytes:
        tsa, now = self._authority.tsa, datetime.now(UTC)
        suite = tsa.key.suite
        algorithm = der.sequence(der.oid(DIGEST_OIDS[digest]))
        info = der.sequence(
            der.integer(1),
            der.oid("1.3.6.1.4.1.32473.2"),
            der.sequence(algorithm, der.octet_string(imprint)),
            der.integer(int(now.timestamp() * 1000)),
            der.tlv(0x18, now.strftime("%Y%m%d%H%M%SZ").encode()),
        )
        mould = ResponseMould(suite, tsa.certificate, tsa.chain[:1], 32)
        signature = tsa.key.sign(mould.to_be_signed(suite.hash(info)))
        answer = mould.fill(info, suite.hash(info), signature, certificates=True)
        return check_answer(answer, imprint, digest, nonce=None, policy=None)


@cache
def sm2_authority() -> Sm2Authority:
    """One for all tests of a process; its directory goes with the process."""
    directory = TemporaryDirectory(prefix="sm2-authority-")
    authority = Sm2Authority(Path(directory.name))
    _KEPT.append(directory)
    return authority


_KEPT: list[TemporaryDirectory[str]] = []
