"""The calls of admins: currencies, markets, accounts, tokens, money in and out, audit, proof."""

from typing import TypeVar

import orjson

from exchange.amounts import format_scaled
from exchange.currency import Currency
from exchange.market import describe
from exchange.messages import (
    Account,
    AccountSaved,
    Audit,
    CreateMarket,
    CurrencySaved,
    Fact,
    FreezeAccount,
    MarketCreated,
    OpenAccount,
    Outcome,
    Refused,
    SaveCurrency,
    Settled,
    Transfer,
    TransferMade,
    UpdateMarket,
)
from exchange.rejects import Reject
from exchange.settlement import FEES, OUTSIDE
from exchange.stored import StoredKey, StoredTransfer
from exchange.web import codec
from exchange.web.auth import api_key
from exchange.web.errors import Problem, problem_from
from exchange.web.forms import (
    AccountForm,
    AdminCancelQuery,
    AdminOrdersQuery,
    CurrencyForm,
    FreezeForm,
    MarketChangeForm,
    MarketForm,
    PageQuery,
    RenameForm,
    TokenForm,
    TransferForm,
    given,
)
from exchange.web.paging import reading, slice_of
from exchange.web.parse import amount, market_changes, new_market
from exchange.web.public import CREATED, OK, find_market, market_body
from exchange.web.routing import Answered, Call, Context, Scope
from exchange.web.trading import cancel_orders, orders_page

F = TypeVar("F")

RETRY_SECONDS = 1


def _note(
    call: Call, action: str, subject: str, before: object = None, after: object = None
) -> Audit:
    """Return the line for the audit log: who does what."""
    return Audit(
        account_id=call.caller.account_id,
        token_id=call.caller.token_id,
        action=action,
        subject=subject,
        before=None if before is None else orjson.dumps(before).decode(),
        after=None if after is None else orjson.dumps(after).decode(),
    )


def _fact(answer: object, kind: type[F]) -> F:
    """Return what a command did, or raise the problem that kept it from doing anything."""
    if isinstance(answer, Refused):
        raise problem_from(answer.rejection)
    assert isinstance(answer, Settled), f"no answer to such a command: {answer}"
    fact: Fact = answer.fact
    if isinstance(fact, Outcome) and fact.rejection is not None:
        raise problem_from(fact.rejection)
    assert isinstance(fact, kind), f"not what the command does: {fact}"
    return fact


# --- Currencies ----------------------------------------------------------------------------------


async def create_currency(call: Call) -> Answered:
    """Make a currency."""
    form = given(call.form, CurrencyForm)
    currency = Currency(form.symbol, form.name, form.scale)
    audit = _note(
        call, "currency.create", f"currency {form.symbol}", None, codec.currency(currency)
    )
    return Answered(CREATED, await _save_currency(call, currency, audit, create=True))


async def rename_currency(call: Call) -> Answered:
    """Give a currency another name; its scale is fixed."""
    symbol = call.path["symbol"]
    known = call.context.bridge.view.currencies.get(symbol)
    if known is None:
        raise Problem(Reject.CURRENCY_NOT_FOUND, value=symbol)
    currency = known._replace(name=given(call.form, RenameForm).name)
    audit = _note(
        call,
        "currency.rename",
        f"currency {symbol}",
        codec.currency(known),
        codec.currency(currency),
    )
    return Answered(OK, await _save_currency(call, currency, audit, create=False))


async def _save_currency(
    call: Call, currency: Currency, audit: Audit, *, create: bool
) -> codec.Json:
    bridge = call.context.bridge
    command = SaveCurrency(bridge.new_request_id(), bridge.now(), currency, create, audit)
    return codec.currency(_fact(await bridge.send(command), CurrencySaved).currency)


# --- Markets -------------------------------------------------------------------------------------


async def create_market(call: Call) -> Answered:
    """Open a market; it trades at once."""
    bridge = call.context.bridge
    market = new_market(given(call.form, MarketForm), bridge.view.currencies)
    audit = _note(call, "market.create", f"market {market.symbol}", None, describe(market))
    command = CreateMarket(bridge.new_request_id(), bridge.now(), market, audit)
    made = _fact(await bridge.send(command), MarketCreated).market
    return Answered(CREATED, codec.market(made, 0))


async def list_markets(call: Call) -> Answered:
    """List all markets by symbol, whatever their state."""
    markets = sorted(call.context.bridge.view.markets.items())
    items = [market_body(view) for _, view in markets]
    return Answered(OK, slice_of(items, given(call.query, PageQuery)))


async def change_market(call: Call) -> Answered:
    """Change a market's fees, limits, band or state; a delisting cancels all and is final."""
    bridge = call.context.bridge
    view = find_market(call.context, call.path["symbol"])
    market = view.market
    changes = market_changes(given(call.form, MarketChangeForm), market)
    # The market itself notes what it was and what it has become.
    audit = _note(call, "market.change", f"market {market.symbol}")
    command = UpdateMarket(bridge.new_request_id(), bridge.now(), market.symbol, changes, audit)
    outcome = _fact(await bridge.send(command), Outcome)
    assert outcome.changed is not None, "an accepted change has a result"
    return Answered(OK, codec.market(outcome.changed, outcome.sequence))


# --- Accounts and tokens -------------------------------------------------------------------------


async def open_account(call: Call) -> Answered:
    """Make an account."""
    bridge = call.context.bridge
    name = given(call.form, AccountForm).name
    # The subject names the account once it has its number.
    audit = _note(call, "account.create", "account", None, {"name": name})
    command = OpenAccount(bridge.new_request_id(), bridge.now(), name, audit)
    saved = _fact(await bridge.send(command), AccountSaved)
    return Answered(CREATED, codec.account(saved.account))


async def list_accounts(call: Call) -> Answered:
    """List all accounts, oldest first; the first three are the house's."""
    query = given(call.query, PageQuery)
    found = await reading(
        call.context.queries.accounts(limit=query.limit, cursor=query.cursor), query.cursor
    )
    return Answered(
        OK, codec.page([codec.account(known) for known in found.items], found.next_cursor)
    )


def _account(call: Call) -> Account:
    number = call.path_id(missing=Reject.ACCOUNT_NOT_FOUND)
    known = call.context.bridge.view.accounts.get(number)
    if known is None:
        raise Problem(Reject.ACCOUNT_NOT_FOUND, value=number)
    return known


async def show_account(call: Call) -> Answered:
    """Show one account with what it has."""
    return Answered(OK, codec.account(_account(call)))


async def freeze_account(call: Call) -> Answered:
    """Freeze an account or thaw it: a frozen one can cancel and read, no more."""
    bridge = call.context.bridge
    account = _account(call)
    frozen = given(call.form, FreezeForm).frozen
    audit = _note(
        call,
        "account.freeze" if frozen else "account.thaw",
        f"account {account.id}",
        codec.account(account),
        codec.account(account._replace(frozen=frozen)),
    )
    command = FreezeAccount(bridge.new_request_id(), bridge.now(), account.id, frozen, audit)
    saved = _fact(await bridge.send(command), AccountSaved)
    return Answered(OK, codec.account(saved.account))


async def issue_token(call: Call) -> Answered:
    """Make a token or a key for an account; its secret is shown this once."""
    context = call.context
    account = _account(call)
    form = given(call.form, TokenForm)
    if account.id in (OUTSIDE, FEES):
        raise _house(account)
    if form.kind == "bearer" and form.ip_allow is not None:
        says = "ip_allow is for keys: kind must be 'hmac'."
        raise Problem("validation_error", says, field="ip_allow")
    scopes = [scope.value for scope in Scope if scope.value in form.scopes]
    # Storage fills in the subject and what was made, once it has its number.
    label, time, audit = form.label or "", context.bridge.now(), _note(call, "token.issue", "")
    if form.kind == "bearer":
        issued = await context.tokens.issue(account.id, scopes, label, time, audit)
        context.token_index.add_token(issued.token)
        shown: codec.Json = {"token": issued.secret}
    else:
        issued = await context.tokens.issue_key(
            account.id, scopes, label, ip_allow=form.ip_allow, time=time, audit=audit
        )
        key = StoredKey(issued.token.key or "", issued.secret, issued.token)
        context.token_index.add_key(api_key(key))
        shown = {"key": key.name, "secret": key.secret}
    return Answered(CREATED, {"id": issued.token.id, **shown, "scopes": issued.token.scopes})


async def list_tokens(call: Call) -> Answered:
    """List an account's tokens and keys, revoked ones too."""
    stored = await call.context.tokens.of_account(_account(call).id)
    items = [codec.token(known) for known in stored]
    return Answered(OK, slice_of(items, given(call.query, PageQuery)))


async def revoke_token(call: Call) -> Answered:
    """Make a token or key invalid, at once and for ever."""
    context = call.context
    number = call.path_id()
    # Storage fills in what it was, and is now.
    audit = _note(call, "token.revoke", f"token {number}")
    revoked = await context.tokens.revoke(number, context.bridge.now(), audit)
    if revoked is None:
        # An earlier try may have been stored without our learning of it.
        context.token_index.drop(number)
        raise Problem("not_found", "There is no valid token of this id.")
    context.token_index.revoke(number)
    return Answered(OK, codec.token(revoked))


# --- Money in and out ----------------------------------------------------------------------------


async def deposit(call: Call) -> Answered:
    """Move money in from the outside world."""
    account = _account(call)
    if account.id in (OUTSIDE, FEES):
        raise _house(account)
    return await _transfer(call, account, sign=1)


async def withdraw(call: Call) -> Answered:
    """Move money out to the outside world; fees are paid out from the house's account this way."""
    account = _account(call)
    if account.id == OUTSIDE:
        raise _house(account)
    return await _transfer(call, account, sign=-1)


def _house(account: Account) -> Problem:
    detail = f"Account {account.id} is the house's own ({account.name})."
    return Problem("validation_error", detail, field="id", value=account.id)


async def _transfer(call: Call, account: Account, *, sign: int) -> Answered:
    context, bridge = call.context, call.context.bridge
    form = given(call.form, TransferForm)
    currency = bridge.view.currencies.get(form.currency)
    if currency is None:
        raise Problem(Reject.CURRENCY_NOT_FOUND, field="currency", value=form.currency)
    atoms = sign * amount("amount", form.amount, currency)
    known = await context.queries.transfer(account.id, form.reference)
    if known is not None:
        return _repeated(context, known, form.currency, atoms)
    kind = "deposit" if sign > 0 else "withdrawal"
    content = {
        "currency": form.currency,
        "amount": format_scaled(abs(atoms), currency.scale),
        "reference": form.reference,
    }
    answer = await bridge.send(
        Transfer(
            bridge.new_request_id(),
            bridge.now(),
            account.id,
            form.currency,
            atoms,
            form.reference,
            _note(call, f"account.{kind}", f"account {account.id}", None, content),
        )
    )
    if isinstance(answer, Refused) and answer.rejection.reject is Reject.REFERENCE_CONFLICT:
        # It came while another of the same reference was on its way.
        known = await context.queries.transfer(account.id, form.reference)
        if known is None:
            detail = "A transfer with this reference is still on its way; try again."
            raise Problem("exchange_busy", detail, field="reference", retry_after=RETRY_SECONDS)
        return _repeated(context, known, form.currency, atoms)
    made = _fact(answer, TransferMade)
    stored = StoredTransfer(made.account_id, made.reference, made.currency, made.amount, made.time)
    return Answered(CREATED, codec.transfer(stored, currency.scale))


def _repeated(context: Context, known: StoredTransfer, currency: str, atoms: int) -> Answered:
    """Answer a transfer whose reference was used: the same one is shown, another refused."""
    if (known.currency, known.amount) != (currency, atoms):
        raise Problem(Reject.REFERENCE_CONFLICT, field="reference", value=known.reference)
    scale = context.bridge.view.currencies[known.currency].scale
    return Answered(OK, codec.transfer(known, scale))


# --- Oversight -----------------------------------------------------------------------------------


async def list_orders(call: Call) -> Answered:
    """List everybody's orders, newest first."""
    query = given(call.query, AdminOrdersQuery)
    return Answered(OK, await orders_page(call.context, query.account_id, query))


async def cancel_for_others(call: Call) -> Answered:
    """Cancel orders of a market, of an account, of an account in a market, or all there are."""
    query = given(call.query, AdminCancelQuery)
    if query.account_id is not None and query.account_id not in call.context.bridge.view.accounts:
        raise Problem(Reject.ACCOUNT_NOT_FOUND, field="account_id", value=query.account_id)
    whose = "everybody" if query.account_id is None else f"account {query.account_id}"
    audit = _note(
        call,
        "orders.cancel",
        whose,
        None,
        {"market": query.market, "account_id": query.account_id},
    )
    return await cancel_orders(call, query.market, query.account_id, audit)


async def list_audit(call: Call) -> Answered:
    """List what admins changed, newest first."""
    query = given(call.query, PageQuery)
    found = await reading(
        call.context.queries.audit(limit=query.limit, cursor=query.cursor), query.cursor
    )
    return Answered(OK, codec.page([codec.audit(line) for line in found.items], found.next_cursor))


async def prove(call: Call) -> Answered:
    """Show where all money is, from one consistent snapshot: every sum is zero."""
    found = await call.context.queries.proof()
    currencies = call.context.bridge.view.currencies
    scales = {symbol: known.scale for symbol, known in currencies.items()}
    return Answered(OK, codec.proof(found, scales))
