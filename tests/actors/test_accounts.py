"""The accounts actor: where it sends what, and in which order."""

from time import time

import pytest

from exchange.actors.accounts import AccountsActor, MarketRecipient, UsedClientOrderIds
from exchange.actors.market import Resume
from exchange.messages import (
    AccountSaved,
    Answer,
    Command,
    CreateMarket,
    Doubtful,
    Fact,
    Journaled,
    Known,
    MarketCommand,
    MarketCreated,
    MarketFailed,
    OpenAccount,
    Refused,
    Settled,
    TransferMade,
)
from exchange.rejects import Reject
from tests.actors.stage import Told, tell
from tests.builders import (
    AUDIT,
    BOB,
    BTC,
    ETH,
    Line,
    buy,
    cancel,
    cancel_all,
    market_with,
    request_of,
    sell,
    transfer,
)

ETH_BTC = market_with(ETH)._replace(symbol="ETH_BTC", code="ETHBTC", quote=BTC)


class Accounts:
    """An unstarted actor with funded accounts; all that it tells others lies here."""

    def __init__(self) -> None:
        self.line = Line(market_with(BTC), market_with(ETH))
        self.markets: dict[str, Told[list[MarketCommand] | Resume]] = {
            symbol: Told() for symbol in self.line.engines
        }
        self.facts: Told[list[Fact]] = Told()
        self.answers: Told[list[Answer]] = Told()
        self.stages: list[tuple[str, float]] = []
        self.fatal: list[str] = []
        recipients: dict[str, MarketRecipient] = {**self.markets}
        self.actor = AccountsActor(
            admission=self.line.admission,
            markets=recipients,
            open_market=self._open_market,
            journal=self.facts,
            outbox=self.answers,
            observe=lambda stage, seconds: self.stages.append((stage, seconds)),
            fatal=self.fatal.append,
        )

    def _open_market(self, created: MarketCreated) -> MarketRecipient:
        market = self.markets[created.market.symbol] = Told()
        return market

    def send(self, *commands: Command) -> None:
        tell(self.actor, list(commands))

    def commands(self, market: str = "BTC_USDT") -> list[list[MarketCommand]]:
        return [m for m in self.markets[market].messages if not isinstance(m, Resume)]

    def match(self, market: str = "BTC_USDT") -> list[Journaled]:
        """Let the market's engine carry out what it was told last; return what to settle."""
        engine, journal = self.line.engines[market], self.line.journal
        return [journal.number(engine.handle(one)) for one in self.commands(market)[-1]]

    def answered(self) -> list[Answer]:
        return [answer for answers in self.answers.messages for answer in answers]


def test_commands_of_one_message_reach_each_market_in_one_message_in_order() -> None:
    accounts = Accounts()
    first, second, third = (
        buy(1, at=100),
        sell(1, at=101, market="ETH_USDT"),
        buy(2, at=99, account=BOB),
    )

    accounts.send(first, second, third)

    (btc,) = accounts.commands("BTC_USDT")
    (eth,) = accounts.commands("ETH_USDT")
    assert [command.request_id for command in btc] == [first.request_id, third.request_id]
    assert [command.request_id for command in eth] == [second.request_id]


def test_an_order_passed_on_has_its_id_and_its_hold() -> None:
    accounts = Accounts()

    accounts.send(buy(2, at=100), buy(1, at=100))

    passed = accounts.commands()[0]
    assert [(one.order_id, one.hold) for one in passed] == [(1, 2000), (2, 1000)]  # type: ignore[union-attr]
    assert accounts.line.locked(passed[0].account_id, "USDT") == 3000  # type: ignore[union-attr, arg-type]


def test_what_needs_no_market_goes_straight_to_storage() -> None:
    accounts = Accounts()

    accounts.send(transfer(5), OpenAccount(900, 0, "Dave", AUDIT))

    (facts,) = accounts.facts.messages
    assert [type(fact) for fact in facts] == [TransferMade, AccountSaved]
    assert accounts.answered() == []


def test_a_refusal_is_answered_at_once_and_stops_nothing_else() -> None:
    accounts = Accounts()
    bad, good = buy(1, at=100, market="DOGE_USDT"), buy(1, at=100)

    accounts.send(bad, good, cancel(77))

    assert [request_of(a) for a in accounts.answered() if isinstance(a, Refused)] == [
        bad.request_id,
        accounts.answered()[1].request_id,  # type: ignore[union-attr]
    ]
    assert len(accounts.answers.messages) == 1
    assert len(accounts.commands()[0]) == 1


def test_nobody_is_told_nothing() -> None:
    accounts = Accounts()

    accounts.send(cancel(77))

    assert accounts.facts.messages == []
    assert accounts.commands() == []


def test_an_order_is_answered_when_it_was_committed_with_what_it_left() -> None:
    accounts = Accounts()
    order = buy(2, at=100)
    accounts.send(order)
    assert accounts.answered() == []

    batch = accounts.match()
    tell(accounts.actor, batch)

    (answer,) = accounts.answered()
    assert isinstance(answer, Settled)
    assert answer.fact is batch[0].fact
    assert answer.order_sequences == (1,)
    assert [(one.currency, one.locked) for one in answer.balances] == [("USDT", 2000)]


def test_a_retry_of_an_order_on_its_way_is_answered_with_it() -> None:
    accounts = Accounts()
    order = buy(2, at=100, client_order_id="mine", digest=7)
    retry = order._replace(request_id=900)
    accounts.send(order)
    accounts.send(retry)
    assert accounts.answered() == []
    assert len(accounts.commands()) == 1

    tell(accounts.actor, accounts.match())

    first, second = accounts.answered()
    assert request_of(first) == order.request_id
    assert second == Known(900, 1)


def test_a_retry_of_an_order_that_is_refused_on_its_way_is_refused_with_it() -> None:
    accounts = Accounts()
    tell(accounts.actor, [sell(2, at=100)])
    tell(accounts.actor, accounts.match())
    order = buy(2, at=100, client_order_id="mine", post_only=True)
    accounts.send(order, order._replace(request_id=900))

    tell(accounts.actor, accounts.match())

    refused = accounts.answered()[-1]
    assert isinstance(refused, Refused)
    assert refused.request_id == 900
    assert refused.rejection.reject is Reject.POST_ONLY_WOULD_CROSS


def test_a_batch_of_facts_is_answered_in_one_message_in_its_order() -> None:
    accounts = Accounts()
    orders = [sell(2, at=100), buy(1, at=100), buy(1, at=100)]
    accounts.send(*orders)

    tell(accounts.actor, accounts.match())

    assert len(accounts.answers.messages) == 1
    assert [request_of(a) for a in accounts.answered()] == [one.request_id for one in orders]


def test_a_market_gets_commands_from_when_its_creation_is_committed() -> None:
    accounts = Accounts()
    accounts.send(CreateMarket(900, 0, ETH_BTC, AUDIT), buy(1, at=100, market="ETH_BTC"))
    assert isinstance(accounts.answered()[0], Refused)

    tell(accounts.actor, [Journaled(fact) for fact in accounts.facts.messages[0]])
    accounts.send(buy(1, at=100, market="ETH_BTC"))

    assert len(accounts.commands("ETH_BTC")) == 1


def test_a_failed_market_is_told_to_resume_when_all_it_did_is_committed() -> None:
    accounts = Accounts()

    tell(accounts.actor, [Journaled(MarketFailed("ETH_USDT", 0, "PlaceOrder"))])

    assert accounts.markets["ETH_USDT"].messages == [Resume()]
    assert accounts.markets["BTC_USDT"].messages == []


def test_a_cancel_of_all_names_the_orders_on_their_way_too() -> None:
    accounts = Accounts()

    accounts.send(buy(1, at=100), buy(1, at=99), cancel_all())

    assert accounts.commands()[0][2].order_ids == (1, 2)  # type: ignore[union-attr]


def test_until_all_used_ids_are_known_a_new_one_is_doubtful() -> None:
    accounts = Accounts()
    accounts.line.admission.client_ids._complete = False
    first = buy(1, at=100, client_order_id="old")
    accounts.send(first)

    tell(accounts.actor, UsedClientOrderIds([(first.account_id, "old")]))
    tell(accounts.actor, UsedClientOrderIds())
    fresh = buy(1, at=100, client_order_id="fresh")
    accounts.send(first._replace(request_id=900), fresh)

    assert accounts.answered() == [Doubtful(first.request_id), Doubtful(900)]
    assert [one.request_id for one in accounts.commands()[0]] == [fresh.request_id]


def test_the_time_in_the_inbox_is_observed() -> None:
    accounts = Accounts()
    sent = int((time() - 5) * 1_000_000)

    accounts.send(buy(1, at=100)._replace(time=sent))

    stages = dict(accounts.stages)
    assert stages["queue"] == pytest.approx(5, abs=4)
    assert "admit" in stages


def test_a_bug_stops_the_process() -> None:
    accounts = Accounts()

    accounts.actor.on_failure(AssertionError, AssertionError("bent"), None)

    assert accounts.fatal == ["the accounts actor failed: <class 'AssertionError'>: bent"]
