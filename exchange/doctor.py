"""The command `exchange doctor`: looks at everything that a server needs, and changes nothing."""

import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import exchange.book
from exchange.persistence.embedded import running_urls
from exchange.persistence.examination import examine_postgres, examine_redis
from exchange.settings import Settings
from exchange.stored import Finding

LEAST_FREE_BYTES, FEW_FREE_BYTES = 1 << 30, 10 << 30
FILES_BESIDE_CONNECTIONS = 200
STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def examine(settings: Settings) -> list[Finding]:
    """Return all findings, in the order in which they matter."""
    return [
        *_program(),
        *_directory(settings.data_dir),
        _port(settings.host, settings.port),
        _files(settings.max_connections),
        *_time(),
        *_servers(settings),
    ]


def show(findings: list[Finding], *, as_json: bool) -> None:
    """Print the findings for people or for machines."""
    if as_json:
        typer.echo(orjson.dumps([one._asdict() for one in findings]).decode())
        return
    table = Table("what", "state", "found", "to do")
    for name, state, found, advice in findings:
        # An error's text is a server's: it may hold markup, and must not work as such.
        table.add_row(name, Text(state, STYLES[state]), Text(found), Text(advice))
    Console().print(table)


def _program() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    suffix = sysconfig.get_config_var("EXT_SUFFIX") or ".so"
    compiled = str(exchange.book.__file__).endswith(suffix)
    shown = f"Python {version}, exchange {exchange.__version__}"
    yield Finding("program", "ok", f"{shown}, {'compiled' if compiled else 'not compiled'}")


def _directory(path: Path) -> Iterator[Finding]:
    above = next(folder for folder in (path.resolve(), *path.resolve().parents) if folder.exists())
    if not os.access(above, os.W_OK):
        advice = "Give it to the user who runs the exchange, or set EXCHANGE_DATA_DIR."
        yield Finding("data directory", "problem", f"{above} cannot be written to", advice)
    elif above == path.resolve() and stat.S_IMODE(above.stat().st_mode) & 0o077:
        advice = f"chmod 700 {path}: the admin token is in it."
        yield Finding("data directory", "warning", "open to other users", advice)
    else:
        is_there = above == path.resolve()
        yield Finding("data directory", "ok", f"{path}{'' if is_there else ', to be made'}")
    free = shutil.disk_usage(above).free
    shown = f"{free / (1 << 30):.1f} GiB free"
    if free < LEAST_FREE_BYTES:
        advice = "Make room: a full disk stops trading until there is some."
        yield Finding("disk", "problem", shown, advice)
    elif free < FEW_FREE_BYTES:
        yield Finding("disk", "warning", shown, "A million orders take about 2 GiB.")
    else:
        yield Finding("disk", "ok", shown)


def _port(host: str, port: int) -> Finding:
    if port == 0:
        return Finding("port", "ok", "any free one")
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        holder = _holder(port)
        advice = "Stop that program if it is no exchange, or set EXCHANGE_PORT."
        if holder is not None:
            return Finding("port", "warning", f"{port} is held by {holder}", advice)
        return Finding("port", "problem", f"{host}:{port}: {error.strerror}", advice)
    return Finding("port", "ok", f"{host}:{port} is free")


def _holder(port: int) -> str | None:
    """Return who listens on a port, as far as we may know."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr[1:] == (port,) and found.pid:
                return f"{psutil.Process(found.pid).name()} (process {found.pid})"
    except psutil.Error:
        pass
    return None


def _files(connections: int) -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = connections + FILES_BESIDE_CONNECTIONS
    shown = f"{soft} may be open, {need} needed"
    if soft != resource.RLIM_INFINITY and soft < need:
        advice = "Raise the limit (ulimit -n, LimitNOFILE=) or lower EXCHANGE_MAX_CONNECTIONS."
        return Finding("files", "warning", shown, advice)
    return Finding("files", "ok", shown)


def _time() -> Iterator[Finding]:
    program = shutil.which("timedatectl")
    if program is None:
        return
    said = subprocess.run(  # noqa: S603  A program of the system, with words of ours.
        [program, "show", "--property=NTPSynchronized", "--value"],
        capture_output=True,
        text=True,
        timeout=5,
        check=False,
    ).stdout.strip()
    if said == "yes":
        yield Finding("clock", "ok", "kept by NTP")
    elif said == "no":
        advice = "Switch NTP on: every order and trade carries this clock's time."
        yield Finding("clock", "warning", "not kept by NTP", advice)


def _servers(settings: Settings) -> Iterator[Finding]:
    database_url, redis_url = settings.database_url, settings.redis_url
    runs = (settings.data_dir / "run").exists()
    if runs:
        embedded = running_urls(settings.data_dir)
        database_url, redis_url = database_url or embedded[0], redis_url or embedded[1]
    if database_url is None or redis_url is None:
        yield Finding("embedded servers", "ok", "not running now, so not looked into")
    if database_url is not None:
        yield from examine_postgres(database_url, settings.database_pool_size)
    if redis_url is not None:
        yield from examine_redis(redis_url)
