"""The command `exchange replay`: reads files, makes accounts, plays, and says what it did."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from decimal import Decimal
from itertools import repeat
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exchange.client import ApiError, Client, ClientError, Json, path
from exchange.replay.lobster import FileError, Message, Row, read_messages, read_rows
from exchange.replay.plan import Planner, Take
from exchange.replay.player import Player, ReplayError
from exchange.replay.wire import Wire
from exchange.runner import FAILED, INTERRUPTED, complain

NANOSECONDS = 1_000_000_000
TICK, LOT, QUOTE_SCALE = "0.01", "1", 4
FUNDS = {"base": "1000000000", "quote": "1000000000000"}
MAKER, TAKER = "replay-maker", "replay-taker"
SPEEDS = {"1x": 1, "10x": 10, "max": 0}


class Wishes(NamedTuple):
    """What the command line asks for."""

    file: Path
    market: str
    speed: str
    levels: int | None
    book: Path | None
    check: bool
    keep: bool


class Report:
    """What was done, for the end."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.messages = 0
        self.seconds = 0.0
        self.difference: str | None = None
        self.cleared = 0
        self.notes: Counter[str] = Counter()

    def show(self) -> None:
        """Print it."""
        rate = self.messages / self.seconds if self.seconds else 0
        typer.echo(f"{self.messages} messages in {self.seconds:.1f} s, {rate:.0f} a second")
        for note, count in self.notes.items():
            typer.echo(f"  {count} {note}")
        if self.cleared:
            typer.echo(
                f"  {self.cleared} orders that still rested were canceled (--keep leaves them)"
            )


def run(wishes: Wishes, url: str, admin_token: str) -> int:
    """Replay; return the exit code."""
    report = Report()
    try:
        messages = read_messages(wishes.file)
        rows = None if wishes.book is None else read_rows(wishes.book, len(messages), wishes.levels)
    except FileError as error:
        complain(str(error))
        return FAILED
    try:
        asyncio.run(_replay(wishes, (url, admin_token), (messages, rows), report))
    except KeyboardInterrupt:
        report.show()
        return INTERRUPTED
    except (ClientError, FileError) as error:
        complain(str(error))
        return FAILED
    report.show()
    if report.difference is not None:
        complain(report.difference)
        return FAILED
    return 0


async def _replay(
    wishes: Wishes,
    server: tuple[str, str],
    files: tuple[list[Message], list[Row] | None],
    report: Report,
) -> None:
    url, admin_token = server
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(Client(url, admin_token))
        tokens = await _prepare(admin, wishes.market)
        maker = await stack.enter_async_context(Client(url, tokens[MAKER]))
        player = Player(
            wishes.market,
            await stack.enter_async_context(Wire(url, tokens[MAKER])),
            await stack.enter_async_context(Wire(url, tokens[TAKER])),
            admin,
        )
        started = monotonic()
        try:
            await _play(wishes, player, maker, files, report)
        finally:
            report.seconds = monotonic() - started
            report.notes += player.notes
            if not wishes.keep:
                report.cleared = await player.clear(maker)


async def _play(
    wishes: Wishes,
    player: Player,
    maker: Client,
    files: tuple[list[Message], list[Row] | None],
    report: Report,
) -> None:
    messages, rows = files
    planner = Planner()
    factor = SPEEDS[wishes.speed]
    if rows is not None:
        await player.play(planner.begin(messages[0], rows[0]))
        await player.settle()
    started = monotonic()
    with _progress() as progress:
        bar = progress.add_task(wishes.market, total=len(messages), lag="", rate=0.0)
        for message, row in zip(messages, rows or repeat(None), strict=False):
            late = 0.0
            if factor:
                due = started + (message.time - messages[0].time) / NANOSECONDS / factor
                late = monotonic() - due
                if late < 0:
                    await player.settle()
                    await asyncio.sleep(-late)
            operations = list(planner.step(message))
            if row is not None:
                operations += planner.look(row)
            await player.play(operations)
            report.messages += 1
            lag = f"{max(late, 0):.1f} s late" if factor else ""
            rate = report.messages / max(monotonic() - started, 1e-6)
            progress.update(bar, advance=1, lag=lag, rate=rate)
            if wishes.check and row is not None:
                takes = [one for one in operations if isinstance(one, Take)]
                difference = await player.check(maker, row, takes)
                if difference is not None:
                    report.difference = f"after message {report.messages}: {difference}"
                    break
        await player.settle()
    report.notes += planner.notes


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.0f}/s"),
        TextColumn("{task.fields[lag]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


# --- Market and accounts -------------------------------------------------------------------------


async def _prepare(admin: Client, symbol: str) -> dict[str, str]:
    """Make the market and the accounts that are missing; return a token for each account."""
    base, underscore, quote = symbol.partition("_")
    if not underscore:
        raise ReplayError(f"--market {symbol!r} is not like AAPL_USD")
    known = {market["symbol"]: market for market in await admin.items("/admin/markets")}
    if symbol not in known:
        await _make_market(admin, base, quote)
    else:
        _check_steps(known[symbol])
    ids = {account["name"]: account["id"] for account in await admin.items("/admin/accounts")}
    tokens = {}
    for name in (MAKER, TAKER):
        if name not in ids:
            ids[name] = (await admin.call("POST", "/admin/accounts", {"name": name}))["id"]
        for currency, amount in ((base, FUNDS["base"]), (quote, FUNDS["quote"])):
            form: Json = {"currency": currency, "amount": amount, "reference": f"replay {currency}"}
            await admin.call("POST", path("admin", "accounts", ids[name], "deposits"), form)
        form = {"scopes": ["read", "trade"], "label": "replay"}
        issued = await admin.call("POST", path("admin", "accounts", ids[name], "tokens"), form)
        tokens[name] = str(issued["token"])
    return tokens


async def _make_market(admin: Client, base: str, quote: str) -> None:
    for symbol, scale in ((base, 0), (quote, QUOTE_SCALE)):
        try:
            form: Json = {"symbol": symbol, "name": symbol, "scale": scale}
            await admin.call("POST", "/admin/currencies", form)
        except ApiError as error:
            if error.code != "currency_exists":
                raise
    form = {"base": base, "quote": quote, "tick_size": TICK, "lot_size": LOT}
    await admin.call("POST", "/admin/markets", form)


def _check_steps(market: Json) -> None:
    if Decimal(1) % Decimal(market["lot_size"]) or Decimal("0.01") % Decimal(market["tick_size"]):
        raise ReplayError(
            f"{market['symbol']} has a tick of {market['tick_size']} and a lot of "
            f"{market['lot_size']}; a stock needs a cent and a share"
        )
