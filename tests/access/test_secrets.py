"""Secrets are nowhere but where they belong: a real server is used hard, then all is searched."""

import asyncio
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from exchange.administration import Options
from exchange.client import Client as ApiClient
from exchange.client import ClientError
from exchange.client.decode import decode
from exchange.client.values import IssuedKey
from exchange.persistence.embedded import EmbeddedServers
from exchange.persistence.master_key import MasterKey
from exchange.settings import load_settings
from exchange.stored import Issued, StoredKey, StoredToken
from exchange.web.auth import ApiKey, TokenIndex, api_key, hash_token
from exchange.web.client_frames import AuthenticateForm
from exchange.web.errors import Problem
from exchange.web.routing import Principal, Scope
from tests.access.strangers import bearer, sign, stranger
from tests.processes import Process, running
from tests.web.rest import V1, Running, World, fresh_database
from tests.web.serving import run
from tests.web.sockets import connected
from tests.web.test_routes import EXAMPLES


class Secrets(NamedTuple):
    """Everything that must be found nowhere."""

    admin: str
    trader: str
    revoked: str
    mistyped: str
    key_secret: str
    revoked_key_secret: str
    master_key: str
    database_password: str
    redis_password: str


class Served(NamedTuple):
    """A server that runs as a process, and how it was started."""

    data_dir: Path
    env: dict[str, str]
    process: Process
    world: World
    secrets: Secrets


@pytest.fixture(scope="module")
def served(
    server_url: str, template: str, server_redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    data_dir = tmp_path_factory.mktemp("secrets") / "data"
    password = token_hex(16)
    with (
        fresh_database(server_url, template, f"test_secrets_{os.getpid()}") as database_url,
        redis_user(server_redis_url) as (redis_password, redis_url),
    ):
        env = {
            "EXCHANGE_DATABASE_URL": with_password(database_url, "postgres", password),
            "EXCHANGE_REDIS_URL": redis_url,
            "EXCHANGE_LOG_LEVEL": "debug",
            "EXCHANGE_RATE_LIMITS": "off",
        }
        with running(data_dir, "serve", **env) as process:
            process.wait_until_listening()
            admin = (data_dir / "admin.token").read_text().strip()
            endpoint = cast("Running", Endpoint(process.url, admin))
            master_key = (data_dir / "master.key").read_text().strip()
            call_everything(endpoint)
            with closing(World(endpoint)) as world:
                secrets = use_hard(world, admin, password, redis_password, master_key)
                yield Served(data_dir, env, process, world, secrets)


class Endpoint(NamedTuple):
    """As much of a running exchange as a world needs."""

    url: str
    admin_token: str


def with_password(url: str, user: str, password: str) -> str:
    """Return the URL with a password, which a server that trusts its socket does not ask for."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    # A URL without a host keeps its two slashes only if something stands between them.
    return parts._replace(netloc=f"{user}:{password}@{host}").geturl()


@contextmanager
def redis_user(url: str) -> Iterator[tuple[str, str]]:
    """Make a user with a password for as long as the test lasts."""
    user, password = f"access_{os.getpid()}", token_hex(16)
    with redis.Redis.from_url(url) as client:
        client.execute_command("ACL", "SETUSER", user, "on", f">{password}", "~*", "&*", "+@all")
        try:
            yield password, with_password(url, user, password)
        finally:
            client.execute_command("ACL", "DELUSER", user)


def use_hard(
    world: World, admin: str, password: str, redis_password: str, master_key: str
) -> Secrets:
    """Do all that can be done with tokens, right and wrong, and return what is secret."""
    path = f"/admin/accounts/{world.alice.id}/tokens"
    issued = world.admin.post(path, {"scopes": ["read", "trade"], "label": "gone"}).ok(201)
    world.admin.delete(f"/admin/tokens/{issued['id']}").ok()
    form = {"kind": "hmac", "scopes": ["read", "trade"]}
    key, revoked_key = (world.admin.post(path, form).ok(201) for _ in range(2))
    world.admin.delete(f"/admin/tokens/{revoked_key['id']}").ok()
    for secret in (key["secret"], revoked_key["secret"]):
        use_key(world, key["key"], secret)
        use_key(world, revoked_key["key"], secret)
    secrets = Secrets(
        admin=admin,
        trader=str(world.alice.token),
        revoked=issued["token"],
        mistyped="exchange_" + token_urlsafe(32),
        key_secret=key["secret"],
        revoked_key_secret=revoked_key["secret"],
        master_key=master_key,
        database_password=password,
        redis_password=redis_password,
    )
    for token in secrets[:6]:
        misuse(world, token)
        run(misuse_socket(world, token))
    return secrets


def use_key(world: World, key: str, secret: str) -> None:
    """Sign with a key, right and wrong."""
    with stranger(world.url) as asking:
        for headers in (
            sign(key, secret, "GET", f"{V1}/balances"),
            sign(key, secret, "GET", f"{V1}/orders"),
            sign(secret, secret, "GET", f"{V1}/balances"),
            [*sign(key, secret, "GET", f"{V1}/balances"), *bearer(secret)],
            [("X-Api-Key", key), ("X-Api-Timestamp", secret), ("X-Api-Signature", secret)],
        ):
            asking.ask("GET", f"{V1}/balances", None, headers)


def call_everything(endpoint: Running) -> None:
    """Make every call of the table as it succeeds, each in a market of its own."""
    for (method, path), example in EXAMPLES.items():
        with closing(World(endpoint)) as world:
            variables, form = example(world)
            client = world.admin if path.startswith("/admin") else world.alice
            assert client.call(method, path.format(**variables), form).status < 300


def misuse(world: World, token: str) -> None:
    """Put a token wherever it does not belong."""
    form = world.form("buy", "1", "10")
    headers = [*bearer(token), ("X-Token", token), ("Cookie", token), ("User-Agent", token)]
    with stranger(world.url) as asking:
        for method, target in (
            ("GET", f"/{token}"),
            ("GET", f"{V1}/orders/{token}"),
            ("DELETE", f"{V1}/orders/by-client-id/{token}"),
            ("GET", f"{V1}/markets/{token}/book"),
            ("GET", f"{V1}/balances?cursor={token}"),
            ("GET", f"{V1}/balances?{token}=1"),
            ("PATCH", f"{V1}/admin/markets/{token}"),
            ("DELETE", f"{V1}/admin/tokens/{token}"),
            ("PUT", f"{V1}/orders?token={token}"),
        ):
            assert asking.ask(method, target, None, headers).status >= 400
        for body in (
            {**form, "token": token},
            {**form, token: 1},
            *({**form, name: token} for name in form),
            {**form, "client_order_id": token},
            [token],
            token,
        ):
            assert asking.ask("POST", f"{V1}/orders", body, headers).status >= 400
            assert asking.ask("POST", f"{V1}/admin/accounts", body, headers).status >= 400
        for header in (f"Basic {token}", token, f"Bearer {token} {token}", f"Bearer\t{token}"):
            asking.ask("GET", f"{V1}/balances", None, [("Authorization", header)])
    head = f"POST {V1}/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    for raw in (
        f"GET /{token} {token}\r\n\r\n",
        f"{token} / HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\n{token}\r\n\r\n",
        f"{head}Content-Length: 50\r\n\r\n{{{token}",
    ):
        send_raw(world.url, raw.encode())


def send_raw(url: str, data: bytes) -> None:
    async def go() -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(data)
        writer.write_eof()
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    run(go())


async def misuse_socket(world: World, token: str) -> None:
    async with connected(world.url, headers={"Authorization": f"Bearer {token}"}) as socket:
        for text in (
            token,
            f'{{"op": "authenticate", "token": "{token}"',
            f'{{"op": "{token}"}}',
            f'{{"op": "authenticate", "token": ["{token}"]}}',
            f'{{"op": "subscribe", "channels": ["{token}", "book:{token}"]}}',
            f'{{"op": "order.cancel", "order_id": "{token}"}}',
            f'{{"op": "authenticate", "token": "{token}", "{token}": 1}}',
        ):
            await socket.raw.send_str(text)
            assert "error" in await socket.next()
        await socket.answer(await socket.send("authenticate", token=token))
        await socket.answer(await socket.send("order.place", market=token))
        await socket.answer(await socket.send("order.cancel", client_order_id=token))
    with suppress(ConnectionError):
        async with connected(world.url) as socket:
            await socket.raw.send_bytes(b"\xff" + token.encode())
            await socket.raw.send_str(token * 2000)
            await socket.close_code()


def found_in(secrets: Secrets, text: str) -> list[str]:
    return [name for name, secret in secrets._asdict().items() if secret in text]


def test_the_search_would_find_each_of_them(served: Served) -> None:
    secrets = served.secrets

    assert len(set(secrets)) == len(secrets)
    assert all(len(secret) >= 32 for secret in secrets)
    assert found_in(secrets, " ".join(secrets)) == list(secrets._fields)


def test_no_secret_is_in_the_database(served: Served) -> None:
    found, rows = [], 0
    with psycopg.connect(served.env["EXCHANGE_DATABASE_URL"]) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for (table,) in tables:
            for (row,) in connection.execute(f'SELECT t::text FROM "{table}" AS t'.encode()):
                rows += 1
                found += [(table, name) for name in found_in(served.secrets, row)]
        # What the server is asked, and by whom.
        for (row,) in connection.execute("SELECT a::text FROM pg_stat_activity AS a"):
            found += [("activity", name) for name in found_in(served.secrets, row)]

    assert {"tokens", "audit", "accounts", "orders"} <= {table for (table,) in tables}
    assert rows > 50
    assert found == []


def test_no_secret_is_in_redis(served: Served) -> None:
    with redis.Redis.from_url(served.env["EXCHANGE_REDIS_URL"]) as client:
        keys = list(client.scan_iter())
        texts = [repr((key, client.dump(key), client.get(key))) for key in keys]
        texts.append(repr(client.client_list()))

    assert keys
    assert [name for text in texts for name in found_in(served.secrets, text)] == []


@pytest.mark.parametrize(
    "target",
    ["/metrics", "/health/ready", "/docs", f"{V1}/openapi.json", f"{V1}/admin/audit?limit=1000"],
)
def test_no_secret_is_in_what_the_server_says_of_itself(served: Served, target: str) -> None:
    with stranger(served.world.url) as asking:
        reply = asking.ask("GET", target, None, bearer(served.secrets.admin))

    assert reply.status == 200
    assert found_in(served.secrets, str(reply.body)) == []


def test_the_tokens_are_listed_without_what_would_let_anybody_in(served: Served) -> None:
    world = served.world
    listed = world.admin.get(f"/admin/accounts/{world.alice.id}/tokens").items()

    assert listed
    assert all(
        set(line)
        == {
            "id",
            "account_id",
            "kind",
            "key",
            "ip_allow",
            "scopes",
            "label",
            "created_at",
            "revoked_at",
        }
        for line in listed
    )


def test_no_secret_is_in_the_names_of_processes(served: Served) -> None:
    lines = []
    for folder in Path("/proc").iterdir():
        # The tests' own process, and those that end meanwhile, have nothing to say.
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            with suppress(OSError):
                lines.append((folder / "cmdline").read_bytes().decode("utf-8", "replace"))

    assert any("exchange" in line and "serve" in line for line in lines)
    assert [name for line in lines for name in found_in(served.secrets, line)] == []


def test_the_files_are_for_their_owner_alone(served: Served) -> None:
    token = served.data_dir / "admin.token"

    assert stat.S_IMODE(served.data_dir.stat().st_mode) == 0o700
    master_key = served.data_dir / "master.key"
    for file in (token, master_key):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(served.data_dir.iterdir()) == {token, master_key}


def test_a_client_shows_its_token_in_no_error_and_no_text(served: Served) -> None:
    token = served.secrets.mistyped

    async def ask(url: str) -> str:
        async with ApiClient(url, token) as client:
            with pytest.raises(ClientError) as raised:
                await client.call("GET", "/balances")
            return repr(raised.value) + str(raised.value) + repr(client)

    for url in (served.world.url, "http://127.0.0.1:1"):
        assert found_in(served.secrets, asyncio.run(ask(url))) == []


def test_no_object_of_the_exchange_shows_a_secret_as_text(served: Served) -> None:
    token = served.secrets.trader
    index = TokenIndex()
    index.add(hash_token(token), Principal(4, 1, frozenset(Scope)))
    index.add_key(ApiKey("A" * 64, Principal(4, 2, frozenset(Scope)), token.encode()))
    stored = StoredToken(1, 4, hash_token(token), ["read"], "", 0, None)
    with pytest.raises(Problem) as refused:
        index.authenticate(f"Bearer {token}x")
    shown = (
        load_settings(
            database_url=served.env["EXCHANGE_DATABASE_URL"],
            redis_url=served.env["EXCHANGE_REDIS_URL"],
        ),
        index,
        vars(index),
        Issued(token, stored),
        StoredKey("A" * 64, token, stored),
        api_key(StoredKey("A" * 64, token, stored)),
        MasterKey(token.encode()[:32]),
        decode(IssuedKey, {"id": 1, "key": "A", "secret": token, "scopes": ["read"]}),
        AuthenticateForm(token=token),
        Options(None, token, None, as_json=False),
        refused.value,
        refused.value.body(),
        ApiClient("http://127.0.0.1:1", token),
    )

    assert [name for item in shown for name in found_in(served.secrets, f"{item!r} {item}")] == []


def test_the_embedded_servers_write_none_of_it_down(
    served: Served, request: pytest.FixtureRequest
) -> None:
    if "TEST_DATABASE_URL" in os.environ:
        pytest.skip("another server's log is not ours to read")
    servers: EmbeddedServers = request.getfixturevalue("embedded")
    logs = [file.read_text("utf-8", "replace") for file in servers.data_dir.glob("*.log")]

    assert len(logs) == 2
    assert [name for log in logs for name in found_in(served.secrets, log)] == []


def test_no_secret_is_in_what_the_server_writes(served: Served) -> None:
    # Last of all: it ends the server, and starts it once more.
    process, secrets = served.process, served.secrets
    with psycopg.connect(served.env["EXCHANGE_DATABASE_URL"], autocommit=True) as connection:
        # A failure with a reason, for the log to tell of.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    served.world.alice.post("/orders", served.world.form("buy", "1", "10"))
    assert process.stop(signal.SIGTERM) == 0
    told, *logged = process.errors.splitlines()

    # The one place: what the first start says to whoever started it, and never again.
    assert told.startswith("admin token, shown this once, kept in ")
    assert told.endswith(secrets.admin)
    assert found_in(secrets, "\n".join([*logged, *process.lines])) == []
    with running(served.data_dir, "serve", **served.env) as again:
        again.wait_until_listening()
        again.stop()
        assert found_in(secrets, "\n".join([again.errors, *again.lines])) == []
