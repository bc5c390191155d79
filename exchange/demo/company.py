"""Runs the demo's world beside the server: builds it, lets the bots live, and ends them first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from time import time_ns

import structlog
from structlog.typing import FilteringBoundLogger

from exchange.client import ApiError, Client, ClientError, path
from exchange.demo.history import LAST, HistoryError, live_through, open_markets
from exchange.demo.maker import Maker
from exchange.demo.prices import STEP_SECONDS, FairPrices
from exchange.demo.taker import Taker
from exchange.demo.world import CUSTOMERS, MAKER, MARKETS, TAKER, build, find_tokens
from exchange.runner import Company
from exchange.settings import Settings
from exchange.system import ADMIN_TOKEN_FILE, StartError, System

TOKENS_FILE = "demo.tokens"
WALK_SECONDS, MAKE_SECONDS, TAKE_SECONDS = STEP_SECONDS, 0.7, 1.2
TROUBLE_SECONDS = 2.0
STOP_SECONDS = 5.0

Act = Callable[[], Awaitable[None]]


def company(settings: Settings, *, seed: int, bots: bool) -> Company:
    """Return the demo's world, with or without its bots."""

    @asynccontextmanager
    async def accompany(system: System) -> AsyncIterator[str]:
        file = settings.data_dir / TOKENS_FILE
        try:
            tokens = await _found(system, _admin_token(settings), file, seed)
        except HistoryError as error:
            raise StartError(f"the demo's history was refused: {error}") from error
        text = _welcome(system.url, tokens, file)
        if bots:
            async with _bots(system.url, tokens, seed):
                yield text
        else:
            yield text

    return accompany


async def _found(system: System, admin_token: str, file: Path, seed: int) -> dict[str, str]:
    """Build the world with its past; return the accounts' tokens."""
    now = time_ns() // 1000
    async with Client(system.url, admin_token) as admin:
        ids = await build(admin)
        await open_markets(system, now)
        tokens = await find_tokens(system.url, admin, ids, file)
    async with Client(system.url, tokens[TAKER]) as taker:
        try:
            await taker.call("GET", path("orders", "by-client-id", LAST), attempts=3)
        except ApiError as error:
            if error.code != "order_not_found":
                raise
            await live_through(system, ids, seed, now)
    return tokens


def _admin_token(settings: Settings) -> str:
    file = settings.data_dir / ADMIN_TOKEN_FILE
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        message = f"the demo needs the admin token, which is not in {file}: {error.strerror}"
        raise StartError(message) from error


def _welcome(url: str, tokens: dict[str, str], file: Path) -> str:
    order = (
        '{"market": "BTC_USDT", "side": "buy", "type": "limit", '
        '"price": "52000.00", "quantity": "0.0100"}'
    )
    curl = (
        f"curl -s {url}/api/v1/orders -H 'Authorization: Bearer {tokens[CUSTOMERS[0]]}' "
        f"-H 'Content-Type: application/json' -d '{order}'"
    )
    lines = [f"open {url}/ in a browser, or trade with a token:", ""]
    lines += [f"token of {name}: {tokens[name]}" for name in CUSTOMERS]
    lines += [f"(kept in {file})", "", "A first order of alice, for another terminal:", curl]
    return "\n".join(lines)


@asynccontextmanager
async def _bots(url: str, tokens: dict[str, str], seed: int) -> AsyncIterator[None]:
    """Let the bots live. One that a bug ends takes the server down with it: its group cancels."""
    prices = FairPrices(seed)
    routines = Routines(seed)
    async with (
        Client(url, tokens[MAKER]) as for_maker,
        Client(url, tokens[TAKER]) as for_taker,
        asyncio.TaskGroup() as group,
    ):
        await _find_prices(for_maker, prices)
        makers = [Maker(for_maker, market, prices, seed) for market in MARKETS]

        async def walk() -> None:
            prices.walk()

        tasks = [group.create_task(routines.repeat("prices", walk, WALK_SECONDS))]
        for maker, market in zip(makers, MARKETS, strict=True):
            taker = Taker(for_taker, market, seed)
            for name, act, seconds in (
                (f"maker {market.symbol}", maker.act, MAKE_SECONDS),
                (f"taker {market.symbol}", taker.act, TAKE_SECONDS),
            ):
                tasks.append(group.create_task(routines.repeat(name, act, seconds)))
        yield
        routines.stopping.set()
        _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        # Quotes that nobody looks after any more are not left behind, if the server still can.
        with suppress(ClientError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                for maker in makers:
                    await maker.clear()


async def _find_prices(client: Client, prices: FairPrices) -> None:
    """Go on from the last trades of an earlier run."""
    for market in MARKETS:
        if market.quote == "USDT":
            trades = await client.items(path("markets", market.symbol, "trades"), most=1)
            if trades:
                prices.start_at(market.base, float(trades[0]["price"]))


class Routines:
    """What bots do over and over, until they are told to stop."""

    def __init__(self, seed: int) -> None:
        """Begin running."""
        self.stopping = asyncio.Event()
        self._seed = seed
        self._log: FilteringBoundLogger = structlog.get_logger(__name__)

    async def repeat(self, name: str, act: Act, seconds: float) -> None:
        """Act about every so many seconds; where the exchange says no, wait and go on."""
        random = Random(f"{self._seed}:{name}:pauses")  # noqa: S311  Seeded, not secret.
        said = ""
        while not self.stopping.is_set():
            pause = seconds * random.uniform(0.6, 1.4)
            try:
                await act()
            except ClientError as error:
                pause += TROUBLE_SECONDS
                if str(error) != said:  # Once for one trouble, however long it lasts.
                    said = str(error)
                    self._log.warning("demo bot waits", bot=name, reason=said)
            else:
                said = ""
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause)
