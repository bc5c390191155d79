from loadtests.thresholds import Result, Thresholds, broken

NONE = Thresholds(None, None, None, None, 0.0)
GOOD = Result(100.0, 50.0, 20.0, 30.0, requests=1000, failures=0)


def test_a_run_without_limits_and_failures_is_good() -> None:
    assert broken(NONE, GOOD) == []


def test_a_limit_that_is_just_reached_is_kept() -> None:
    assert broken(Thresholds(100, 50, 20, 30, 0.01), GOOD._replace(failures=10)) == []


def test_every_limit_that_is_missed_is_named_with_its_value() -> None:
    said = broken(Thresholds(101, 51, 19, 29, 0.0), GOOD._replace(failures=1))

    assert said == [
        "100.0 orders/s, wanted at least 101",
        "50.0 trades/s, wanted at least 51",
        "p95 of orders 20 ms, wanted at most 19 ms",
        "p99 of orders 30 ms, wanted at most 29 ms",
        "1 of 1000 requests failed (0.10%), wanted at most 0.00%",
    ]


def test_a_run_in_which_nothing_happened_fails() -> None:
    assert broken(NONE, Result(0, 0, 0, 0, 0, 0)) == ["no request was answered"]
