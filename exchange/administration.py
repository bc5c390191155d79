"""The command `exchange admin`: talks to a running server, with an admin's token."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exchange import candle_admin
from exchange.client import Client, ClientError, Json, Query, path
from exchange.market import MarketState
from exchange.runner import BAD_SETTINGS, FAILED, complain
from exchange.settings import SettingsError, load_settings
from exchange.system import ADMIN_TOKEN_FILE

JSON_OPTION = "--json"
WIDE = 10_000
"""Columns of an output that is not a terminal: nothing is to be broken into lines there."""

T = TypeVar("T")

app = typer.Typer(
    help="Administer a running exchange: accounts, tokens, money, currencies, markets.",
    no_args_is_help=True,
)
accounts = typer.Typer(help="Customers' accounts.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens that let clients in.", no_args_is_help=True)
currencies = typer.Typer(help="What balances are kept in.", no_args_is_help=True)
markets = typer.Typer(help="What trades against what, and by which rules.", no_args_is_help=True)
orders = typer.Typer(help="Orders of others.", no_args_is_help=True)
for group, name in (
    (accounts, "accounts"),
    (tokens, "tokens"),
    (currencies, "currencies"),
    (markets, "markets"),
    (orders, "orders"),
    (candle_admin.app, "candles"),
):
    app.add_typer(group, name=name)


class Options(NamedTuple):
    """Where the server is, who asks, and how answers look."""

    url: str | None
    token: str | None
    data_dir: Path | None
    as_json: bool

    def __repr__(self) -> str:
        """Leave the token out of whatever shows this by accident."""
        return f"Options(url={self.url!r}, data_dir={self.data_dir!r})"


AccountId = Annotated[int, typer.Argument(metavar="ACCOUNT", help="Id of the account.")]
Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="Such as BTC or BTC_USDT.")]
CurrencySymbol = Annotated[str, typer.Argument(metavar="CURRENCY", help="Such as BTC.")]
Amount = Annotated[str, typer.Argument(help="A plain decimal, such as 0.5.")]
Reference = Annotated[
    str,
    typer.Option(help="Names the transfer: with one reference money moves once, however often."),
]
MinQuantity = Annotated[str | None, typer.Option(help="Smallest quantity of an order.")]
MaxQuantity = Annotated[str | None, typer.Option(help="Largest quantity of an order.")]
MinNotional = Annotated[str | None, typer.Option(help="Least that an order must be worth.")]
PriceBand = Annotated[
    str | None,
    typer.Option(help="How far from the last price orders may trade: 0.1 is 10 %; or 'none'."),
]
MakerFee = Annotated[str | None, typer.Option(help="Rate for resting orders: 0.001 is 0.1 %.")]
TakerFee = Annotated[str | None, typer.Option(help="Rate for incoming orders: 0.001 is 0.1 %.")]


@app.callback()
def _options(
    context: typer.Context,
    *,
    url: Annotated[
        str | None,
        typer.Option(help="The server.", show_default="http://127.0.0.1:8000, or as in settings"),
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="An admin's token.", show_default="<data-dir>/admin.token")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="The server's data directory.", show_default="./exchange-data"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option(JSON_OPTION, help="Print what the server answers, for machines.")
    ] = False,
) -> None:
    context.obj = Options(url, token, data_dir, as_json)


@accounts.command("create")
def _create_account(context: typer.Context, name: str) -> None:
    """Open an account."""
    _do(context, "POST", "/admin/accounts", {"name": name})


@accounts.command("list")
def _list_accounts(context: typer.Context) -> None:
    """List all accounts."""
    _show_items(context, "/admin/accounts")


@accounts.command("show")
def _show_account(context: typer.Context, account: AccountId) -> None:
    """Show one account."""
    _do(context, "GET", path("admin", "accounts", account))


@accounts.command("freeze")
def _freeze(context: typer.Context, account: AccountId) -> None:
    """Let an account cancel and read, no more."""
    _do(context, "PATCH", path("admin", "accounts", account), {"frozen": True})


@accounts.command("thaw")
def _thaw(context: typer.Context, account: AccountId) -> None:
    """Let a frozen account trade again."""
    _do(context, "PATCH", path("admin", "accounts", account), {"frozen": False})


@tokens.command("issue")
def _issue_token(
    context: typer.Context,
    account: AccountId,
    *,
    scope: Annotated[
        list[str], typer.Option(help="read, trade or admin; may be given more than once.")
    ] = ["read", "trade"],  # noqa: B006  Typer copies it.
    label: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    kind: Annotated[
        str, typer.Option(help="bearer: sent with each request; hmac: a key that signs them.")
    ] = "bearer",
    ip_allow: Annotated[
        list[str] | None,
        typer.Option(help="Network that a key may be used from; may be given more than once."),
    ] = None,
) -> None:
    """Issue a token or a key for an account; its secret is shown this once."""
    form: Json = {"kind": kind, "scopes": scope} | ({} if label is None else {"label": label})
    if ip_allow:
        form["ip_allow"] = ip_allow
    _do(context, "POST", path("admin", "accounts", account, "tokens"), form)


@tokens.command("list")
def _list_tokens(context: typer.Context, account: AccountId) -> None:
    """List an account's tokens and keys, without the secrets."""
    _show_items(context, path("admin", "accounts", account, "tokens"))


@tokens.command("revoke")
def _revoke_token(
    context: typer.Context,
    token: Annotated[int, typer.Argument(metavar="TOKEN", help="Id of the token.")],
) -> None:
    """Turn a token or a key away from now on."""
    _do(context, "DELETE", path("admin", "tokens", token))


@app.command("deposit")
def _deposit(
    context: typer.Context,
    account: AccountId,
    currency: CurrencySymbol,
    amount: Amount,
    reference: Reference,
) -> None:
    """Bring money in from the outside world."""
    form: Json = {"currency": currency, "amount": amount, "reference": reference}
    _do(context, "POST", path("admin", "accounts", account, "deposits"), form)


@app.command("withdraw")
def _withdraw(
    context: typer.Context,
    account: AccountId,
    currency: CurrencySymbol,
    amount: Amount,
    reference: Reference,
) -> None:
    """Send money out to the outside world."""
    form: Json = {"currency": currency, "amount": amount, "reference": reference}
    _do(context, "POST", path("admin", "accounts", account, "withdrawals"), form)


@currencies.command("create")
def _create_currency(
    context: typer.Context,
    symbol: CurrencySymbol,
    name: Annotated[str, typer.Option(help="Such as Bitcoin.")],
    scale: Annotated[int, typer.Option(help="Decimal places, 0 to 18; fixed once used.")],
) -> None:
    """Make a currency."""
    form: Json = {"symbol": symbol, "name": name, "scale": scale}
    _do(context, "POST", "/admin/currencies", form)


@currencies.command("list")
def _list_currencies(context: typer.Context) -> None:
    """List all currencies."""
    _show_items(context, "/admin/currencies")


@currencies.command("rename")
def _rename_currency(context: typer.Context, symbol: CurrencySymbol, name: str) -> None:
    """Give a currency another name; its symbol stays."""
    _do(context, "PATCH", path("admin", "currencies", symbol), {"name": name})


@markets.command("create")
def _create_market(
    context: typer.Context,
    base: Annotated[str, typer.Argument(help="What is traded, such as BTC.")],
    quote: Annotated[str, typer.Argument(help="What it is paid in, such as USDT.")],
    *,
    tick_size: Annotated[str, typer.Option(help="Smallest step of a price.")],
    lot_size: Annotated[str, typer.Option(help="Smallest step of a quantity.")],
    min_quantity: MinQuantity = None,
    max_quantity: MaxQuantity = None,
    min_notional: MinNotional = None,
    price_band: PriceBand = None,
    maker_fee: MakerFee = None,
    taker_fee: TakerFee = None,
    state: Annotated[MarketState | None, typer.Option(help="State to begin in.")] = None,
) -> None:
    """Make a market; it trades at once."""
    form = _given(
        base=base,
        quote=quote,
        tick_size=tick_size,
        lot_size=lot_size,
        min_quantity=min_quantity,
        max_quantity=max_quantity,
        min_notional=min_notional,
        price_band=price_band,
        maker_fee=maker_fee,
        taker_fee=taker_fee,
        state=state,
    )
    _do(context, "POST", "/admin/markets", form)


@markets.command("list")
def _list_markets(context: typer.Context) -> None:
    """List all markets."""
    _show_items(context, "/admin/markets")


@markets.command("update")
def _update_market(
    context: typer.Context,
    symbol: Symbol,
    *,
    min_quantity: MinQuantity = None,
    max_quantity: MaxQuantity = None,
    min_notional: MinNotional = None,
    price_band: PriceBand = None,
    maker_fee: MakerFee = None,
    taker_fee: TakerFee = None,
) -> None:
    """Change a market's limits, band or fees, from its next order on."""
    form = _given(
        min_quantity=min_quantity,
        max_quantity=max_quantity,
        min_notional=min_notional,
        price_band=price_band,
        maker_fee=maker_fee,
        taker_fee=taker_fee,
    )
    if not form:
        complain("nothing to change: name a rule, such as --taker-fee 0.002")
        raise typer.Exit(BAD_SETTINGS)
    _do(context, "PATCH", path("admin", "markets", symbol), form)


@markets.command("state")
def _change_state(context: typer.Context, symbol: Symbol, state: MarketState) -> None:
    """Open, halt or delist a market; delisted is final and cancels all its orders."""
    form: Json = {"state": state.value}
    _do(context, "PATCH", path("admin", "markets", symbol), form)


def _given(**rules: str | None) -> Json:
    """Return the rules that are named; the band 'none' takes the band away."""
    given: Json = {name: value for name, value in rules.items() if value is not None}
    if given.get("price_band") == "none":
        given["price_band"] = None
    return given


@orders.command("cancel")
def _cancel_orders(
    context: typer.Context,
    market: Annotated[str | None, typer.Option(help="Only of this market.")] = None,
    account: Annotated[int | None, typer.Option(help="Only of this account's id.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All orders of everybody.")] = False,
) -> None:
    """Cancel orders of a market, of an account, or --all."""
    if market is None and account is None and not every:
        complain("say whose: --market, --account or --all")
        raise typer.Exit(BAD_SETTINGS)
    _do(context, "DELETE", "/admin/orders", query={"market": market, "account_id": account})


@app.command("audit")
def _audit(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest to show.")] = 100,
) -> None:
    """Show who changed what, and when."""
    _show_items(context, "/admin/audit", most=limit)


@app.command("proof")
def _proof(context: typer.Context) -> None:
    """Show that no money appeared or vanished; exit code 1 if any did."""
    answer = _ask(context, lambda client: client.call("GET", "/admin/proof"))
    if not _print_json(context, answer):
        _print_table(answer["currencies"])
        _print_table(answer["markets"])
    wrong = [line["currency"] for line in answer["currencies"] if line["sum"].strip("0.")]
    if wrong:
        complain(f"money appeared or vanished: {', '.join(wrong)}")
        raise typer.Exit(FAILED)


def _do(
    context: typer.Context,
    method: str,
    resource: str,
    form: Json | None = None,
    query: Query | None = None,
) -> None:
    answer = _ask(context, lambda client: client.call(method, resource, form, query=query))
    if _print_json(context, answer):
        return
    table = Table(show_header=False)
    for name, value in answer.items():
        table.add_row(name, _cell(value))
    _console().print(table)


def _show_items(context: typer.Context, resource: str, *, most: int | None = None) -> None:
    items = _ask(context, lambda client: client.items(resource, most=most))
    if not _print_json(context, items):
        _print_table(items)


def _ask(context: typer.Context, question: Callable[[Client], Coroutine[None, None, T]]) -> T:
    options: Options = context.obj
    url, token = find_server(options.url, options.token, options.data_dir)

    async def ask() -> T:
        async with Client(url, token) as client:
            return await question(client)

    try:
        return asyncio.run(ask())
    except ClientError as error:
        complain(str(error))
        raise typer.Exit(FAILED) from None


def find_server(url: str | None, token: str | None, data_dir: Path | None) -> tuple[str, str]:
    """Return where the server is and the admin's token to show there."""
    try:
        settings = load_settings(data_dir=data_dir)
    except SettingsError as error:
        complain(f"bad settings\n{error}")
        raise typer.Exit(BAD_SETTINGS) from None
    url = url or _url(settings.host, settings.port)
    return url, token or _read_token(settings.data_dir / ADMIN_TOKEN_FILE)


def _url(host: str, port: int) -> str:
    # What listens on every address is reached at the local one.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _read_token(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        complain(f"no admin token in {file}: {error.strerror}; give --data-dir or --token")
        raise typer.Exit(FAILED) from None


def _print_json(context: typer.Context, answer: Json | list[Json]) -> bool:
    """Print for machines, if that is wanted."""
    options: Options = context.obj
    if options.as_json:
        typer.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
    return options.as_json


def _print_table(items: list[Json]) -> None:
    if not items:
        typer.echo("none")
        return
    table = Table(*items[0])
    for item in items:
        table.add_row(*(_cell(value) for value in item.values()))
    _console().print(table)


def _cell(value: object) -> Text:
    match value:
        case None:
            text = ""
        case str():
            text = value
        case bool():
            text = "yes" if value else "no"
        case _:
            text = orjson.dumps(value).decode()
    # Names come from people: neither markup nor a terminal's escape codes are to work here.
    return Text("".join(c if c.isprintable() else "?" for c in text), overflow="fold")


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)
