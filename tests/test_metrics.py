"""Metrics of the line and states of its parts."""

from exchange.messages import Refused
from exchange.metrics import Metrics
from exchange.rejects import Reject, Rejection
from tests.builders import Line, buy, sell


def test_answers_are_counted_by_result_status_and_market() -> None:
    line = Line()
    answers = [line.send(sell(5, at=100)), line.send(buy(5, at=100))]
    metrics = Metrics()

    metrics.count_answers([Refused(1, Rejection(Reject.INSUFFICIENT_FUNDS)), *answers])

    text = metrics.render().decode()
    assert 'exchange_commands_total{result="insufficient_funds"} 1.0' in text
    assert 'exchange_commands_total{result="done"} 2.0' in text
    assert 'exchange_orders_total{status="filled"} 1.0' in text
    assert 'exchange_trades_total{market="BTC_USDT"} 1.0' in text


def test_stages_batches_and_gauges_are_shown() -> None:
    metrics = Metrics()
    metrics.observe_stage("commit", 0.003)
    metrics.observe_stage("commit", 0.003)
    metrics.observe_batch(7)
    metrics.watch(in_flight=lambda: 5, oldest_seconds=lambda: 0.5, connections=lambda: 2)

    text = metrics.render().decode()

    assert 'exchange_stage_seconds_count{stage="commit"} 2.0' in text
    assert 'exchange_stage_seconds_bucket{le="0.0025",stage="commit"} 0.0' in text
    assert "exchange_commit_batch_facts_sum 7.0" in text
    assert "exchange_commands_in_flight 5.0" in text
    assert "exchange_oldest_command_seconds 0.5" in text


def test_a_halted_market_is_shown_until_it_trades_again() -> None:
    metrics = Metrics()

    metrics.market_halted("BTC_USDT", True)
    assert metrics.halted == {"BTC_USDT"}
    metrics.market_halted("BTC_USDT", False)

    assert not metrics.halted
    assert 'exchange_market_halted{market="BTC_USDT"} 0.0' in metrics.render().decode()
