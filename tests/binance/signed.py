"""A client of the dialect that signs as clients do, and a market to use it in."""

import hmac
from collections.abc import Mapping
from http.client import HTTPConnection
from threading import Lock
from time import time
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import urlencode, urlsplit

import orjson

from tests.web.rest import World

V3 = "/api/v3"
FORM = "application/x-www-form-urlencoded"
Json: TypeAlias = Any
Place: TypeAlias = Literal["query", "body"]


class Reply(NamedTuple):
    status: int
    body: Json
    headers: dict[str, str]

    def ok(self) -> Json:
        assert self.status == 200, self.body
        return self.body

    def no(self) -> tuple[int, int, str]:
        """Return what a refusal says: status, code, message."""
        assert self.headers["content-type"] == "application/json"
        return self.status, self.body["code"], self.body["msg"]


_last = 0
_lock = Lock()


def next_millisecond() -> int:
    """Return the time, and no time twice: the same call in the same millisecond is a replay."""
    global _last  # noqa: PLW0603
    with _lock:
        _last = max(_last + 1, int(time() * 1000))
        return _last


class Signed:
    """One connection, for one key; without a key for public calls."""

    def __init__(self, url: str, key: str | None = None, secret: str = "") -> None:
        self.url = url
        self.key = key
        self.secret = secret
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=30)

    def call(
        self, method: str, path: str, given: Mapping[str, Json], place: Place = "query"
    ) -> Reply:
        """Send a call, signed where there is a secret."""
        pairs = {name: value for name, value in given.items() if value is not None}
        if self.secret:
            pairs = {"timestamp": next_millisecond(), **pairs}
        text = urlencode(pairs)
        if self.secret:
            text += f"&signature={self.sign(text)}"
        return self.send(method, path, *((text, "") if place == "query" else ("", text)))

    def sign(self, text: str) -> str:
        return hmac.digest(self.secret.encode(), text.encode(), "sha256").hex()

    def send(
        self, method: str, path: str, query: str = "", body: str = "", **headers: str
    ) -> Reply:
        """Send a call as it stands."""
        if self.key is not None:
            headers = {"X-MBX-APIKEY": self.key, **headers}
        target = (path if path.startswith("/") else f"{V3}/{path}") + (f"?{query}" if query else "")
        self._connection.request(method, target, body.encode() or None, headers)
        response = self._connection.getresponse()
        received = response.read()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, orjson.loads(received), fields)

    def get(self, path: str, **given: Json) -> Reply:
        return self.call("GET", path, given)

    def post(self, path: str, **given: Json) -> Reply:
        return self.call("POST", path, given, "body")

    def delete(self, path: str, **given: Json) -> Reply:
        return self.call("DELETE", path, given)

    def close(self) -> None:
        self._connection.close()


class Market:
    """A market of its own for one test, seen through the dialect."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.code = f"{world.base}{world.quote}"
        self.base, self.quote = world.base, world.quote
        self.public = Signed(world.url)
        self.alice = self.signed(world.alice.id)
        self.bob = self.signed(world.bob.id)

    def signed(self, account_id: int, *scopes: str, **more: Json) -> Signed:
        form = {"kind": "hmac", "scopes": list(scopes) or ["read", "trade"], **more}
        path = f"/admin/accounts/{account_id}/tokens"
        issued = self.world.admin.post(path, form).ok(201)
        return Signed(self.world.url, issued["key"], issued["secret"])

    def form(
        self, side: str, quantity: str | None, price: str | None = None, **more: Json
    ) -> dict[str, Json]:
        """Return the parameters of an order: a limit order if it has a price."""
        kind = {"type": "MARKET"} if price is None else {"type": "LIMIT", "timeInForce": "GTC"}
        form = {"symbol": self.code, "side": side, "quantity": quantity, "price": price}
        return {**form, **kind, **more}

    def buy(
        self, who: Signed, quantity: str | None, price: str | None = None, **more: Json
    ) -> Json:
        return who.post("order", **self.form("BUY", quantity, price, **more)).ok()

    def sell(
        self, who: Signed, quantity: str | None, price: str | None = None, **more: Json
    ) -> Json:
        return who.post("order", **self.form("SELL", quantity, price, **more)).ok()

    def refused(
        self, who: Signed, side: str, *terms: str | None, **more: Json
    ) -> tuple[int, int, str]:
        """Return what the refusal of an order says."""
        return who.post("order", **self.form(side, *terms, **more)).no()

    def balance(self, who: Signed, asset: str) -> tuple[str, str]:
        """Return what is free and what is locked."""
        for line in who.get("account").ok()["balances"]:
            if line["asset"] == asset:
                return line["free"], line["locked"]
        raise AssertionError(f"{asset} is not listed")

    def close(self) -> None:
        for client in (self.public, self.alice, self.bob):
            client.close()
        self.world.close()
