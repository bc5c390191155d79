"""The options of a run, on the command line and on Locust's page."""

from argparse import Namespace

from locust import User
from locust.argument_parser import LocustArgumentParser

from loadtests.shapes import SHAPES
from loadtests.thresholds import Thresholds

TOKEN_VARIABLE = "LOADTEST_ADMIN_TOKEN"  # noqa: S105  A name, not a token.


def add_options(parser: LocustArgumentParser) -> None:
    """Let a run be chosen."""
    parser.add_argument(
        "--admin-token",
        env_var=TOKEN_VARIABLE,
        default="",
        is_secret=True,
        help="An admin's token of the exchange, to make markets and accounts with.",
        include_in_web_ui=False,
    )
    parser.add_argument("--shape", choices=list(SHAPES), default="steady", help="Users over time.")
    parser.add_argument("--markets", type=int, default=2, help="Markets to trade in.")
    parser.add_argument("--accounts", type=int, default=16, help="Accounts to share, 2 or more.")
    parser.add_argument(
        "--pause", type=float, default=0.0, help="Seconds a trader waits between two of its turns."
    )
    for name, what in (
        ("--min-orders-per-second", "Fewer orders acknowledged per second."),
        ("--min-trades-per-second", "Fewer trades per second."),
        ("--max-p95-ms", "A higher 95th percentile of placing an order."),
        ("--max-p99-ms", "A higher 99th percentile of placing an order."),
    ):
        parser.add_argument(name, type=float, default=None, help=what)
    parser.add_argument(
        "--max-failure-ratio", type=float, default=0.0, help="A larger part of failed requests."
    )


def thresholds(options: Namespace) -> Thresholds:
    """Return the limits that were set; the page leaves empty fields as empty texts."""

    def limit(name: str) -> float | None:
        value = getattr(options, name)
        return None if value in (None, "") else float(value)

    return Thresholds(
        limit("min_orders_per_second"),
        limit("min_trades_per_second"),
        limit("max_p95_ms"),
        limit("max_p99_ms"),
        float(options.max_failure_ratio or 0),
    )


def pause(user: User) -> float:
    """Return how long a trader waits between its turns."""
    options = user.environment.parsed_options
    return float(options.pause) if options is not None else 0.0
