"""The command `exchange`: serve, demo, admin."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import exchange
from exchange import administration
from exchange.demo.company import company
from exchange.runner import BAD_SETTINGS, FAILED, OK, complain, run
from exchange.settings import Settings, SettingsError, load_settings

app = typer.Typer(
    help="A complete spot exchange: PostgreSQL and Redis come with it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    # A traceback that shows local variables would show tokens.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(administration.app, name="admin")

Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]
Port = Annotated[
    int | None, typer.Option(help="Port to listen on; 0 takes any free one.", show_default="8000")
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Where the embedded PostgreSQL and Redis live, and the admin token.",
        show_default="./exchange-data",
    ),
]


class Speed(StrEnum):
    """How fast a recorded flow is played."""

    REAL = "1x"
    TENFOLD = "10x"
    MAX = "max"


def main() -> None:
    """Run the command line."""
    app(_arguments(sys.argv[1:]), prog_name="exchange")


def _arguments(given: list[str]) -> list[str]:
    """Let `--json` stand anywhere in an admin's command, most naturally at its end."""
    if given[:1] == ["admin"] and administration.JSON_OPTION in given:
        rest = [word for word in given[1:] if word != administration.JSON_OPTION]
        return ["admin", administration.JSON_OPTION, *rest]
    return given


def _show_version(wanted: bool) -> None:  # noqa: FBT001  Typer calls it so.
    if wanted:
        typer.echo(f"exchange {exchange.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def serve(host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Run the exchange until Ctrl-C.

    Without configuration it keeps its own PostgreSQL and Redis in the data directory. Every other
    setting is a variable EXCHANGE_... of the environment or of a .env file; .env.example has all.
    """
    raise typer.Exit(run(_settings(host, port, data_dir)))


@app.command()
def demo(
    *,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    seed: Annotated[int, typer.Option(help="Makes the bots' prices and choices reproducible.")] = 1,
    bots: Annotated[
        bool,
        typer.Option(
            "--bots/--no-bots", help="Whether bots keep the markets moving, from a week ago on."
        ),
    ] = True,
) -> None:
    """Run the exchange with three markets, two funded accounts and bots that trade.

    Prints the accounts' tokens and a first order to paste. It is a sandbox: anybody who reaches it
    gets an account with play money. A second start goes on where the first
    one ended.
    """
    settings = _settings(host, port, data_dir, sandbox=True)
    raise typer.Exit(run(settings, company(settings, seed=seed, bots=bots)))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="Messages in LOBSTER's format.")],
    market: Annotated[str, typer.Option(help="Such as AAPL_USD; it is made if it is not there.")],
    *,
    speed: Annotated[Speed, typer.Option(help="How fast, by the file's times.")] = Speed.MAX,
    levels: Annotated[
        int | None, typer.Option(min=1, help="Levels of the book file to go by; all without it.")
    ] = None,
    book: Annotated[
        Path | None, typer.Option(help="The book file: what rested before, and what to check.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare all levels after every message; needs --book.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave what rests at the end in the book.")
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="The server.", show_default="http://127.0.0.1:8000")
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="An admin's token.", show_default="<data-dir>/admin.token")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Play a recorded order flow on a running exchange, as orders that others can trade with.

    Makes the market and two accounts if they are missing: one whose orders rest, one that executes.
    """
    from exchange.replay import command  # noqa: PLC0415  Needed by nobody else.

    if check and book is None:
        complain("--check compares with the book file: give --book")
        raise typer.Exit(BAD_SETTINGS)
    server = administration.find_server(url, token, data_dir)
    wishes = command.Wishes(file, market, speed.value, levels, book, check, keep)
    raise typer.Exit(command.run(wishes, *server))


@app.command()
def doctor(
    data_dir: DataDir = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it for machines.")] = False,
) -> None:
    """Look whether all that an exchange needs is there and safe; change nothing.

    Exit code 1 if anything is wrong.
    """
    from exchange.doctor import examine, show  # noqa: PLC0415  Needed by nobody else.

    findings = examine(_settings(None, None, data_dir))
    show(findings, as_json=as_json)
    raise typer.Exit(FAILED if any(one.state == "problem" for one in findings) else OK)


def _settings(
    host: str | None, port: int | None, data_dir: Path | None, *, sandbox: bool | None = None
) -> Settings:
    try:
        return load_settings(host=host, port=port, data_dir=data_dir, sandbox=sandbox)
    except SettingsError as error:
        complain(f"bad settings\n{error}")
        raise typer.Exit(BAD_SETTINGS) from None
