"""The command `exchange admin candles`: works on the database itself, served or not."""

from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exchange.persistence import candles
from exchange.persistence.connections import UNAVAILABLE, connect
from exchange.persistence.embedded import EmbeddedServersError, database_of
from exchange.persistence.errors import StorageUnavailable
from exchange.runner import BAD_SETTINGS, FAILED, complain
from exchange.settings import SettingsError, load_settings

app = typer.Typer(help="What traded in each interval of time.", no_args_is_help=True)


class RebuildError(Exception):
    """The candles cannot be made again; the message says why."""


@app.callback()
def _group() -> None:
    # Without it typer takes the only command for the group itself.
    pass


@app.command("rebuild")
def rebuild(
    context: typer.Context,
    market: Annotated[str | None, typer.Argument(help="Only this one, such as BTC_USDT.")] = None,
) -> None:
    """Make all candles again from the trades, in the database itself; the server may run or not."""
    try:
        settings = load_settings(data_dir=context.obj.data_dir)
    except SettingsError as error:
        complain(f"bad settings\n{error}")
        raise typer.Exit(BAD_SETTINGS) from None
    try:
        with database_of(settings.database_url, settings.data_dir) as database_url:
            _rebuild(database_url, market)
    except (EmbeddedServersError, StorageUnavailable, RebuildError) as error:
        complain(str(error))
        raise typer.Exit(FAILED) from None


def _rebuild(database_url: str, market: str | None) -> None:
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("trades"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    try:
        with connect(database_url, "rebuild", statement_seconds=None) as connection, progress:
            for symbol, count in _markets(connection, market):
                task = progress.add_task(symbol, total=count)
                for done, last in candles.rebuild(connection, symbol):
                    progress.update(task, completed=done, total=last)
    except UNAVAILABLE as error:
        raise StorageUnavailable(str(error)) from error
    except psycopg.errors.UndefinedTable:
        raise RebuildError(
            "The database has no candles yet: `exchange serve` makes them at its start."
        ) from None


def _markets(
    connection: psycopg.Connection[tuple[object, ...]], market: str | None
) -> list[tuple[str, int]]:
    found = candles.trade_counts(connection)
    if market is None:
        return list(found.items())
    if market not in found:
        raise RebuildError(f"There is no market {market}.")
    return [(market, found[market])]
