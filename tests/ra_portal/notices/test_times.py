"""Notices name the day and the hour that their readers' clocks show."""

from datetime import UTC, datetime

from ra_portal.notices.templates import load_templates
from ra_portal.notices.times import day, moment

LATE = datetime(2026, 11, 30, 17, 5, tzinfo=UTC)
"""Past midnight in Beijing."""


def test_the_day_and_the_minute_are_those_of_the_reader() -> None:
    assert day(LATE) == "2026-12-01"
    assert moment(LATE) == "2026-12-01 01:05"


def test_a_notice_says_which_clock_it_goes_by() -> None:
    told = load_templates()["card-moved"]
    values = {
        "card": "OP-2026-22222222",
        "time": moment(LATE),
        "act_zh": "冻结",
        "act_en": "frozen",
    }
    mail = told.mail(
        {**values, "act_zh": "冻结", "act_en": "frozen", "origin": "https://id.example"}
    )
    assert "2026-12-01 01:05（北京时间）" in mail
    assert "2026-12-01 01:05 (UTC+8)" in mail
