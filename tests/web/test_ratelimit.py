"""Token buckets, with the clock in the test's hands."""

from random import Random

import pytest

from exchange.settings import Settings
from exchange.web import ratelimit
from exchange.web.ratelimit import Allowance, Rate, RateLimiter, site
from exchange.web.routing import Budget


def test_a_burst_passes_and_then_one_at_a_time() -> None:
    rate = Rate(per_second=10, burst=3)

    first = [rate.take("a", 100.0) for _ in range(4)]

    assert [a.remaining for a in first] == [2, 1, 0, 0]
    assert [a.wait > 0 for a in first] == [False, False, False, True]
    assert first[3].wait == pytest.approx(0.1)
    assert rate.take("a", 100.0 + first[3].wait).wait == 0
    assert rate.take("a", 100.11).wait > 0


def test_a_refused_request_costs_nothing() -> None:
    rate = Rate(per_second=1, burst=1)
    rate.take("a", 0.0)

    for tenth in range(10):
        assert rate.take("a", tenth / 10).wait > 0

    assert rate.take("a", 1.0).wait == 0


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    rate = Rate(per_second=10, burst=3)

    assert rate.take("a", 0.0).remaining == 2
    assert rate.take("a", 1_000_000.0).remaining == 2


def test_a_cost_beyond_the_burst_passes_when_the_bucket_is_full() -> None:
    rate = Rate(per_second=1, burst=5)

    assert rate.take("a", 0.0, cost=50).wait == 0
    assert rate.take("a", 1.0, cost=50).wait == pytest.approx(4)


def test_keys_do_not_share_a_bucket() -> None:
    rate = Rate(per_second=1, burst=1)
    rate.take("a", 0.0)

    assert rate.take("b", 0.0).wait == 0


def test_full_buckets_are_forgotten() -> None:
    rate = Rate(per_second=10, burst=1)

    for key in range(50_000):
        rate.take(key, key / 1000)

    assert len(rate) <= 2 * ratelimit.FEWEST_SWEPT


def test_memory_is_bounded_even_while_no_bucket_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "MOST_KEPT", 5000)
    rate = Rate(per_second=0.001, burst=1)

    for key in range(40_000):
        rate.take(key, 0.0)

    assert len(rate) <= 2 * 5000


@pytest.mark.parametrize("seed", range(20))
def test_no_window_lets_through_more_than_burst_and_rate_allow(seed: int) -> None:
    random = Random(seed)
    per_second, burst = random.uniform(0.5, 50), random.randint(1, 20)
    rate = Rate(per_second, burst)
    now, passed = 0.0, 0
    start = now
    for _ in range(2000):
        now += random.expovariate(per_second * 2)
        cost = random.randint(1, 3)
        if rate.take("a", now, cost).wait == 0:
            passed += min(cost, burst)

        assert passed <= burst + (now - start) * per_second + 1e-3


def test_the_client_is_told_whole_seconds_rounded_up() -> None:
    allowance = Allowance(limit=5, reset=4.2, period=1.0, wait=0.3)

    assert dict(allowance.headers())["RateLimit-Reset"] == "5"
    assert allowance.problem().retry_after == 1


def test_every_budget_is_its_own() -> None:
    limiter = RateLimiter(
        Settings.model_validate(
            dict.fromkeys(("orders_burst", "cancels_burst", "reads_burst", "address_burst"), 1)
        )
    )

    for budget in Budget:
        first = limiter.take(budget, 1, 0.0)
        second = limiter.take(budget, 1, 0.0)
        assert first is not None
        assert second is not None
        assert (first.wait, second.wait > 0) == (0, True)
    address = limiter.take_address("1.2.3.4", 0.0)
    assert address is not None
    assert (address.remaining, address.wait) == (0, 0)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", "1.2.3.5", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:1.2.3.4", "1.2.3.4", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_an_ipv6_network_counts_as_one_address(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    assert (site(one) == site(other)) is same
