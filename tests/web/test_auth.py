"""Tokens and who they speak for."""

import pytest

from exchange.web.auth import TokenIndex, demand, hash_token
from exchange.web.errors import Problem
from exchange.web.routing import Principal, Scope

TRADER = Principal(4, 1, frozenset({Scope.TRADE}))


def index() -> TokenIndex:
    tokens = TokenIndex()
    tokens.load([(hash_token("secret"), TRADER)])
    return tokens


def test_a_token_is_found_by_its_hash() -> None:
    assert index().find("secret") == TRADER


@pytest.mark.parametrize("token", ["", "Secret", "secret ", "x" * 10_000, "\udcff", "é"])
def test_what_is_no_token_of_ours_is_nobody(token: str) -> None:
    assert index().find(token) is None


def test_a_token_itself_is_nowhere_kept() -> None:
    tokens = index()

    assert "secret" not in repr([tokens._by_hash, tokens._hashes])


def test_a_revoked_token_is_told_to_those_who_hold_connections() -> None:
    tokens = index()
    told: list[int] = []
    tokens.revoked.append(told.append)

    tokens.revoke(1)
    tokens.revoke(1)

    assert tokens.find("secret") is None
    assert told == [1]


def test_a_token_revoked_before_it_got_here_is_never_let_in() -> None:
    tokens = index()
    tokens.revoke(2)

    tokens.add(hash_token("new"), TRADER._replace(token_id=2))

    assert tokens.find("new") is None


def test_a_token_that_is_found_to_be_invalid_is_dropped_with_its_connections() -> None:
    tokens = index()
    told: list[int] = []
    tokens.revoked.append(told.append)

    assert [tokens.drop(1), tokens.drop(1), tokens.drop(9)] == [True, False, False]
    assert tokens.find("secret") is None
    assert told == [1]


def test_an_issued_token_is_let_in() -> None:
    tokens = index()
    tokens.add(hash_token("new"), TRADER._replace(token_id=2))

    assert tokens.authenticate("Bearer new").token_id == 2


def test_a_missing_scope_is_named() -> None:
    demand(TRADER, Scope.TRADE)

    with pytest.raises(Problem) as raised:
        demand(TRADER, Scope.ADMIN)
    assert raised.value.code == "permission_denied"
    assert raised.value.limit == "admin"
