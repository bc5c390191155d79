"""A whole exchange in a thread, and clients that talk to it over real sockets."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

import orjson
import psycopg
import uvloop

from exchange.settings import Settings
from exchange.system import System

V1 = "/api/v1"
START_SECONDS = 60
Json: TypeAlias = Any

_numbers = count(1)


class Reply(NamedTuple):
    status: int
    body: Json
    headers: dict[str, str]

    def ok(self, status: int = 200) -> Json:
        assert self.status == status, self.body
        return self.body

    def items(self) -> list[Json]:
        items: list[Json] = self.ok()["items"]
        return items

    def problem(self) -> tuple[int, str, str | None, str | None, Json]:
        """Return what a refusal says: status, code, field, limit, value."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        assert self.body["status"] == self.status
        assert self.body["title"]
        assert self.body["detail"]
        body = self.body
        return self.status, body["code"], body.get("field"), body.get("limit"), body.get("value")


class Client:
    """One connection, for one token."""

    def __init__(self, url: str, token: str | None = None, account_id: int = 0) -> None:
        self.url = url
        self.token = token
        self.id = account_id
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=30)

    def call(
        self, method: str, path: str, body: Json = None, *, raw: bytes | None = None, **query: Json
    ) -> Reply:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        content = raw if body is None else orjson.dumps(body)
        given = {name: value for name, value in query.items() if value is not None}
        target = V1 + quote(path) + (f"?{urlencode(given)}" if given else "")
        self._connection.request(method, target, content, headers)
        response = self._connection.getresponse()
        received = response.read()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, orjson.loads(received), fields)

    def get(self, path: str, **query: Json) -> Reply:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Json) -> Reply:
        return self.call("POST", path, body)

    def patch(self, path: str, body: Json) -> Reply:
        return self.call("PATCH", path, body)

    def delete(self, path: str, **query: Json) -> Reply:
        return self.call("DELETE", path, **query)

    def pages(self, path: str, limit: int, **query: Json) -> list[list[Json]]:
        """Return every page of a list."""
        pages, cursor = [], None
        while True:
            body = self.get(path, limit=limit, cursor=cursor, **query).ok()
            pages.append(body["items"])
            cursor = body["next_cursor"]
            if cursor is None:
                return pages

    def balance(self, currency: str) -> tuple[str, str, str]:
        """Return what is available, locked and there in all."""
        for line in self.get("/balances").items():
            if line["currency"] == currency:
                return line["available"], line["locked"], line["total"]
        return "0", "0", "0"

    def close(self) -> None:
        self._connection.close()


class Running:
    """An exchange that serves from a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self.url = ""
        self.admin_token = ""
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._started = Event()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run)
        self._thread.start()
        assert self._started.wait(START_SECONDS), "the exchange did not start"
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                self._loop = runner.get_loop()
                runner.run(self._serve())
        except BaseException as failure:  # noqa: BLE001  It is raised where the test can see it.
            self._failure = failure
        finally:
            self._started.set()

    async def _serve(self) -> None:
        system = System(self._settings)
        await system.start()
        self.url, self.admin_token = system.url, system.admin_token or ""
        self._started.set()
        await self._stop.wait()
        assert await system.stop(), "every request is answered before the end"

    def stop(self) -> None:
        if not self._thread.is_alive():
            return
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)
        if self._failure is not None:
            raise self._failure


@contextmanager
def fresh_database(server_url: str, template: str, name: str) -> Iterator[str]:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'".encode())
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@contextmanager
def running(database_url: str, redis_url: str, directory: Path, **more: Json) -> Iterator[Running]:
    settings = Settings(
        data_dir=directory,
        database_url=database_url,
        redis_url=redis_url,
        **{"port": 0, "rate_limits": False, **more},
    )
    exchange = Running(settings)
    try:
        yield exchange
    finally:
        exchange.stop()


class World:
    """A market of its own for one test, with two funded traders and an admin."""

    def __init__(self, exchange: Running, **rules: Json) -> None:
        self.number = next(_numbers)
        self.base, self.quote = f"B{self.number}", f"Q{self.number}"
        self.market = f"{self.base}_{self.quote}"
        self.url = exchange.url
        self._clients: list[Client] = []
        self.admin = self.client(exchange.admin_token, 3)
        self.public = self.client()
        for symbol, scale in ((self.base, 8), (self.quote, 6)):
            form = {"symbol": symbol, "name": symbol.title(), "scale": scale}
            self.admin.post("/admin/currencies", form).ok(201)
        self.rules = {
            "base": self.base,
            "quote": self.quote,
            "tick_size": "0.01",
            "lot_size": "0.0001",
            "min_quantity": "0.001",
            "max_quantity": "100",
            "min_notional": "1",
            "maker_fee": "0.001",
            "taker_fee": "0.002",
            **rules,
        }
        self.admin.post("/admin/markets", self.rules).ok(201)
        self.alice = self.trader("alice")
        self.bob = self.trader("bob")

    def client(self, token: str | None = None, account_id: int = 0) -> Client:
        client = Client(self.url, token, account_id)
        self._clients.append(client)
        return client

    def trader(self, name: str, *, base: str = "100", quote: str = "100000") -> Client:
        account_id = self.admin.post("/admin/accounts", {"name": name}).ok(201)["id"]
        for currency, amount in ((self.base, base), (self.quote, quote)):
            if amount != "0":
                form = {"currency": currency, "amount": amount, "reference": f"start-{currency}"}
                self.admin.post(f"/admin/accounts/{account_id}/deposits", form).ok(201)
        return self.client(self.token(account_id, "read", "trade"), account_id)

    def token(self, account_id: int, *scopes: str) -> str:
        form = {"scopes": list(scopes)}
        token: str = self.admin.post(f"/admin/accounts/{account_id}/tokens", form).ok(201)["token"]
        return token

    def form(self, side: str, quantity: str | None, price: str | None = None, **more: Json) -> Json:
        """Return the form of an order: a limit order if it has a price."""
        form = {
            "market": self.market,
            "side": side,
            "type": "market" if price is None else "limit",
            "price": price,
            "quantity": quantity,
            **more,
        }
        return {name: value for name, value in form.items() if value is not None}

    def buy(
        self, who: Client, quantity: str | None, price: str | None = None, **more: Json
    ) -> Json:
        return who.post("/orders", self.form("buy", quantity, price, **more)).ok(201)

    def sell(
        self, who: Client, quantity: str | None, price: str | None = None, **more: Json
    ) -> Json:
        return who.post("/orders", self.form("sell", quantity, price, **more)).ok(201)

    def book(self) -> tuple[list[list[str]], list[list[str]]]:
        body = self.public.get(f"/markets/{self.market}/book").ok()
        return body["bids"], body["asks"]

    def standing(self) -> Json:
        """Return all that a refused request must leave as it was."""
        return [
            [
                [client.get("/balances").items(), client.get("/orders", status="all").items()]
                for client in (self.alice, self.bob)
            ],
            self.public.get(f"/markets/{self.market}/book").ok(),
            self.public.get(f"/markets/{self.market}/trades").ok(),
            self.admin.get("/admin/proof").ok()["currencies"],
        ]

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        before = self.standing()
        yield
        assert self.standing() == before, "a refused request changes nothing"

    def move_to(self, exchange: Running) -> None:
        """Go on at another start of the exchange, with the same accounts and tokens."""
        self.close()
        self.url = exchange.url
        self.admin = self.client(self.admin.token, 3)
        self.public = self.client()
        self.alice = self.client(self.alice.token, self.alice.id)
        self.bob = self.client(self.bob.token, self.bob.id)

    def close(self) -> None:
        for client in self._clients:
            client.close()
