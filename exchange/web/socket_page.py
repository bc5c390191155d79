"""The page `/docs/websocket`: the AsyncAPI document as plain HTML, made without a script."""

from collections.abc import Mapping, Sequence
from html import escape

import orjson

from exchange.web.asyncapi import document
from exchange.web.channels import CHANNELS
from exchange.web.errors import Json
from exchange.web.routing import Route

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0}"
    "th,td{border-bottom:1px solid #8886;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    "h2{margin-top:2.5rem}h3{margin-bottom:.25rem}code{font-size:.9em}"
    ":root{color-scheme:light dark}"
)


def socket_page(routes: Sequence[Route]) -> bytes:
    """Return the whole page."""
    described = document(routes)
    page = _Page(orjson.loads(orjson.dumps(described)))
    return page.html().encode()


class _Page:
    """Writes what stands in a document."""

    def __init__(self, described: Json) -> None:
        self._info = _object(described["info"])
        self._operations = _object(described["operations"])
        components = _object(described["components"])
        self._messages = _object(components["messages"])
        self._schemas = _object(components["schemas"])
        self._shown: dict[str, None] = {}

    def html(self) -> str:
        """Return the page: operations, channels, and the objects that both name."""
        names = {channel.address.partition(":")[0] for channel in CHANNELS}
        operations = "".join(
            self._operation(name, _object(found))
            for name, found in self._operations.items()
            if name not in names
        )
        channels = "".join(self._channel(name) for name in self._operations if name in names)
        error = self._payload("error")
        objects = self._objects()
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{escape(str(self._info['title']))}</title><style>{STYLE}</style>"
            f"<h1>{escape(str(self._info['title']))}</h1>"
            "<p><code>/api/v1/ws</code>, as "
            '<a href="/api/v1/asyncapi.json">AsyncAPI 3</a>; the '
            '<a href="/docs">REST API</a>; <a href="/docs/errors">problems</a>.'
            f"<p>{escape(str(self._info['description']))}"
            f"<h2>Operations</h2>{operations}<h3>Refused</h3>{error}"
            f"<h2>Channels</h2>{channels}<h2>Objects</h2>{objects}</html>\n"
        )

    def _operation(self, name: str, found: Json) -> str:
        return (
            f'<h3 id="{name}"><code>{name}</code></h3><p>{escape(str(found["summary"]))}'
            f"{self._payload(name)}<p>Answered by{self._payload(f'{name}.result')}"
        )

    def _channel(self, name: str) -> str:
        found = _object(self._operations[name])
        return (
            f'<h3 id="{name}"><code>{escape(str(found["title"]))}</code></h3>'
            f"<p>{escape(str(_object(self._messages[name])['summary']))} "
            f"{escape(str(found['summary']))}{self._payload(name)}"
        )

    def _payload(self, message: str) -> str:
        schema = _object(_object(self._messages[message])["payload"])
        name = _reference(schema)
        return self._table(schema if name is None else _object(self._schemas[name]))

    def _objects(self) -> str:
        """Return all objects that were named, and those that these name in turn."""
        written = ""
        done: set[str] = set()
        while waiting := [name for name in self._shown if name not in done]:
            for name in waiting:
                done.add(name)
                table = self._table(_object(self._schemas[name]))
                written += f'<h3 id="object-{name}"><code>{name}</code></h3>{table}'
        return written

    def _table(self, schema: Json) -> str:
        required = schema.get("required", [])
        assert isinstance(required, list), "a list of names"
        rows = "".join(
            f"<tr><td><code>{escape(field)}</code><td>{self._kind(_object(rule))}"
            f"<td>{'yes' if field in required else ''}"
            f"<td>{escape(str(_object(rule).get('description', '')))}"
            for field, rule in _object(schema.get("properties", {})).items()
        )
        return f"<table><tr><th>field<th>type<th>always<th>meaning{rows}</table>"

    def _kind(self, rule: Json) -> str:
        """Return a field's type in words."""
        name = _reference(rule)
        if name is not None:
            self._shown[name] = None
            return f'<a href="#object-{name}">{name}</a>'
        if "const" in rule:
            return f"<code>{escape(str(rule['const']))}</code>"
        for word in ("enum", "anyOf"):
            if isinstance(choices := rule.get(word), list):
                return " or ".join(
                    self._kind(_object(choice)) if word == "anyOf" else escape(str(choice))
                    for choice in choices
                )
        kind = str(rule.get("type", "any"))
        if kind == "array":
            return f"list of {self._kind(_object(rule.get('items', {})))}"
        return escape(str(rule.get("format", kind)))


def _reference(rule: Mapping[str, object]) -> str | None:
    reference = rule.get("$ref")
    return None if reference is None else str(reference).rsplit("/", 1)[-1]


def _object(value: object) -> Json:
    assert isinstance(value, dict), "a part of the document is an object"
    return value
