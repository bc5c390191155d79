"""Real runs of a few seconds, of processes of their own: Locust patches what it runs in."""

import csv
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.processes import ROOT, Process, clean_environment, fetch, running

USERS = ["--users", "16", "--spawn-rate", "100", "--markets", "2", "--accounts", "4"]
SECONDS = 60


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("loadtests") / "data"
    with running(folder, "serve", EXCHANGE_RATE_LIMITS="off") as process:
        yield process.wait_until_listening()


def admin_token(exchange: Process) -> str:
    return (exchange.data_dir / "admin.token").read_text().strip()


def start(exchange: Process | None, cwd: Path, *options: str) -> "subprocess.Popen[str]":
    """Run a load test; without an exchange it starts one itself."""
    environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
    host: list[str] = []
    if exchange is not None:
        host = ["--host", exchange.url]
        environment["LOADTEST_ADMIN_TOKEN"] = admin_token(exchange)
    return subprocess.Popen(
        [sys.executable, "-m", "loadtests", *host, *USERS, *options],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def test_a_run_without_a_page_trades_reports_and_cleans_up(
    exchange: Process, tmp_path: Path
) -> None:
    options = ["--headless", "--run-time", "2s", "--html", "report.html", "--csv", "run"]
    process = start(exchange, tmp_path, *options)
    output, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 0, output
    with (tmp_path / "run_matching.csv").open() as matching:
        rows = {row["name"]: row for row in csv.DictReader(matching)}
    for name in ("orders/s", "trades/s"):
        assert float(rows[name]["clients_run"].replace(",", "")) > 0
        assert float(rows[name]["server_run"].replace(",", "")) > 0
    assert float(rows["facts per commit"]["server_run"]) >= 1
    assert rows["thresholds"]["clients_run"] == "kept"
    report = (tmp_path / "report.html").read_text()
    assert '<section id="matching"' in report
    with (tmp_path / "run_stats.csv").open() as stats:
        counted = {(row["Type"], row["Name"]): row for row in csv.DictReader(stats)}
    for kind in (("POST", "place order"), ("WS", "place order"), ("WS", "book frame")):
        assert int(counted[kind]["Request Count"]) > 0
    assert {row["Failure Count"] for row in counted.values()} == {"0"}
    token = admin_token(exchange)
    for market in ("LOAD0_LOADUSD", "LOAD1_LOADUSD"):
        _, trades = fetch(f"{exchange.url}/api/v1/markets/{market}/trades")
        assert trades["items"], f"makers and takers met in {market}"
    _, orders = fetch(f"{exchange.url}/api/v1/admin/orders?status=open", token)
    assert orders["items"] == []


def test_a_missed_threshold_fails_the_run_and_is_named(tmp_path: Path) -> None:
    limits = ["--max-p99-ms", "0.001", "--min-orders-per-second", "1"]
    process = start(None, tmp_path, "--headless", "--run-time", "1s", *limits)
    output, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 1, output
    assert "FAILED: p99 of orders" in output
    assert "wanted at most 0.001 ms" in output
    assert output.count("FAILED") == 1


def test_a_run_without_a_good_token_ends_at_once_and_says_so(
    exchange: Process, tmp_path: Path
) -> None:
    options = ["--headless", "--admin-token", "wrong"]
    process = start(exchange, tmp_path, *options)
    output, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 1, output
    assert "FAILED: cannot prepare the exchange" in output
    assert "unauthenticated" in output


def test_the_page_shows_matching_throughput(exchange: Process, tmp_path: Path) -> None:
    port = free_port()
    options = ["--web-port", str(port), "--web-host", "127.0.0.1", "--autostart"]
    process = start(exchange, tmp_path, *options)
    page = f"http://127.0.0.1:{port}"
    try:
        rows = matching_rows(page, process)
        html = text_of(page)
        table = text_of(f"{page}/matching.csv")
        report = text_of(f"{page}/stats/report")
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)

    assert {"orders/s", "trades/s", "facts per commit", "thresholds"} <= set(rows)
    assert '"title": "Matching"' in html
    assert table.startswith("name,clients_now")
    assert '<section id="matching"' in report
    assert process.returncode == 0


def matching_rows(page: str, process: "subprocess.Popen[str]") -> dict[str, dict[str, str]]:
    """Return the tab's rows by name, once trades are in them."""
    deadline = monotonic() + SECONDS
    while True:
        assert monotonic() < deadline, "no trade was shown"
        assert process.poll() is None, process.communicate()[0]
        try:
            stats = json.loads(text_of(f"{page}/stats/requests"))
        except URLError:
            continue
        rows = {row["name"]: row for row in stats["extended_stats"][0]["data"]}
        if rows["trades/s"]["clients_run"] not in {"0.0", "0"}:
            return rows


def text_of(url: str) -> str:
    with urlopen(url, timeout=15) as response:  # noqa: S310 -- our own page.
        return str(response.read().decode())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_the_rest_of_the_project_is_not_patched_for_gevent() -> None:
    importing = (
        "import exchange.system, loadtests.__main__, sys; assert 'gevent' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", importing], cwd=ROOT, env=os.environ, check=True)
