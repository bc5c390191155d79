"""How the page looks: readable in both themes, on a phone, and smooth under many updates."""

from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.conftest import screenshots
from tests.pages.desk import Desk
from tests.web.rest import World

AXE = Path(__file__).parent / "vendor" / "axe.js"
Theme: TypeAlias = Literal["light", "dark"]
PHONE = {"width": 390, "height": 844}

OBSERVE = """
window.longest = 0;
window.frames = 0;
window.paints = 0;
window.first = document.querySelector(".level");
window.last = [...document.querySelectorAll(".level")].at(-1);
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
}).observe({entryTypes: ["longtask"]});
const count = () => { window.frames += 1; requestAnimationFrame(count); };
requestAnimationFrame(count);
new MutationObserver(() => window.paints += 1).observe(
  document.querySelector(".book"), {subtree: true, childList: true, characterData: true});
"""

LONGEST_TASK = 250
"""Milliseconds of script without a pause, on a machine that runs the exchange, too."""


def serious(page: Page) -> list[Any]:
    """Return what axe-core finds that shuts somebody out."""
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (each["id"], [node["target"] for node in each["nodes"]])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def furnish(world: World) -> None:
    """Give a market a book on both sides, some trades, and alice an order."""
    for n in range(12):
        world.buy(world.bob, f"{1 + n % 4}.5", f"{9.99 - n * 0.03:.2f}")
        world.sell(world.bob, f"{1 + n % 3}.25", f"{10.01 + n * 0.04:.2f}")
    world.buy(world.alice, "0.5", "10.01")
    world.sell(world.alice, "0.4", "9.99")
    world.buy(world.alice, "2", "9.50")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_shuts_anybody_out(page: Page, world: World, theme: Theme) -> None:
    page.emulate_media(color_scheme=theme)
    furnish(world)
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    expect(desk.part("open").locator("tbody tr")).to_have_count(1)
    expect(desk.part("tape").locator("tr")).to_have_count(2)
    if (folder := screenshots()) is not None:
        page.screenshot(path=folder / f"trading-{theme}.png")

    assert serious(page) == []
    for tab in ("Order history", "Fills", "Balances"):
        desk.tab(tab)
        assert serious(page) == []


@pytest.mark.parametrize("path", ["/", "/admin"])
def test_before_any_script_has_run_the_page_is_dark_at_night(
    browser: Browser, world: World, path: str
) -> None:
    context = browser.new_context(java_script_enabled=False, color_scheme="dark")
    page = context.new_page()
    page.goto(world.url + path)

    expect(page.locator("body")).to_have_css("background-color", "rgb(11, 16, 23)")
    expect(page.locator("noscript")).to_have_css("color", "rgb(230, 235, 242)")
    context.close()


def test_the_dialog_of_sign_in_shuts_nobody_out(page: Page, world: World) -> None:
    Desk(page, world.url, world.market)
    page.get_by_role("button", name="Sign in", exact=True).click()

    assert serious(page) == []


def test_a_phone_shows_it_all_without_scrolling_sideways(browser: Browser, world: World) -> None:
    furnish(world)
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)  # type: ignore[arg-type]  # A dict of these two.
    page = context.new_page()
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    desk.place("Buy", "9.00", "2")
    expect(desk.part("open").locator("tbody tr")).to_have_count(2)
    if (folder := screenshots()) is not None:
        page.screenshot(path=folder / "trading-phone.png")

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert serious(page) == []
    page.get_by_role("button", name="Amend order").first.click()
    expect(page.locator("input[name=amend_price]")).to_be_focused()
    button = page.get_by_role("button", name="Amend", exact=True)
    expect(button).to_be_in_viewport(ratio=1)
    context.close()


def test_many_updates_are_painted_once_per_frame(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    expect(desk.part("bids")).to_be_visible()
    rows = page.evaluate("document.querySelectorAll('.level').length")
    page.evaluate(OBSERVE)
    for n in range(10):
        orders = [world.form("buy", "0.2", f"{9 - (n * 30 + m) * 0.01:.2f}") for m in range(30)] + [
            world.form("sell", "0.2", f"{10 + (n * 30 + m) * 0.01:.2f}") for m in range(30)
        ]
        for order in orders:
            world.alice.post("/orders", order).ok(201)
    world.buy(world.bob, "0.1", "10.00")

    expect(desk.part("last")).to_have_text("10.00")
    expect(desk.part("bids").locator("button").first).to_contain_text("9.00")
    assert page.evaluate("document.querySelectorAll('.level').length") == rows, "rows are reused"
    assert page.evaluate("window.first.isConnected && window.last.isConnected")
    frames, paints = page.evaluate("[window.frames, window.paints]")
    assert 0 < paints <= frames, "painted once per frame"
    assert page.evaluate("window.longest") < LONGEST_TASK
