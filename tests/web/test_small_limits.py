"""An exchange with small limits: what happens at them, and what is remembered beyond memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.rest import Running, World, running

LIMITS = {
    "recent_client_order_ids": 1,
    "max_open_orders": 3,
    "max_in_flight": 8,
    "max_in_flight_per_market": 4,
    "max_batch_body_bytes": 70_000,
}


@pytest.fixture
def small(database_url: str, server_redis_url: str, tmp_path: Path) -> Iterator[Running]:
    with running(database_url, server_redis_url, tmp_path, **LIMITS) as exchange:
        yield exchange


def test_client_order_ids_are_remembered_for_ever(
    database_url: str, server_redis_url: str, tmp_path: Path
) -> None:
    with running(database_url, server_redis_url, tmp_path, **LIMITS) as exchange:
        world = World(exchange)
        forms = [
            world.form("buy", "0.5", "100", client_order_id=f"n{n}", time_in_force="ioc")
            for n in range(4)
        ]
        ids = [world.alice.post("/orders", form).ok(201)["id"] for form in forms]
        check_retries(world, forms, ids)
        world.close()
    # After a start no id is known in memory until the filter is loaded: storage answers.
    with running(database_url, server_redis_url, tmp_path, **LIMITS) as exchange:
        world.move_to(exchange)
        check_retries(world, forms, ids)
        new = world.form("buy", "0.5", "100", client_order_id="new")
        assert world.alice.post("/orders", new).ok(201)["id"] > max(ids)
        world.close()


def check_retries(world: World, forms: list[dict[str, object]], ids: list[int]) -> None:
    for form, order_id in zip(forms, ids, strict=True):
        assert world.alice.post("/orders", form).ok(200)["id"] == order_id
        assert world.alice.post("/orders/test", form).ok(200) == {}
        other = {**form, "quantity": "0.6"}
        for path in ("/orders", "/orders/test"):
            refused = world.alice.post(path, other)
            assert refused.problem()[:3] == (409, "client_order_id_conflict", "client_order_id")
    results = world.alice.post("/orders/batch", {"orders": forms}).ok()["results"]
    assert [result["id"] for result in results] == ids
    assert len(world.alice.get("/orders", status="all").items()) == len(ids)


def test_open_orders_are_counted_per_account_and_market(small: Running) -> None:
    world = World(small)
    for _ in range(3):
        world.buy(world.alice, "0.1", "100")

    with world.unchanged():
        refused = world.alice.post("/orders", world.form("buy", "0.1", "100"))

    assert refused.problem() == (422, "too_many_open_orders", "market", "3", "4")
    world.buy(world.bob, "0.1", "100")
    world.alice.delete("/orders").ok()
    world.buy(world.alice, "0.1", "100")
    world.close()


def test_more_orders_than_may_be_on_their_way_are_refused(small: Running) -> None:
    world = World(small)
    forms = [world.form("buy", "0.1", "100")] * 5

    with world.unchanged():
        refused = world.alice.post("/orders/batch", {"orders": forms})

    assert refused.problem()[:2] == (503, "exchange_busy")
    assert int(refused.headers["retry-after"]) >= 1
    assert len(world.alice.post("/orders/batch", {"orders": forms[:4]}).ok()["results"]) == 4
    world.close()


def test_a_batch_may_be_larger_than_other_bodies(small: Running) -> None:
    world = World(small)
    blanks = b" " * 66_000
    batch = b'{"orders": [1]' + blanks + b"}"

    assert world.alice.call("POST", "/orders/batch", raw=batch).ok()["results"]
    refused = world.alice.call("POST", "/orders", raw=b"{" + blanks + b"}")
    assert refused.problem()[:2] == (413, "payload_too_large")
    refused = world.client(world.alice.token).call(
        "POST", "/orders/batch", raw=batch + b" " * 5_000
    )
    assert refused.problem()[:2] == (413, "payload_too_large")
    world.close()
