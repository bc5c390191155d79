"""Every setting of the server: read once at the start, from `EXCHANGE_*` and a `.env` file."""

import os
import re
from decimal import Decimal
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "EXCHANGE_"
ENV_FILE = ".env"

_Count = Annotated[int, Field(ge=1)]
_Rate = Annotated[float, Field(gt=0, le=1_000_000_000)]
_Seconds = Annotated[float, Field(gt=0, le=3600)]


def _networks(text: str) -> str:
    for network in text.split(",") if text.strip() else ():
        ip_network(network.strip())
    return text


# What parsers read in different ways, and then repeat in their errors: a password, mostly.
_AMBIGUOUS = re.compile(r"[\s#]|%(?![0-9A-Fa-f]{2})")


def _readable(url: str | None) -> str | None:
    """Return a URL that every parser reads alike, or refuse it without repeating any of it."""
    if url is None:
        return None
    authority = re.split(r"[/?]", url.partition("://")[2], maxsplit=1)[0]
    user, _, host = authority.rpartition("@")
    port = host.rpartition("]")[2].partition(":")[2]
    if (
        _AMBIGUOUS.search(url)
        or url.count("@") > authority.count("@")
        or any(character in user for character in "@[]")
        # PostgreSQL takes several hosts with their ports.
        or not (port == "" or port.isdecimal() or "," in host)
    ):
        raise ValueError("not a URL; a special character in a password is written like %2F for /")
    return url


def _funds(text: str) -> str:
    read_funds(text)
    return text


def read_funds(text: str) -> dict[str, Decimal]:
    """Return what `sandbox_funds` gives, by currency; "*" is any other. Raises `ValueError`."""
    funds: dict[str, Decimal] = {}
    for entry in text.split(","):
        match = _FUNDS.match(entry.strip())
        if match is None or match[1] in funds:
            raise ValueError('not amounts by currency, such as "BTC=10,*=100000"')
        funds[match[1]] = Decimal(match[2])
    return funds


_FUNDS = re.compile(r"([A-Z0-9]{1,10}|\*)=([0-9]{1,12}(?:\.[0-9]{1,18})?)\Z", re.ASCII)


class SettingsError(Exception):
    """A setting has an unknown name or a bad value; the message says all that is wrong."""


class Settings(BaseSettings):
    """What an operator may choose; a field's description is its documentation."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        # A URL may hold a password; load_settings() shows the values of other settings itself.
        hide_input_in_errors=True,
    )

    # Where the server listens and what it keeps.
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(
        8000, ge=0, le=65535, description="TCP port to listen on; 0 takes any free one."
    )
    data_dir: Path = Field(
        Path("./exchange-data"),
        description="Directory of the embedded servers and of the admin token.",
    )
    database_url: Annotated[str | None, AfterValidator(_readable)] = Field(
        None,
        pattern=r"^postgres(ql)?://",
        repr=False,
        description="PostgreSQL to use instead of the embedded one: postgresql://user@host/name.",
    )
    master_key_file: Path | None = Field(
        None,
        description="File of the key that wraps the secrets of API keys; made at the first start. "
        "master.key in the data directory, if not set.",
    )
    redis_url: Annotated[str | None, AfterValidator(_readable)] = Field(
        None,
        pattern=r"^(rediss?|unix)://",
        repr=False,
        description="Redis to use instead of the embedded one: redis://host:6379/0.",
    )

    # Logs.
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is logged."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="How log lines look; auto is console on a terminal and json otherwise."
    )

    # Rates: tokens per second and how many may be saved up.
    rate_limits: bool = Field(True, description="Whether rates are limited at all: on or off.")
    orders_per_second: _Rate = Field(100, description="Orders and amendments per token and second.")
    orders_burst: _Count = Field(200, description="Orders and amendments per token at once.")
    cancels_per_second: _Rate = Field(200, description="Cancels per token and second.")
    cancels_burst: _Count = Field(400, description="Cancels per token at once.")
    reads_per_second: _Rate = Field(100, description="Reads per token and second.")
    reads_burst: _Count = Field(200, description="Reads per token at once.")
    address_requests_per_second: _Rate = Field(
        1000, description="Requests of any kind per client address and second."
    )
    address_burst: _Count = Field(
        2000, description="Requests of any kind per client address at once."
    )
    failed_auth_per_minute: _Count = Field(
        30, description="Refused tokens per client address and minute."
    )
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = Field(
        "",
        description="Networks (CIDR, by commas) of proxies whose X-Forwarded-For is believed.",
    )

    allowed_origins: str = Field(
        "",
        description="Origins (https://desk.example, by commas) whose pages may call, besides ours.",
    )

    # Requests.
    max_in_flight: _Count = Field(
        20_000, description="Commands that wait for their answer, in all."
    )
    max_in_flight_per_market: _Count = Field(
        10_000, description="Commands that wait for their answer, per market."
    )
    request_timeout_seconds: _Seconds = Field(
        10, description="Seconds after which a command is answered with 504, outcome unknown."
    )
    max_body_bytes: int = Field(65_536, ge=1024, description="Largest body of a request, in bytes.")
    max_batch_body_bytes: int = Field(
        524_288, ge=1024, description="Largest body of a batch of orders, in bytes."
    )
    body_deadline_seconds: _Seconds = Field(
        5, description="Seconds in which a body must have arrived."
    )
    header_deadline_seconds: _Seconds = Field(
        5, description="Seconds in which a request's headers must have arrived."
    )
    keepalive_seconds: _Seconds = Field(
        75, description="Seconds that an idle connection stays open."
    )
    max_connections: _Count = Field(4096, description="Open connections, in all.")
    max_connections_per_address: _Count = Field(
        1024, description="Open connections per client address."
    )
    shutdown_seconds: _Seconds = Field(
        10, description="Seconds that a stopping server waits for answers still due."
    )

    # WebSocket.
    ws_frame_bytes: int = Field(
        65_536, ge=1024, description="Largest frame from a client, in bytes."
    )
    ws_frames_per_second: _Count = Field(
        2000,
        description="Frames that one connection may send per second, twice as many at once; "
        "more closes it with 1008.",
    )
    ws_subscriptions: _Count = Field(
        200, description="Channels that one connection may subscribe to."
    )
    ws_queue_bytes: int = Field(
        1_048_576,
        ge=65_536,
        description="Bytes that may wait for a slow reader before it is closed with 4008.",
    )
    ws_heartbeat_seconds: _Seconds = Field(
        20, description="Seconds between pings; no pong in time closes the connection."
    )

    # Trading and market data.
    max_open_orders: _Count = Field(1000, description="Open orders per account and market.")
    book_depth_published: int = Field(
        100, ge=1, le=1000, description="Levels per side in the snapshots in Redis."
    )
    recent_trades_kept: int = Field(
        1000, ge=1, le=100_000, description="Trades per market kept in memory and in Redis."
    )

    # Sandbox: an exchange of play money, where anybody gets an account and funds.
    sandbox: bool = Field(
        False,
        description="Whether anybody may make an account with play money: on or off. Refused on a "
        "database that was ever served without it.",
    )
    sandbox_funds: Annotated[str, AfterValidator(_funds)] = Field(
        "BTC=10,ETH=100,USDT=500000,*=100000",
        description="What a sandbox account begins with, by currency; * is any other currency.",
    )
    sandbox_accounts_per_hour: _Count = Field(
        60, description="Sandbox accounts per client address and hour, as many at once."
    )
    sandbox_faucet_per_day: int = Field(
        10,
        ge=1,
        le=100,
        description="Calls of the faucet per account, currency and day (UTC), each for at most "
        "what an account begins with.",
    )

    # Engine and storage.
    database_timeout_seconds: _Seconds = Field(
        10,
        description="Seconds for a statement of a commit; then the exchange connects again.",
    )
    database_pool_size: int = Field(
        8, ge=1, le=40, description="Connections to PostgreSQL for reads."
    )
    persistence_max_batch: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Outcomes that are committed in one transaction, at most.",
    )
    recent_client_order_ids: _Count = Field(
        200_000, description="Client order ids kept exactly in memory; older ones are looked up."
    )
    switch_interval_ms: float = Field(
        5.0,
        gt=0,
        le=1000,
        description="Milliseconds after which Python switches between busy threads.",
    )


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401  Pydantic checks the types.
    """Read the settings, or raise `SettingsError`; an override of `None` counts as not given."""
    assert overrides.keys() <= Settings.model_fields.keys(), f"no such settings: {overrides}"
    problems = [f"{name}: no such setting{_suggestion(name)}" for name in _unknown_names()]
    try:
        settings = Settings(**{name: v for name, v in overrides.items() if v is not None})
    except ValidationError as error:
        problems += [_explain(e["loc"], e["msg"], e["input"]) for e in error.errors()]
    if problems:
        short = ", ".join(name.removeprefix(PREFIX) for name in _env_names())
        names = fill(short, 78, initial_indent="  ", subsequent_indent="  ")
        raise SettingsError("\n".join([*problems, f"The settings, after {PREFIX}:", names]))
    return settings


def env_example() -> str:
    """Return `.env.example`: every setting with its meaning and its default, commented out."""
    lines = [
        "# Settings of the exchange, with their defaults. Copy this file to .env and uncomment",
        "# what you change; variables of the environment win over .env.",
    ]
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {field.description}", f"#{PREFIX}{name.upper()}={_text(field.default)}"]
    return "\n".join(lines) + "\n"


def _text(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return "on" if default else "off"
        case _:
            return str(default)


def _env_names() -> list[str]:
    return [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]


def _unknown_names() -> list[str]:
    found = {name.upper() for name in (*os.environ, *dotenv_values(ENV_FILE))}
    return sorted(name for name in found - {*_env_names()} if name.startswith(PREFIX))


def _suggestion(name: str) -> str:
    close = get_close_matches(name, _env_names(), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _explain(location: tuple[int | str, ...], message: str, value: object) -> str:
    name = str(location[0])
    # A URL may hold a password, which must not end up on a screen or in a log.
    given = "" if name.endswith("_url") else f", not {value!r}"
    return f"{PREFIX}{name.upper()}: {message}{given}"


if __name__ == "__main__":
    print(env_example(), end="")  # noqa: T201  This is how `.env.example` is made.
