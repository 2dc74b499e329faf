"""A second, independent reading of evidence records: plain Python, asn1crypto, openssl.

Follows RFC 4998, 4.3 and 5.3 step by step, slowly and plainly.
"""

import hashlib
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asn1crypto import cms, core, tsp


@dataclass(frozen=True)
class Proven:
    """One archive timestamp that leads from the objects to its token."""

    root: bytes
    digest: str
    token: bytes
    at: datetime


def prove(record_der: bytes, objects: list[bytes]) -> list[Proven]:
    """Every archive timestamp of the record; AssertionError where one proves nothing."""
    (record,) = children(record_der)
    version, announced, chains = children(record.content)
    assert version.encoded == b"\x02\x01\x01"
    algorithms = {_algorithm(each.content) for each in children(announced.content)}
    proven: list[Proven] = []
    past = b""
    for chain in children(chains.content):
        stamps = [_Stamp.read(each.content) for each in children(chain.content)]
        (algorithm,) = {stamp.algorithm for stamp in stamps}
        assert algorithm in algorithms
        wanted = [hashlib.new(algorithm, each).digest() for each in objects]
        if past:
            before = hashlib.new(algorithm, _tlv(0x30, past)).digest()
            wanted = [hashlib.new(algorithm, each + before).digest() for each in wanted]
        for stamp in stamps:
            root = _root(stamp.reduced, wanted, algorithm)
            content = cms.ContentInfo.load(stamp.token)["content"]["encap_content_info"]
            info = tsp.TSTInfo.load(content["content"].contents)
            imprint = info["message_imprint"]
            assert imprint["hash_algorithm"]["algorithm"].native == algorithm
            assert imprint["hashed_message"].native == root, "another root"
            at = info["gen_time"].native
            assert not proven or proven[-1].at <= at, "order of time"
            proven.append(Proven(root, algorithm, stamp.token, at))
            wanted = [hashlib.new(algorithm, stamp.token).digest()]
        past += chain.encoded
    return proven


@dataclass(frozen=True)
class Element:
    tag: int
    content: bytes
    encoded: bytes


def children(data: bytes) -> list[Element]:
    """The elements that stand one after another in `data`, DER."""
    found = []
    while data:
        tag, size, start = data[0], data[1], 2
        if size & 0x80:
            start = 2 + (size & 0x7F)
            size = int.from_bytes(data[2:start], "big")
        assert start + size <= len(data)
        element = Element(tag, data[start : start + size], data[: start + size])
        assert element.encoded == _tlv(tag, element.content), "not DER"
        found.append(element)
        data = data[start + size :]
    return found


@dataclass(frozen=True)
class _Stamp:
    algorithm: str
    reduced: list[list[bytes]] | None
    token: bytes

    @classmethod
    def read(cls, content: bytes) -> "_Stamp":
        first, *middle, last = children(content)
        assert first.tag == 0xA0
        assert last.tag == 0x30
        assert [each.tag for each in middle] in ([], [0xA2])
        reduced = None
        if middle:
            lists = children(middle[0].content)
            assert {each.tag for each in lists} == {0x30}
            reduced = [[leaf.content for leaf in children(each.content)] for each in lists]
        return cls(_algorithm(first.content), reduced, last.encoded)


def _algorithm(content: bytes) -> str:
    names = {
        "2.16.840.1.101.3.4.2.1": "sha256",
        "2.16.840.1.101.3.4.2.2": "sha384",
        "2.16.840.1.101.3.4.2.3": "sha512",
    }
    return names[core.ObjectIdentifier.load(content).dotted]


def _root(reduced: list[list[bytes]] | None, wanted: list[bytes], algorithm: str) -> bytes:
    if reduced is None:
        assert len(wanted) == 1
        return wanted[0]
    for each in wanted:
        assert each in reduced[0], "the object is not in the first list"
    current: list[bytes] = []
    for hashes in reduced:
        nodes = sorted(hashes + current)
        if len(nodes) == 1:
            current = nodes
        else:
            current = [hashlib.new(algorithm, b"".join(nodes)).digest()]
    return current[0]


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 + len(octets)]) + octets + content


def openssl_verifies(proven: Proven, root_pem: Path, directory: Path) -> None:
    """`openssl ts -verify` accepts the token over that root, at the token's own time."""
    token = directory / "token.der"
    token.write_bytes(proven.token)
    done = subprocess.run(
        [
            "openssl", "ts", "-verify", "-token_in", "-in", str(token),
            "-digest", proven.root.hex(), "-CAfile", str(root_pem),
            "-attime", str(int(proven.at.timestamp()) + 1),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Verification: OK" in done.stdout + done.stderr, done.stderr
