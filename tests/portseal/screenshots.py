"""Pictures of every page, in both languages and two widths: `python -m tests.portseal.screenshots`.

A throw-away authority with invented people serves them; they are left in docs/pictures/pages/ as
WebP. With names of exhibits as arguments only those pages are taken, and `--to` another directory.
"""

import argparse
import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Playwright, ViewportSize, sync_playwright

from portseal.demo.agent_wheel import offer_agent
from portseal.demo.ground import renew
from portseal.demo.site import Site
from portseal.demo.stage import Stage
from portseal.demo.usb_keys import UsbKeys
from tests.portseal.gallery import Exhibit, seat, seated, visit
from tests.portseal.gallery_answers import EVERY_EXHIBIT
from tests.portseal.gallery_past import everything_to_see
from tests.portseal.gallery_register import look_lived_in
from tests.portseal.service import PAST, people_more
from tests.servers.chromium import find_chromium, launch_arguments

PICTURES = Path(__file__).parents[2] / "docs" / "pictures" / "pages"
WIDTHS = {"375": ViewportSize(width=375, height=720), "1920": ViewportSize(width=1920, height=1080)}
_TONGUES = {"zh": "zh_CN", "en": "en_GB"}
"""Of the browser itself: what a date field and a file field say is its own text. Debian's Chromium
goes by LANGUAGE and has its languages in a package of their own, chromium-l10n."""
_LONGEST = 16_000
"""Pixels; WebP ends there (16,383). No page is as long."""


def launch(playwright: Playwright, program: Path) -> dict[str, Browser]:
    """A browser for each language."""
    return {
        language: playwright.chromium.launch(
            executable_path=program,
            args=launch_arguments(),
            env={**os.environ, "LANGUAGE": tongue},
        )
        for language, tongue in _TONGUES.items()
    }


def take(
    browsers: Mapping[str, Browser],
    stage: Stage,
    exhibit: Exhibit,
    directory: Path,
    **options: object,
) -> None:
    """Four pictures of one page; `options` are of the browsers' contexts."""
    service = seat(stage, exhibit.who, exhibit.fresh)
    address = exhibit.address(service, stage.facts)
    for language, browser in browsers.items():
        with seated(browser, service, language, **options) as page:
            visit(page, exhibit, address, stage)
            for width, size in WIDTHS.items():
                page.set_viewport_size(size)
                page.mouse.move(0, 0)
                taken = page.screenshot(full_page=True, animations="disabled")
                name = f"{exhibit.name}-{language}-{width}.webp"
                _smaller(taken).save(directory / name, quality=70, method=6)


def _smaller(taken: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, _LONGEST)))
    if image.width > 1280:
        image = image.resize((1280, image.height * 1280 // image.width))
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="exhibits; default: all")
    parser.add_argument("--to", type=Path, default=PICTURES)
    parser.add_argument("--dark", action="store_true", help="in the dark, for a look")
    arguments = parser.parse_args()
    scheme = "dark" if arguments.dark else "light"
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("no Chromium here")
    arguments.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as ground:
        site = Site(Path(ground) / "authority")
        renew(site.directory)
        keys = UsbKeys(site.use_usb_keys(), site.directory / "usb-pins.json")
        public = site.directory / "public"
        public.mkdir()
        os.environ["PORTSEAL_SMS__SPOOL"] = str(site.directory / "sms")
        offer_agent(site.directory / "agent-wheel")
        stage = Stage(site, public, keys)
        try:
            for step in (*PAST, people_more, everything_to_see):
                step(stage)
            look_lived_in(stage)
            with sync_playwright() as playwright:
                browsers = launch(playwright, chromium)
                for exhibit in EVERY_EXHIBIT:
                    if not arguments.names or exhibit.name in arguments.names:
                        take(browsers, stage, exhibit, arguments.to, color_scheme=scheme)
                for browser in browsers.values():
                    browser.close()
        finally:
            site.stop()


if __name__ == "__main__":
    main()
