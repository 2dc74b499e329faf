#!/usr/bin/env python3
"""Verify one signature's exported evidence, offline, with Python's standard library and openssl.

    python3 verify_export.py EXPORT.zip [--root TRUSTED-ROOT.pem]
    python3 verify_export.py DIRECTORY  [--root TRUSTED-ROOT.pem]     (the same, unpacked)

It checks, and says in one line each:

1. every file against manifest.json (SHA-256);
2. the evidence record (RFC 4998): that the files lead, through the hash trees, to the imprint of
   every archive timestamp, that the timestamps follow each other, and by `openssl ts -verify`
   that each was signed by its authority at its time;
3. a detached CMS signature by `openssl cms -verify`, and a bare signature value over a digest by
   `openssl pkeyutl -verify` with a certificate whose path to the root `openssl verify` accepts, at
   the time that a timestamp proves; another format is for another tool, which README.txt names;
4. the signature timestamp by `openssl ts -verify`, and of those two formats that it is over this
   signature; without one the oldest archive timestamp counts;
5. the OCSP response on the signer's certificate by `openssl ocsp`.

It needs Python 3.9 and OpenSSL 3, or later. The roots that the machine trusts count for nothing.

Without --root the root in the export is used: then the report speaks of that root, whose
fingerprint you must compare with the one that the authority published elsewhere.
Exit codes: 0 everything holds, 1 something does not, 2 wrong command line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

MAX_FILES = 1000
MAX_BYTES = 4 << 30
MAX_MANIFEST, PIECE = 16 << 20, 1 << 20
DIGESTS = {
    "608648016503040201": "sha256",
    "608648016503040202": "sha384",
    "608648016503040203": "sha512",
}
LENGTHS = {32: "sha256", 48: "sha384", 64: "sha512"}
TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")
THIS_ROOT_ALONE = ("-no-CApath", "-no-CAstore")
"""With -CAfile: openssl would believe the machine's own roots, too."""


Manifest = dict[str, Any]
Element = tuple[int, bytes, bytes]


class Failed(Exception):
    """Something does not hold; the text says what."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify exported evidence offline.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--root", type=Path, help="trusted root certificate, PEM")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        try:
            manifest = unpack(arguments.export, directory)
            root = arguments.root or write_pem(directory, "root.pem", roots(manifest, directory))
            say(
                "trust anchor",
                openssl(
                    "x509", "-in", root, "-noout", "-subject", "-fingerprint", "-sha256"
                ).replace("\n", " "),
            )
            archived = check_evidence_record(manifest, directory, root)
            at = check_timestamps(manifest, directory, root, archived)
            check_signature(manifest, directory, root, at)
            check_status(manifest, directory, root, at)
        except (Failed, KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
            print(f"FAILED  {error}")
            return 1
    print("PASSED  everything that was checked holds")
    return 0


def say(what: str, text: str) -> None:
    print(f"ok      {what}: {text}")


# -- the container -------------------------------------------------------------------------------


def unpack(export: Path, directory: Path) -> Manifest:
    """Write the files out; each must be what manifest.json says, and none may be missing."""
    listed: dict[str, Manifest] = {}
    manifest: Manifest = {}
    seen = set()
    for name, file in contents(export):
        if name.startswith("/") or ".." in name.split("/") or "\\" in name or name in seen:
            raise Failed(f"a path that leads outside, or stands twice: {name}")
        seen.add(name)
        if name == "manifest.json":
            manifest = json.loads(file.read(MAX_MANIFEST))
            listed = {entry["path"]: entry for entry in manifest["files"]}
            continue
        if not manifest:
            raise Failed("manifest.json is not the first file")
        if name not in listed:
            continue  # what this text says of the export does not rest on it
        path = directory / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as target:
            shutil.copyfileobj(file, target, PIECE)
        if file_digest("sha256", path).hex() != listed[name]["sha256"]:
            raise Failed(f"{name} was changed")
    missing = set(listed) - seen
    if missing or not listed:
        raise Failed(f"missing: {', '.join(sorted(missing)) or 'manifest.json'}")
    say("files", f"{len(listed)} as listed")
    return manifest


def contents(export: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and files, manifest.json first."""
    if export.is_dir():
        paths = [path for path in sorted(export.rglob("*")) if path.is_file()]
        for path in sorted(paths, key=lambda each: each.name != "manifest.json"):
            with path.open("rb") as file:
                yield path.relative_to(export).as_posix(), file
        return
    with zipfile.ZipFile(export) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_FILES or sum(each.file_size for each in entries) > MAX_BYTES:
            raise Failed("the export is too large")
        for entry in entries:
            with archive.open(entry) as packed:
                yield entry.filename, packed


def files(manifest: Manifest, directory: Path, role: str) -> list[Path]:
    return [
        directory / "files" / entry["path"] for entry in manifest["files"] if entry["role"] == role
    ]


def roots(manifest: Manifest, directory: Path) -> list[Path]:
    found = []
    for path in files(manifest, directory, "certificate"):
        names = openssl(
            "x509",
            "-inform",
            "DER",
            "-in",
            path,
            "-noout",
            "-subject",
            "-issuer",
            "-nameopt",
            "RFC2253",
        ).splitlines()
        if names[0].partition("=")[2] == names[1].partition("=")[2]:
            found.append(path)
    if len(found) != 1:
        raise Failed("the export does not hold one root: name yours with --root")
    return found


def write_pem(directory: Path, name: str, certificates: list[Path]) -> Path:
    path = directory / name
    path.write_text(
        "".join(openssl("x509", "-inform", "DER", "-in", each) for each in certificates)
    )
    return path


def encoded_in(pem: Path) -> list[str]:
    """The base64 text of each certificate in a PEM file."""
    blocks = pem.read_text().split("-----BEGIN CERTIFICATE-----")[1:]
    return ["".join(each.partition("-----END")[0].split()) for each in blocks]


# -- the evidence record (RFC 4998) --------------------------------------------------------------


def check_evidence_record(manifest: Manifest, directory: Path, root: Path) -> datetime | None:
    """The oldest time that it proves."""
    paths = files(manifest, directory, "evidence-record")
    if not paths:
        print("note    evidence record: none yet (made after the signature's first batch)")
        return None
    objects = [
        directory / "files" / entry["path"]
        for entry in manifest["files"]
        if entry["covered_by_evidence_record"]
    ]
    previous = oldest = None
    chain = untrusted(manifest, directory)
    for number, stamp in enumerate(follow(paths[0].read_bytes(), objects), 1):
        if previous is not None and stamp["at"] < previous:
            raise Failed("the archive timestamps are not in order of time")
        previous = stamp["at"]
        oldest = oldest or previous
        token = directory / f"archive-{number}.tst"
        token.write_bytes(stamp["token"])
        verify_token(token, ("-digest", stamp["root"].hex()), root, chain, stamp["at"])
        say("archive timestamp", f"{number} over all {len(objects)} files, {stamp['at']:%c} UTC")
    return oldest


def follow(record: bytes, objects: list[Path]) -> Iterator[dict[str, Any]]:
    """Every archive timestamp, oldest first, after the way from the objects to its root."""
    (outer,) = elements(record)
    _version, _algorithms, *_optional, chains = elements(outer[1])
    past = b""
    for _tag, content, encoded in elements(chains[1]):
        hashes: list[bytes] = []
        for _tag, stamp, _encoded in elements(content):
            fields = elements(stamp)
            token = fields[-1][2]
            tagged = {tag: inner for tag, inner, _ in fields[:-1]}
            name = DIGESTS[elements(tagged[0xA0])[0][1].hex()]
            if not hashes:
                hashes = [file_digest(name, each) for each in objects]
                if past:
                    before = digest(name, tlv(0x30, past))
                    hashes = [digest(name, each + before) for each in hashes]
            root = way_to_root(tagged.get(0xA2), hashes, name)
            info = tst_info(token)
            imprint = elements(info[2][1])
            if DIGESTS[elements(imprint[0][1])[0][1].hex()] != name or imprint[1][1] != root:
                raise Failed("an archive timestamp is over something else than these files")
            at = generalized_time(info[4][1])
            yield {"root": root, "token": token, "at": at}
            hashes = [digest(name, token)]
        past += encoded


def way_to_root(reduced: bytes | None, hashes: list[bytes], name: str) -> bytes:
    if reduced is None:
        if len(set(hashes)) != 1:
            raise Failed("the evidence record covers one object only")
        return hashes[0]
    lists = [[leaf for _tag, leaf, _ in elements(each)] for _tag, each, _ in elements(reduced)]
    if not set(hashes) <= set(lists[0]):
        raise Failed("a file is not covered by the evidence record, or was changed")
    above: list[bytes] = []
    for each in lists:
        nodes = sorted([*each, *above])
        above = nodes if len(nodes) == 1 else [digest(name, b"".join(nodes))]
    return above[0]


def tst_info(token: bytes) -> list[Element]:
    """The fields of the TSTInfo inside a timestamp token."""
    (content_info,) = elements(token)
    signed_data = elements(elements(content_info[1])[1][1])[0]
    encapsulated = elements(signed_data[1])[2]
    kind, wrapped = elements(encapsulated[1])
    if kind[2] != TST_INFO:
        raise Failed("not a timestamp token")
    octets = elements(wrapped[1])[0][1]
    return elements(elements(octets)[0][1])


def generalized_time(text: bytes) -> datetime:
    whole = text.decode("ascii").rstrip("Z").partition(".")[0]
    return datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)


def elements(data: bytes) -> list[Element]:
    """(tag, content, encoded) of each DER element in `data`."""
    found, offset = [], 0
    while offset < len(data):
        start, size = offset + 2, data[offset + 1]
        if size & 0x80:
            count = size & 0x7F
            size, start = int.from_bytes(data[start : start + count], "big"), start + count
        end = start + size
        if end > len(data):
            raise Failed("the evidence record is damaged")
        found.append((data[offset], data[start:end], data[offset:end]))
        offset = end
    return found


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def digest(name: str, data: bytes) -> bytes:
    return hashlib.new(name, data).digest()


def file_digest(name: str, path: Path) -> bytes:
    """Of any size."""
    running = hashlib.new(name)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            running.update(piece)
    return running.digest()


# -- what openssl verifies -----------------------------------------------------------------------


def untrusted(manifest: Manifest, directory: Path) -> Path:
    return write_pem(directory, "chain.pem", files(manifest, directory, "certificate"))


def check_timestamps(
    manifest: Manifest, directory: Path, root: Path, archived: datetime | None
) -> datetime:
    """The signature timestamps' signatures; the earliest time that they prove, or `archived`."""
    chain, times = untrusted(manifest, directory), []
    for path in files(manifest, directory, "timestamp"):
        token = path.read_bytes()
        info = tst_info(token)
        at = generalized_time(info[4][1])
        imprint = elements(info[2][1])[1][1]
        name = DIGESTS[elements(elements(info[2][1])[0][1])[0][1].hex()]
        value = signature_value(manifest, directory)
        if value and digest(name, value) != imprint:
            raise Failed(f"{path.name} is not over this signature")
        verify_token(path, ("-digest", imprint.hex()), root, chain, at)
        times.append(at)
        say("signature timestamp", f"{at:%c} UTC")
    if not times:
        if archived is None:
            raise Failed("there is no timestamp: nothing proves the time of the signature yet")
        print("note    signature timestamp: none; the archive timestamp proves the time")
        return archived
    return min(times)


def signature_value(manifest: Manifest, directory: Path) -> bytes:
    """Of a CMS signature, its first signer's; empty for XML, whose canonical form xmlsec1 makes."""
    (signature,) = files(manifest, directory, "signature")
    if signature.suffix == ".value":
        return signature.read_bytes()
    if signature.suffix != ".p7s":
        return b""
    (content_info,) = elements(signature.read_bytes())
    signed_data = elements(elements(content_info[1])[1][1])[0]
    signers = elements(elements(signed_data[1])[-1][1])
    return next(content for tag, content, _ in elements(signers[0][1]) if tag == 0x04)


def verify_token(token: Path, over: tuple[str, ...], root: Path, chain: Path, at: datetime) -> None:
    done = run(
        "ts",
        "-verify",
        "-token_in",
        "-in",
        token,
        *over,
        "-CAfile",
        root,
        "-untrusted",
        chain,
        "-attime",
        int(at.timestamp()) + 1,
    )
    if "Verification: OK" not in done.stdout + done.stderr:
        raise Failed(f"openssl refuses {token.name}: {done.stderr.strip()[-300:]}")


def check_signature(manifest: Manifest, directory: Path, root: Path, at: datetime) -> None:
    (signature,) = files(manifest, directory, "signature")
    if signature.suffix == ".value":
        check_value(manifest, directory, signature, root, at)
        return
    if not files(manifest, directory, "document"):
        print(f"note    signature: needs the document, see README.txt ({signature.name})")
        return
    if signature.suffix != ".p7s":
        print(f"note    signature: not CMS, see README.txt for its command ({signature.name})")
        return
    (document,) = files(manifest, directory, "document")
    signers = directory / "cms-signers.pem"
    done = run(
        "cms",
        "-verify",
        "-inform",
        "DER",
        "-in",
        signature,
        "-content",
        document,
        "-binary",
        "-CAfile",
        root,
        *THIS_ROOT_ALONE,
        "-certfile",
        untrusted(manifest, directory),
        "-purpose",
        "any",
        "-attime",
        int(at.timestamp()),
        "-out",
        directory / "content",
        "-signer",
        signers,
    )
    if done.returncode != 0:
        raise Failed(f"openssl refuses the signature: {done.stderr.strip()[-300:]}")
    if (directory / "content").read_bytes() != document.read_bytes():
        raise Failed("the signature is over another document")
    # Status is asked of the export's first certificate: it has to be one that signed.
    first = write_pem(directory, "first.pem", files(manifest, directory, "certificate")[:1])
    if encoded_in(first)[0] not in encoded_in(signers):
        raise Failed("the first certificate of the export is not the signer's")
    say("signature", f"openssl cms accepts it at the proven time, {at:%c} UTC")


def check_value(
    manifest: Manifest, directory: Path, signature: Path, root: Path, at: datetime
) -> None:
    """A value over a digest: the document was never there. The key that verifies it is that of a
    certificate under the root: pkeyutl would take any."""
    (digest_file,) = files(manifest, directory, "digest")
    name = LENGTHS[digest_file.stat().st_size]
    signer = write_pem(directory, "signer.pem", files(manifest, directory, "certificate")[:1])
    check_path(manifest, directory, signer, root, at)
    padded = ("-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:auto")
    for options in ((), padded):
        done = run(
            "pkeyutl",
            "-verify",
            "-certin",
            "-inkey",
            signer,
            "-in",
            digest_file,
            "-sigfile",
            signature,
            "-pkeyopt",
            f"digest:{name}",
            *options,
        )
        if done.returncode == 0:
            say("signature", f"openssl pkeyutl accepts the value over the {name} digest")
            return
    raise Failed("openssl refuses the signature value")


def check_path(manifest: Manifest, directory: Path, signer: Path, root: Path, at: datetime) -> None:
    """From the signer's certificate to the root, at that time."""
    done = run(
        "verify",
        "-CAfile",
        root,
        *THIS_ROOT_ALONE,
        "-untrusted",
        untrusted(manifest, directory),
        "-attime",
        int(at.timestamp()),
        "-purpose",
        "any",
        signer,
    )
    if done.returncode != 0:
        raise Failed(
            f"the signer's certificate is not under the root: {done.stderr.strip()[-300:]}"
        )
    say("signer", openssl("x509", "-in", signer, "-noout", "-subject"))


def check_status(manifest: Manifest, directory: Path, root: Path, at: datetime) -> None:
    certificates = files(manifest, directory, "certificate")
    chain = untrusted(manifest, directory)
    signer = write_pem(directory, "signer.pem", certificates[:1])
    issuer = write_pem(directory, "issuer.pem", certificates[1:2])
    for response in files(manifest, directory, "ocsp"):
        done = run(
            "ocsp",
            "-respin",
            response,
            "-issuer",
            issuer,
            "-sha256",
            "-cert",
            signer,
            "-CAfile",
            root,
            *THIS_ROOT_ALONE,
            "-verify_other",
            chain,
            "-attime",
            int(at.timestamp()) + 1,
            "-no_nonce",
            "-validity_period",
            str(1 << 30),
        )
        text = done.stdout + done.stderr
        if "Response verify OK" in text and f"{signer}: good" in text:
            say("status", "OCSP told the signer's certificate good")
            return
        if f"{signer}: revoked" in text:
            raise Failed("OCSP told the signer's certificate revoked")
    print("note    status: no OCSP response on the signer's certificate in the export")


def openssl(*arguments: object) -> str:
    done = run(*arguments)
    if done.returncode != 0:
        raise Failed(f"openssl {arguments[0]}: {done.stderr.strip()[-300:]}")
    return done.stdout.strip() + "\n" if "-noout" not in arguments else done.stdout.strip()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
