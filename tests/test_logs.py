"""Log lines: their forms, and what must never be in them."""

import io
import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from exchange.logs import configure_logs
from exchange.settings import Settings

TOKEN = "Zk3Vd0X9q2JrTn5bWm8Ys1Lc4Hg7Pf6AeRiUoQx0-_M"  # noqa: S105  As long as ours, and nobody's.


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def logged(log_format: str = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure_logs(Settings.model_validate({"log_format": log_format, "log_level": level}), stream)
    return stream


def test_a_line_is_json_where_no_terminal_is() -> None:
    stream = logged("auto")

    structlog.get_logger("x").info("market opened", market="BTC_USDT")

    line = orjson.loads(stream.getvalue())
    assert (line["event"], line["market"], line["level"]) == ("market opened", "BTC_USDT", "info")
    assert line["timestamp"].endswith("Z")


def test_a_line_is_for_people_where_it_is_asked_for() -> None:
    stream = logged("console")

    structlog.get_logger().info("market opened", market="BTC_USDT")

    assert "market opened" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_the_standard_library_s_lines_look_the_same() -> None:
    stream = logged()

    logging.getLogger("aiohttp.server").warning("odd %s", "thing")

    line = orjson.loads(stream.getvalue())
    assert (line["event"], line["level"]) == ("odd thing", "warning")


def test_lines_below_the_level_are_left_out() -> None:
    stream = logged(level="warning")

    structlog.get_logger().info("quiet")
    logging.getLogger("psycopg").info("quiet")

    assert not stream.getvalue()


def test_a_failure_is_one_line_with_its_traceback() -> None:
    stream = logged()
    error = ValueError("bad")

    structlog.get_logger().error("failed", exc_info=error)

    (line,) = stream.getvalue().splitlines()
    assert "ValueError: bad" in orjson.loads(line)["exception"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_gets_into_a_line(log_format: str) -> None:
    stream = logged(log_format)
    error = ValueError(f"refused Bearer {TOKEN}")

    structlog.get_logger().error(
        f"got {TOKEN}",
        token=TOKEN,
        authorization="Bearer short",
        headers={"Authorization": "Bearer short", "x": [f"a {TOKEN}"]},
        database="connecting to postgresql://user:hunter2@host/name",
        exc_info=error,
    )

    text = stream.getvalue()
    assert TOKEN not in text
    assert "short" not in text
    assert "hunter2" not in text
    assert "user" in text
