"""Addresses of databases may hold passwords: whatever is wrong with one, nobody is told those."""

import asyncio
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from exchange.settings import Settings, SettingsError, load_settings
from exchange.system import StartError, System

PASSWORD = "hunter2"  # noqa: S105 -- an example.
NO_VALUES: dict[str, Any] = {}

UNREADABLE = [
    f"://u:{PASSWORD}@127.0.0.1:port/x",
    f"://u:{PASSWORD}/a@127.0.0.1:1/x",
    f"://u:{PASSWORD}?a@127.0.0.1:1/x",
    f"://u:{PASSWORD}#a@127.0.0.1:1/x",
    f"://u:{PASSWORD}%a@127.0.0.1:1/x",
    f"://u:{PASSWORD}%zz@127.0.0.1:1/x",
    f"://u:{PASSWORD} a@127.0.0.1:1/x",
    f"://u:{PASSWORD}\t@127.0.0.1:1/x",
    f"://u:{PASSWORD}@a@127.0.0.1:1/x",
    f"://u:{PASSWORD}[@127.0.0.1:1/x",
    f"://u:{PASSWORD}",
]
READABLE = ["://u:p%2F%40@h:5432/x?sslmode=require", "://[::1]:5432/x", "://u@[::1]/x", ":///x"]


@pytest.mark.parametrize("url", UNREADABLE)
@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("EXCHANGE_DATABASE_URL", "postgresql"),
        ("EXCHANGE_REDIS_URL", "redis"),
        ("EXCHANGE_DATABASE_URL", "mysql"),
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, scheme: str, url: str
) -> None:
    monkeypatch.setenv(name, scheme + url)

    with pytest.raises(SettingsError, match=name) as raised:
        load_settings()
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))
    with pytest.raises(ValidationError) as unexplained:
        Settings(**NO_VALUES)
    assert PASSWORD not in "".join(traceback.format_exception(unexplained.value))


@pytest.mark.parametrize("rest", READABLE)
@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_an_address_that_can_be_read_is_taken(
    monkeypatch: pytest.MonkeyPatch, scheme: str, rest: str
) -> None:
    monkeypatch.setenv("EXCHANGE_DATABASE_URL", scheme + rest)

    settings = load_settings()

    assert settings.database_url == scheme + rest
    assert rest not in repr(settings)
    assert rest not in str(settings)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{PASSWORD}@127.0.0.1:1/x",
        f"postgresql://127.0.0.1:1/x?password={PASSWORD}",
        f"postgresql://127.0.0.1:1/x?passwort={PASSWORD}",
        f"postgresql://u:{PASSWORD}@127.0.0.1:99999/x",
        f"postgresql://u:{PASSWORD}@h1:1,h2:x/x",
    ],
)
def test_a_start_that_fails_does_not_say_the_password(url: str, tmp_path: Path) -> None:
    redis_url = f"redis://:{PASSWORD}@127.0.0.1:1"
    settings = load_settings(port=0, data_dir=tmp_path, database_url=url, redis_url=redis_url)

    async def start() -> None:
        await System(settings).start()

    with pytest.raises(StartError) as raised:
        asyncio.run(start())
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))
