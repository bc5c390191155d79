"""`exchange admin candles rebuild` beside a server that trades on, and on a stopped one."""

import threading
from pathlib import Path
from typing import NamedTuple, cast

import psycopg
from typer.testing import CliRunner, Result

from exchange.candles import INTERVALS
from exchange.cli import app
from exchange.persistence.embedded import EmbeddedServers, database_of
from tests.processes import running
from tests.web.rest import Running, World

ROWS = "SELECT * FROM candles ORDER BY market, length, time"
PATIENCE = 30.0


def rebuild(data_dir: Path, *more: str) -> Result:
    arguments = ["admin", "--data-dir", str(data_dir), "candles", "rebuild", *more]
    return CliRunner().invoke(app, arguments)


class Server(NamedTuple):
    """What a `World` needs of a server."""

    url: str
    admin_token: str


def trade(world: World, price: str) -> None:
    world.sell(world.bob, "0.01", price)
    world.buy(world.alice, "0.01", price)


def rows(data_dir: Path) -> list[tuple[object, ...]]:
    with database_of(None, data_dir) as url, psycopg.connect(url) as connection:
        return connection.execute(ROWS).fetchall()


def spoil(data_dir: Path) -> None:
    with database_of(None, data_dir) as url, psycopg.connect(url) as connection:
        connection.execute("UPDATE candles SET close = close + 1, volume = 7")


def test_a_rebuild_gives_identical_rows_on_a_running_and_on_a_stopped_server(
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "data"
    with running(data_dir, "serve", EXCHANGE_RATE_LIMITS="off") as process:
        process.wait_until_listening()
        token = (data_dir / "admin.token").read_text().strip()
        world = World(cast("Running", Server(process.url, token)))
        for price in range(100, 120):
            trade(world, f"{price}.00")
        over = threading.Event()

        def go_on() -> None:
            price = 100
            while not over.is_set():
                trade(world, f"{price}.00")
                price += 1

        trader = threading.Thread(target=go_on)
        trader.start()
        try:
            for _ in range(3):
                done = rebuild(data_dir, world.market)
                assert done.exit_code == 0, done.output
        finally:
            over.set()
            trader.join(PATIENCE)
        count = world.public.get(f"/markets/{world.market}/trades", limit=1).items()[0]["id"]
        shown = {
            name: world.public.get(
                f"/markets/{world.market}/candles", interval=name, start="2000-01-01T00:00:00Z"
            ).items()
            for name in INTERVALS
        }
        assert {sum(one["trades"] for one in items) for items in shown.values()} == {count}
        assert rebuild(data_dir, "NO_SUCH").exit_code == 1
        world.close()

    # The server has stopped: what it had not rolled up yet, the rebuild does.
    assert rebuild(data_dir).exit_code == 0
    before = rows(data_dir)
    spoil(data_dir)
    assert rows(data_dir) != before
    done = rebuild(data_dir)

    assert done.exit_code == 0, done.output
    assert rows(data_dir) == before
    assert "NO_SUCH" not in done.output


def test_a_directory_without_an_exchange_is_left_alone(tmp_path: Path) -> None:
    done = rebuild(tmp_path / "typo")

    assert done.exit_code == 1
    assert not (tmp_path / "typo").exists()


def test_the_database_of_a_running_exchange_is_lent_and_not_stopped(tmp_path: Path) -> None:
    servers = EmbeddedServers(tmp_path / "data")
    servers.start()
    try:
        with database_of(None, tmp_path / "data") as url:
            assert psycopg.connect(url).execute("SELECT 1").fetchone() == (1,)
        assert psycopg.connect(servers.database_url).execute("SELECT 1").fetchone() == (1,)
    finally:
        servers.stop()
