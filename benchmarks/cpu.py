"""Where the time of one order goes: CPU per order of each process, the server's in two parts.

.venv/bin/python -m benchmarks.cpu
"""

import asyncio
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.load import HIGH_RATES
from benchmarks.orders import ACCOUNTS, Desk
from benchmarks.rows import Options, Row
from benchmarks.servers import exchange, running
from benchmarks.world import make_world

CONNECTIONS = 64
MICROSECONDS = 1_000_000


class _Used(NamedTuple):
    """CPU seconds so far."""

    parts: dict[str, float]

    def since(self, before: "_Used") -> dict[str, float]:
        return {part: used - before.parts.get(part, 0.0) for part, used in self.parts.items()}


def rows(options: Options) -> list[Row]:
    """Measure the parts' CPU per order under full load."""
    return asyncio.run(_rows(options))


async def _rows(options: Options) -> list[Row]:
    connections, seconds = (8, 0.3) if options.short else (CONNECTIONS, 2 * options.seconds)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(["benchmarks.bare"]) as bare,
        exchange(Path(folder) / "data", **HIGH_RATES) as (url, admin),
    ):
        desk = Desk(bare, url, await make_world(url, admin, markets=1, accounts=ACCOUNTS))
        await desk.singles(url, connections, seconds / 2)
        before = _used()
        orders = await desk.singles(url, connections, seconds)
        parts = _used().since(before)
        before = _used()
        requests = await desk.singles(bare, connections, seconds)
        plain = _used().since(before)
    found = [
        _row("CPU of an order", part, used / orders.requests)
        for part, used in sorted(parts.items(), key=lambda item: -item[1])
        if part != "bare handler"
    ]
    return [
        *found,
        _row("CPU of a bare request", "handler", plain["bare handler"] / requests.requests),
    ]


def _row(name: str, part: str, seconds: float) -> Row:
    return Row(f"{name}: {part}", seconds * MICROSECONDS, "us")


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _used() -> _Used:
    """Return the CPU time of each part: this process's children, and theirs."""
    parts: defaultdict[str, float] = defaultdict(float)
    me = psutil.Process()
    parts["generator"] = _cpu(me)
    for process in me.children(recursive=True):
        try:
            line, used = " ".join(process.cmdline()), _cpu(process)
        except psutil.Error:
            continue
        if "benchmarks.bare" in line:
            parts["bare handler"] += used
        elif "exchange serve" in line:
            for thread in process.threads():
                # The event loop has the main thread, whose id is the process's.
                part = "front door" if thread.id == process.pid else "actors"
                parts[f"server, {part}"] += thread.user_time + thread.system_time
        else:
            parts["PostgreSQL and Redis"] += used
    return _Used(dict(parts))


if __name__ == "__main__":
    for row in rows(Options()):
        print(row.name, round(row.value), row.unit)
