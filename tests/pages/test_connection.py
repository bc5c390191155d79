"""A lost connection or frame: the page says so, comes back by itself, and is right again."""

import os
import socket
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.pages.conftest import numbers
from tests.pages.desk import Desk
from tests.pages.wire import Wire
from tests.web.rest import World, fresh_database, running

Json = dict[str, Any]
MANY = 205
"""More markets than one connection can subscribe to."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_after_a_restart_the_page_shows_the_book_as_it_is(
    page: Page, server_url: str, template: str, server_redis_url: str, tmp_path: Path
) -> None:
    port = free_port()
    name = f"test_pages_{os.getpid()}_{next(numbers)}"
    with fresh_database(server_url, template, name) as database_url:
        with running(database_url, server_redis_url, tmp_path, port=port) as exchange:
            world = World(exchange)
            world.buy(world.bob, "1", "9.00")
            desk = Desk(page, world.url, world.market)
            desk.sign_in(world.alice)
            desk.place("Buy", "10.00", "2")
            expect(desk.part("open").locator("tbody tr")).to_have_count(1)
            world.close()
        expect(desk.part("lost")).to_be_visible()

        with running(database_url, server_redis_url, tmp_path, port=port) as exchange:
            world.move_to(exchange)
            world.sell(world.bob, "2", "10.00")
            world.buy(world.bob, "1", "9.50")

            expect(desk.part("lost")).to_have_count(0)
            expect(desk.part("bids").locator("button:not([disabled])")).to_have_count(2)
            assert desk.levels("bids") == ["9.50", "9.00"]
            expect(desk.part("open").locator("tbody tr")).to_have_count(0)
            desk.tab("Order history")
            expect(desk.part("history")).to_contain_text("filled")
            world.close()


def is_update(frame: Json) -> bool:
    return str(frame.get("channel")).startswith("book:") and frame["type"] == "update"


def test_a_book_that_lost_a_frame_begins_again(page: Page, world: World) -> None:
    wire = Wire(page)
    world.buy(world.bob, "1", "9.00")
    desk = Desk(page, world.url, world.market)
    bids = desk.part("bids").locator("button:not([disabled])")
    expect(bids).to_have_count(1)
    lost: list[Json] = []

    def lose_one(frame: Json) -> Json | None:
        if not is_update(frame) or lost:
            return frame
        lost.append(frame)
        return None

    wire.change = lose_one
    world.buy(world.bob, "1", "8.00")
    world.buy(world.bob, "1", "7.00")

    expect(bids).to_have_count(3)
    assert desk.levels("bids") == ["9.00", "8.00", "7.00"]
    assert lost
    assert wire.subscribed(f"book:{world.market}") == 2


def test_a_book_that_fails_its_checksum_begins_again(page: Page, world: World) -> None:
    wire = Wire(page)
    world.buy(world.bob, "1", "9.00")
    desk = Desk(page, world.url, world.market)
    bids = desk.part("bids").locator("button:not([disabled])")
    expect(bids).to_have_count(1)
    wire.change = lambda frame: {**frame, "bids": []} if is_update(frame) else frame
    world.buy(world.bob, "2", "9.00")

    expect(bids.first).to_contain_text("3.0000")
    assert wire.subscribed(f"book:{world.market}") == 2


def test_what_happened_while_the_line_was_cut_is_shown_afterwards(page: Page, world: World) -> None:
    wire = Wire(page)
    world.buy(world.alice, "1", "9.00")
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    rows = desk.part("open").locator("tbody tr")
    expect(rows).to_have_count(1)
    wire.cut()
    expect(desk.part("lost")).to_be_visible()
    world.sell(world.bob, "1", "9.00")
    wire.mend()

    expect(desk.part("lost")).to_have_count(0)
    expect(rows).to_have_count(0)
    desk.tab("Fills")
    expect(desk.part("fills").locator("tbody tr")).to_have_count(1)
    desk.tab("Balances")
    expect(desk.part("balances").locator(f"[data-currency={world.base}]")).to_contain_text("100.99")


def test_who_lost_the_token_is_signed_out_and_told_so(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    desk.tab("Balances")
    expect(desk.part("balances").locator("tbody tr")).to_have_count(2)
    (token,) = world.admin.get(f"/admin/accounts/{world.alice.id}/tokens").items()
    world.admin.delete(f"/admin/tokens/{token['id']}").ok()

    expect(page.get_by_role("button", name="Sign in to trade")).to_be_visible()
    expect(page.get_by_role("status").first).to_contain_text("You were signed out")
    expect(desk.part("balances")).to_have_count(0)


def test_more_markets_than_a_connection_can_follow_are_listed_with_their_prices(
    page: Page, server_url: str, template: str, server_redis_url: str, tmp_path: Path
) -> None:
    name = f"test_pages_{os.getpid()}_{next(numbers)}"
    with (
        fresh_database(server_url, template, name) as database_url,
        running(database_url, server_redis_url, tmp_path) as exchange,
    ):
        world = World(exchange)
        for n in range(MANY):
            form = {"symbol": f"A{n:03}", "name": f"A {n}", "scale": 8}
            world.admin.post("/admin/currencies", form).ok(201)
            world.admin.post("/admin/markets", {**world.rules, "base": f"A{n:03}"}).ok(201)
        world.sell(world.bob, "1", "10.00")  # Its market is the last by name.
        world.buy(world.alice, "0.5", "10.00")
        desk = Desk(page, world.url, world.market)

        expect(page.locator("button.market")).to_have_count(MANY + 1)
        expect(page.locator("button.market").last).to_contain_text("10.00")
        assert desk.levels("asks") == ["10.00"]
        expect(desk.part("legend")).to_contain_text("C 10.00")
        world.close()


def test_the_first_market_is_shown_as_soon_as_it_is_made(
    page: Page, server_url: str, template: str, server_redis_url: str, tmp_path: Path
) -> None:
    name = f"test_pages_{os.getpid()}_{next(numbers)}"
    with (
        fresh_database(server_url, template, name) as database_url,
        running(database_url, server_redis_url, tmp_path) as exchange,
    ):
        page.goto(exchange.url)
        expect(page.get_by_text("There is no market yet.")).to_be_visible()
        world = World(exchange)

        expect(page.get_by_role("heading", level=1)).to_have_text(world.market.replace("_", "/"))
        page.locator("input[name=price]").fill("10")
        page.locator("input[name=quantity]").fill("1")
        expect(page.locator("[data-test=cost]")).to_have_text(f"10.000000 {world.quote}")
        world.close()
