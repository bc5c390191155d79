"""A lost connection: the page says so, comes back by itself, and is right again."""

import os
import socket
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.pages.conftest import numbers
from tests.pages.desk import Desk
from tests.web.rest import World, fresh_database, running


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
