"""A directory of documents signed with one card and one PIN, resumed where it stopped.

Only names and digests are sent ahead; each document follows when its turn comes. Several
conversations keep the service busy while the card, which is one, signs in turn.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kernel.refusals import Conflict, Refusal, TooMany, Unavailable, Unprocessable
from portseal.holder.card import Card
from portseal.holder.service import Service, ServiceRefusal
from signing_service.validation.evidence import SignatureFormat, SignatureLevel

SUFFIXES = {
    SignatureFormat.CADES: ".p7s",
    SignatureFormat.XADES: ".xades.xml",
    SignatureFormat.JADES: ".jades.json",
    SignatureFormat.ASIC_S: ".asics",
}
_DOCUMENTS = frozenset({".xml", ".pdf"})
_CONVERSATIONS = 4
_CLAIM = 32
_PIECE = 1 << 20
_TEMPORARY = frozenset({401, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class BatchResult:
    id: str
    total: int
    signed: int
    refused: tuple[tuple[str, str], ...]
    """(Name, code) of each document that was not signed."""


class BatchSigning:
    """One run over one directory."""

    def __init__(
        self,
        service: Service,
        card: Card,
        directory: Path,
        output: Path,
        format_: SignatureFormat = SignatureFormat.CADES,
        level: SignatureLevel = SignatureLevel.B_T,
    ) -> None:
        """`service` is signed in with the card. Signatures are written to `output`, one for
        each document, by its name."""
        self._service = service
        self._card = card
        self._directory = directory
        self._output = output
        self._format = format_
        self._level = level

    def run(self, report: Callable[[int, int], None]) -> BatchResult:
        """Sign what is not signed yet. `report` is told how many are done, of how many.

        Raises Unprocessable `batch.items` (nothing to sign), and what stops the whole run:
        Unavailable, a card that is revoked, a document that changed meanwhile.
        """
        names = sorted(each.name for each in self._directory.iterdir() if _is_document(each))
        if not names:
            raise Unprocessable("batch.items", "there is no XML or PDF document in the directory")
        self._output.mkdir(parents=True, exist_ok=True)
        batch = self._service.call(
            "POST",
            "/api/v1/batches",
            {
                "format": str(self._format),
                "level": str(self._level),
                "items": [{"name": n, "sha256": _sha256(self._directory / n)} for n in names],
            },
        )
        identifier, total = str(batch["id"]), int(batch["total"])
        done = int(batch["signed"]) + int(batch["refused"])
        report(done, total)
        self._fetch_missing(identifier)
        with ThreadPoolExecutor(_CONVERSATIONS) as pool:
            conversations = [self._service.another() for _ in range(_CONVERSATIONS)]
            release = True
            while items := self._claim(identifier, release=release):
                release = False
                shares = [items[start::_CONVERSATIONS] for start in range(_CONVERSATIONS)]
                for finished in pool.map(
                    lambda pair: self._sign_all(identifier, *pair),
                    zip(conversations, shares, strict=True),
                ):
                    done += finished
                    report(done, total)
        refused = tuple(
            (item["name"], item["outcome"]) for item in self._outcomes(identifier, "refused")
        )
        return BatchResult(identifier, total, total - len(refused), refused)

    def _claim(self, identifier: str, *, release: bool) -> list[dict[str, object]]:
        body = {"limit": _CLAIM, "release": release}
        answer = self._service.call("POST", f"/api/v1/batches/{identifier}/claims", body)
        items: list[dict[str, object]] = answer["items"]
        return items

    def _sign_all(self, identifier: str, service: Service, items: list[dict[str, object]]) -> int:
        for item in items:
            self._sign(identifier, service, str(item["name"]), int(str(item["position"])))
        return len(items)

    def _sign(self, identifier: str, service: Service, name: str, position: int) -> None:
        document = (self._directory / name).read_bytes()
        try:
            signed = service.sign(
                self._card, document, self._format, self._level, item=(identifier, position)
            )
        except Refusal as refusal:
            if _stops(refusal):
                raise
            body = {"position": position, "code": refusal.code}
            service.call("POST", f"/api/v1/batches/{identifier}/refusals", body)
            return
        self._write(name, signed.signature)

    def _fetch_missing(self, identifier: str) -> None:
        """What was accepted but never written: the run before was killed in between."""
        for item in self._outcomes(identifier, "signed"):
            if not self._file(item["name"]).exists():
                signature = self._service.signature(item["outcome"])
                self._write(item["name"], signature)

    def _outcomes(self, identifier: str, state: str) -> Iterator[dict[str, str]]:
        after = -1
        while True:
            path = f"/api/v1/batches/{identifier}/{state}?after={after}"
            items = self._service.call("GET", path)["items"]
            if not items:
                return
            yield from items
            after = items[-1]["position"]

    def _file(self, name: str) -> Path:
        return self._output / (name + SUFFIXES[self._format])

    def _write(self, name: str, signature: bytes) -> None:
        """Whole or not at all."""
        target = self._file(name)
        part = target.with_name(target.name + ".part")
        part.write_bytes(signature)
        os.replace(part, target)


def _stops(refusal: Refusal) -> bool:
    """Whether the refusal is not about this one document."""
    if isinstance(refusal, ServiceRefusal):
        return refusal.http_status in _TEMPORARY or refusal.code.startswith(
            ("card.", "certificate.", "signer.", "batch.")
        )
    return isinstance(refusal, Unavailable | TooMany | Conflict)


def _is_document(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in _DOCUMENTS and not path.name.startswith(".")


def _sha256(path: Path) -> str:
    running = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            running.update(piece)
    return running.hexdigest()
