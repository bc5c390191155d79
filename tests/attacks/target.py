"""The exchange that is attacked: a real server, and all that must stay as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg.rows import TupleRow

from tests.attacks.wire import Reply, ask, request
from tests.processes import Process, fetch, running

V1 = "/api/v1"
MARKET = "BTC_USDT"
QUIET = ("debug", "info", "warning")


@dataclass
class Target:
    """One server with a market, a trader and an open order."""

    process: Process
    database: psycopg.Connection[TupleRow]
    admin: str
    trader: str = ""
    poor: str = ""
    """The token of an account without money: no order of its is ever placed."""
    account_id: int = 0
    order_id: int = 0
    lines_seen: int = 0
    tables: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.process.url

    def furnish(self) -> None:
        """Make all that attacks need."""
        for symbol, scale in (("BTC", 8), ("USDT", 6)):
            self.want("/admin/currencies", {"symbol": symbol, "name": symbol, "scale": scale})
        rules = {"base": "BTC", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.0001"}
        self.want("/admin/markets", {**rules, "max_quantity": "1000"})
        self.account_id = self.want("/admin/accounts", {"name": "trader"})["id"]
        accounts = f"/admin/accounts/{self.account_id}"
        self.trader = self.want(f"{accounts}/tokens", {"scopes": ["read", "trade"]})["token"]
        poor = self.want("/admin/accounts", {"name": "poor"})["id"]
        self.poor = self.want(f"/admin/accounts/{poor}/tokens", {"scopes": ["trade"]})["token"]
        for currency in ("BTC", "USDT"):
            form = {"currency": currency, "amount": "1000000", "reference": currency}
            self.want(f"{accounts}/deposits", form)
        order = {"market": MARKET, "side": "sell", "type": "limit", "client_order_id": "theirs"}
        order |= {"price": "60000", "quantity": "1"}
        self.order_id = self.want("/orders", order, self.trader)["id"]
        found = self.database.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
        )
        self.tables = [str(name) for (name,) in found]

    def want(self, path: str, form: dict[str, Any], token: str = "") -> Any:  # noqa: ANN401
        """Return the answer to what cannot be refused."""
        status, answer = fetch(f"{self.url}{V1}{path}", token or self.admin, form)
        assert status in (200, 201), answer
        return answer

    def post(self, path: str, body: bytes, *lines: str, token: str = "") -> Reply:
        """Return the answer to a body of bytes."""
        token = token or (self.admin if path.startswith("/admin") else self.trader)
        data = request("POST", f"{V1}{path}", *lines, token=token, body=body)
        return ask(self.url, data)

    def get(self, path: str | bytes, *lines: str | bytes) -> Reply:
        """Return the answer to a path as it stands."""
        return ask(self.url, request("GET", path, *lines, token=self.trader))

    def stored(self) -> dict[str, str]:
        """Return a fingerprint of each table."""
        queries = (
            f"SELECT '{table}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) "
            f"FROM {table} t"
            for table in self.tables
        )
        return dict(self.database.execute(" UNION ALL ".join(queries)).fetchall())

    def served(self) -> object:
        """Return what the server says of itself: every currency, market, book and balance."""
        calls = [(self.admin, f"/markets/{MARKET}/book")]
        calls += [(self.admin, path) for path in ("/admin/proof", "/admin/markets")]
        calls += [(self.trader, path) for path in ("/balances", "/orders")]
        answers = [fetch(f"{self.url}{V1}{path}", token) for token, path in calls]
        assert {status for status, _ in answers} == {200}, answers
        return answers

    def complaints(self) -> list[str]:
        """Return the lines of the log, since the last call, that name something broken."""
        lines = self.process.errors.splitlines()
        new, self.lines_seen = lines[self.lines_seen :], len(lines)
        return [line for line in new if not _is_quiet(line)]

    def check_order(self) -> Reply:
        """Return what a well-behaved client gets."""
        form = {"market": MARKET, "side": "buy", "type": "limit", "price": "1", "quantity": "1"}
        return self.post("/orders/test", orjson.dumps(form))


def _is_quiet(line: str) -> bool:
    if not line.startswith("{"):
        return "traceback" not in line.lower() and "error" not in line.lower()
    return orjson.loads(line)["level"] in QUIET


@contextmanager
def attacked(
    directory: Path, database_url: str, redis_url: str, **settings: str
) -> Iterator[Target]:
    """Start a server on a database, and furnish it."""
    environment = {"EXCHANGE_DATABASE_URL": database_url, "EXCHANGE_REDIS_URL": redis_url}
    environment |= {f"EXCHANGE_{name.upper()}": value for name, value in settings.items()}
    environment["EXCHANGE_LOG_FORMAT"] = "json"
    with running(directory, "serve", **environment) as process:
        process.wait_until_listening()
        with psycopg.connect(database_url, autocommit=True) as database:
            admin = (directory / "admin.token").read_text().strip()
            target = Target(process, database, admin)
            target.furnish()
            yield target


@contextmanager
def unharmed(target: Target) -> Iterator[None]:
    """See to it that what is done meanwhile changes and breaks nothing, and keeps nobody out."""
    stored, served = target.stored(), target.served()
    yield
    assert target.check_order().status == 200
    assert target.stored() == stored
    assert target.served() == served
    assert not target.complaints()
