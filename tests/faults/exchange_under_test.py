"""One exchange in a data directory, over all its lives; and its customers."""

import os
import signal
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import psutil

from tests.faults.api import Api
from tests.faults.history import History, Json
from tests.faults.load import MARKETS, transfer
from tests.processes import Process, end

ENVIRONMENT = {"EXCHANGE_RATE_LIMITS": "off", "EXCHANGE_MAX_OPEN_ORDERS": "100000"}

FUNDS = {"BTC": "5000", "ETH": "50000", "USDT": "90000000"}
POOR = {"BTC": "0.5", "ETH": "5", "USDT": "20000"}


@dataclass
class Customer:
    """An account with its token."""

    account_id: int
    token: str
    known: OrderedDict[int, str] = field(default_factory=OrderedDict)


class Exchange:
    """Starts, kills and starts again."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.history = History()
        self.customers: list[Customer] = []
        self.start_seconds: list[float] = []
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        assert self._process is not None, "started"
        return self._process

    @property
    def url(self) -> str:
        return self.process.url

    def start(self) -> None:
        """Start and wait until requests are answered."""
        started = monotonic()
        self._process = Process(self.data_dir, "serve", **ENVIRONMENT)
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

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            end(self._process)

    def admin(self) -> Api:
        return Api(self.url, (self.data_dir / "admin.token").read_text().strip())

    async def furnish(self) -> None:
        """Make currencies, markets and customers: the last of them has little."""
        async with self.admin() as admin:
            for symbol, scale in (("BTC", 8), ("ETH", 8), ("USDT", 6)):
                currency: Json = {"symbol": symbol, "name": symbol, "scale": scale}
                await admin.want("POST", "/admin/currencies", currency)
            for rules in MARKETS:
                base, _, quote = rules.symbol.partition("_")
                market: Json = {"base": base, "quote": quote, "price_band": "0.2"}
                market |= {"tick_size": rules.tick, "lot_size": rules.lot}
                # Odd rates, so that fees round.
                market |= {"maker_fee": "0.00033", "taker_fee": "0.00077"}
                await admin.want("POST", "/admin/markets", market)
            for number, funds in enumerate((FUNDS, FUNDS, FUNDS, POOR)):
                account = await admin.want("POST", "/admin/accounts", {"name": f"c{number}"})
                path = f"/admin/accounts/{account['id']}/tokens"
                token = await admin.want("POST", path, {"scopes": ["read", "trade"]})
                self.customers.append(Customer(account["id"], token["token"]))
                for currency_symbol, amount in funds.items():
                    form = {"currency": currency_symbol, "amount": amount}
                    form["reference"] = f"deposits-{number}-{currency_symbol}"
                    await transfer(admin, self.history, account["id"], form)
