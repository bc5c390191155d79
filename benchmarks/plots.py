"""Draws what was measured, as SVG and PNG: latency over offered load, and what growth costs."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.depth import Growth
from benchmarks.latency import Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS, BARE = "#1f5fbf", "#b0602a"


def can_draw() -> bool:
    """Say whether matplotlib is here; it is in the extra `benchmarks`."""
    return find_spec("matplotlib") is not None


def draw_latencies(folder: Path, ours: Sequence[Point], bare: Sequence[Point]) -> list[Path]:
    """Write both curves of both servers; return the files."""
    figure, rates, times = _two()
    for name, points, color in (("exchange", ours, OURS), ("bare aiohttp", bare, BARE)):
        offered = [point.offered for point in points]
        rates.plot(offered, [point.answered for point in points], "o-", color=color, label=name)
        for percent, style in (("p50", "o-"), ("p99", "^--")):
            values = [getattr(point, percent) for point in points]
            times.plot(offered, values, style, color=color, label=f"{name}, {percent}")
    rates.set(xlabel="offered, orders/s", ylabel="answered, orders/s", title="Throughput")
    times.set(xlabel="offered, orders/s", ylabel="ms", yscale="log", title="Latency")
    for axes in (rates, times):
        axes.legend()
    return _write(figure, folder, "latency")


def draw_growth(folder: Path, growth: Sequence[Growth]) -> list[Path]:
    """Write what more and more resting orders cost; return the files."""
    figure, rates, memory = _two()
    resting = [step.resting for step in growth]
    rates.plot(resting, [step.ratio for step in growth], "o-", color=OURS)
    memory.plot(resting, [step.mebibytes for step in growth], "o-", color=OURS)
    rates.set(ylabel="orders/s, beside a shallow book", ylim=(0, 1.2), title="Throughput")
    memory.set(ylabel="MiB", title="Memory of the server")
    memory.set_ylim(bottom=0)
    for axes in (rates, memory):
        axes.set(xlabel="resting orders", xscale="log")
    return _write(figure, folder, "growth")


def _two() -> "tuple[Figure, Axes, Axes]":
    import matplotlib as mpl  # noqa: PLC0415  Optional.

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "exchange", "font.size": 9})
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure, left, right


def _write(figure: "Figure", folder: Path, name: str) -> list[Path]:
    files = [folder / f"{name}.svg", folder / f"{name}.png"]
    for file in files:
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)
    return files
