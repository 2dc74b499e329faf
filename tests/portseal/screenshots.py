"""Pictures of every page, in both languages and two widths: `python -m tests.portseal.screenshots`.

A throw-away authority with invented people serves them; they are left in docs/pictures/pages/ as
WebP, with a record of what each page was made of. With names of exhibits as arguments only those
pages are taken, with `--stale` those whose templates, styles, scripts or Chinese texts have changed
since, which `--list-stale` names; `--to` another directory.
"""

import argparse
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Playwright, ViewportSize, sync_playwright

from portseal.demo.agent_wheel import offer_agent
from portseal.demo.ground import renew
from portseal.demo.stage import Stage
from portseal.demo.usb_keys import UsbKeys
from tests.portseal import picture_record
from tests.portseal.gallery import Exhibit, seat, seated, visit
from tests.portseal.gallery_answers import EVERY_EXHIBIT
from tests.portseal.gallery_past import everything_to_see
from tests.portseal.gallery_register import look_lived_in
from tests.portseal.service import PAST, mail_server, people_more
from tests.portseal.watched_site import WatchedSite, write_down
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
) -> dict[str, str]:
    """Four pictures of one page; what it was made of. `options` are of the browsers' contexts."""
    service = seat(stage, exhibit.who, exhibit.fresh)
    address = exhibit.address(service, stage.facts)
    templates, paths = set[str](), set[str]()
    for language, browser in browsers.items():
        with seated(browser, service, language, **options) as page:
            page.on("request", lambda request: paths.add(urlsplit(request.url).path))
            with _last_rendered(stage, templates):
                visit(page, exhibit, address, stage)
            for width, size in WIDTHS.items():
                page.set_viewport_size(size)
                page.mouse.move(0, 0)
                taken = page.screenshot(full_page=True, animations="disabled")
                name = f"{exhibit.name}-{language}-{width}.webp"
                _smaller(taken).save(directory / name, quality=70, method=6)
    return picture_record.made_of(templates, paths)


@contextmanager
def _last_rendered(stage: Stage, templates: set[str]) -> Iterator[None]:
    """Adds the template that the site fills in last meanwhile."""
    assert isinstance(stage.site, WatchedSite)
    before = len(stage.site.rendered())
    yield
    seen = stage.site.rendered()[before:]
    if not seen:
        raise LookupError("no template was filled in")
    templates.add(seen[-1])


def _smaller(taken: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, _LONGEST)))
    if image.width > 1280:
        image = image.resize((1280, image.height * 1280 // image.width))
    return image


@contextmanager
def opened() -> Iterator[Stage]:
    """The gallery, with all that has happened before."""
    with tempfile.TemporaryDirectory() as ground:
        site = WatchedSite(Path(ground) / "authority")
        renew(site.directory)
        keys = UsbKeys(site.use_usb_keys(), site.directory / "usb-pins.json")
        public = site.directory / "public"
        public.mkdir()
        os.environ["PORTSEAL_PORTAL__ASKS_PER_MINUTE"] = "1000"
        os.environ["PORTSEAL_SMS__SPOOL"] = str(site.directory / "sms")
        offer_agent(site.directory / "agent-wheel")
        write_down(site.notes)  # what fails is answered by this process
        stage = Stage(site, public, keys)
        with mail_server(stage) as post:
            os.environ.update(post)
            try:
                for step in (*PAST, people_more, everything_to_see):
                    step(stage)
                look_lived_in(stage)
                yield stage
            finally:
                site.stop()


def stale(directory: Path) -> dict[str, list[str]]:
    """By exhibit, what has changed since its pictures in `directory` were taken."""
    record = picture_record.read(directory)
    changed = picture_record.changed(record)
    return {
        each.name: changed.get(each.name, []) if each.name in record else ["never taken"]
        for each in EVERY_EXHIBIT
        if each.name not in record or each.name in changed
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="exhibits; default: all")
    parser.add_argument("--to", type=Path, default=PICTURES)
    parser.add_argument("--dark", action="store_true", help="in the dark, for a look")
    parser.add_argument("--stale", action="store_true", help="those that have changed")
    parser.add_argument("--list-stale", action="store_true", help="name them, take nothing")
    arguments = parser.parse_args()
    old = stale(arguments.to)
    if arguments.list_stale:
        for name, why in old.items():
            print(f"{name}: {', '.join(why)}")
        print(f"{len(old)} of {len(EVERY_EXHIBIT)} exhibits are not as their pictures show them")
        return
    wanted = old if arguments.stale else arguments.names
    exhibits = [each for each in EVERY_EXHIBIT if not wanted or each.name in wanted]
    if arguments.stale and not old:
        return
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("no Chromium here")
    arguments.to.mkdir(parents=True, exist_ok=True)
    scheme = "dark" if arguments.dark else "light"
    record = picture_record.read(arguments.to)
    with opened() as stage, sync_playwright() as playwright:
        browsers = launch(playwright, chromium)
        for exhibit in exhibits:
            made_of = take(browsers, stage, exhibit, arguments.to, color_scheme=scheme)
            record[exhibit.name] = made_of
        for browser in browsers.values():
            browser.close()
    named = {each.name for each in EVERY_EXHIBIT}
    picture_record.write(arguments.to, {name: record[name] for name in named & record.keys()})


if __name__ == "__main__":
    main()
