"""Run by `test_connector.py` in the connector's own environment."""

# ruff: noqa: T201, PT017  Its output is what the test reads, and pytest is not there.

import json
import queue
import sys
from threading import Event

from binance.error import ClientError
from binance.spot import Spot
from binance.websocket.spot.websocket_api import SpotWebsocketAPIClient
from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient

SYMBOL, SECONDS = "BTCUSDT", 20


def main(url: str, key: str, secret: str, other_key: str, other_secret: str) -> None:
    """Trade between two accounts over REST, and watch over both kinds of WebSocket."""
    seller = Spot(key, secret, base_url=url)
    buyer = Spot(other_key, other_secret, base_url=url)
    socket_url = "ws" + url.removeprefix("http")
    assert seller.ping() == {}
    assert seller.exchange_info(symbol=SYMBOL)["symbols"][0]["symbol"] == SYMBOL

    subscribed = Event()
    events: queue.Queue[dict[str, object]] = queue.Queue()

    def listen(_socket: object, message: str) -> None:
        event = json.loads(message)
        if event.get("id") == 7:
            subscribed.set()
        events.put(event)

    stream = SpotWebsocketStreamClient(stream_url=socket_url, on_message=listen)
    stream.trade(symbol=SYMBOL.lower(), id=7)
    assert subscribed.wait(SECONDS), "a subscription is acknowledged"

    asked = seller.new_order(
        symbol=SYMBOL, side="SELL", type="LIMIT", timeInForce="GTC", quantity=0.2, price=41000
    )
    bought = buyer.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.1)
    assert bought["status"] == "FILLED", bought
    while (event := events.get(timeout=SECONDS)).get("e") != "trade":
        pass
    assert (event["p"], event["q"]) == ("41000.00000000", "0.10000000"), event
    stream.stop()

    assert seller.get_order(SYMBOL, orderId=asked["orderId"])["status"] == "PARTIALLY_FILLED"
    assert seller.cancel_open_orders(SYMBOL)[0]["orderId"] == asked["orderId"]
    try:
        seller.cancel_order(SYMBOL, orderId=asked["orderId"])
    except ClientError as error:
        assert (error.status_code, error.error_code) == (400, -2011), error
    else:
        raise AssertionError("what is closed cannot be canceled")
    listen_key = seller.new_listen_key()["listenKey"]
    assert seller.renew_listen_key(listen_key) == {}
    assert seller.close_listen_key(listen_key) == {}

    answers: queue.Queue[dict[str, object]] = queue.Queue()
    api = SpotWebsocketAPIClient(
        stream_url=f"{socket_url}/ws-api/v3",
        api_key=key,
        api_secret=secret,
        on_message=lambda _socket, message: answers.put(json.loads(message)),
    )
    api.new_order(
        symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity=0.1, price=123.45
    )
    answer = answers.get(timeout=SECONDS)
    assert answer["status"] == 200, answer
    api.stop()
    print("all as it should be")


if __name__ == "__main__":
    main(*sys.argv[1:])
