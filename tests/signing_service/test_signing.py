"""Signing in two steps: what is checked in each, and how often one may try."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, text

import records.retention
from hsm.token import Token
from kernel.refusals import (
    Forbidden,
    NotFound,
    TooMany,
    Unavailable,
    Unprocessable,
)
from portseal import retention
from portseal.settings.retention import RetentionSettings
from records.database import Database, metadata
from records.events import Event
from records.journal import Journal
from signing_service import waiting
from signing_service.formats.manner import Manner, Subject
from signing_service.tables import prepared_signatures
from signing_service.validation.evidence import SignatureLevel
from signing_service.waiting import MAX_ATTEMPTS, PREPARED_FOR
from tests.signing_service.desk import CADES, DOCUMENT, SECOND, Desk, at_once, open_desk
from tests.signing_service.validation.scenery import START


def test_what_the_card_signed_is_accepted_kept_and_journalled(any_desk: Desk) -> None:
    receipt = any_desk.complete(any_desk.prepare())

    assert receipt.report.passed
    kept, signature = any_desk.signing.receipt(receipt.id, "card-1")
    assert (kept.card, kept.kind, signature) == ("card-1", "import-declaration", receipt.signature)
    assert any_desk.journalled("signature.accepted") == 1
    with pytest.raises(NotFound, match=r"signature\.not-found"):
        any_desk.signing.receipt(receipt.id, "card-2")


def test_a_second_completion_with_another_value_finds_nothing(any_desk: Desk) -> None:
    made = any_desk.prepare()
    any_desk.complete(made)

    with pytest.raises(NotFound, match=r"signature\.not-prepared"):
        any_desk.complete(made)


def test_who_lost_the_answer_asks_again_and_gets_the_receipt(any_desk: Desk) -> None:
    made = any_desk.prepare()
    value = any_desk.key.sign(made.to_be_signed)
    receipt = any_desk.signing.complete(made.id, value, "card-1")

    for _ in range(MAX_ATTEMPTS + 1):
        again = any_desk.signing.complete(made.id, value, "card-1")
        assert (again.id, again.format, again.level) == (receipt.id, receipt.format, receipt.level)
        assert (again.signature, again.size) == (receipt.signature, receipt.size)
        assert again.report.to_json() == receipt.report.to_json()

    assert any_desk.journalled("signature.accepted") == 1
    with pytest.raises(NotFound, match=r"signature\.not-prepared"):
        any_desk.signing.complete(made.id, value, "card-2")


def test_of_two_completions_with_one_value_at_once_both_get_the_receipt(any_desk: Desk) -> None:
    made = any_desk.prepare()
    value = any_desk.key.sign(made.to_be_signed)

    assert at_once(2, lambda: any_desk.signing.complete(made.id, value, "card-1")) == ["done"] * 2
    assert any_desk.journalled("signature.accepted") == 1


def test_of_two_completions_at_once_one_is_accepted(any_desk: Desk) -> None:
    made = any_desk.prepare()

    outcomes = at_once(2, lambda: any_desk.complete(made))

    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "signature.already-completed", "signature.not-prepared"}
    assert any_desk.journalled("signature.accepted") == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rights": ()}, "right.missing"),
        ({"card_state": "revoked"}, "card.not-active"),
        ({"card_state": "suspended"}, "card.not-active"),
        ({"card": "card-2"}, "signer.other-card"),
    ],
)
def test_what_is_withdrawn_between_the_steps_counts(
    desk: Desk, changes: dict[str, object], code: str
) -> None:
    made = desk.prepare()
    desk.enrol(**changes)

    with pytest.raises(Forbidden) as refused:
        desk.complete(made)

    assert refused.value.code == code
    assert desk.journalled("signature.accepted") == 0
    assert desk.journalled("signature.refused") == 1


def test_a_certificate_revoked_between_the_steps_signs_nothing(desk: Desk) -> None:
    made = desk.prepare()
    desk.world.revoke(desk.card)

    with pytest.raises(Forbidden, match=r"certificate\.revoked"):
        desk.complete(made)


def test_without_anybody_to_tell_the_status_nothing_is_called_revoked(desk: Desk) -> None:
    desk.world.book.issuers.clear()

    with pytest.raises(Forbidden, match=r"certificate\.unknown-issuer"):
        desk.prepare()


def test_a_certificate_that_its_issuer_does_not_know_is_told_as_such(desk: Desk) -> None:
    desk.world.book.unknown.add(desk.certificate.fingerprint)

    with pytest.raises(Forbidden, match=r"certificate\.unknown\b(?!-)"):
        desk.prepare()


def test_an_unknown_signer_and_another_card_are_refused_and_journalled(desk: Desk) -> None:
    with pytest.raises(Forbidden, match=r"signer\.other-card"):
        desk.prepare(card="card-2")
    desk.world.registry.holders.clear()
    with pytest.raises(Forbidden, match=r"signer\.unknown"):
        desk.prepare()

    assert (desk.prepared(), desk.journalled("signature.refused")) == (0, 2)


def test_another_card_cannot_complete_what_was_prepared(desk: Desk) -> None:
    made = desk.prepare()

    with pytest.raises(NotFound, match=r"signature\.not-prepared"):
        desk.complete(made, card="card-2")

    assert desk.complete(made).report.passed


def test_a_preparation_expires_and_is_cleared_away(desk: Desk) -> None:
    made = desk.prepare()
    desk.world.clock.advance(PREPARED_FOR)

    with pytest.raises(NotFound, match=r"signature\.not-prepared"):
        desk.complete(made)

    clock = desk.world.clock
    clock.advance(SECOND)
    desk.prepare()
    rows = records.retention.Retention(desk.database, Journal(clock), clock)
    retention.apply(rows, RetentionSettings())
    assert desk.prepared() == 1


def test_a_wrong_value_may_be_tried_three_times(any_desk: Desk) -> None:
    made = any_desk.prepare()
    wrong = any_desk.key.sign(b"something else")

    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(Unprocessable, match=r"signature\.mismatch"):
            any_desk.signing.complete(made.id, wrong, "card-1")
    with pytest.raises(TooMany, match=r"signature\.too-many-attempts"):
        any_desk.complete(made)


def test_an_attempt_that_found_no_archive_counts_as_none(any_desk: Desk, tmp_path: Path) -> None:
    made = any_desk.prepare()
    archive = tmp_path / "archive"
    archive.mkdir(exist_ok=True)
    archive.rename(tmp_path / "aside")
    archive.write_bytes(b"no directory: nothing can be stored")
    for _ in range(MAX_ATTEMPTS + 1):
        with pytest.raises(Unavailable, match=r"archive\.unavailable"):
            any_desk.complete(made)
    archive.unlink()
    (tmp_path / "aside").rename(archive)

    assert any_desk.complete(made).report.passed


def test_attempts_at_once_are_no_more_than_are_granted(any_desk: Desk) -> None:
    made = any_desk.prepare()
    wrong = any_desk.key.sign(b"something else")

    outcomes = at_once(12, lambda: any_desk.signing.complete(made.id, wrong, "card-1"))

    assert outcomes.count("signature.mismatch") == MAX_ATTEMPTS
    assert outcomes.count("signature.too-many-attempts") == 12 - MAX_ATTEMPTS


def test_preparations_at_once_are_no_more_than_a_card_may_have(
    any_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 20
    monkeypatch.setattr(waiting, "MAX_PREPARED_PER_CARD", most)
    for _ in range(most - 2):
        any_desk.prepare()

    outcomes = at_once(8, any_desk.prepare)

    assert sorted(outcomes) == ["done"] * 2 + ["signature.too-many-prepared"] * 6
    assert any_desk.prepared() == most
    assert any_desk.journalled("signature.prepared") == most


def test_what_is_abandoned_makes_room_and_only_its_own_card_abandons_it(
    any_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAX_PREPARED_PER_CARD", 3)
    first, *others = [any_desk.prepare() for _ in range(3)]
    with pytest.raises(TooMany, match=r"signature\.too-many-prepared"):
        any_desk.prepare()

    assert any_desk.signing.waiting.forget([first.id], "card-2") == 0
    assert any_desk.signing.waiting.forget([each.id for each in others] * 2, "card-1") == 2

    any_desk.prepare()
    any_desk.complete(first)
    with pytest.raises(NotFound, match=r"signature\.not-prepared"):
        any_desk.complete(others[0])


def test_a_card_may_have_so_many_octets_prepared(
    any_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_desk.prepare()
    with any_desk.database.reading() as connection:
        row = connection.execute(select(prepared_signatures)).one()
    octets = sum(len(each or b"") for each in (row.document, row.signed, row.prepared))
    monkeypatch.setattr(waiting, "MAX_OCTETS_PER_CARD", 3 * octets + octets // 2)

    outcomes = at_once(6, any_desk.prepare)

    assert sorted(outcomes) == ["done"] * 2 + ["signature.too-many-prepared"] * 4
    any_desk.world.clock.advance(PREPARED_FOR + SECOND)
    any_desk.prepare()


def test_an_upload_that_is_being_stored_holds_up_no_other_record(
    fresh_postgresql_url: str, authority_token: Token, tmp_path: Path
) -> None:
    """Somebody's document is on its way into the table; everybody else goes on."""
    database = Database(fresh_postgresql_url)
    metadata.create_all(database.engine)
    desk = open_desk(database, authority_token, tmp_path)
    with ThreadPoolExecutor(1) as thread:
        with database.engine.connect() as slow:
            slow.execute(text("LOCK TABLE prepared_signatures IN SHARE MODE"))
            upload = thread.submit(desk.prepare)
            while not slow.execute(
                text("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
            ).first():
                assert not upload.done()
            with database.transaction() as connection:
                connection.execute(text("SET LOCAL lock_timeout = '3s'"))
                Journal(desk.world.clock).append(
                    connection, Event.NODE_LOST, subject="other", actor="test"
                )
            slow.rollback()
        upload.result()
    database.dispose()


def test_a_signature_that_does_not_validate_is_not_accepted(desk: Desk) -> None:
    """The certificate expires between the steps, which only the verification sees."""
    end = START + PREPARED_FOR / 2
    desk.certificate = desk.world.issuing.card(key=desk.card.key, end=end).certificate
    desk.enrol()
    made = desk.prepare()
    desk.world.clock.advance(PREPARED_FOR - SECOND)

    with pytest.raises(Unprocessable, match=r"signature\.not-passed") as refused:
        desk.complete(made)

    assert refused.value.facts["indication"] == "INDETERMINATE"
    assert desk.journalled("signature.accepted") == 0
    assert desk.prepared() == 1


def test_an_unknown_level_is_refused_before_anything_is_kept(desk: Desk) -> None:
    with pytest.raises(Unprocessable, match=r"level\.unknown"):
        desk.signing.prepare(
            Subject.of(DOCUMENT), desk.certificate, Manner(CADES), "card-1", SignatureLevel.BASIC
        )
    assert desk.prepared() == 0
