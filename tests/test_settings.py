"""Settings come from the environment and `.env`, and refuse what they do not know."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from exchange.settings import SettingsError, env_example, load_settings

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("EXCHANGE_")]:
        monkeypatch.delenv(name)


def test_without_configuration_the_defaults_hold() -> None:
    settings = load_settings()

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.database_url is None


def test_the_environment_wins_over_the_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("EXCHANGE_PORT=1\nEXCHANGE_HOST=::1\nOTHER=ignored\n")
    monkeypatch.setenv("EXCHANGE_PORT", "2")

    settings = load_settings()

    assert (settings.host, settings.port) == ("::1", 2)


def test_an_override_wins_over_the_environment_unless_it_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXCHANGE_PORT", "2")

    assert load_settings(port=3).port == 3
    assert load_settings(port=None).port == 2


@pytest.mark.parametrize(("text", "value"), [("on", True), ("off", False)])
def test_rate_limits_are_on_or_off(
    monkeypatch: pytest.MonkeyPatch, text: str, *, value: bool
) -> None:
    monkeypatch.setenv("EXCHANGE_RATE_LIMITS", text)

    assert load_settings().rate_limits is value


def test_settings_do_not_change() -> None:
    settings = load_settings()

    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1


def test_an_unknown_name_in_the_environment_is_an_error_that_lists_the_valid_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXCHANGE_PROT", "1")

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert "EXCHANGE_PROT: no such setting; did you mean EXCHANGE_PORT?" in str(error.value)
    assert "The settings, after EXCHANGE_:" in str(error.value)
    assert " SHUTDOWN_SECONDS," in str(error.value)


def test_an_unknown_name_in_the_env_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("EXCHANGE_COLOUR=red\n")

    with pytest.raises(SettingsError, match="EXCHANGE_COLOUR: no such setting"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "http"),
        ("LOG_FORMAT", "xml"),
        ("RATE_LIMITS", "maybe"),
        ("MAX_IN_FLIGHT", "0"),
        ("REQUEST_TIMEOUT_SECONDS", "nan"),
        ("ORDERS_PER_SECOND", "inf"),
        ("REDIS_URL", "localhost"),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"EXCHANGE_{name}", value)

    with pytest.raises(SettingsError, match=f"^EXCHANGE_{name}: "):
        load_settings()


def test_every_mistake_is_reported_on_one_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_PORT", "-1")
    monkeypatch.setenv("EXCHANGE_MAX_CONNECTIONS", "many")
    monkeypatch.setenv("EXCHANGE_COLOUR", "red")

    with pytest.raises(SettingsError) as error:
        load_settings()

    lines = str(error.value).splitlines()
    assert {line.split(":")[0] for line in lines[:3]} == {
        "EXCHANGE_COLOUR",
        "EXCHANGE_MAX_CONNECTIONS",
        "EXCHANGE_PORT",
    }
    assert len(lines) <= 24


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_REDIS_URL", "redis://:secret@host")
    assert "secret" not in repr(load_settings())

    monkeypatch.setenv("EXCHANGE_DATABASE_URL", "mysql://me:secret@host/db")
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert "secret" not in str(error.value)


def test_the_example_file_names_every_setting_with_its_default() -> None:
    # To make it anew: python -m exchange.settings > .env.example
    assert (ROOT / ".env.example").read_text() == env_example()


def test_the_example_file_can_be_used_as_it_is(tmp_path: Path) -> None:
    uncommented = env_example().replace("#EXCHANGE_", "EXCHANGE_")
    (tmp_path / ".env").write_text(uncommented)

    settings = load_settings()

    (tmp_path / ".env").unlink()
    assert settings == load_settings()
