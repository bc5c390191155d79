"""Signatures of the dialect, by the published examples and by what nobody may make of one."""

import hmac
from collections.abc import Mapping

import pytest

from exchange.web.auth import ApiKey, TokenIndex
from exchange.web.binance.errors import BinanceError
from exchange.web.binance.signing import (
    Signed,
    check_key,
    check_rest,
    check_socket,
    read_rest,
    refuse_replay,
)
from exchange.web.replays import Replays
from exchange.web.routing import Principal, Scope

NAME = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
KEY = ApiKey(NAME, Principal(4, 7, frozenset({Scope.READ})), SECRET)

ORDER = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"
REST = "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
TOGETHER = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
MIXED = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
OF_SOCKET = "cc15477742bd704c29492d96c7ead9414dfd8e0ec4a00f947bb5bb454ddbd08a"
WHEN = 1499827319559_000

SOCKET_ORDER = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01000000",
    "price": "52000.00",
    "newOrderRespType": "ACK",
    "recvWindow": "100",
    "timestamp": "1645423376532",
    "apiKey": NAME,
    "signature": OF_SOCKET,
}

BAD_SIGNATURE = (-1022, "Signature for this request is not valid.")
TOO_LATE = (-1021, "Timestamp for this request is outside of the recvWindow.")
TOO_EARLY = (-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
ILLEGAL = (-1100, "Illegal characters found in a parameter.")
TWICE = (-1101, "Duplicate values for a parameter detected.")


def signed(text: str, secret: bytes = SECRET) -> str:
    return f"{text}&signature={hmac.digest(secret, text.encode(), 'sha256').hex()}"


def refusal(query: str, body: bytes = b"", now: int = WHEN) -> tuple[int, str]:
    with pytest.raises(BinanceError) as raised:
        check_rest(KEY, query, body, now)
    return raised.value.code, raised.value.message


def missing(name: str) -> tuple[int, str]:
    return -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


# --- The published examples ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (f"{ORDER}&{REST}&signature={TOGETHER}", ""),
        ("", f"{ORDER}&{REST}&signature={TOGETHER}"),
        (ORDER, f"{REST}&signature={MIXED}"),
    ],
    ids=["all in the query", "all in the body", "some in each"],
)
def test_the_published_examples_are_taken(query: str, body: str) -> None:
    for given in (query, query.encode()):
        found = check_rest(KEY, given, body.encode(), WHEN)

        assert found.timestamp == WHEN
        assert found.parameters.given == dict(
            pair.split("=") for pair in f"{ORDER}&{REST}".split("&")
        )


def test_the_published_example_of_the_websocket_is_taken() -> None:
    found = check_socket(KEY, SOCKET_ORDER, 1645423376532_000)

    assert found.signature.hex() == OF_SOCKET
    assert found.parameters.text("price") == "52000.00"
    assert found.parameters.find("signature") is None


def test_values_are_signed_as_they_were_sent_and_read_as_they_were_meant() -> None:
    text = "symbols=%5B%22BTCUSDT%22%5D&note=a+b%26c&timestamp=1499827319559"

    found = check_rest(KEY, signed(text), b"", WHEN)

    assert found.parameters.text("symbols") == '["BTCUSDT"]'
    assert found.parameters.text("note") == "a b&c"


def test_a_signature_may_stand_anywhere_and_in_any_case() -> None:
    head, _, signature = signed(REST).rpartition("&signature=")

    for query in (
        f"signature={signature}&{head}",
        head.replace("&price", f"&signature={signature}&price"),
        f"{head}&signature={signature.upper()}",
    ):
        assert check_rest(KEY, query, b"", WHEN).parameters.text("price") == "0.1"


def test_what_is_in_the_query_wins_over_the_body() -> None:
    body = signed("timestamp=1&price=2", SECRET)
    text = f"price=1&timestamp=1499827319559{body.partition('&signature=')[0]}"
    signature = hmac.digest(SECRET, text.encode(), "sha256").hex()

    found = check_rest(
        KEY,
        "price=1&timestamp=1499827319559",
        f"timestamp=1&price=2&signature={signature}".encode(),
        WHEN,
    )

    assert found.parameters.text("price") == "1"


# --- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        f"{ORDER}&{REST}&signature={MIXED}",
        f"{ORDER}&{REST}&signature={TOGETHER[:-1]}",
        f"{ORDER}&{REST}&signature={TOGETHER}0",
        f"{ORDER}&{REST}&signature=%63{TOGETHER[1:]}",
        f"{ORDER}&{REST}&signature=\xe9",
        f"{ORDER}&{REST}&signature={TOGETHER}".replace("quantity=1", "quantity=2"),
        f"{ORDER}&{REST}&signature={TOGETHER}".replace(
            "quantity=1&price=0.1", "price=0.1&quantity=1"
        ),
        f"{ORDER}&{REST}&x=&signature={TOGETHER}",
        signed(f"{ORDER}&{REST}", SECRET[:-1]),
    ],
)
def test_a_signature_of_anything_else_is_refused(query: str) -> None:
    assert refusal(query) == BAD_SIGNATURE


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (f"{ORDER}&quantity=", b"1&price=0.1"),
        (f"{ORDER}&quantity=1&pri", b"ce=0.1"),
        (f"{ORDER}&quantity", b"=1&price=0.1"),
        (f"{ORDER}&quantity=1&price=0.", b"1"),
    ],
)
def test_no_other_border_between_query_and_body_makes_another_order(
    query: str, body: bytes
) -> None:
    end = f"&recvWindow=5000&timestamp=1499827319559&signature={TOGETHER}".encode()

    assert refusal(query, body + end) == ILLEGAL


def test_what_was_signed_as_query_and_body_is_not_taken_as_one() -> None:
    assert refusal(f"{ORDER}{REST}&signature={MIXED}") == ILLEGAL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timestamp=1499827319559&price=1&price=2", TWICE),
        ("timestamp=1499827319559&price=1&pric%65=2", TWICE),
        ("timestamp=1499827319559&price=%ff", ILLEGAL),
        ("timestamp=1499827319559&price", ILLEGAL),
        ("timestamp=1499827319559&=1", ILLEGAL),
        ("price=1", missing("timestamp")),
        ("timestamp=", missing("timestamp")),
        ("timestamp=x", (-1100, "Illegal characters found in parameter 'timestamp'.")),
        ("timestamp=-1499827319559", (-1100, "Illegal characters found in parameter 'timestamp'.")),
        (
            "timestamp=1499827319559&recvWindow=60000.001",
            (-1131, "recvWindow must be less than 60000."),
        ),
        (
            "timestamp=1499827319559&recvWindow=-1",
            (-1100, "Illegal characters found in parameter 'recvWindow'."),
        ),
        (
            "timestamp=1499827319559&recvWindow=1e3",
            (-1100, "Illegal characters found in parameter 'recvWindow'."),
        ),
        (
            "timestamp=1499827319559&recvWindow=5.0001",
            (-1100, "Illegal characters found in parameter 'recvWindow'."),
        ),
    ],
)
def test_a_signed_call_that_cannot_be_read_is_refused(text: str, expected: tuple[int, str]) -> None:
    assert refusal(signed(text)) == expected


def test_a_call_without_a_signature_is_told_so_before_anything_else() -> None:
    for query in ("", REST, "timestamp", f"{REST}&signature="):
        assert refusal(query) == missing("signature")


def test_two_signatures_are_none() -> None:
    one = signed(REST)

    assert refusal(f"{one}&signature={TOGETHER}") == TWICE
    assert refusal(f"signature={TOGETHER}&{one}") == TWICE
    assert refusal(one, f"signature={TOGETHER}".encode()) == TWICE


def test_a_signature_comes_before_the_time_and_the_time_before_the_rest() -> None:
    late = WHEN + 10_000_000

    assert refusal(f"{REST}&signature={MIXED}", now=late) == BAD_SIGNATURE
    assert refusal(signed("symbol=&timestamp=1499827319559"), now=late) == TOO_LATE


# --- Time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "age", "expected"),
    [
        ("", 5_000_000, None),
        ("", 5_000_001, TOO_LATE),
        ("", -999_999, None),
        ("", -1_000_000, TOO_EARLY),
        ("&recvWindow=60000", 60_000_000, None),
        ("&recvWindow=60000", 60_000_001, TOO_LATE),
        ("&recvWindow=0.5", 500, None),
        ("&recvWindow=0.5", 501, TOO_LATE),
        ("&recvWindow=", 5_000_000, None),
    ],
)
@pytest.mark.parametrize("stamp", ["1499827319559", "1499827319559000"])
def test_a_call_is_taken_while_it_is_fresh(
    stamp: str, window: str, age: int, expected: tuple[int, str] | None
) -> None:
    query = signed(f"timestamp={stamp}{window}")

    if expected is None:
        assert check_rest(KEY, query, b"", WHEN + age).timestamp == WHEN
    else:
        assert refusal(query, now=WHEN + age) == expected


# --- Over a WebSocket ----------------------------------------------------------------------------


def over_socket(given: Mapping[str, str]) -> Signed:
    text = "&".join(f"{name}={given[name]}" for name in sorted(given))
    signature = hmac.digest(SECRET, text.encode(), "sha256").hex()
    return check_socket(KEY, {**given, "signature": signature}, WHEN)


def test_names_that_nobody_knows_are_signed_and_ignored() -> None:
    found = over_socket({"timestamp": "1499827319559", "postOnly": "false", "cost": "0.10"})

    assert found.parameters.text("cost") == "0.10"


@pytest.mark.parametrize("name", sorted(SOCKET_ORDER.keys() - {"signature"}))
def test_no_parameter_of_a_signed_call_can_be_changed_or_left_out(name: str) -> None:
    less = {key: value for key, value in SOCKET_ORDER.items() if key != name}

    for given in (less, less | {name: SOCKET_ORDER[name] + "0"}):
        with pytest.raises(BinanceError, match="Signature for this request is not valid"):
            check_socket(KEY, given, 1645423376532_000)


def test_two_parameters_are_never_read_from_one() -> None:
    for given in ({"price": "1&quantity=2"}, {"a&b": "1"}, {"price=1": ""}):
        with pytest.raises(BinanceError, match="Illegal characters"):
            over_socket({"timestamp": "1499827319559", **given})


def test_a_socket_call_needs_a_signature_and_a_time() -> None:
    with pytest.raises(BinanceError, match="'signature'"):
        check_socket(KEY, {"timestamp": "1499827319559"}, WHEN)
    with pytest.raises(BinanceError, match="'timestamp'"):
        over_socket({"price": "1"})


# --- Keys ----------------------------------------------------------------------------------------


def key_refusal(
    index: TokenIndex, given: str | None, scope: Scope | None = None
) -> tuple[int, int]:
    with pytest.raises(BinanceError) as raised:
        check_key(index, given, "192.0.2.1", scope)
    return raised.value.status, raised.value.code


def test_a_key_is_looked_up_and_may_do_what_its_scopes_say() -> None:
    index = TokenIndex()
    index.add_key(KEY)

    assert check_key(index, NAME, "192.0.2.1") is KEY
    assert check_key(index, NAME, "192.0.2.1", Scope.READ) is KEY
    assert key_refusal(index, NAME, Scope.TRADE) == (401, -2015)
    assert key_refusal(index, NAME[::-1]) == (401, -2015)
    for given in (None, "", NAME[:-1], NAME + "A", NAME[:-1] + "-", NAME[:-1] + "\xe9"):
        assert key_refusal(index, given) == (401, -2014)


# --- Calls without a signature, and calls that come again ----------------------------------------


def test_an_unsigned_call_is_read_the_same_way() -> None:
    assert read_rest("symbol=A&limit=5", b"").given == {"symbol": "A", "limit": "5"}
    assert read_rest("signature=1&symbol=%41", b"limit=5").given == {"symbol": "A", "limit": "5"}
    assert read_rest("&&symbol=A&", b"").given == {"symbol": "A"}
    with pytest.raises(BinanceError, match="Duplicate"):
        read_rest("limit=5&limit=6", b"")


def test_a_call_that_changes_something_is_taken_once() -> None:
    replays = Replays(WHEN - 1_000_000)
    call = check_rest(KEY, signed(REST), b"", WHEN)

    refuse_replay(replays, KEY, call, WHEN)

    with pytest.raises(BinanceError) as raised:
        refuse_replay(replays, KEY, call, WHEN + 1)
    assert (raised.value.code, raised.value.message) == BAD_SIGNATURE
    with pytest.raises(BinanceError) as raised:
        refuse_replay(Replays(WHEN), KEY, call, WHEN)
    assert (raised.value.code, raised.value.message) == TOO_LATE
