"""Reads JSON into the client's values, by the types of their fields."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from exchange.client.errors import ClientError
from exchange.client.talks import Json

T = TypeVar("T")
Amount: TypeAlias = Decimal | str | int
"""A price, a quantity or an amount of money; never a float, which could not hold most of them."""

Reader: TypeAlias = Callable[[Any], Any]


def write(amount: Amount | None) -> str | None:
    """Return an amount as the API wants it: a plain decimal."""
    if isinstance(amount, bool) or not isinstance(amount, Decimal | str | int | None):
        raise TypeError(f"an amount is a Decimal, a str or an int, not {amount!r}")
    return format(amount, "f") if isinstance(amount, Decimal) else _text(amount)


def _text(amount: str | int | None) -> str | None:
    return None if amount is None else str(amount)


def decode(kind: type[T], given: object) -> T:
    """Return what the exchange answered as a value; fields that are not known are left out."""
    try:
        # A class can be hashed, which mypy does not know of its type variable.
        value: T = _reader(kind)(given)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise ClientError(f"not a {kind.__name__} of the API: {error!r}") from error
    return value


def decode_all(kind: type[T], items: list[Json]) -> tuple[T, ...]:
    """Return the items of a list as values."""
    return tuple(decode(kind, item) for item in items)


@lru_cache(256)
def _reader(hint: Any) -> Reader:  # noqa: ANN401  Any annotation.
    """Return what reads a value of a type."""
    if hint is Decimal:
        return _decimal
    if hint is datetime:
        return datetime.fromisoformat
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (rest,) = (kind for kind in arguments if kind is not NoneType)
        return _optional(_reader(rest))
    if origin is tuple:
        return _many(_reader(arguments[0]))
    if origin is Literal or hint is object:
        return _same
    if is_dataclass(hint) and isinstance(hint, type):
        return _record(hint)
    if isinstance(hint, type) and issubclass(hint, tuple):
        return _pair(hint)
    assert hint in {int, str, bool}, f"values have no {hint}"
    return _exactly(hint)


def _decimal(given: object) -> Decimal:
    if not isinstance(given, str):
        raise TypeError(f"{given!r} is not a decimal string")
    return Decimal(given)


def _same(given: object) -> object:
    return given


def _exactly(kind: type) -> Reader:
    def read(given: object) -> object:
        if type(given) is not kind:
            raise TypeError(f"{given!r} is not a {kind.__name__}")
        return given

    return read


def _optional(reader: Reader) -> Reader:
    return lambda given: None if given is None else reader(given)


def _many(reader: Reader) -> Reader:
    return lambda given: tuple(map(reader, given))


def _pair(kind: type) -> Reader:
    def read(given: object) -> object:
        if not isinstance(given, list):
            raise TypeError(f"{given!r} is not a {kind.__name__}")
        return kind(*map(_decimal, given))

    return read


def _record(kind: type) -> Reader:
    hints = get_type_hints(kind)
    readers = [(field.name, _reader(hints[field.name])) for field in fields(kind)]

    def read(given: Json) -> object:
        return kind(*[reader(given[name]) for name, reader in readers])

    return read
