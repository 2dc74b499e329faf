"""README.txt of an export: which commands verify what, in Chinese and English."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from signing_service.archive.accepted import AcceptedSignature


class _File(Protocol):
    @property
    def path(self) -> str: ...

    @property
    def role(self) -> str: ...

    @property
    def size(self) -> int: ...


_SHA2 = {32: "sha256", 48: "sha384", 64: "sha512"}
_INTRODUCTION = """\
{id}

本压缩包是一份已受理电子签名的全部证据，可离线验证，无需信任导出它的系统。
This file holds the whole evidence of one accepted electronic signature. It can be verified
offline, without trusting the system that exported it.

受理时间 / accepted at:  {accepted_at}
格式 / format:           {format} {level}
保存至 / kept until:     {keep_until}

文件 / Files
  manifest.json          清单与各文件的 SHA-256 / list of files with their SHA-256
  document/              原文，或其摘要 / the document, or its digest where it was never here
  signature/             签名 / the signature
  timestamps/            签名时间戳 (RFC 3161) / signature timestamps
  certificates/          证书链 / certificates; *.pem are the same once more for the tools
  revocation/            OCSP 响应与 CRL / status of the certificates
  evidence/record.ers    证据记录 (RFC 4998)，若已生成 / evidence record, once there is one
  report.json            受理时的验证报告 / validation report at acceptance

先核对根证书指纹是否与认证机构公布的一致，再在解压目录中执行下列命令。
First compare the root's fingerprint with the one that the authority published. Then run these
commands in the directory that the file was unpacked to.

0. 根证书指纹 / the root's fingerprint
   $ openssl x509 -in certificates/root.pem -noout -subject -fingerprint -sha256

1. 一次全部验证 / everything at once (Python 3.9 and OpenSSL 3, or later)
   $ python3 verify_export.py .
"""
_CMS = """
2. 签名 / the signature
   $ openssl cms -verify -binary -inform DER -in signature/signature.p7s -content {document} \
-CAfile certificates/root.pem -no-CApath -no-CAstore -certfile certificates/chain.pem \
-purpose any -attime {at} -out verified-document
"""
_XML = """
2. 签名 / the signature
   $ xmlsec1 --verify --trusted-pem certificates/root.pem --untrusted-pem certificates/chain.pem \
--verification-gmt-time "{gmt}" --id-attr:Id \
http://uri.etsi.org/01903/v1.3.2#:SignedProperties {signature}
"""
_PDF = """
2. 签名 / the signature (poppler-utils)
   $ pdfsig -nocert {signature}
"""
_JWS = """
2. 签名：JAdES (ETSI TS 119 182-1)，可用任何 JWS 库及 certificates/signer.pem 中的公钥验证
   The signature is JAdES: any JWS library verifies it with the key in certificates/signer.pem.
"""
_CONTAINER = """
2. 签名：ASiC 容器 (EN 319 162-1)，解压后签名在 META-INF/ 中
   The signature is an ASiC container: unpack it, the signature lies in META-INF/.
   $ unzip -t {signature}
"""
_VALUE = """
2. 签名值：原文从未送达，仅对其摘要签名。先验证签名人证书至根证书的路径，再验证签名值
   （第二条命令适用于 ECDSA 或 RSA PKCS#1 密钥）；两条均须成功
   The signature value: the document was never here, a digest was signed. First the path from the
   signer's certificate to the root, then the value (for ECDSA and RSA PKCS#1); both must succeed:
   $ openssl verify -CAfile certificates/root.pem -no-CApath -no-CAstore \
-untrusted certificates/chain.pem -attime {at} -purpose any certificates/signer.pem
   $ openssl pkeyutl -verify -certin -inkey certificates/signer.pem -in document/digest.bin \
-sigfile {signature} -pkeyopt digest:{digest}
"""
_DIGEST_ONLY = """
2. 签名：原文从未送达，document/digest.bin 是其摘要；请用原文验证 {signature}
   The document was never here: document/digest.bin is its digest. Verify {signature} with the
   document, as the documentation of its format says.
"""
_BY_SUFFIX = {
    "p7s": _CMS,
    "xml": _XML,
    "pdf": _PDF,
    "jws": _JWS,
    "asics": _CONTAINER,
    "asice": _CONTAINER,
    "value": _VALUE,
}
_TIMESTAMP = """
3. 签名时间戳 / signature timestamp {number}
   $ openssl ts -verify -token_in -in timestamps/{number}.tst -digest {imprint} \
-CAfile certificates/root.pem -untrusted certificates/chain.pem -attime {at}
"""
_STATUS = """
4. 签名人证书在受理时的状态 / status of the signer's certificate at acceptance
   $ openssl ocsp -respin revocation/1.ocsp -issuer certificates/issuer.pem -sha256 \
-cert certificates/signer.pem -CAfile certificates/root.pem -no-CApath -no-CAstore -no_nonce \
-attime {later}
"""


def text(
    accepted: AcceptedSignature, files: Sequence[_File], stamps: Sequence[tuple[int, str]]
) -> str:
    """`stamps`: seconds of 1970 and imprint of each signature timestamp."""
    paths = [each.path for each in files]
    document = next(path for path in paths if path.startswith("document/"))
    signature = next(path for path in paths if path.startswith("signature/"))
    at = min((at for at, _ in stamps), default=int(accepted.accepted_at.timestamp()))
    gmt = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    values = {
        "id": accepted.id,
        "accepted_at": accepted.accepted_at.isoformat(timespec="seconds"),
        "format": accepted.format,
        "level": accepted.level,
        "keep_until": accepted.keep_until.isoformat(timespec="seconds"),
        "document": document,
        "signature": signature,
        "at": at,
        "gmt": gmt,
        "later": at + 60,
        "digest": next((_SHA2.get(each.size, "") for each in files if each.role == "digest"), ""),
    }
    suffix = signature.rpartition(".")[2]
    how = _DIGEST_ONLY if values["digest"] and suffix != "value" else _BY_SUFFIX.get(suffix, "")
    blocks = [_INTRODUCTION, how]
    told = "".join(block.format(**values) for block in blocks)
    for number, (seconds, imprint) in enumerate(stamps, 1):
        told += _TIMESTAMP.format(number=number, imprint=imprint, at=seconds)
    if "revocation/1.ocsp" in paths:
        told += _STATUS.format(**values)
    return told
