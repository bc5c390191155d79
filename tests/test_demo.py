import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from exchange.demo.world import MARKETS
from tests.processes import Process, fetch, running

SYMBOLS = [market.symbol for market in MARKETS]
MOVING_SECONDS = 10


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running(tmp_path_factory.mktemp("demo") / "data", "demo", "--seed", "7") as process:
        yield process.wait_until_listening()


def get(demo: Process, path: str, token: str | None = None) -> Any:  # noqa: ANN401 -- as the server has it.
    status, body = fetch(f"{demo.url}/api/v1{path}", token)
    assert status == 200, body
    return body


def book(demo: Process, symbol: str) -> Any:  # noqa: ANN401
    return get(demo, f"/markets/{symbol}/book")


def middle(demo: Process, symbol: str) -> float:
    top = book(demo, symbol)
    return (float(top["bids"][0][0]) + float(top["asks"][0][0])) / 2


def until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = monotonic() + seconds
    while not holds():
        assert monotonic() < deadline, "it never came to hold"
        sleep(0.05)


def all_books_are_two_sided(demo: Process) -> bool:
    books = [book(demo, symbol) for symbol in SYMBOLS]
    return all(len(each["bids"]) >= 3 and len(each["asks"]) >= 3 for each in books)


def test_books_are_two_sided_and_moving_within_ten_seconds(demo: Process) -> None:
    started = monotonic()
    until(lambda: all_books_are_two_sided(demo), MOVING_SECONDS)
    before = {symbol: book(demo, symbol) for symbol in SYMBOLS}

    def all_moved() -> bool:
        return all(
            book(demo, symbol)["bids"] != before[symbol]["bids"]
            and get(demo, f"/markets/{symbol}/trades")["items"]
            for symbol in SYMBOLS
        )

    until(all_moved, started + MOVING_SECONDS - monotonic())


def test_the_markets_are_consistent_with_each_other(demo: Process) -> None:
    until(lambda: all_books_are_two_sided(demo), MOVING_SECONDS)

    across = middle(demo, "ETH_USDT") / middle(demo, "BTC_USDT")
    assert middle(demo, "ETH_BTC") == pytest.approx(across, rel=0.005)


def test_the_two_customers_are_funded_and_their_order_is_filled(demo: Process) -> None:
    until(lambda: all_books_are_two_sided(demo), MOVING_SECONDS)
    alice = demo.wait_for_line("token of alice: ")
    bob = demo.wait_for_line("token of bob: ")
    curl = demo.wait_for_line("curl ")
    order = {"market": "BTC_USDT", "side": "buy", "type": "limit"}
    order |= {"price": "52000.00", "quantity": "0.0100"}

    for token in (alice, bob):
        balances = {
            b["currency"]: float(b["total"]) for b in get(demo, "/balances", token)["items"]
        }
        assert balances == {"BTC": 10, "ETH": 100, "USDT": 500_000}
    status, placed = fetch(f"{demo.url}/api/v1/orders", alice, order)
    assert (status, placed["status"]) == (201, "filled")
    assert f"{demo.url}/api/v1/orders" in curl
    assert alice in curl
    assert all(f'"{value}"' in curl for value in order.values())
    assert (demo.data_dir / "demo.tokens").stat().st_mode & 0o777 == 0o600


def test_a_demo_that_was_killed_goes_on(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with running(data_dir, "demo") as first:
        first.wait_until_listening()
        until(lambda: all_books_are_two_sided(first), MOVING_SECONDS)
        first.send(signal.SIGKILL)
        first.wait()
    with running(data_dir, "demo") as second:
        second.wait_until_listening()
        alice = second.wait_for_line("token of alice: ")
        until(lambda: all_books_are_two_sided(second), MOVING_SECONDS)
        before = {symbol: book(second, symbol)["sequence"] for symbol in SYMBOLS}
        until(
            lambda: all(book(second, symbol)["sequence"] > before[symbol] for symbol in SYMBOLS),
            MOVING_SECONDS,
        )
        balances = get(second, "/balances", alice)["items"]
        admin = (data_dir / "admin.token").read_text().strip()
        proof = get(second, "/admin/proof", admin)
        accounts = get(second, "/admin/accounts", admin)["items"]

        assert second.stop(signal.SIGINT) == 0
    assert f"token of alice: {alice}" in first.lines
    assert {b["currency"]: float(b["total"]) for b in balances}["USDT"] == 500_000
    assert {line["sum"].strip("0.") for line in proof["currencies"]} == {""}
    assert sum(account["name"] == "alice" for account in accounts) == 1
    assert "Traceback" not in second.errors


def test_a_week_of_trades_is_there_before_the_address(tmp_path: Path) -> None:
    with running(tmp_path / "data", "demo") as demo:
        demo.wait_until_listening()
        for symbol in SYMBOLS:
            trades = get(demo, f"/markets/{symbol}/trades?limit=1000")["items"]
            times = [trade["time"] for trade in trades]
            assert len(trades) == 1000
            assert times == sorted(times, reverse=True)
        across = last_price(demo, "ETH_USDT") / last_price(demo, "BTC_USDT")
        assert last_price(demo, "ETH_BTC") == pytest.approx(across, rel=0.01)


def last_price(demo: Process, symbol: str) -> float:
    return float(get(demo, f"/markets/{symbol}/trades?limit=1")["items"][0]["price"])


def test_on_a_real_exchange_the_demo_says_no_in_one_line(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with running(data_dir, "serve") as real:
        real.wait_until_listening()
        assert real.stop() == 0
    with running(data_dir, "demo") as demo:
        assert demo.wait() == 1
        said = [line for line in demo.errors.splitlines() if "served without" in line]
    assert len(said) == 1
    assert "Traceback" not in demo.errors


def test_without_bots_the_books_are_empty(tmp_path: Path) -> None:
    with running(tmp_path / "data", "demo", "--no-bots") as quiet:
        quiet.wait_until_listening()
        quiet.wait_for_line("curl ")

        assert [book(quiet, symbol)["bids"] for symbol in SYMBOLS] == [[], [], []]
