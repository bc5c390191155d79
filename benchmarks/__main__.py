"""Every figure that the exchange promises, measured in one run: `python -m benchmarks`."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import exchange.engine
from benchmarks import (
    book,
    broadcast,
    cpu,
    depth,
    dialect,
    latency,
    memory,
    orders,
    reads,
    recovery,
)
from benchmarks.plots import can_draw, draw_growth, draw_latencies
from benchmarks.rows import Options, Row

PARTS: dict[str, Callable[[Options], list[Row]]] = {
    "orders": orders.rows,
    "dialect": dialect.rows,
    "latency": latency.rows,
    "depth": depth.rows,
    "reads": reads.rows,
    "broadcast": broadcast.rows,
    "book": book.rows,
    "memory": memory.rows,
    "recovery": recovery.rows,
    "cpu": cpu.rows,
}
OUTPUT = Path("build/benchmarks")
WIDTH = 120
"""Columns of the table, also where it goes to a file."""


def main() -> None:
    """Measure, show a table, and write a JSON file and the plots."""
    arguments = _arguments()
    console = Console(width=max(Console().width, WIDTH))
    options = Options(arguments.runs, arguments.seconds, arguments.short)
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Row]] = {}
    columns = (TextColumn("{task.description:20}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(arguments.only))
        for name in arguments.only:
            progress.update(task, description=name)
            found[name] = _measure(name, options, folder, console)
            progress.advance(task)
    console.print(_table(found))
    report = folder / "results.json"
    report.write_text(json.dumps(_report(found, options), indent=2) + "\n")
    console.print(f"written: {report}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs, of which the median counts")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each measurement")
    parser.add_argument("--short", action="store_true", help="only show that everything works")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to measure"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for JSON and plots")
    return parser.parse_args()


def _measure(name: str, options: Options, folder: Path, console: Console) -> list[Row]:
    if name == "latency":
        return _measure_latencies(options, folder, console)
    if name == "depth":
        return _measure_depths(options, folder, console)
    return PARTS[name](options)


def _measure_latencies(options: Options, folder: Path, console: Console) -> list[Row]:
    found = latency.measure_latencies(options)
    _say_files(console, draw_latencies(folder, found.ours, found.bare) if can_draw() else [])
    curve = [
        Row(f"p99 at {point.offered:,.0f} orders/s", point.p99, "ms", detail=f"p50 {point.p50:.1f}")
        for point in found.ours
    ]
    return [found.row, *curve]


def _measure_depths(options: Options, folder: Path, console: Console) -> list[Row]:
    found = depth.measure_depths(options)
    _say_files(console, draw_growth(folder, found.growth) if can_draw() else [])
    curve = [
        Row(
            f"memory with {step.resting:,} resting orders",
            step.mebibytes,
            "MiB",
            detail=f"orders/s {step.ratio:.2f} of a shallow book's",
        )
        for step in found.growth
    ]
    return [*found.rows, *curve]


def _say_files(console: Console, files: list[Path]) -> None:
    if not files:
        console.print("no plots: matplotlib is in the extra `benchmarks`")
    for file in files:
        console.print(f"written: {file}")


def _table(found: dict[str, list[Row]]) -> Table:
    table = Table(title=f"{platform.machine()}, {os.cpu_count()} cores, {_build()}")
    for column in ("what", "value", "against", "ratio", "target", "met"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for rows in found.values():
        for row in rows:
            table.add_row(*_cells(row))
        table.add_section()
    return table


def _cells(row: Row) -> tuple[str, ...]:
    met = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[row.met]
    sign = ">=" if row.better == "higher" else "<="
    return (
        f"{row.name} [dim]{row.detail}[/]",
        f"{_number(row.value)} {row.unit}",
        "" if row.against is None else _number(row.against),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.target is None else f"{sign} {_number(row.target)}",
        met,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def _build() -> str:
    """Say whether the exchange that is measured is compiled."""
    compiled = not str(exchange.engine.__file__).endswith(".py")
    version = platform.python_version()
    return f"Python {version}, {'compiled with mypyc' if compiled else 'not compiled'}"


def _report(found: dict[str, list[Row]], options: Options) -> dict[str, object]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "build": _build(),
        "arguments": sys.argv[1:],
        "runs": options.runs,
        "seconds": options.seconds,
        "rows": [
            {"part": part, **row._asdict(), "met": row.met}
            for part, rows in found.items()
            for row in rows
        ],
    }


if __name__ == "__main__":
    main()
