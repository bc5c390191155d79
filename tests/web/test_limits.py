"""Deadlines, connections and rates over real sockets."""

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from exchange.web.routing import Answered, Call
from tests.web.serving import READER, TRADER, closed, get, read_reply, request, run, serving

pytestmark = pytest.mark.usefixtures("both_readers")

SOON = 0.05
LATE = 60.0


# --- Deadlines -----------------------------------------------------------------------------------


def test_a_header_that_takes_too_long_is_cut() -> None:
    async def go() -> None:
        async with (
            serving(header_deadline_seconds=SOON) as client,
            client.connected() as (reader, writer),
        ):
            writer.write(b"GET /open HTTP/1.1\r\nHost: x\r\n")
            reply = await read_reply(reader)

            assert (reply.status, reply.code) == (408, "request_timeout")
            assert await closed(reader)

    run(go())


def test_dripping_header_bytes_do_not_move_the_deadline() -> None:
    async def go() -> None:
        async with (
            serving(header_deadline_seconds=SOON) as client,
            client.connected() as (reader, writer),
        ):
            answered = asyncio.create_task(read_reply(reader))
            writer.write(b"GET /open HTTP/1.1\r\nX: ")
            while not answered.done():
                writer.write(b"x")
                await asyncio.wait([answered], timeout=SOON / 10)

            assert answered.result().status == 408

    run(go())


def test_a_later_request_of_a_connection_has_the_deadline_too() -> None:
    async def go() -> None:
        async with (
            serving(header_deadline_seconds=SOON) as client,
            client.connected() as (reader, writer),
        ):
            writer.write(request("GET", "/open"))
            first = await read_reply(reader)
            writer.write(b"GET /open")
            second = await read_reply(reader)

            assert (first.status, second.status) == (200, 408)

    run(go())


def test_an_idle_connection_is_no_late_header() -> None:
    async def go() -> None:
        async with (
            serving(header_deadline_seconds=SOON) as client,
            client.connected() as (reader, writer),
        ):
            for _ in range(2):
                # In two pieces, so that the header's clock was started and has to be stopped.
                data = request("GET", "/open")
                writer.write(data[:5])
                await asyncio.sleep(0)
                writer.write(data[5:])
                assert (await read_reply(reader)).status == 200
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(1), SOON * 3)

    run(go())


def test_a_body_that_takes_too_long_is_cut() -> None:
    async def go() -> None:
        async with (
            serving(body_deadline_seconds=SOON) as client,
            client.connected() as (reader, writer),
        ):
            head = request("POST", "/orders", token=TRADER, headers=["Content-Length: 1000"])
            writer.write(head + b'{"q')
            reply = await read_reply(reader)

            assert (reply.status, reply.code) == (408, "request_timeout")
            assert reply.headers["connection"] == "close"
            assert await closed(reader)

    run(go())


def test_a_client_that_does_not_read_its_answer_is_cut() -> None:
    whole = 100_000_000

    async def go() -> None:
        begun = asyncio.Event()

        async def large(_call: Call) -> Answered:
            begun.set()
            return Answered(200, bytes(whole))

        async with (
            serving([get("/large", large)], body_deadline_seconds=SOON) as client,
            client.connected() as (reader, writer),
        ):
            writer.write(request("GET", "/large"))
            await begun.wait()
            # The answer fills all buffers; the server gives up while nobody reads it, which only
            # its count of connections shows.
            while b"exchange_http_connections 1.0" in client.context.metrics.render():  # noqa: ASYNC110
                await asyncio.sleep(SOON / 10)
            with suppress(ConnectionError):
                received = len(await reader.read())
                assert received < whole

    run(go())


def test_an_idle_connection_is_closed() -> None:
    async def go() -> None:
        async with (
            serving(keepalive_seconds=SOON) as client,
            client.connected() as (silent, _),
            client.connected() as (used, used_writer),
        ):
            used_writer.write(request("GET", "/open"))

            assert (await read_reply(used)).status == 200
            assert await closed(used)
            assert await closed(silent)

    run(go())


# --- Connections ---------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["max_connections", "max_connections_per_address"])
def test_a_connection_too_many_is_told_so_and_closed(setting: str) -> None:
    async def go() -> None:
        async with serving(**{setting: 2}) as client, AsyncExitStack() as held:
            for _ in range(2):
                reader, writer = await held.enter_async_context(client.connected())
                writer.write(request("GET", "/open"))
                assert (await read_reply(reader)).status == 200
            async with client.connected() as (reader, _):
                reply = await read_reply(reader)

                assert (reply.status, reply.code) == (503, "exchange_busy")
                assert reply.headers["retry-after"] == "1"
                assert await closed(reader)

    run(go())


def test_a_closed_connection_makes_room() -> None:
    async def go() -> None:
        async with serving(max_connections=1) as client:
            for _ in range(5):
                async with client.connected() as (reader, writer):
                    writer.write(request("GET", "/open", headers=["Connection: close"]))
                    assert (await read_reply(reader)).status == 200
                    assert await closed(reader)

    run(go())


# --- Rates ---------------------------------------------------------------------------------------

STINGY = {
    "orders_per_second": 0.01, "orders_burst": 2, "cancels_per_second": 0.01, "cancels_burst": 2,
    "reads_per_second": 0.01, "reads_burst": 2,
}  # fmt: skip


def test_answers_tell_how_much_of_the_budget_is_left() -> None:
    async def go() -> None:
        async with serving(**STINGY) as client:
            reply = await client.post("/orders", {"quantity": "1"})

        assert reply.headers["ratelimit-limit"] == "2"
        assert reply.headers["ratelimit-remaining"] == "1"
        assert reply.headers["ratelimit-reset"] == "100"

    run(go())


def test_a_client_out_of_budget_for_orders_can_cancel_and_read() -> None:
    async def go() -> None:
        async with serving(**STINGY) as client:
            statuses = [(await client.post("/orders", {"quantity": "1"})).status for _ in range(3)]
            refused = await client.post("/orders", {"quantity": "1"})
            cancel = await client.ask("DELETE", "/orders/1", token=TRADER)
            read = await client.ask("GET", "/orders/1", token=TRADER)

        assert statuses == [200, 200, 429]
        assert refused.code == "rate_limited"
        assert refused.headers["ratelimit-remaining"] == "0"
        assert 0 < int(refused.headers["retry-after"]) <= 100
        assert (cancel.status, read.status) == (200, 200)

    run(go())


def test_a_client_whose_address_is_out_of_budget_can_cancel() -> None:
    async def go() -> None:
        async with serving(address_burst=1, address_requests_per_second=0.01) as client:
            statuses = [(await client.ask("GET", "/open")).status for _ in range(2)]
            cancel = await client.ask("DELETE", "/orders/1", token=TRADER)

        assert statuses == [200, 429]
        assert cancel.status == 200

    run(go())


def test_a_batch_costs_as_many_orders_as_it_holds() -> None:
    async def go() -> None:
        async with serving(orders_burst=10, orders_per_second=0.01) as client:
            form = {"quantity": "1", "count": 4}
            replies = [await client.post("/orders/batch", form) for _ in range(3)]

        assert [reply.status for reply in replies] == [200, 200, 429]
        assert [reply.headers["ratelimit-remaining"] for reply in replies] == ["6", "2", "2"]

    run(go())


def test_each_token_has_its_own_budget() -> None:
    async def go() -> None:
        async with serving(**STINGY) as client:
            for _ in range(3):
                spent = await client.ask("GET", "/orders/1", token=TRADER)
            other = await client.ask("GET", "/orders/1", token=READER)

        assert (spent.status, other.status) == (429, 200)

    run(go())


def test_refused_tokens_are_limited_and_good_ones_pass_on() -> None:
    async def go() -> None:
        async with serving(failed_auth_per_minute=2) as client:
            refused = [
                await client.ask("GET", "/orders/1", headers=["Authorization: Bearer guess"])
                for _ in range(3)
            ]
            good = await client.ask("GET", "/orders/1", token=TRADER)

        assert [reply.status for reply in refused] == [401, 401, 429]
        assert good.status == 200

    run(go())


def test_rate_limits_can_be_switched_off() -> None:
    async def go() -> None:
        async with serving(rate_limits=False, address_burst=1, **STINGY) as client:
            replies = [await client.post("/orders", {"quantity": "1"}) for _ in range(5)]

        assert {reply.status for reply in replies} == {200}
        assert "ratelimit-limit" not in replies[0].headers

    run(go())


# --- Stopping ------------------------------------------------------------------------------------


def test_a_stopping_server_answers_what_it_has_begun_and_takes_nothing_new() -> None:
    async def go() -> None:
        begun, finish = asyncio.Event(), asyncio.Event()

        async def slow(_call: Call) -> Answered:
            begun.set()
            await finish.wait()
            return Answered(200, {})

        async with (
            serving([get("/slow", slow)], shutdown_seconds=LATE) as client,
            client.connected() as (reader, writer),
        ):
            writer.write(request("GET", "/slow"))
            await begun.wait()
            stopped = asyncio.create_task(client.server.stop())
            await asyncio.sleep(0)
            refused = await client.ask("GET", "/slow")
            finish.set()
            answered = await read_reply(reader)

            assert (refused.status, refused.code) == (503, "exchange_busy")
            assert refused.headers["retry-after"] == "1"
            assert answered.status == 200
            for reply in (refused, answered):
                assert reply.headers["connection"] == "close"
            assert await closed(reader)
            await stopped
            with pytest.raises(ConnectionError):
                await asyncio.open_connection("127.0.0.1", client.port)

    run(go())


def test_whoever_speaks_while_the_server_stops_is_told_and_then_cut() -> None:
    async def go() -> None:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(serving(shutdown_seconds=LATE))
            idle = [await stack.enter_async_context(client.connected()) for _ in range(20)]
            for reader, writer in idle:
                writer.write(request("GET", "/open"))
                assert "connection" not in (await read_reply(reader)).headers
            stopped = asyncio.create_task(client.server.stop())
            for reader, writer in idle:
                await asyncio.sleep(0)
                writer.write(request("GET", "/open"))
                reply = await read_reply(reader)

                assert (reply.status, reply.headers["connection"]) == (503, "close")
                assert await closed(reader)
            await stopped

    run(go())


def test_a_stopping_server_does_not_wait_for_ever() -> None:
    async def go() -> None:
        begun = asyncio.Event()

        async def stuck(_call: Call) -> Answered:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError

        async with (
            serving([get("/stuck", stuck)], shutdown_seconds=SOON) as client,
            client.connected() as (reader, writer),
        ):
            writer.write(request("GET", "/stuck"))
            await begun.wait()
            await client.server.stop()

            assert await closed(reader)

    run(go())


def test_a_stopping_server_closes_idle_connections_and_calls_its_hooks() -> None:
    async def go() -> None:
        called: list[str] = []

        async def hook() -> None:
            called.append("hook")

        async with serving(shutdown_seconds=LATE) as client:
            client.server.stopping.append(hook)
            async with client.connected() as (reader, writer):
                writer.write(request("GET", "/open"))
                await read_reply(reader)
                await client.server.stop()

                assert await closed(reader)
                assert called == ["hook"]

    run(go())
