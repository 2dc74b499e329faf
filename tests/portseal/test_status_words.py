"""What the machines say of themselves: English on the console, the reader's language on a page."""

import re

import pytest

from portseal.spoken import Spoken, spoken
from tests.portseal.service import RunningService


def test_a_text_is_filled_in_after_it_was_translated() -> None:
    inner = spoken("%(count)s min", count=5)
    told = spoken("last heard %(span)s ago", span=inner)
    words = {"%(count)s min": "%(count)s 分钟", "last heard %(span)s ago": "%(span)s前有响应"}
    assert told.say() == "last heard 5 min ago"
    assert told.say(words.__getitem__) == "5 分钟前有响应"
    assert Spoken("100 % sure", {}).say() == "100 % sure"
    assert (told.wrong, told.amiss.wrong, told.amiss.say()) == (False, True, told.say())
    assert Spoken("%(all)s", {"all": (inner, inner)}).say() == "5 min; 5 min"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("zh", ("应答正常", "已打开", "之前没有证书到期", "前签发")),
        ("en", ("answers", "open", "old")),
    ],
)
def test_the_dashboard_tells_of_the_machines_in_the_readers_language(
    service: RunningService, language: str, said: tuple[str, ...]
) -> None:
    headers = {"Accept": "text/html", "Accept-Language": language}
    page = service.signed_in("administrator").fetch("GET", "/admin/dashboard", headers=headers)
    machines = page.text.partition('id="health"')[2].partition("</section>")[0]
    for words in said:
        assert words in machines
    if language == "zh":
        told = re.sub(r"<[^>]+>", " ", machines)
        left = re.findall(r"\b(?:answers|open|ago|old|until|ends?|heard|published|every)\b", told)
        assert left == []
