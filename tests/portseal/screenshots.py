"""Pictures of every page, in both languages and two widths: `python -m tests.portseal.screenshots`.

A throw-away authority with invented people serves them; they are left in docs/pictures/pages/ as
WebP. With names of exhibits as arguments only those pages are taken, and `--to` another directory.
"""

import argparse
import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from portseal.demo.ground import renew
from portseal.demo.site import Site
from portseal.demo.stage import Stage
from portseal.demo.usb_keys import UsbKeys
from tests.portseal.gallery import EXHIBITS, Exhibit, seat, seated
from tests.portseal.gallery_past import everything_to_see
from tests.portseal.service import PAST, people_more
from tests.servers.chromium import find_chromium, launch_arguments

PICTURES = Path(__file__).parents[2] / "docs" / "pictures" / "pages"
WIDTHS = {"375": ViewportSize(width=375, height=720), "1920": ViewportSize(width=1920, height=1080)}
_LONGEST = 4000
"""Pixels; what is longer is cut below."""


def take(browser: Browser, stage: Stage, exhibit: Exhibit, directory: Path) -> None:
    """Four pictures of one page."""
    service = seat(stage, exhibit.who)
    address = exhibit.address(service, stage.facts)
    for language in ("zh", "en"):
        for width, size in WIDTHS.items():
            with seated(browser, service, language, viewport=size) as page:
                page.goto(address)
                page.wait_for_load_state("networkidle")
                taken = page.screenshot(full_page=True, animations="disabled")
            image = Image.open(io.BytesIO(taken)).convert("RGB")
            image = image.crop((0, 0, image.width, min(image.height, _LONGEST)))
            if image.width > 1280:
                image = image.resize((1280, image.height * 1280 // image.width))
            image.save(directory / f"{exhibit.name}-{language}-{width}.webp", quality=70, method=6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="exhibits; default: all")
    parser.add_argument("--to", type=Path, default=PICTURES)
    arguments = parser.parse_args()
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
        stage = Stage(site, public, keys)
        try:
            for step in (*PAST, people_more, everything_to_see):
                step(stage)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=launch_arguments()
                )
                for exhibit in EXHIBITS:
                    if not arguments.names or exhibit.name in arguments.names:
                        take(browser, stage, exhibit, arguments.to)
                browser.close()
        finally:
            site.stop()


if __name__ == "__main__":
    main()
