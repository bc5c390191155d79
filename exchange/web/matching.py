"""Finds the route of a request: exact paths first, then patterns by their segments."""

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote

from exchange.web.errors import Problem

T = TypeVar("T")


class Found(NamedTuple, Generic[T]):
    """What stands at a path, by method, and the path's variable segments."""

    methods: dict[str, T]
    variables: dict[str, str]


class _Pattern(NamedTuple, Generic[T]):
    segments: tuple[str | None, ...]
    """`None` where a variable stands."""
    names: tuple[str, ...]
    methods: dict[str, T]


class Paths(Generic[T]):
    """Everything that can be asked for, by path and method."""

    def __init__(self, entries: Iterable[tuple[str, str, T]]) -> None:
        """Take (method, path, what stands there); a path that is exact goes before patterns."""
        self._exact: dict[str, dict[str, T]] = {}
        self._patterns: dict[int, list[_Pattern[T]]] = {}
        for method, path, entry in entries:
            methods = self._methods(path)
            assert method not in methods, f"{method} {path} is there twice"
            methods[method] = entry

    def _methods(self, path: str) -> dict[str, T]:
        if "{" not in path:
            return self._exact.setdefault(path, {})
        parts = path.split("/")
        names = tuple(part[1:-1] for part in parts if part.startswith("{"))
        segments = tuple(None if part.startswith("{") else part for part in parts)
        siblings = self._patterns.setdefault(len(parts), [])
        for pattern in siblings:
            if pattern.segments == segments:
                assert pattern.names == names, f"{path} names its segments in two ways"
                return pattern.methods
        siblings.append(_Pattern(segments, names, {}))
        return siblings[-1].methods

    def find(self, path: str) -> Found[T]:
        """Return what stands at a path as it came over the wire, or raise `not_found`."""
        methods = self._exact.get(path)
        if methods is not None:
            return Found(methods, {})
        # Split before decoding: an encoded slash is part of a segment.
        parts = [_decoded(part) for part in path.split("/")]
        for pattern in self._patterns.get(len(parts), ()):
            if all(
                want is None or want == part
                for want, part in zip(pattern.segments, parts, strict=True)
            ):
                values = (
                    part for want, part in zip(pattern.segments, parts, strict=True) if want is None
                )
                return Found(pattern.methods, dict(zip(pattern.names, values, strict=True)))
        raise Problem("not_found")


def _decoded(segment: str) -> str:
    if "%" not in segment and segment.isascii() and segment.isprintable():
        return segment
    try:
        decoded = unquote(segment.encode("ascii", "surrogateescape").decode(), errors="strict")
    except UnicodeError:
        raise Problem("not_found") from None
    # No name of ours has a control character, and PostgreSQL refuses a NUL in any text.
    if not decoded.isprintable():
        raise Problem("not_found")
    return decoded
