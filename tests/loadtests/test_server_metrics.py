from exchange.metrics import Metrics
from loadtests.server_metrics import read


def test_what_the_exchange_says_is_understood() -> None:
    metrics = Metrics()
    before = read(metrics.render().decode(), 10.0)
    for facts in (4, 8):
        metrics.observe_batch(facts)
    for _ in range(99):
        metrics.count_request("POST", "/orders", 201, 0.002)
    metrics.count_request("POST", "/orders", 201, 0.2)

    seen = read(metrics.render().decode(), 12.0).since(before)

    assert seen.seconds == 2
    assert seen.batch_size == 6
    assert seen.per_second(seen.batches) == 1
    assert [seen.percentile_ms(percent) for percent in (50, 99, 100)] == [2.5, 2.5, 250]


def test_nothing_happened_between_two_equal_looks() -> None:
    text = Metrics().render().decode()

    seen = read(text, 1.0).since(read(text, 1.0))

    assert (seen.orders, seen.batch_size, seen.percentile_ms(99)) == (0, 0, 0)
    assert seen.per_second(seen.orders) == 0
