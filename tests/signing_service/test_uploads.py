"""Documents sent ahead: taken for one card, bounded, forgotten when they are not signed."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hsm.token import Token
from kernel.clock import FixedClock
from kernel.refusals import (
    Forbidden,
    Malformed,
    NotFound,
    Refusal,
    TooLarge,
    TooMany,
    Unprocessable,
)
from records.database import Database
from signing_service.archive.accepted import PartRole
from signing_service.archive.files import FileStore
from signing_service.archive.kept import KeptDocument
from signing_service.formats.manner import Manner, Subject
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.signing import Preparation, Receipt
from signing_service.tables import uploaded_documents
from signing_service.uploads import MAX_UPLOADS_PER_CARD, UPLOADED_FOR, Uploads
from signing_service.validation.evidence import Packaging, SignatureFormat, SignatureLevel
from tests.signing_service.desk import MAX_BYTES, Desk, open_desk
from tests.signing_service.validation.scenery import START

CARD = "card-1"
LARGE = MAX_DOCUMENT_BYTES + 1
PIECE = b"0123456789abcdef" * 65536


def pieces(size: int, beginning: bytes = b"") -> Iterator[bytes]:
    yield beginning
    left = size - len(beginning)
    while left > 0:
        yield PIECE[:left]
        left -= len(PIECE)


@pytest.fixture
def desk(database: Database, authority_token: Token, tmp_path: Path) -> Desk:
    return open_desk(database, authority_token, tmp_path)


@pytest.fixture
def uploads(database: Database, tmp_path: Path) -> Uploads:
    clock = FixedClock(START)
    return Uploads(database, FileStore(tmp_path / "archive", 0), clock, MAX_BYTES)


def prepared(desk: Desk, manner: Manner, name: str = "a.bin", **options: object) -> Preparation:
    uploads = desk.signing.uploads
    upload = uploads.receive(pieces(LARGE, **options), CARD)  # type: ignore[arg-type]
    with uploads.opened([upload.id], CARD) as opened:
        subject = Subject({name: opened[upload.id]})
        return desk.signing.prepare(subject, desk.certificate, manner, CARD)


def completed(desk: Desk, preparation: Preparation) -> Receipt:
    value = desk.key.sign(preparation.to_be_signed)
    return desk.signing.complete(preparation.id, value, CARD)


@pytest.mark.parametrize(
    "manner",
    [
        Manner(SignatureFormat.CADES),
        Manner(SignatureFormat.XADES, packaging=Packaging.DETACHED),
        Manner(SignatureFormat.JADES, packaging=Packaging.DETACHED),
        Manner(SignatureFormat.ASIC_S, inner=SignatureFormat.XADES),
        Manner(SignatureFormat.ASIC_E),
    ],
    ids=lambda manner: f"{manner.format}",
)
def test_what_is_too_large_for_memory_is_signed_where_it_lies(desk: Desk, manner: Manner) -> None:
    receipt = completed(desk, prepared(desk, manner))
    assert receipt.report.passed
    assert receipt.level is SignatureLevel.B_T
    archive = desk.signing._archive
    document = archive.open(receipt.id, PartRole.DOCUMENT)
    assert document.size == LARGE
    document.close()
    with desk.database.reading() as connection:
        waiting = connection.execute(select(func.count()).select_from(uploaded_documents))
        assert waiting.scalar_one() == 0, "it is not removed any more"


@pytest.mark.parametrize(
    "manner",
    [
        Manner(SignatureFormat.XADES),
        Manner(SignatureFormat.JADES),
        Manner(SignatureFormat.CADES, packaging=Packaging.ENVELOPING),
        Manner(SignatureFormat.PADES),
    ],
    ids=lambda manner: f"{manner.format}",
)
def test_it_is_not_signed_where_it_would_have_to_be_held(desk: Desk, manner: Manner) -> None:
    with pytest.raises(Unprocessable, match=r"document\.streamed"):
        prepared(desk, manner)


@pytest.mark.parametrize(
    "beginning",
    [b"<?xml", b"\xef\xbb\xbf\n <a>", "<a>".encode("utf-16"), "<a>".encode("utf-32-be"),
     b"\x4c\x6f\xa7\x94\x93", b" " * 70_000],
    ids=["xml", "utf-8", "utf-16", "utf-32", "ebcdic", "blanks"],
)  # fmt: skip
def test_a_large_declaration_is_no_way_round_the_right(desk: Desk, beginning: bytes) -> None:
    with pytest.raises(TooLarge, match=r"declaration\.too-large"):
        prepared(desk, Manner(SignatureFormat.CADES), beginning=beginning)


def test_a_document_that_was_changed_on_the_disk_is_not_accepted(
    desk: Desk, tmp_path: Path
) -> None:
    preparation = prepared(desk, Manner(SignatureFormat.CADES))
    (path,) = (each for each in (tmp_path / "archive").glob("??/*"))
    with path.open("r+b") as file:
        file.write(b"X")
    with pytest.raises(Unprocessable, match=r"signature\.not-passed"):
        completed(desk, preparation)


def test_a_wrong_value_leaves_no_container(desk: Desk, tmp_path: Path) -> None:
    preparation = prepared(desk, Manner(SignatureFormat.ASIC_E))
    with pytest.raises(Unprocessable, match=r"signature\.mismatch"):
        desk.signing.complete(preparation.id, desk.key.sign(b"another"), CARD)
    assert len(list((tmp_path / "archive").glob("??/*"))) == 1, "the document alone"


def test_only_the_card_that_sent_it_signs_it(desk: Desk, uploads: Uploads) -> None:
    upload = uploads.receive(pieces(100), CARD)
    with pytest.raises(NotFound, match=r"document\.not-uploaded"):
        with uploads.opened([upload.id], "another"):
            pass


def test_small_ones_are_held_in_memory(uploads: Uploads) -> None:
    upload = uploads.receive(iter([b"ab", b"c"]), CARD)
    with uploads.opened([upload.id], CARD) as opened:
        assert opened == {upload.id: b"abc"}


@pytest.mark.parametrize(("size", "refusal"), [(0, Malformed), (MAX_BYTES + 1, TooLarge)])
def test_nothing_and_too_much_are_refused_and_leave_nothing(
    uploads: Uploads, tmp_path: Path, size: int, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        uploads.receive(pieces(size), CARD)
    left = [each for each in (tmp_path / "archive").rglob("*") if each.is_file()]
    assert all(not each.stat().st_size for each in left)


def test_a_card_has_few_waiting_and_the_same_one_once(uploads: Uploads) -> None:
    for number in range(MAX_UPLOADS_PER_CARD):
        uploads.receive(iter([b"%d" % min(number, 2)]), CARD)
    uploads.receive(iter([b"last"]), CARD)
    with pytest.raises(TooMany, match=r"document\.too-many-uploads"):
        uploads.receive(iter([b"one more"]), CARD)
    uploads.receive(iter([b"one more"]), "another card")


def test_those_that_come_at_once_are_counted_one_after_the_other(
    database: Database, tmp_path: Path
) -> None:
    """More are on their way than there is room for, all begun while there was."""

    class Together(FileStore):
        def put_pieces(self, pieces: Iterable[bytes | memoryview]) -> tuple[str, int]:
            begun.wait(10)
            return super().put_pieces(pieces)

    many = MAX_UPLOADS_PER_CARD + 2
    begun = threading.Barrier(many)
    uploads = Uploads(database, Together(tmp_path / "at-once", 0), FixedClock(START), MAX_BYTES)

    def send(number: int) -> bool:
        with suppress(TooMany):
            uploads.receive(iter([b"%d" % number]), CARD)
            return True
        return False

    with ThreadPoolExecutor(many) as pool:
        assert sum(pool.map(send, range(many))) == MAX_UPLOADS_PER_CARD


def test_what_is_not_signed_in_time_is_removed(
    database: Database, tmp_path: Path, desk: Desk
) -> None:
    clock, store = FixedClock(START), FileStore(tmp_path / "archive", 0)
    uploads = Uploads(database, store, clock, MAX_BYTES)
    kept = completed(desk, prepared(desk, Manner(SignatureFormat.CADES)))
    before = set(store.addresses())
    upload = uploads.receive(iter([b"never signed"]), CARD)
    clock = FixedClock(START + UPLOADED_FOR + timedelta(seconds=1))
    later = Uploads(database, store, clock, MAX_BYTES)
    with pytest.raises(NotFound), later.opened([upload.id], CARD):
        pass
    assert later.remove_expired() == 1
    assert desk.signing.receipt(kept.id, CARD)[1] is not None
    assert before <= set(store.addresses())


def test_an_officers_card_belongs_to_no_enterprise(desk: Desk) -> None:
    desk.enrol(enterprise_uscc=None)
    with pytest.raises(Forbidden, match=r"document\.no-enterprise"):
        prepared(desk, Manner(SignatureFormat.CADES))


def test_a_kept_document_is_closed(uploads: Uploads) -> None:
    upload = uploads.receive(pieces(LARGE), CARD)
    with uploads.opened([upload.id], CARD) as opened:
        document = opened[upload.id]
        assert isinstance(document, KeptDocument)
    assert document.file.closed
