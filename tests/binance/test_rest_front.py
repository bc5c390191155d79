"""How a request may come: where its parameters stand, who signed it, how often."""

from pathlib import Path
from time import time
from urllib.parse import urlencode

import pytest

from tests.binance.signed import FORM, Json, Market, Signed
from tests.web.rest import World, running

INVALID_KEY = (401, -2015, "Invalid API-key, IP, or permissions for action.")
NOT_SIGNED = (400, -1022, "Signature for this request is not valid.")
LATE = (400, -1021, "Timestamp for this request is outside of the recvWindow.")
TYPES = [None, FORM, "application/json", "application/json;charset=utf-8"]


def order(market: Market, **more: Json) -> str:
    form = market.form("BUY", "1", "10", timestamp=int(time() * 1000), **more)
    return urlencode(form)


def send(
    client: Signed, method: str, query: str, body: str = "", kind: str | None = None
) -> tuple[int, Json]:
    """Send a signed order, its signature at the end of the query or else of the body."""
    signature = f"&signature={client.sign(query + body)}"
    query, body = (query, body + signature) if body else (query + signature, body)
    headers = {} if kind is None else {"Content-Type": kind}
    reply = client.send(method, "order", query, body, **headers)
    return reply.status, reply.body


@pytest.mark.parametrize("kind", TYPES)
def test_parameters_may_stand_in_the_query_or_in_a_body_of_any_type(
    market: Market, kind: str | None
) -> None:
    text = order(market, newClientOrderId="q")
    half = text.index("&side")

    in_query = send(market.alice, "POST", text, kind=kind)
    in_body = send(market.alice, "POST", "", text.replace("=q", "=b"), kind)
    in_both = send(market.alice, "POST", text[:half], text.replace("=q", "=m")[half + 1 :], kind)

    assert [status for status, _ in (in_query, in_body, in_both)] == [200, 200, 200]
    for _, placed in (in_query, in_body, in_both):
        asked = f"symbol={market.code}&orderId={placed['orderId']}&timestamp={int(time() * 1000)}"
        assert send(market.alice, "DELETE", "", asked, kind)[0] == 200


def test_the_query_wins_over_the_body(market: Market) -> None:
    text = order(market, newClientOrderId="of-body")

    _, placed = send(market.alice, "POST", "newClientOrderId=of-query", text)

    assert placed["clientOrderId"] == "of-query"


def test_a_signature_covers_what_came_as_it_came(market: Market) -> None:
    text = order(market, newClientOrderId="mine").replace("mine", "%6Dine")

    _, placed = send(market.alice, "POST", text)
    query = f"symbol={market.code}&origClientOrderId=mine&timestamp={int(time() * 1000)}"
    moved = market.alice.send("GET", "order", f"{query}&signature={market.alice.sign(text)}")

    assert placed["clientOrderId"] == "mine"
    assert moved.no() == NOT_SIGNED


def test_a_signature_may_be_in_capitals(market: Market) -> None:
    query = f"timestamp={int(time() * 1000)}"

    signature = market.alice.sign(query).upper()

    market.alice.send("GET", "account", f"{query}&signature={signature}").ok()


def test_the_key_is_looked_at_before_the_signature_and_that_before_the_time(
    market: Market,
) -> None:
    old = {"timestamp": 1}
    stranger = Signed(market.alice.url, "k" * 64, market.alice.secret)
    nobody = Signed(market.alice.url, None, market.alice.secret)
    short = Signed(market.alice.url, "short", market.alice.secret)
    reader = market.signed(market.world.alice.id, "read")
    forger = Signed(market.alice.url, market.alice.key, "other")

    assert nobody.get("account", **old).no() == (401, -2014, "API-key format invalid.")
    assert short.get("account", **old).no()[1] == -2014
    assert stranger.get("account", **old).no() == INVALID_KEY
    assert reader.post("order", **market.form("BUY", "1", "10")).no() == INVALID_KEY
    assert forger.get("account", **old).no() == NOT_SIGNED
    assert market.alice.post("order", **old, type="NONSENSE").no() == LATE
    assert reader.get("account").ok()["canTrade"] is False
    for client in (stranger, nobody, short, reader, forger):
        client.close()


def test_a_key_may_be_for_some_addresses_alone(market: Market) -> None:
    here = market.signed(market.world.alice.id, ip_allow=["127.0.0.0/8"])
    there = market.signed(market.world.alice.id, ip_allow=["192.0.2.0/24"])

    assert here.get("account").status == 200
    assert there.get("account").no() == INVALID_KEY
    here.close()
    there.close()


def test_a_signed_order_counts_once(market: Market) -> None:
    text = order(market)
    signed = f"{text}&signature={market.alice.sign(text)}"

    first = market.alice.send("POST", "order", signed)
    again = market.alice.send("POST", "order", "", signed)
    query = f"timestamp={int(time() * 1000)}"
    read = f"{query}&signature={market.alice.sign(query)}"

    assert first.status == 200
    assert again.no() == NOT_SIGNED
    assert market.alice.send("GET", "account", read).ok()
    assert market.alice.send("GET", "account", read).ok()
    assert len(market.alice.get("openOrders", symbol=market.code).ok()) == 1


def test_public_calls_need_no_key_and_take_any(market: Market) -> None:
    key = Signed(market.public.url, "whatever")

    assert market.public.get("ping").ok() == {}
    assert key.get("time").ok()["serverTime"] > time() * 1000 - 60_000
    key.close()


def test_answers_count_weights_and_orders(market: Market) -> None:
    first = market.public.get("ping")
    second = market.public.get("depth", symbol=market.code)
    placed = market.alice.post("order", **market.form("BUY", "1", "10"))
    usage = market.alice.get("rateLimit/order").ok()

    used = int(first.headers["x-mbx-used-weight-1m"])
    # The minute may have ended in between.
    assert int(second.headers["x-mbx-used-weight-1m"]) in {used + 5, 5}
    assert placed.headers["x-mbx-order-count-10s"] == "1"
    assert placed.headers["x-mbx-order-count-1d"] == "1"
    assert [(line["interval"], line["count"]) for line in usage] == [("SECOND", 1), ("DAY", 1)]
    assert {"x-mbx-order-count-1d"} & second.headers.keys() == set()


def test_too_much_is_refused_until_the_window_ends(
    server_redis_url: str, tmp_path: Path, fresh: str
) -> None:
    limits = {"rate_limits": True, "orders_per_second": 0.3, "address_requests_per_second": 2}
    with running(fresh, server_redis_url, tmp_path, **limits) as exchange:
        market = Market(World(exchange))
        replies = [market.alice.post("order", **market.form("BUY", "1", "10")) for _ in range(4)]
        refused = next(reply for reply in replies if reply.status == 429)
        weighs = [market.public.get("exchangeInfo") for _ in range(8)]
        heavy = next(reply for reply in weighs if reply.status == 429)
        market.close()

    said = "Too many new orders; current limit is 3 orders per 10 SECOND."
    assert refused.no() == (429, -1015, said)
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert heavy.no()[:2] == (429, -1003)
    assert 1 <= int(heavy.headers["retry-after"]) <= 60


def test_parameters_that_cannot_be_read_are_refused(market: Market) -> None:
    twice = market.public.send("GET", "depth", f"symbol={market.code}&symbol={market.code}")
    broken = market.public.send("GET", "depth", "symbol=%FF%FE")

    assert twice.no() == (400, -1101, "Duplicate values for a parameter detected.")
    assert broken.no()[1] == -1100


def test_a_body_that_is_too_large_is_refused(market: Market) -> None:
    reply = market.alice.send("POST", "order", "", "a=" + "b" * 70_000)

    assert reply.status == 413
