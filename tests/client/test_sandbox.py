"""The client in a sandbox: from nothing to an account that trades."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from exchange.client import SyncClient
from tests.web.rest import Running, fresh_database, running


@pytest.fixture
def sandbox(
    server_url: str, template: str, server_redis_url: str, tmp_path: Path
) -> Iterator[Running]:
    with (
        fresh_database(server_url, template, "test_client_sandbox") as database_url,
        running(database_url, server_redis_url, tmp_path, sandbox=True) as exchange,
    ):
        yield exchange


def test_a_newcomer_gets_an_account_and_more_and_begins_again(sandbox: Running) -> None:
    with SyncClient(sandbox.url, sandbox.admin_token) as admin:
        admin.create_currency("BTC", "Bitcoin", 8)
        admin.create_currency("USDT", "Tether", 6)
        market = admin.create_market("BTC", "USDT", tick_size="0.01", lot_size="0.0001").symbol
    with SyncClient(sandbox.url) as nobody:
        account = nobody.open_sandbox_account("newcomer")
    with SyncClient(sandbox.url, account.token) as newcomer:
        given = newcomer.faucet("USDT", 1)
        order = newcomer.place(market, "buy", "0.001", "100.00")
        begun_again = newcomer.reset()
        ticker = newcomer.ticker(market)
        candles = newcomer.candles(market, "1m")
        tickers = newcomer.tickers()

    assert account.name == "newcomer"
    assert (given.currency, given.amount) == ("USDT", Decimal(1))
    assert begun_again.canceled == (order.id,)
    assert {line.currency: line.total for line in begun_again.balances} == {
        line.currency: line.amount for line in account.balances
    }
    assert (ticker.market, ticker.last, ticker.trades) == (market, None, 0)
    assert candles == ()
    assert [one.market for one in tickers] == [market]
