"""Draws what was measured: throughput and latency over offered load, as SVG and PNG."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.latency import Point

OURS, BARE = "#1f5fbf", "#b0602a"


def can_draw() -> bool:
    """Say whether matplotlib is here; it is in the extra `benchmarks`."""
    return find_spec("matplotlib") is not None


def draw_latencies(folder: Path, ours: Sequence[Point], bare: Sequence[Point]) -> list[Path]:
    """Write both curves of both servers; return the files."""
    import matplotlib as mpl  # noqa: PLC0415  Optional.

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "exchange", "font.size": 9})
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (rates, times) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for name, points, color in (("exchange", ours, OURS), ("bare aiohttp", bare, BARE)):
        offered = [point.offered for point in points]
        rates.plot(offered, [point.answered for point in points], "o-", color=color, label=name)
        for percent, style in (("p50", "o-"), ("p99", "^--")):
            values = [getattr(point, percent) for point in points]
            times.plot(offered, values, style, color=color, label=f"{name}, {percent}")
    rates.set(xlabel="offered, orders/s", ylabel="answered, orders/s", title="Throughput")
    times.set(xlabel="offered, orders/s", ylabel="ms", yscale="log", title="Latency")
    for axes in (rates, times):
        axes.grid(alpha=0.3)
        axes.legend()
    files = [folder / "latency.svg", folder / "latency.png"]
    for file in files:
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)
    return files
