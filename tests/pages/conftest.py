"""The pages of a real exchange, in Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.web.conftest import exchange, server_redis_url, world

__all__ = ["exchange", "server_redis_url", "world"]

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 15_000
"""Milliseconds to wait for what must come, before the test fails."""

expect.set_options(timeout=PATIENCE)

numbers = count(1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; where CHROMIUM_REQUIRED is set its absence is a failure.

    Once per file: Playwright's event loop lives in this thread, where other files run theirs.
    """
    if shutil.which(CHROMIUM) is None:
        reason = f"{CHROMIUM} is missing: apt-get install chromium, or name it in CHROMIUM"
        if "CHROMIUM_REQUIRED" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of its own: no cookies, a desk's width, the light theme."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 1000}, color_scheme="light", locale="en-GB"
    )
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page; the test fails if a script of it failed or its policy was broken."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security" in message.text else None,
    )
    yield page
    assert not errors, errors


def screenshots() -> Path | None:
    """Return where pictures are to be written, if SCREENSHOTS asks for them."""
    folder = os.environ.get("SCREENSHOTS")
    return Path(folder) if folder else None
