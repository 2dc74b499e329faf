"""One signature's whole evidence as one ZIP file that a stranger verifies offline."""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from kernel.asn1.certificate import Certificate
from kernel.refusals import NotFound
from signing_service.archive import export_readme
from signing_service.archive.accepted import BARE_DIGEST, AcceptedSignature, PartRole, StoredPart
from signing_service.archive.keeping import Archive
from signing_service.archive.objects import pieces_of
from signing_service.evidence_records.records import EvidenceRecords
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import TimestampKind

FORMAT = "portseal-evidence-1"
_VERIFIER = Path(__file__).with_name("verify_export.py")
_LARGE, _HEAD = 1 << 31, 4096
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""The same evidence gives the same octets."""
_PATHS = {
    PartRole.DIGEST: "document/digest.bin",
    PartRole.TIMESTAMP: "timestamps/{number}.tst",
    PartRole.CERTIFICATE: "certificates/{number}.cer",
    PartRole.OCSP: "revocation/{number}.ocsp",
    PartRole.CRL: "revocation/{number}.crl",
    PartRole.REPORT: "report.json",
}

_SUFFIXES = {
    "CAdES": "p7s",
    "XAdES": "xml",
    "PAdES": "pdf",
    "JAdES": "jws",
    "ASiC-S": "asics",
    "ASiC-E": "asice",
    BARE_DIGEST: "value",
}


@dataclass(frozen=True)
class ExportedFile:
    """One row of manifest.json."""

    path: str
    role: str
    sha256: str
    size: int
    covered_by_evidence_record: bool


class Export:
    """Writes exports."""

    def __init__(self, archive: Archive, evidence: EvidenceRecords) -> None:
        self._archive = archive
        self._evidence = evidence

    def write(self, signature_id: str, output: IO[bytes]) -> tuple[ExportedFile, ...]:
        """Write the ZIP. Raises NotFound `signature.not-found`, Unavailable `archive.*`."""
        accepted = self._archive.find(signature_id)
        if accepted is None:
            raise NotFound("signature.not-found", "no such signature in the archive")
        parts = self._archive.parts(signature_id)
        record = self._evidence.of_signature(signature_id)
        extra = self._extra(parts)
        if record is not None:
            extra["evidence/record.ers"] = ("evidence-record", record.encoded)
        is_xml = self._head(parts).lstrip()[:1] == b"<"
        paths = list(zip(_paths(parts, accepted.format, is_xml=is_xml), parts, strict=True))
        listed = (
            *(ExportedFile(path, part.role, part.sha256, part.size, True) for path, part in paths),
            *(
                ExportedFile(path, role, hashlib.sha256(data).hexdigest(), len(data), False)
                for path, (role, data) in extra.items()
            ),
        )
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, "manifest.json", _manifest(accepted, listed))
            for path, part in paths:
                with archive.open(_entry(path), "w", force_zip64=part.size >= _LARGE) as place:
                    for piece in pieces_of(self._archive.store, part.sha256):
                        place.write(piece)
            for path, (_, data) in extra.items():
                _add(archive, path, data)
            readme = export_readme.text(accepted, listed, self._proven_seconds(parts))
            _add(archive, "README.txt", readme.encode())
            _add(archive, _VERIFIER.name, _VERIFIER.read_bytes())
        return listed

    def _head(self, parts: Sequence[StoredPart]) -> bytes:
        """The first octets of the document; none where it was never here."""
        document = next((each for each in parts if each.role is PartRole.DOCUMENT), None)
        if document is None:
            return b""
        with self._archive.store.open(document.sha256) as file:
            return file.read(_HEAD)

    def _extra(self, parts: Sequence[StoredPart]) -> dict[str, tuple[str, bytes]]:
        """The certificates once more, as openssl and xmlsec1 like to read them."""
        certificates = [
            Certificate.parse(self._archive.store.get(part.sha256))
            for part in parts
            if part.role is PartRole.CERTIFICATE
        ]
        own = [each for each in certificates if each.subject_der == each.issuer_der]
        chain = [each for each in certificates if each not in own]
        named = {"signer": chain[:1], "issuer": chain[1:2] or own, "chain": chain, "root": own}
        return {
            f"certificates/{name}.pem": ("pem", "".join(each.pem for each in some).encode())
            for name, some in named.items()
            if some
        }

    def _proven_seconds(self, parts: Sequence[StoredPart]) -> list[tuple[int, str]]:
        """Of each timestamp its time (seconds of 1970, rounded up) and imprint."""
        found = []
        for part in parts:
            if part.role is PartRole.TIMESTAMP:
                token = self._archive.store.get(part.sha256)
                read = read_timestamp(token, TimestampKind.SIGNATURE, None)
                at = int(read.generated_at.timestamp()) + 1
                found.append((at, read.imprint.expected.hex()))
        return found


def _paths(parts: Sequence[StoredPart], format_: str, *, is_xml: bool) -> list[str]:
    numbers: dict[PartRole, int] = {}
    found = []
    suffix = "xml" if is_xml else "bin"
    signed = _SUFFIXES.get(format_, "bin")
    if signed == "pdf" and any(part.role is PartRole.DIGEST for part in parts):
        signed = "p7s"  # the PDF is with somebody else
    for part in parts:
        numbers[part.role] = number = numbers.get(part.role, 0) + 1
        if part.role is PartRole.DOCUMENT:
            found.append(f"document/document.{suffix}")
        elif part.role is PartRole.SIGNATURE:
            found.append(f"signature/signature.{signed}")
        else:
            found.append(_PATHS[part.role].format(number=number))
    return found


def _manifest(accepted: AcceptedSignature, files: Sequence[ExportedFile]) -> bytes:
    facts = {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in asdict(accepted).items()
    }
    content = {"format": FORMAT, "signature": facts, "files": [asdict(each) for each in files]}
    return json.dumps(content, ensure_ascii=False, indent=2).encode()


def _add(archive: zipfile.ZipFile, path: str, data: bytes) -> None:
    archive.writestr(_entry(path), data)


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, _FIXED_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
