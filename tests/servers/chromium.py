"""The browser that drives the portal in the tests."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

expect.set_options(timeout=30_000)
"""Milliseconds that a page is given to become what is expected, on a machine that does more."""
_NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
_PLAYWRIGHT_CACHE = Path.home() / ".cache" / "ms-playwright"


def find_chromium() -> Path | None:
    """A Chromium or Chrome that starts, or None.

    PORTSEAL_CHROMIUM names one; else the usual names on PATH; else Playwright's own. Each is asked
    for its version, because Ubuntu's chromium-browser is a stub for a snap that may not be there.
    """
    candidates = [os.environ.get("PORTSEAL_CHROMIUM"), *map(shutil.which, _NAMES)]
    candidates += map(str, sorted(_PLAYWRIGHT_CACHE.glob("chromium-*/chrome-linux*/chrome"))[::-1])
    return next((Path(path) for path in candidates if path and _starts(path)), None)


def launch_arguments() -> list[str]:
    """Arguments for a headless run that leaves nothing behind and asks nobody."""
    arguments = ["--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"]
    # Chromium refuses to run its sandbox as root; the pages it opens here are our own.
    return [*arguments, "--no-sandbox"] if os.geteuid() == 0 else arguments


def _starts(path: str) -> bool:
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and "Chrom" in answer.stdout


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's program file; the test is skipped where there is none."""
    path = find_chromium()
    if path is None:
        pytest.skip(
            "no Chromium or Google Chrome here; install one, or run "
            ".venv/bin/playwright install --with-deps chromium"
        )
    return path


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    """One for the tests of a file, each of which opens contexts of its own."""
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
        yield made
        made.close()
