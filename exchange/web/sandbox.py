"""The sandbox: whoever asks gets an account, a token and play money. Served where it is set on."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from secrets import token_hex
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from exchange.amounts import format_scaled
from exchange.currency import Currency
from exchange.messages import (
    AccountSaved,
    Answer,
    Audit,
    Fact,
    OpenAccount,
    Refused,
    Settled,
    Transfer,
)
from exchange.rejects import Reject
from exchange.web import forms
from exchange.web.answers import Decimal as DecimalText
from exchange.web.codec import Json, balance
from exchange.web.errors import Problem, problem_from
from exchange.web.forms import Form, given
from exchange.web.parse import amount
from exchange.web.public import CREATED, OK
from exchange.web.routing import Answered, Budget, Call, Context, Principal, Route, Scope
from exchange.web.trading import cancel_orders

PATH = "/api/v1/sandbox"
FAUCETS_A_DAY = 10
"""Times that an account may ask for more of a currency, on one day in UTC."""

SCOPES = (Scope.READ, Scope.TRADE)
EVERY_OTHER = "*"
PROBLEMS = ("exchange_busy", "storage_unavailable", "outcome_unknown")


class SandboxAccountForm(Form):
    """How the account is to be called."""

    name: forms.Name | None = None


class FaucetForm(Form):
    """Of what more is wanted; without an amount, as much as an account begins with."""

    currency: forms.CurrencySymbol
    amount: forms.Decimal | None = None


class Funds(BaseModel):
    """Play money that was given."""

    currency: str
    amount: DecimalText


class SandboxAccount(BaseModel):
    """A new account with its token, which is shown this once."""

    account_id: int
    name: str
    token: str
    scopes: list[Literal["read", "trade"]]
    balances: list[Funds]


class ResetAnswer(BaseModel):
    """What an account holds now, and what could not be undone."""

    canceled: list[int]
    balances: list[dict[str, str]]
    kept: Annotated[
        list[str], Field(description="Currencies whose funds are bound, in orders that stay.")
    ]


class Sandbox:
    """The calls of the sandbox; the accounts of others and the house's are out of its reach."""

    def __init__(self, context: Context) -> None:
        """Give what the settings say."""
        self._context = context
        self._given = dict(
            part.partition("=")[::2] for part in context.settings.sandbox_funds.split()
        )

    def routes(self) -> list[Route]:
        """Return the calls, as lines of the route table."""
        return [
            Route(
                "POST",
                f"{PATH}/accounts",
                scope=None,
                handler=self.open_account,
                summary="Get an account with play money, and its token",
                answer=SandboxAccount,
                form=SandboxAccountForm,
                status=CREATED,
                problems=PROBLEMS,
                tag="sandbox",
            ),
            Route(
                "POST",
                f"{PATH}/faucet",
                scope=Scope.TRADE,
                handler=self.pour,
                summary="Get more play money",
                answer=Funds,
                form=FaucetForm,
                status=CREATED,
                budget=Budget.ORDER,
                problems=("currency_not_found", "rate_limited", *PROBLEMS),
                tag="sandbox",
            ),
            Route(
                "POST",
                f"{PATH}/reset",
                scope=Scope.TRADE,
                handler=self.reset,
                summary="Cancel all own orders and begin with the first balances again",
                answer=ResetAnswer,
                status=OK,
                budget=Budget.CANCEL,
                problems=PROBLEMS,
                tag="sandbox",
            ),
        ]

    # --- The calls -------------------------------------------------------------------------------

    async def open_account(self, call: Call) -> Answered:
        """Make an account, fund it and issue its token."""
        context, bridge = self._context, self._context.bridge
        name = given(call.form, SandboxAccountForm).name or f"sandbox {token_hex(4)}"
        command = OpenAccount(
            bridge.new_request_id(), bridge.now(), name, _note("account.create", "", {"name": name})
        )
        made = _fact(await bridge.send(command))
        assert isinstance(made, AccountSaved), "what the command makes"
        account = made.account
        # Funds first: with its token, the account is complete.
        funds = self._funds()
        for currency, atoms in funds.items():
            _fact(await self._transfer(account.id, currency, atoms, "sandbox-start"))
        scopes = [scope.value for scope in SCOPES]
        issued = await context.tokens.issue(
            account.id, scopes, "sandbox", bridge.now(), _note("token.issue", "")
        )
        principal = Principal(account.id, issued.token.id, frozenset(SCOPES))
        context.token_index.add(issued.token.hash, principal)
        body = {
            "account_id": account.id,
            "name": account.name,
            "token": issued.secret,
            "scopes": scopes,
            "balances": [_shown(currency, atoms) for currency, atoms in funds.items()],
        }
        return Answered(CREATED, body)

    async def pour(self, call: Call) -> Answered:
        """Give an account more of a currency, a few times a day."""
        form, account_id = given(call.form, FaucetForm), call.caller.account_id
        currency = self._context.bridge.view.currencies.get(form.currency)
        if currency is None:
            raise Problem(Reject.CURRENCY_NOT_FOUND, field="currency", value=form.currency)
        most = self._start(currency)
        atoms = most if form.amount is None else amount("amount", form.amount, currency)
        if atoms > most:
            limit = format_scaled(most, currency.scale)
            raise Problem(
                "validation_error",
                f"The faucet gives at most {limit} {currency.symbol} at a time.",
                field="amount",
                limit=limit,
                value=form.amount,
            )
        day = datetime.fromtimestamp(self._context.bridge.now() / 1e6, UTC).date()
        for number in range(1, FAUCETS_A_DAY + 1):
            reference = f"faucet-{day}-{currency.symbol}-{number}"
            if await self._context.queries.transfer(account_id, reference) is not None:
                continue
            answer = await self._transfer(account_id, currency, atoms, reference, whole=True)
            if not _is_used(answer):
                _fact(answer)
                return Answered(CREATED, _shown(currency, atoms))
        raise Problem(
            "validation_error",
            f"The faucet gives {currency.symbol} {FAUCETS_A_DAY} times a day.",
            field="currency",
            limit=FAUCETS_A_DAY,
            value=currency.symbol,
        )

    async def reset(self, call: Call) -> Answered:
        """Cancel all orders, then move money in or out until it is as at the start."""
        context, account_id = self._context, call.caller.account_id
        canceled = await cancel_orders(call, None, account_id, None)
        held = {state.currency: state for state in await context.queries.balances(account_id)}
        moment, kept = context.bridge.now(), []
        for currency, start in self._funds().items():
            symbol = currency.symbol
            missing = start - (held[symbol].total if symbol in held else 0)
            if not missing:
                continue
            answer = await self._transfer(account_id, currency, missing, f"sandbox-reset-{moment}")
            if isinstance(answer, Refused):
                kept.append(symbol)
        scales = context.bridge.view.currencies
        balances = [
            balance(state, scales[state.currency].scale)
            for state in await context.queries.balances(account_id)
        ]
        assert isinstance(canceled.body, Mapping), "what a cancel-all answers"
        return Answered(OK, {**canceled.body, "balances": balances, "kept": kept})

    # --- Money -----------------------------------------------------------------------------------

    def _funds(self) -> dict[Currency, int]:
        """Return what an account begins with, in atoms; currencies made later count as well."""
        known = sorted(self._context.bridge.view.currencies.values())
        return {currency: atoms for currency in known if (atoms := self._start(currency))}

    def _start(self, currency: Currency) -> int:
        text = self._given.get(currency.symbol, self._given.get(EVERY_OTHER, "0"))
        return int(Decimal(text).scaleb(currency.scale))

    async def _transfer(
        self,
        account_id: int,
        currency: Currency,
        atoms: int,
        reference: str,
        *,
        whole: bool = False,
    ) -> Answer:
        bridge = self._context.bridge
        if not whole:
            reference = f"{reference}-{currency.symbol}"
        content = _shown(currency, abs(atoms)) | {"reference": reference}
        kind = "deposit" if atoms > 0 else "withdrawal"
        return await bridge.send(
            Transfer(
                bridge.new_request_id(),
                bridge.now(),
                account_id,
                currency.symbol,
                atoms,
                reference,
                _note(f"sandbox.{kind}", f"account {account_id}", content),
            )
        )


def _shown(currency: Currency, atoms: int) -> Json:
    return {"currency": currency.symbol, "amount": format_scaled(atoms, currency.scale)}


def _note(action: str, subject: str, after: Json | None = None) -> Audit:
    """Return the line for the audit log: nobody asked but the sandbox."""
    return Audit(3, 0, action, subject).noting({}, after) if after else Audit(3, 0, action, subject)


def _is_used(answer: Answer) -> bool:
    """Say whether another request was faster with this reference."""
    return isinstance(answer, Refused) and answer.rejection.reject is Reject.REFERENCE_CONFLICT


def _fact(answer: Answer) -> Fact:
    if isinstance(answer, Refused):
        raise problem_from(answer.rejection)
    assert isinstance(answer, Settled), f"no answer to such a command: {answer}"
    return answer.fact
