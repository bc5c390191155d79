"""Log lines on standard error: for people on a terminal, JSON for machines; never a secret."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from exchange.settings import Settings

SECRET_NAMES = ("token", "authorization", "password", "secret", "database_url", "redis_url")
MASK = "***"

# A password in a URL, a bearer token in a header, and anything as long and random as our tokens.
_URL_PASSWORD = re.compile(r"(\w://[^/\s:@]*:)[^/\s@]+(?=@)")
_BEARER = re.compile(r"(?i)(bearer\s+)\S+")
_RANDOM = re.compile(r"(?<![\w/-])(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{43,}(?![\w/-])")

_QUIET = ("aiohttp", "asyncio", "pykka")
"""Their debug lines are about themselves."""


def configure_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's lines to standard error, in one form."""
    stream = stream or sys.stderr
    level = logging.getLevelName(settings.log_level.upper())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(),
                drop_secrets,
                _renderer(settings, stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.INFO))
    # It tells of every statement of a migration.
    logging.getLogger("yoyo").setLevel(max(level, logging.WARNING))


def _renderer(settings: Settings, stream: TextIO) -> Processor:
    pretty = settings.log_format == "console" or (settings.log_format == "auto" and stream.isatty())
    if pretty:
        return structlog.dev.ConsoleRenderer(colors=stream.isatty())
    return structlog.processors.JSONRenderer()


def drop_secrets(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Mask what is called like a secret or looks like one, wherever it stands."""
    return {name: _masked(name, value) for name, value in event.items()}


def _masked(name: str, value: object) -> object:
    if any(secret in name.lower() for secret in SECRET_NAMES) and isinstance(value, str | bytes):
        return MASK
    match value:
        case str():
            text = _URL_PASSWORD.sub(rf"\1{MASK}", value)
            return _RANDOM.sub(MASK, _BEARER.sub(rf"\1{MASK}", text))
        case Mapping():
            return {key: _masked(str(key), item) for key, item in value.items()}
        case list() | tuple():
            return [_masked("", item) for item in value]
        case _:
            return value
