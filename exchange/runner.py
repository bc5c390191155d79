"""Runs a server as a process: signals, messages and the exit code."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from types import FrameType

import typer
import uvloop

from exchange.client.errors import ClientError
from exchange.logs import configure_logs
from exchange.settings import Settings
from exchange.system import ADMIN_TOKEN_FILE, StartError, System

OK, FAILED, BAD_SETTINGS, INTERRUPTED = 0, 1, 2, 130

GARBAGE_THRESHOLDS = (10_000, 10, 10)
"""Most of what an order leaves behind is freed without the collector: let it look more seldom."""

Company = Callable[[System], AbstractAsyncContextManager[str | None]]
"""What lives beside the server, from when it answers until before it stops: the demo.

It may give a text to show under the line that says where the server listens.
"""


def alone(_system: System) -> AbstractAsyncContextManager[None]:
    """Let the server live alone."""
    return nullcontext()


def run(settings: Settings, company: Company = alone) -> int:
    """Serve until SIGINT, SIGTERM or a failure; return the exit code."""
    configure_logs(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        stop = asyncio.Event()
        _listen_to_signals(lambda: loop.call_soon_threadsafe(stop.set))
        try:
            return runner.run(_serve(settings, company, stop))
        except (StartError, ClientError) as error:
            complain(str(error))
            return FAILED


def complain(message: str) -> None:
    """Say on standard error what is wrong."""
    typer.echo(f"exchange: {message}", err=True)


def _listen_to_signals(stop: Callable[[], object]) -> None:
    """Stop at the first signal; leave at once at a further Ctrl-C, whatever hangs."""
    stopping = False

    def take(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping and number == signal.SIGINT:
            # Nothing acknowledged is lost, and the next start adopts the embedded servers.
            os._exit(INTERRUPTED)
        stopping = True
        stop()

    # Not loop.add_signal_handler: its handlers would wait for a loop that hangs.
    signal.signal(signal.SIGINT, take)
    signal.signal(signal.SIGTERM, take)


async def _serve(settings: Settings, company: Company, stop: asyncio.Event) -> int:
    system = System(settings)
    await system.start()
    _spare_collector()
    try:
        if system.admin_token is not None:
            kept = settings.data_dir / ADMIN_TOKEN_FILE
            typer.echo(
                f"admin token, shown this once, kept in {kept}: {system.admin_token}", err=True
            )
        # A signal that came during the start ends the run before it says that it serves.
        if not stop.is_set():
            async with company(system) as text:
                typer.echo(f"listening on {system.url}")
                if text is not None:
                    typer.echo(text)
                await _first(stop, system.failed)
    finally:
        answered = await system.stop()
    if system.failed.is_set():
        complain(system.failure)
        return FAILED
    if not answered:
        complain("stopped with requests unanswered; what was acknowledged is safe")
        return FAILED
    return OK


def _spare_collector() -> None:
    """Let garbage collections, which stop all threads, pass over what the start has made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


async def _first(*events: asyncio.Event) -> None:
    """Wait for any of the events."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
