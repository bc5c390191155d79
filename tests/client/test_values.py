"""The client's values are the API's: each field of an answer is there, with its name and order."""

from dataclasses import fields
from decimal import Decimal

import pytest
from pydantic import BaseModel

from exchange.client import ClientError, values
from exchange.client.decode import decode, write
from exchange.web import answers, sandbox

PAIRS: list[tuple[type[BaseModel], type]] = [
    (answers.CurrencyAnswer, values.Currency),
    (answers.MarketAnswer, values.Market),
    (answers.BookAnswer, values.Book),
    (answers.TradeAnswer, values.Trade),
    (answers.TickerAnswer, values.Ticker),
    (answers.CandleAnswer, values.Candle),
    (answers.FillAnswer, values.Fill),
    (answers.OwnFillAnswer, values.OwnFill),
    (answers.OrderAnswer, values.Order),
    (answers.BalanceAnswer, values.Balance),
    (answers.PostingAnswer, values.Posting),
    (answers.AccountAnswer, values.Account),
    (answers.IssuedAnswer, values.IssuedToken),
    (answers.IssuedKeyAnswer, values.IssuedKey),
    (answers.TokenAnswer, values.StoredToken),
    (answers.TransferAnswer, values.Transfer),
    (answers.AuditAnswer, values.AuditEntry),
    (answers.CurrencyProofAnswer, values.CurrencyProof),
    (answers.SequenceAnswer, values.MarketSequence),
    (answers.ProofAnswer, values.Proof),
    (sandbox.Funds, values.Funds),
    (sandbox.SignedUp, values.SandboxAccount),
    (sandbox.ResetAnswer, values.SandboxReset),
]


@pytest.mark.parametrize(("answer", "value"), PAIRS)
def test_a_value_has_the_fields_of_its_answer(answer: type[BaseModel], value: type) -> None:
    assert [field.name for field in fields(value)] == list(answer.model_fields)


def test_money_is_read_exactly_and_only_from_strings() -> None:
    given = {"currency": "BTC", "available": "0.10000000", "locked": "0", "total": "0.10000000"}

    balance = decode(values.Balance, given)
    with pytest.raises(ClientError, match="not a decimal string"):
        decode(values.Balance, given | {"total": 0.1})

    assert balance.available == Decimal("0.1")
    assert str(balance.available) == "0.10000000"


def test_an_answer_without_a_field_is_no_value() -> None:
    with pytest.raises(ClientError, match="not a Balance of the API"):
        decode(values.Balance, {"currency": "BTC"})


def test_an_answer_may_have_more_fields_than_are_known() -> None:
    given = {"symbol": "BTC", "name": "Bitcoin", "scale": 8, "colour": "orange"}

    assert decode(values.Currency, given) == values.Currency("BTC", "Bitcoin", 8)


def test_amounts_are_written_as_plain_decimals() -> None:
    assert write(Decimal("1E-8")) == "0.00000001"
    assert write(Decimal("50000.10")) == "50000.10"
    assert write(7) == "7"
    assert write("0.5") == "0.5"
    assert write(None) is None


@pytest.mark.parametrize("amount", [0.1, True, b"1"])
def test_an_amount_is_never_a_float(amount: object) -> None:
    with pytest.raises(TypeError, match="an amount is a Decimal, a str or an int"):
        write(amount)  # type: ignore[arg-type]  # What mypy would not let through.


def test_a_new_token_does_not_show_by_accident() -> None:
    assert "hidden" not in repr(values.IssuedToken(1, "hidden", ("read",)))
