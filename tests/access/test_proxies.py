"""Behind a proxy: its `X-Forwarded-For` is believed, anybody else's is not."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from aiohttp import ClientSession

from exchange.settings import SettingsError, load_settings
from exchange.web.proxies import Proxies
from tests.access.strangers import ELSEWHERE, HERE, Headers, stranger
from tests.web.rest import V1, Running, fresh_database, running
from tests.web.sockets import Socket, on_loop

PROXY, OTHER_PROXY = HERE, "127.0.0.9"
BURST, GUESSES = 20, 4
LIMITS = {
    "rate_limits": True,
    "trusted_proxies": f"{PROXY}/32, {OTHER_PROXY}, 10.0.0.0/8",
    "address_requests_per_second": 0.001,
    "address_burst": BURST,
    "failed_auth_per_minute": GUESSES,
    "max_connections_per_address": 2,
}


@pytest.fixture(scope="module")
def behind(
    server_url: str, template: str, server_redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with (
        fresh_database(server_url, template, "test_behind_proxies") as url,
        running(url, server_redis_url, tmp_path_factory.mktemp("behind"), **LIMITS) as exchange,
    ):
        yield exchange


def forwarded(*values: str) -> Headers:
    return [("X-Forwarded-For", value) for value in values]


def left(exchange: Running, headers: Headers, peer: str = PROXY) -> int:
    """Return how many requests the address has left that this one counts for."""
    with stranger(exchange.url, peer) as asking:
        return int(asking.ask("GET", f"{V1}/time", None, headers).headers["ratelimit-remaining"])


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ("203.0.113.1", forwarded("203.0.113.1")),
        # What stands in front was sent by the client: it may name anybody.
        ("203.0.113.2", forwarded("203.0.113.1, 198.51.100.1, 203.0.113.2")),
        ("203.0.113.3", forwarded("nonsense, 203.0.113.3")),
        # A chain of our own proxies: the first that is none of them, from the right.
        ("203.0.113.4", forwarded("203.0.113.1, 203.0.113.4, 10.1.2.3, 127.0.0.9")),
        ("203.0.113.5", forwarded("203.0.113.1", "203.0.113.5, 10.1.2.3")),
        ("203.0.113.6", forwarded("  203.0.113.6  ")),
        ("203.0.113.7", forwarded("::ffff:203.0.113.7")),
        ("10.9.9.9", forwarded("10.9.9.9")),
        # What cannot be read, and all to the left of it, is not believed.
        ("10.8.8.8", forwarded("203.0.113.1, nonsense, 10.8.8.8")),
    ],
)
def test_the_rightmost_address_that_is_no_trusted_proxy_counts(
    behind: Running, client: str, headers: Headers
) -> None:
    seen = [left(behind, headers), left(behind, forwarded(client))]

    assert seen == [BURST - 1, BURST - 2]


def test_an_ipv6_network_counts_as_one_client_behind_a_proxy_too(behind: Running) -> None:
    addresses = ("2001:db8:7::1", "2001:db8:7::2", "2001:db8:8::1")

    assert [left(behind, forwarded(address)) for address in addresses] == [19, 18, 19]


@pytest.mark.parametrize(
    "value",
    ["", ",", "nonsense", "203.0.113.1:80", "[2001:db8::1]", "unknown", "1.2.3", "1.2.3.4/32"],
)
def test_what_is_no_address_leaves_the_proxys_own(behind: Running, value: str) -> None:
    before = left(behind, (), OTHER_PROXY)

    assert left(behind, forwarded(value), OTHER_PROXY) == before - 1


def test_nobody_else_is_believed(behind: Running) -> None:
    seen = [left(behind, forwarded(f"203.0.113.{n}"), ELSEWHERE) for n in range(101, 106)]

    assert seen == list(range(BURST - 1, BURST - 6, -1))


def test_a_client_that_guesses_does_not_lock_out_the_others_behind_its_proxy(
    behind: Running,
) -> None:
    def guess(address: str) -> int:
        headers = [("Authorization", "Bearer nobody's"), *forwarded(address)]
        with stranger(behind.url, PROXY) as asking:
            return asking.ask("GET", f"{V1}/balances", None, headers).status

    assert [guess("203.0.113.111") for _ in range(GUESSES + 1)] == [401] * GUESSES + [429]
    assert guess("203.0.113.112") == 401


@on_loop
async def test_a_websocket_counts_for_its_client_and_not_for_the_proxy(behind: Running) -> None:
    headers = dict(forwarded("203.0.113.121"))
    url = f"{behind.url}{V1}/ws"
    async with ClientSession() as session, session.ws_connect(url, headers=headers) as raw:
        socket = Socket(raw)
        codes = [await socket.refused("authenticate", token="x") for _ in range(GUESSES + 1)]  # noqa: S106

    assert codes == ["unauthenticated"] * GUESSES + ["rate_limited"]
    assert left(behind, forwarded("203.0.113.121")) == BURST - 1 - len(codes) - 1


def test_a_proxy_may_bring_more_connections_than_one_client(behind: Running) -> None:
    def statuses(peer: str) -> list[int]:
        with ExitStack() as held:
            some = [held.enter_context(stranger(behind.url, peer)) for _ in range(4)]
            headers = forwarded("203.0.113.131")
            return [one.ask("GET", f"{V1}/time", None, headers).status for one in some]

    assert statuses(PROXY) == [200] * 4
    assert statuses("127.0.0.77") == [200, 200, 503, 503]


def test_without_the_setting_nobody_is_believed() -> None:
    assert not Proxies("").trust("127.0.0.1")
    assert not Proxies(" ").trust("")


def test_an_ipv4_proxy_is_known_on_a_socket_of_ipv6_too() -> None:
    proxies = Proxies("10.0.0.0/8, 2001:db8::/32")

    assert proxies.trust("::ffff:10.1.1.1")
    assert proxies.trust("2001:db8::5")
    assert not proxies.trust("::ffff:11.1.1.1")
    assert not proxies.trust("nonsense")


@pytest.mark.parametrize(
    "value", ["10.0.0.1/8", "nonsense", "10.0.0.0/8,", "10.0.0.0/33", "10.0.0.0/8 127.0.0.1"]
)
def test_a_network_that_is_none_is_a_bad_setting(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_TRUSTED_PROXIES", value)

    with pytest.raises(SettingsError, match="EXCHANGE_TRUSTED_PROXIES"):
        load_settings()
