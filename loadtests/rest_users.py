"""Users over REST, each with a keep-alive connection of its own."""

import json
from typing import Any

from locust.contrib.fasthttp import FastHttpUser

from loadtests.options import pause
from loadtests.roles import Desk, make, place_and_cancel, take
from loadtests.run import PLACE, RUN
from loadtests.workload import Form

ORDERS = "/api/v1/orders"
READ_SECONDS = 0.1


class RestTrader(FastHttpUser):
    """Places and cancels with one request each."""

    abstract = True
    concurrency = 1
    is_taker = False
    wait_time = pause

    def on_start(self) -> None:
        """Take an account."""
        self.desk = Desk(taker=self.is_taker)
        self._headers = {
            "Authorization": f"Bearer {self.desk.token}",
            "Content-Type": "application/json",
        }

    def place(self, form: Form) -> Any:  # noqa: ANN401  An order as the exchange has it.
        """Place an order and return it; `None` when that failed."""
        body = json.dumps(form)
        with self.client.post(
            ORDERS, data=body, headers=self._headers, name=PLACE, catch_response=True
        ) as response:
            if response.status_code == 201:
                return json.loads(response.content)
            response.failure(_problem(response.status_code, response.text))
        return None

    def cancel(self, order_id: int) -> None:
        """Cancel an order that may be filled meanwhile."""
        with self.client.delete(
            f"{ORDERS}/{order_id}", headers=self._headers, name="cancel order", catch_response=True
        ) as response:
            text = response.text
            if response.status_code == 422 and "order_not_open" in text:
                response.success()
            elif response.status_code != 200:
                response.failure(_problem(response.status_code, text))


class RestMaker(RestTrader):
    """Rests orders on both sides and keeps the newest twenty."""

    weight = 3
    tasks = [make]  # noqa: RUF012  Locust's own form.


class RestTaker(RestTrader):
    """Trades with what rests."""

    weight = 3
    is_taker = True
    tasks = [take]  # noqa: RUF012


class RestCanceler(RestTrader):
    """Places orders and takes each back."""

    tasks = [place_and_cancel]  # noqa: RUF012


class RestWatcher(FastHttpUser):
    """Reads the book and the last trades of a market, ten times a second at most."""

    concurrency = 1

    def wait_time(self) -> float:
        """Return the seconds between two looks."""
        return max(READ_SECONDS, pause(self))

    def on_start(self) -> None:
        """Choose a market."""
        markets = RUN.world.markets
        self._market = f"/api/v1/markets/{markets[RUN.next_number('watcher') % len(markets)]}"

    def look(self) -> None:
        """Read what a trading page would show."""
        self.client.get(f"{self._market}/book", name="GET book")
        self.client.get(f"{self._market}/trades", name="GET trades")

    tasks = [look]  # noqa: RUF012


def _problem(status: int, text: str | None) -> str:
    """Return the status and the code of a refusal: few texts, so that failures add up."""
    try:
        code = json.loads(text or "{}").get("code", "")
    except ValueError:
        code = ""
    return f"{status} {code}".strip()
