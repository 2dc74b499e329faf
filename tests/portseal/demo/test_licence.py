"""The demonstration's licence is a scan that the portal takes, with the font and without it."""

from pathlib import Path

import pytest

from portseal.demo import licence
from portseal.demo.licence import licence_png
from portseal.demo.people import ENTERPRISE
from ra_portal.papers.documents import read_licence


@pytest.mark.parametrize("font", [licence._FONT, Path("/nowhere/font.ttc")])
def test_the_portal_takes_it_and_it_is_small_and_always_the_same(
    monkeypatch: pytest.MonkeyPatch, font: Path
) -> None:
    monkeypatch.setattr(licence, "_FONT", font)
    scan = licence_png()
    read = read_licence(scan, "licence.png")
    assert (len(read.pages), licence_png() == scan) == (1, True)
    assert len(scan) < 60_000
    assert len(read.pages[0].content) < 150_000, "half of what a page may weigh"


def test_each_enterprise_has_its_own() -> None:
    assert licence_png({**ENTERPRISE, "name": "宁波样本贸易有限公司"}) != licence_png()
