"""Tokens are shown once, and every change of them is in the audit log."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
import pytest

from exchange.messages import Audit
from exchange.persistence.connections import make_pool
from exchange.persistence.master_key import MasterKey, MasterKeyError
from exchange.persistence.tokens import PREFIX, Tokens, hash_secret
from exchange.settlement import ADMIN
from exchange.stored import Issued

Found = TypeVar("Found")
NOW = 1_700_000_000_000_000
ISSUE = Audit(ADMIN, 1, "token.issue", "")
REVOKE = Audit(ADMIN, 1, "token.revoke", "token 1")


def ask(database_url: str, question: Callable[[Tokens], Awaitable[Found]]) -> Found:
    async def answer() -> Found:
        async with make_pool(database_url, 2) as pool:
            return await question(Tokens(pool, MasterKey(bytes(32))))

    return asyncio.run(answer())


def audit_log(database_url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT action, subject, after FROM audit ORDER BY id").fetchall()


def test_only_the_hash_of_a_token_is_stored(database_url: str) -> None:
    issued = ask(database_url, lambda t: t.issue(ADMIN, ["read", "trade"], "bot", NOW, ISSUE))

    assert issued.secret.startswith(PREFIX)
    assert len(issued.secret) == len(PREFIX) + 43
    (stored,) = ask(database_url, lambda tokens: tokens.load_all())
    assert stored == issued.token
    assert stored.hash == hash_secret(issued.secret)
    assert (stored.account_id, stored.scopes, stored.label) == (ADMIN, ["read", "trade"], "bot")
    with psycopg.connect(database_url) as connection:
        dump = str(connection.execute("SELECT t::text FROM tokens AS t").fetchall())
    assert issued.secret[len(PREFIX) :] not in dump


def test_the_audit_log_says_who_got_which_token(database_url: str) -> None:
    issued = ask(database_url, lambda t: t.issue(ADMIN, ["read"], "bot", NOW, ISSUE))

    after = {"account_id": ADMIN, "scopes": ["read"], "label": "bot"}
    assert audit_log(database_url) == [("token.issue", f"token {issued.token.id}", after)]


def test_a_revoked_token_is_listed_and_no_longer_let_in(database_url: str) -> None:
    async def run(tokens: Tokens) -> None:
        issued = await tokens.issue(ADMIN, ["read"], "bot", NOW, ISSUE)
        revoked = await tokens.revoke(issued.token.id, NOW + 1, REVOKE)

        assert revoked == issued.token._replace(revoked_at=NOW + 1)
        assert await tokens.load_all() == []
        assert await tokens.of_account(ADMIN) == [revoked]

    ask(database_url, run)
    assert [row[0] for row in audit_log(database_url)] == ["token.issue", "token.revoke"]


def test_a_token_is_revoked_once(database_url: str) -> None:
    async def run(tokens: Tokens) -> None:
        issued = await tokens.issue(ADMIN, ["read"], "bot", NOW, ISSUE)
        await tokens.revoke(issued.token.id, NOW + 1, REVOKE)

        assert await tokens.revoke(issued.token.id, NOW + 2, REVOKE) is None
        assert await tokens.revoke(99, NOW + 2, REVOKE) is None

    ask(database_url, run)
    assert len(audit_log(database_url)) == 2


def test_a_token_without_an_audit_row_is_not_made(database_url: str) -> None:
    bad = ISSUE._replace(after="no json")

    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        ask(database_url, lambda tokens: tokens.issue(ADMIN, ["read"], "bot", NOW, bad))

    assert ask(database_url, lambda tokens: tokens.of_account(ADMIN)) == []


def test_the_first_start_makes_one_admin_token(database_url: str) -> None:
    async def run(tokens: Tokens) -> None:
        kept: list[str] = []
        first, second = await asyncio.gather(
            tokens.issue_first(NOW, kept.append), tokens.issue_first(NOW, kept.append)
        )

        made = first or second
        assert made is not None
        assert (first is None) != (second is None)
        assert made.token.scopes == ["read", "trade", "admin"]
        assert kept == [made.secret]
        await tokens.revoke(made.token.id, NOW, REVOKE)
        assert await tokens.issue_first(NOW, kept.append) is None

    ask(database_url, run)


def test_a_first_token_that_could_not_be_kept_is_not_made(database_url: str) -> None:
    def fail(_: str) -> None:
        raise OSError

    async def run(tokens: Tokens) -> None:
        with pytest.raises(OSError):  # noqa: PT011  It is our own.
            await tokens.issue_first(NOW, fail)

        assert await tokens.load_all() == []

    ask(database_url, run)


def issue_key(tokens: Tokens, ip_allow: list[str] | None = None) -> Awaitable[Issued]:
    return tokens.issue_key(ADMIN, ["read"], "bot", ip_allow=ip_allow, time=NOW, audit=ISSUE)


def test_a_keys_secret_is_stored_wrapped_and_comes_back(database_url: str) -> None:
    async def run(tokens: Tokens) -> Issued:
        issued = await issue_key(tokens, ["203.0.113.0/24"])

        assert await tokens.load_all() == []
        (stored,) = await tokens.load_keys()
        assert stored == (issued.token.key, issued.secret, issued.token)
        return issued

    issued = ask(database_url, run)

    assert issued.token.key is not None
    assert issued.token.hash is None
    assert issued.token.ip_allow == ["203.0.113.0/24"]
    for text in (issued.token.key, issued.secret):
        assert re.fullmatch("[A-Za-z0-9]{64}", text)
    with psycopg.connect(database_url) as connection:
        dump = str(connection.execute("SELECT t::text FROM tokens AS t").fetchall())
    assert issued.token.key in dump
    assert issued.secret not in dump
    assert issued.secret.encode().hex() not in dump


def test_the_audit_log_says_who_got_which_key_and_not_its_secret(database_url: str) -> None:
    issued = ask(database_url, issue_key)

    after = {
        "account_id": ADMIN,
        "scopes": ["read"],
        "label": "bot",
        "key": issued.token.key,
        "ip_allow": None,
    }
    assert audit_log(database_url) == [("token.issue", f"token {issued.token.id}", after)]


def test_the_secret_of_a_revoked_key_is_gone(database_url: str) -> None:
    async def run(tokens: Tokens) -> None:
        issued = await issue_key(tokens)
        revoked = await tokens.revoke(issued.token.id, NOW + 1, REVOKE)

        assert revoked == issued.token._replace(revoked_at=NOW + 1)
        assert await tokens.load_keys() == []
        assert await tokens.of_account(ADMIN) == [revoked]

    ask(database_url, run)

    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT wrapped FROM tokens").fetchall() == [(None,)]


def test_a_key_that_another_master_key_wrapped_is_not_let_in(database_url: str) -> None:
    ask(database_url, issue_key)

    async def read() -> None:
        async with make_pool(database_url, 2) as pool:
            await Tokens(pool, MasterKey(bytes([1] * 32))).load_keys()

    with pytest.raises(MasterKeyError):
        asyncio.run(read())
