"""The calls of a sandbox: anybody makes an account, and gets play money for it.

They are in the route table only where `EXCHANGE_SANDBOX` is on. Money comes and goes as deposits
and withdrawals, as an admin's does; the audit log names them `sandbox.*`.
"""

from decimal import Decimal
from functools import partial
from secrets import token_hex
from typing import Annotated

import orjson
from pydantic import BaseModel, Field

from exchange.amounts import format_scaled
from exchange.currency import Currency
from exchange.messages import (
    AccountSaved,
    Answer,
    Audit,
    OpenAccount,
    Refused,
    Settled,
    Transfer,
    TransferMade,
)
from exchange.rejects import Reject
from exchange.settings import read_funds
from exchange.settlement import ADMIN
from exchange.times import format_time
from exchange.web import answers, codec, forms
from exchange.web.errors import Problem, problem_from
from exchange.web.forms import CurrencySymbol, Form, Name, given
from exchange.web.parse import amount
from exchange.web.public import CREATED, OK
from exchange.web.routing import Answered, Call, Context, Route, Scope
from exchange.web.trading import cancel_orders

DEFAULT_NAME = "sandbox"
SCOPES = ("read", "trade")
LONGEST_FUNDS = 10**30
"""Atoms: far more than a play account needs, and far less than a ledger can hold."""


class SignUpForm(Form):
    """A sandbox account to make."""

    name: Name | None = None


class FaucetForm(Form):
    """Play money to get; as much as the account began with where no amount is named."""

    currency: CurrencySymbol
    amount: forms.Decimal | None = None


class Funds(BaseModel):
    """An amount of a currency."""

    currency: str
    amount: answers.Decimal


class SignedUp(BaseModel):
    """A new sandbox account; its token is shown this once."""

    account_id: int
    name: str
    token: str
    scopes: answers.Scopes
    balances: list[Funds]


class ResetAnswer(BaseModel):
    """What a reset has done; `left` is what it could not undo."""

    canceled: list[int]
    balances: list[answers.BalanceAnswer]
    left: Annotated[
        list[str], Field(description="A sentence for each thing that is not as it was.")
    ]


# --- Accounts ------------------------------------------------------------------------------------


async def sign_up(call: Call) -> Answered:
    """Make an account with funds in every currency, and a token for it."""
    context, bridge = call.context, call.context.bridge
    name = given(call.form, SignUpForm).name or DEFAULT_NAME
    audit = Audit(ADMIN, 0, "sandbox.account.create", "account", None, _json({"name": name}))
    answer = await bridge.send(OpenAccount(bridge.new_request_id(), bridge.now(), name, audit))
    account = _saved(answer).account
    wanted = [
        (currency, atoms)
        for currency in bridge.view.currencies.values()
        if (atoms := initial_funds(context, currency))
    ]
    transfers = [
        _transfer(context, account.id, currency, atoms, f"sandbox-start-{currency.symbol}")
        for currency, atoms in wanted
    ]
    for made in await bridge.send_all(transfers):
        _made(made)
    issued = await context.tokens.issue(
        account.id, SCOPES, "sandbox", bridge.now(), Audit(account.id, 0, "sandbox.token.issue", "")
    )
    context.token_index.add_token(issued.token)
    body = {
        "account_id": account.id,
        "name": account.name,
        "token": issued.secret,
        "scopes": list(SCOPES),
        "balances": [_funds(currency, atoms) for currency, atoms in wanted],
    }
    return Answered(CREATED, body)


def initial_funds(context: Context, currency: Currency) -> int:
    """Return what an account begins with, in atoms; 0 for nothing."""
    funds = read_funds(context.settings.sandbox_funds)
    given_amount = funds.get(currency.symbol, funds.get("*", Decimal(0)))
    return min(int(given_amount.scaleb(currency.scale)), LONGEST_FUNDS)


# --- Faucet --------------------------------------------------------------------------------------


async def faucet(call: Call) -> Answered:
    """Give the caller play money; so much a call, and so many calls a day."""
    context = call.context
    form = given(call.form, FaucetForm)
    currency = context.bridge.view.currencies.get(form.currency)
    if currency is None:
        raise Problem(Reject.CURRENCY_NOT_FOUND, field="currency", value=form.currency)
    most = initial_funds(context, currency)
    atoms = most if form.amount is None else amount("amount", form.amount, currency)
    if atoms > most or not most:
        limit = format_scaled(most, currency.scale)
        detail = f"The faucet gives at most {limit} {currency.symbol} at a time."
        raise Problem("validation_error", detail, field="amount", limit=limit, value=form.amount)
    _refuse_frozen(call)
    await _draw(call, currency, atoms)
    return Answered(CREATED, _funds(currency, atoms))


async def _draw(call: Call, currency: Currency, atoms: int) -> None:
    """Deposit under the first reference of the day that is free: the ledger itself counts them."""
    context, account_id = call.context, call.caller.account_id
    calls = context.settings.sandbox_faucet_per_day
    day = format_time(context.bridge.now())[:10]
    for number in range(1, calls + 1):
        reference = f"sandbox-faucet-{day}-{currency.symbol}-{number}"
        if await context.queries.transfer(account_id, reference) is not None:
            continue
        transfer = _transfer(context, account_id, currency, atoms, reference)
        answer = await context.bridge.send(transfer)
        if isinstance(answer, Refused) and answer.rejection.reject is Reject.REFERENCE_CONFLICT:
            continue  # Another call took it meanwhile.
        _made(answer)
        return
    detail = f"The faucet gave {currency.symbol} {calls} times today (UTC); come back tomorrow."
    raise Problem("rate_limited", detail, field="currency", limit=calls)


# --- Reset ---------------------------------------------------------------------------------------


async def reset(call: Call) -> Answered:
    """Cancel the caller's orders and bring its balances back to what it began with."""
    context, account_id = call.context, call.caller.account_id
    _refuse_frozen(call)
    canceled = await cancel_orders(call, None, account_id, None)
    left: list[str] = []
    transfers: list[Transfer] = []
    held = {b.currency: b for b in await context.queries.balances(account_id)}
    run = token_hex(8)
    for currency in context.bridge.view.currencies.values():
        balance = held.get(currency.symbol)
        total, available = (0, 0) if balance is None else (balance.total, balance.available)
        missing = initial_funds(context, currency) - total
        if -missing > available:
            locked = format_scaled(total - available, currency.scale)
            left.append(f"{locked} {currency.symbol} stay locked by orders that cannot be canceled")
            missing = -available
        if missing:
            reference = f"sandbox-reset-{run}-{currency.symbol}"
            transfers.append(_transfer(context, account_id, currency, missing, reference))
    answers_ = await context.bridge.send_all(transfers)
    for transfer, answer in zip(transfers, answers_, strict=True):
        if isinstance(answer, Refused):
            left.append(f"{transfer.currency} is as it was: {answer.rejection.reject}")
    scales = {known.symbol: known.scale for known in context.bridge.view.currencies.values()}
    balances = [
        codec.balance(line, scales[line.currency])
        for line in await context.queries.balances(account_id)
    ]
    assert isinstance(canceled.body, dict), "an answer about orders is an object"
    return Answered(OK, {**canceled.body, "balances": balances, "left": left})


# --- Parts ---------------------------------------------------------------------------------------


def _transfer(
    context: Context, account_id: int, currency: Currency, atoms: int, reference: str
) -> Transfer:
    bridge = context.bridge
    kind = "deposit" if atoms > 0 else "withdrawal"
    content = {**_funds(currency, abs(atoms)), "reference": reference}
    audit = Audit(account_id, 0, f"sandbox.{kind}", f"account {account_id}", None, _json(content))
    request_id = bridge.new_request_id()
    return Transfer(request_id, bridge.now(), account_id, currency.symbol, atoms, reference, audit)


def _refuse_frozen(call: Call) -> None:
    account = call.context.bridge.view.accounts.get(call.caller.account_id)
    if account is not None and account.frozen:
        raise Problem(Reject.ACCOUNT_FROZEN)


def _saved(answer: Answer) -> AccountSaved:
    assert isinstance(answer, Settled), f"an account is always made: {answer}"
    assert isinstance(answer.fact, AccountSaved), f"not an account: {answer.fact}"
    return answer.fact


def _made(answer: Answer) -> TransferMade:
    if isinstance(answer, Refused):
        raise problem_from(answer.rejection)
    assert isinstance(answer, Settled), f"no answer to a transfer: {answer}"
    assert isinstance(answer.fact, TransferMade), f"not a transfer: {answer.fact}"
    return answer.fact


def _funds(currency: Currency, atoms: int) -> codec.Json:
    return {"currency": currency.symbol, "amount": format_scaled(atoms, currency.scale)}


def _json(content: object) -> str:
    return orjson.dumps(content).decode()


# --- Routes --------------------------------------------------------------------------------------

V1 = "/api/v1/sandbox"
CHANGE_PROBLEMS = ("exchange_busy", "storage_unavailable", "outcome_unknown")
Sandbox = partial(Route, "POST", tag="sandbox")

SANDBOX = (
    Sandbox(
        f"{V1}/accounts",
        scope=None,
        handler=sign_up,
        summary="Make an account with play money; its token is shown this once",
        answer=SignedUp,
        form=SignUpForm,
        status=201,
        signs_up=True,
        problems=CHANGE_PROBLEMS,
    ),
    Sandbox(
        f"{V1}/faucet",
        scope=Scope.TRADE,
        handler=faucet,
        summary="Get more play money",
        answer=Funds,
        form=FaucetForm,
        status=201,
        problems=("account_frozen", "currency_not_found", *CHANGE_PROBLEMS),
    ),
    Sandbox(
        f"{V1}/reset",
        scope=Scope.TRADE,
        handler=reset,
        summary="Cancel the own orders and begin again with the initial funds",
        answer=ResetAnswer,
        problems=("account_frozen", *CHANGE_PROBLEMS),
    ),
)
