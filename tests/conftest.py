"""Fixtures for all tests: reproducible torch, and one browser per worker."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# No page and no test may reach beyond this machine; the rest keeps Chromium from trying on its own.
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
BROWSER_NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
NO_BROWSER = "no Chromium or Chrome found (install chromium or google-chrome to run the browser tests)"


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Sums in one order, and two test workers on two cores."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed():
    import torch

    torch.manual_seed(0)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


def launch(playwright):
    """The first Chromium that starts: from PATH, or an installed Chrome that Playwright knows how to find (macOS, Windows)."""
    import shutil

    from playwright.sync_api import Error

    found = [path for name in BROWSER_NAMES if (path := shutil.which(name))]
    for where in [{"executable_path": path} for path in found] + [{"channel": "chrome"}, {"channel": "msedge"}]:
        try:
            return playwright.chromium.launch(args=BROWSER_ARGUMENTS, **where)
        except Error:
            if "executable_path" in where:
                raise  # it is there and does not start: say so, do not look further
    return None


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium. Without one the tests skip; in CI that is a failure."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = launch(playwright)
        if running is None:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(NO_BROWSER)
        yield running
        running.close()
