"""Looks at PostgreSQL and Redis as an operator would, and changes nothing."""

from time import time

import psycopg
import redis

from exchange.persistence.migrations import compare_schema
from exchange.persistence.safety import REQUIRED_ON
from exchange.persistence.writer import LOCK
from exchange.stored import Finding

SECONDS = 5
OLDEST_POSTGRES = 14
MOST_CLOCK_SECONDS = 1.0
HOUSEKEEPING_CONNECTIONS = 6
"""That a server opens beside its pool of reads: writer, candles, start, recovery."""


def examine_postgres(url: str, pool_size: int) -> list[Finding]:
    """Look at the server behind a URL, and at what is in the database."""
    try:
        connection = psycopg.connect(url, connect_timeout=SECONDS, autocommit=True)
    except psycopg.Error as error:
        advice = "Start it, or set EXCHANGE_DATABASE_URL to where it is."
        return [Finding("PostgreSQL", "problem", str(error).strip(), advice)]
    with connection:
        connection.execute("SET default_transaction_read_only = on")
        return [
            _version(connection),
            *(_durability(connection, name) for name in REQUIRED_ON),
            _encoding(connection),
            _room(connection, pool_size),
            _clock(connection),
            _schema(connection),
            _owner(connection),
        ]


def _value(connection: psycopg.Connection, statement: str, *values: object) -> str:
    found = connection.execute(statement.encode(), values).fetchone()
    assert found is not None, "one row"
    return str(found[0])


def _setting(connection: psycopg.Connection, name: str) -> str:
    return _value(connection, "SELECT current_setting(%s)", name)


def _version(connection: psycopg.Connection) -> Finding:
    number = int(_setting(connection, "server_version_num")) // 10_000
    shown = _setting(connection, "server_version")
    if number < OLDEST_POSTGRES:
        return Finding("PostgreSQL", "warning", shown, f"Tested with {OLDEST_POSTGRES} and newer.")
    return Finding("PostgreSQL", "ok", shown)


def _durability(connection: psycopg.Connection, name: str) -> Finding:
    value = _setting(connection, name)
    if value == "off":
        advice = f"Set {name} = on: an acknowledged order could be lost. The server refuses it."
        return Finding(name, "problem", value, advice)
    return Finding(name, "ok", value)


def _encoding(connection: psycopg.Connection) -> Finding:
    value = _setting(connection, "server_encoding")
    if value != "UTF8":
        advice = "Make the database with ENCODING 'UTF8': names are any text."
        return Finding("encoding", "problem", value, advice)
    return Finding("encoding", "ok", value)


def _room(connection: psycopg.Connection, pool_size: int) -> Finding:
    most = int(_setting(connection, "max_connections"))
    used = int(_value(connection, "SELECT count(*) FROM pg_stat_activity"))
    need = pool_size + HOUSEKEEPING_CONNECTIONS
    shown = f"{used} of {most} in use, {need} needed"
    if most < need:
        return Finding("connections", "problem", shown, "Raise max_connections.")
    return Finding("connections", "ok", shown)


def _clock(connection: psycopg.Connection) -> Finding:
    before = time()
    theirs = float(_value(connection, "SELECT extract(epoch FROM clock_timestamp())"))
    off = theirs - (before + time()) / 2
    shown = f"PostgreSQL's is {off:+.3f} s from ours"
    if abs(off) > MOST_CLOCK_SECONDS:
        return Finding("clocks", "warning", shown, "Let both machines keep time by NTP.")
    return Finding("clocks", "ok", shown)


def _schema(connection: psycopg.Connection) -> Finding:
    missing, unknown = compare_schema(connection)
    if unknown:
        advice = "Install the version that made this database, or a later one."
        return Finding("schema", "problem", f"{unknown} changes of a newer version", advice)
    if missing:
        advice = "The next start applies them; make a backup before."
        return Finding("schema", "warning", f"{missing} changes to be applied", advice)
    return Finding("schema", "ok", "as this version makes it")


def _owner(connection: psycopg.Connection) -> Finding:
    # A lock's 64-bit number lies in two columns.
    held = _value(
        connection,
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND classid = %s AND objid = %s",
        LOCK >> 32,
        LOCK & 0xFFFFFFFF,
    )
    return Finding("server", "ok", "one runs on this database" if held != "0" else "none runs now")


def examine_redis(url: str) -> list[Finding]:
    """Look at the Redis behind a URL: a cache, so that nothing there is worse than a warning."""
    try:
        with redis.Redis.from_url(url, socket_timeout=SECONDS) as client:
            about = client.info()
            policy = str(client.config_get("maxmemory-policy").get("maxmemory-policy", "unknown"))
    except redis.RedisError as error:
        advice = "Trading goes on without; start it, or set EXCHANGE_REDIS_URL."
        return [Finding("Redis", "warning", str(error), advice)]
    found = [Finding("Redis", "ok", str(about.get("redis_version", "unknown")))]
    if policy == "noeviction" and int(about.get("maxmemory", 0)):
        advice = "Set maxmemory-policy to allkeys-lru: it is a cache and may forget."
        found.append(Finding("Redis memory", "warning", policy, advice))
    return found
