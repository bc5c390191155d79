"""What attacks cost others: how fast each is answered, and a good client's p99 meanwhile.

    .venv/bin/python -m benchmarks.attacks

The attacker is a process of its own, at another loopback address. A request that is refused comes
a hundred times a second; a flood connects again whenever it is cut.
"""

import argparse
import multiprocessing
import statistics
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, perf_counter, sleep

from rich.console import Console
from rich.table import Table

from benchmarks.servers import exchange
from tests.attacks.frames import PATH, PING, UPGRADE, frame
from tests.attacks.wire import Wire, request

ELSEWHERE = "127.0.0.2"
EVERY_SECONDS = 0.01
ORDERS = "/api/v1/orders"

REFUSED: dict[str, bytes] = {
    "10,000 digits": request("POST", ORDERS, body=b'{"price":%s}' % (b"1" * 10_000)),
    "depth 30,000": request("POST", ORDERS, body=b"[" * 30_000),
    "a key twice": request("POST", ORDERS, body=b'{"a":1,"a":2}'),
    "5,000 fields": request(
        "POST", ORDERS, body=b"{%s}" % b",".join(b'"a%d":0' % n for n in range(5000))
    ),
    "5,000 parameters": request("GET", f"{ORDERS}?" + "&" * 5000),
    "10,000 headers": request("GET", "/", *(f"X-{n}: y" for n in range(10_000))),
    "two lengths": request("POST", ORDERS, "Content-Length: 1", "Content-Length: 2", body=b"{}"),
    "no HTTP": bytes(10_000),
}
FLOODS: dict[str, bytes] = {
    "flood of pings": frame(b"", PING) * 30_000,
    "flood of frames": frame(b"{") * 20_000,
    "flood of subscriptions": frame(b'{"op":"subscribe","channels":["markets"]}') * 5000,
}


def send_refused(url: str, name: str, token: str, seconds: float) -> None:
    """Send one kind of bad request again and again."""
    data = authorized(REFUSED[name], token)
    until = monotonic() + seconds
    while monotonic() < until:
        with Wire(url, ELSEWHERE) as wire:
            wire.send(data).reply()
        sleep(EVERY_SECONDS)


def send_flood(url: str, name: str, _token: str, seconds: float) -> None:
    """Send frames as fast as they are taken, until cut, and begin again."""
    until = monotonic() + seconds
    while monotonic() < until:
        with Wire(url, ELSEWHERE) as wire:
            wire.socket.settimeout(1)
            wire.send(request("GET", PATH, *UPGRADE), FLOODS[name])
            with suppress(OSError):
                while wire.socket.recv(65_536):
                    pass


def authorized(data: bytes, token: str) -> bytes:
    """Return the request with a token in it, so that its body is looked at."""
    return data.replace(b"Host: test", b"Host: test\r\nAuthorization: Bearer " + token.encode(), 1)


def answered_ms(url: str, data: bytes, rounds: int) -> list[float]:
    """Return how long each answer takes, connecting not counted."""
    times = []
    for _ in range(rounds):
        with Wire(url) as wire:
            begun = perf_counter()
            wire.send(data).reply()
            times.append((perf_counter() - begun) * 1000)
    return times


def p99_ms(url: str, seconds: float) -> float:
    """Return what a good client sees, that asks 200 times a second over one connection."""
    times, until = [], monotonic() + seconds
    with Wire(url) as wire:
        while monotonic() < until:
            begun = perf_counter()
            wire.send(request("GET", "/api/v1/time")).reply()
            times.append((perf_counter() - begun) * 1000)
            sleep(0.005)
    return statistics.quantiles(times, n=100)[98]


def compare(
    url: str, token: str, attack: Callable[..., None], name: str, args: argparse.Namespace
) -> tuple[float, float]:
    """Return the good client's p99, calm and attacked, in the median of alternating rounds."""
    calm, attacked = [], []
    for _ in range(args.rounds):
        calm.append(p99_ms(url, args.seconds))
        attacker = multiprocessing.Process(
            target=attack, args=(url, name, token, args.seconds + 1), daemon=True
        )
        attacker.start()
        sleep(0.5)
        attacked.append(p99_ms(url, args.seconds))
        attacker.join()
    return statistics.median(calm), statistics.median(attacked)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--only", default="", help="attacks whose names hold this")
    args = parser.parse_args()
    table = Table("attack", "answered p50 ms", "answered max ms", "calm p99", "p99", "ratio")
    with (
        tempfile.TemporaryDirectory() as directory,
        exchange(Path(directory) / "data") as (url, token),
    ):
        attacks = [(name, send_refused) for name in REFUSED] + [(n, send_flood) for n in FLOODS]
        for name, attack in attacks:
            if args.only not in name:
                continue
            p50 = worst = ""
            if name in REFUSED:
                times = answered_ms(url, authorized(REFUSED[name], token), 50)
                p50, worst = f"{statistics.median(times):.2f}", f"{max(times):.2f}"
            calm, attacked = compare(url, token, attack, name, args)
            ratio = f"{attacked / calm:.2f}"
            table.add_row(name, p50, worst, f"{calm:.2f}", f"{attacked:.2f}", ratio)
    Console().print(table)


if __name__ == "__main__":
    main()
