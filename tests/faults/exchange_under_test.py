"""One exchange in a data directory, over all its lives; and its customers."""

import os
import signal
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from urllib.parse import quote

import psutil
import psycopg
from psycopg.rows import DictRow, dict_row

from tests.faults.api import Api
from tests.faults.history import History, Json
from tests.faults.load import transfer
from tests.faults.markets import CURRENCIES, MARKETS, POOR, RICH
from tests.processes import Process, end

ENVIRONMENT = {"EXCHANGE_RATE_LIMITS": "off", "EXCHANGE_MAX_OPEN_ORDERS": "100000"}

CUSTOMERS = 10
POOR_CUSTOMERS = 2
"""The last ones: they have little, and are refused often."""


@dataclass
class Customer:
    """An account with its token."""

    account_id: int
    token: str
    poor: bool
    known: OrderedDict[int, str] = field(default_factory=OrderedDict)


class Exchange:
    """Starts, kills and starts again.

    Without URLs it has its embedded servers. `database_url` is what the server is given, a proxy's
    for example; then `stored_url` is how to get at the same database around it. `program` may be
    `HookedProcess`, which does what `exchange` does, and harm besides.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        database_url: str | None = None,
        redis_url: str | None = None,
        stored_url: str | None = None,
        program: type[Process] = Process,
        **environment: str,
    ) -> None:
        self.data_dir = data_dir
        self.environment = ENVIRONMENT | environment
        """Read at each start: may be changed in between."""
        if database_url is not None:
            self.environment["EXCHANGE_DATABASE_URL"] = database_url
        if redis_url is not None:
            self.environment["EXCHANGE_REDIS_URL"] = redis_url
        self.program = program
        self.history = History()
        self.customers: list[Customer] = []
        self.start_seconds: list[float] = []
        self._stored_url = stored_url or database_url
        self._redis_url = redis_url
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        assert self._process is not None, "started"
        return self._process

    @property
    def url(self) -> str:
        return self.process.url

    @property
    def stored_url(self) -> str:
        """Where the checker reads what is committed."""
        sockets = quote(str((self.data_dir / "run").resolve()), safe="")
        embedded = f"postgresql://postgres@/exchange?host={sockets}&port=5432"
        return self._stored_url or embedded

    @property
    def redis_url(self) -> str:
        socket = (self.data_dir / "run").resolve() / "valkey.sock"
        return self._redis_url or f"unix://{quote(str(socket))}?db=0"

    def start(self) -> None:
        """Start and wait until requests are answered."""
        started = monotonic()
        self._process = self.program(self.data_dir, "serve", **self.environment)
        self._process.wait_until_listening()
        self.start_seconds.append(monotonic() - started)

    def kill(self) -> None:
        """Send SIGKILL to the server alone: its PostgreSQL lives on, with what it was sent."""
        self.process.send(signal.SIGKILL)

    def postmaster(self) -> psutil.Process:
        """Return the PostgreSQL of this very data directory."""
        directory = self.data_dir / "postgres" / "data"
        process = psutil.Process(int((directory / "postmaster.pid").read_text().split()[0]))
        assert str(directory) in process.cmdline(), "another program's process"
        return process

    def kill_postgres(self) -> None:
        os.kill(self.postmaster().pid, signal.SIGKILL)

    def connect(self) -> psycopg.Connection[DictRow]:
        """Reach the database."""
        return psycopg.connect(
            self.stored_url, autocommit=True, row_factory=dict_row, connect_timeout=10
        )

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            end(self._process)

    def admin(self) -> Api:
        return Api(self.url, (self.data_dir / "admin.token").read_text().strip())

    async def furnish(self, customers: int = CUSTOMERS, poor: int = POOR_CUSTOMERS) -> None:
        """Make currencies, markets and customers."""
        async with self.admin() as admin:
            for symbol, scale in CURRENCIES.items():
                currency: Json = {"symbol": symbol, "name": symbol, "scale": scale}
                await admin.want("POST", "/admin/currencies", currency)
            for rules in MARKETS:
                base, _, quote_symbol = rules.symbol.partition("_")
                market: Json = {"base": base, "quote": quote_symbol, "price_band": "0.2"}
                market |= {"tick_size": rules.tick, "lot_size": rules.lot}
                # Odd rates, so that fees round.
                market |= {"maker_fee": "0.00033", "taker_fee": "0.00077"}
                await admin.want("POST", "/admin/markets", market)
            for number in range(customers):
                await self._add_customer(admin, number, poor=number >= customers - poor)

    async def _add_customer(self, admin: Api, number: int, *, poor: bool) -> None:
        account = await admin.want("POST", "/admin/accounts", {"name": f"c{number}"})
        path = f"/admin/accounts/{account['id']}/tokens"
        token = await admin.want("POST", path, {"scopes": ["read", "trade"]})
        self.customers.append(Customer(account["id"], token["token"], poor))
        for symbol, amount in (POOR if poor else RICH).items():
            form = {"currency": symbol, "amount": amount}
            form["reference"] = f"deposits-{number}-{symbol}"
            await transfer(admin, self.history, account["id"], form)
