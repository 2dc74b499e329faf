"""Refusals: a sentence that can be translated, and the facts that it names."""

from datetime import UTC, datetime

from kernel.refusals import Forbidden, Malformed, Refusal


def test_a_sentence_tells_the_facts_that_it_names() -> None:
    refusal = Malformed("document.too-large", "at most {mib} MiB", mib=16)
    assert refusal.detail == "at most 16 MiB"
    assert str(refusal) == "document.too-large: at most 16 MiB"
    assert refusal.facts == {"mib": 16}


def test_a_sentence_is_translated_before_its_facts_are_told() -> None:
    refusal = Malformed("document.too-large", "at most {mib} MiB", mib=16)
    chinese = {"at most {mib} MiB": "最多 {mib} MiB"}
    assert refusal.said(chinese.__getitem__) == "最多 16 MiB"


def test_a_time_is_shown_as_the_reader_wants_it() -> None:
    since = datetime(2026, 11, 30, 8, 5, tzinfo=UTC)
    refusal = Forbidden("signin.frozen", "frozen since {since}", since=since.isoformat())
    assert refusal.detail == "frozen since 2026-11-30T08:05:00+00:00"
    assert refusal.said(moment=lambda at: f"{at:%H:%M}") == "frozen since 08:05"


def test_other_braces_and_percent_signs_stay_as_they_are() -> None:
    said = "send {token: {...}} and perhaps {nonce}, 100 % of it (%(name)s)"
    assert Refusal("request.malformed", said, name="x").detail == said


def test_what_a_fact_holds_is_not_read_as_a_sentence() -> None:
    refusal = Refusal("field.unknown", "no such field: {name}", name="{other}", other="secret")
    assert refusal.detail == "no such field: {other}"
