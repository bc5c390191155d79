"""What the trading page shows of the market: candles, depth; and one click into the sandbox."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.desk import Desk
from tests.web.rest import Running, World, fresh_database, running

INK = """
(canvases) => canvases.some((canvas) => {
  const { width, height } = canvas;
  if (!width || !height) return false;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const colors = new Set();
  for (let i = 0; i < pixels.length; i += 4) {
    if (pixels[i + 3]) colors.add((pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2]);
  }
  return colors.size > 2;
})
"""
"""Whether anything but a plain ground is drawn on any of the canvases."""


def trade(world: World, price: str, quantity: str) -> None:
    world.sell(world.bob, quantity, price)
    world.buy(world.alice, quantity, price)


def test_candles_are_drawn_and_follow_the_trades(page: Page, world: World) -> None:
    trade(world, "10", "0.5")
    desk = Desk(page, world.url, world.market)
    page.get_by_role("group", name="Interval").get_by_role("button", name="1w").click()
    legend = desk.part("legend")
    expect(legend).to_contain_text("C 10.00")
    expect(legend).to_contain_text("V 0.5000")
    trade(world, "12", "0.25")

    expect(legend).to_contain_text("H 12.00")
    expect(legend).to_contain_text("V 0.7500")
    canvases = page.get_by_role("img", name="Candlestick chart with volume").locator("canvas")
    assert canvases.evaluate_all(INK)


def test_the_depth_of_both_sides_is_drawn(page: Page, world: World) -> None:
    world.sell(world.bob, "0.5", "11")
    world.buy(world.alice, "0.5", "10")
    Desk(page, world.url, world.market)
    page.get_by_role("button", name="Depth").click()

    chart = page.get_by_role("img", name="Depth chart: cumulated quantity by price")
    expect(chart).to_be_visible()
    assert chart.evaluate_all(INK)


def test_the_ticker_of_24_hours_is_shown(page: Page, world: World) -> None:
    trade(world, "10", "0.5")
    trade(world, "11", "0.5")
    desk = Desk(page, world.url, world.market)

    expect(desk.part("last")).to_have_text("11.00")
    expect(page.locator(".top")).to_contain_text("10.00 %")


@pytest.fixture
def sandbox(
    server_url: str,
    template: str,
    server_redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    with (
        fresh_database(server_url, template, f"test_page_sandbox_{os.getpid()}") as database_url,
        running(
            database_url, server_redis_url, tmp_path_factory.mktemp("sandbox"), sandbox=True
        ) as exchange,
    ):
        started: Running = exchange
        world = World(started)
        yield world
        world.close()


def test_one_click_makes_an_account_with_funds_in_the_sandbox(page: Page, sandbox: World) -> None:
    desk = Desk(page, sandbox.url, sandbox.market)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="New account with funds").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    desk.place("Buy", "10.00", "2")

    expect(desk.part("open").locator("tbody tr")).to_have_count(1)
    desk.tab("Balances")
    expect(desk.part("balances")).to_contain_text("100,000.00")


def test_a_real_exchange_offers_no_such_button(page: Page, world: World) -> None:
    Desk(page, world.url, world.market)
    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("button", name="New account with funds")).to_have_count(0)


def test_nothing_is_fetched_from_elsewhere_and_the_charts_name_their_maker(
    page: Page, world: World
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    trade(world, "10", "0.5")
    desk = Desk(page, world.url, world.market)
    expect(desk.part("legend")).to_contain_text("C 10.00")
    page.goto(f"{world.url}/admin")
    expect(page.get_by_label("Token")).to_be_visible()
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(world.url)] == []

    page.goto(world.url)
    link = page.get_by_role("contentinfo").get_by_role("link", name="TradingView")
    expect(link).to_have_attribute("href", "https://www.tradingview.com/")


def test_times_are_those_of_who_looks(browser: Browser, world: World) -> None:
    trade(world, "10", "0.5")
    context = browser.new_context(timezone_id="Asia/Kolkata", locale="en-US")
    page = context.new_page()
    desk = Desk(page, world.url, world.market)
    expect(desk.part("tape").locator("tr")).to_have_count(1)
    shown = desk.part("tape").locator("td").last.inner_text()
    (last,) = world.public.get(f"/markets/{world.market}/trades").items()
    there = datetime.fromisoformat(last["time"]) + timedelta(hours=5, minutes=30)
    assert shown == f"{there:%H:%M:%S}"

    labels = page.evaluate("""async () => {
        const { timesOf } = await import("/static/trade/chart.js");
        const label = (interval) => timesOf(interval).timeScale.tickMarkFormatter(1700000400, 3);
        return [label("5m"), label("1d")];
    }""")
    assert labels == ["03:50", None]
    context.close()
