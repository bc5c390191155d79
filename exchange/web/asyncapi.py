"""The AsyncAPI document of the WebSocket, built from the tables that serve it."""

from collections.abc import Iterable, Sequence
from copy import deepcopy

from pydantic import BaseModel
from pydantic.json_schema import DefsRef, GenerateJsonSchema

from exchange import __version__
from exchange.web.channels import CHANNELS, RESULTS, Channel, ErrorFrame
from exchange.web.client_frames import OPS
from exchange.web.errors import Json
from exchange.web.operations import Operations
from exchange.web.routing import Route

SOCKET = "/api/v1/ws"
REF = "#/components/schemas/{model}"
ERROR = "error"

FRAME_ID: Json = {"description": "Comes back with the answer: any string, number, boolean or null."}
ORDER_ID: Json = {"type": "integer"}
CLIENT_ORDER_ID: Json = {"type": "string"}


class Op:
    """An operation as it is described: what it takes, what it gives, which scope it needs."""

    def __init__(
        self,
        name: str,
        form: type[BaseModel] | None,
        result: type[BaseModel],
        scope: str | None,
        summary: str,
    ) -> None:
        """Take what the tables say."""
        self.name = name
        self.form = form
        self.result = result
        self.scope = scope
        self.summary = summary


def operations(routes: Iterable[Route]) -> list[Op]:
    """Return all operations: those of the connection, and those that routes carry out."""
    found = [
        Op(name, op.form, RESULTS[name], op.scope, op.form.__doc__ or "")
        for name, op in OPS.items()
    ]
    for name, route in Operations(routes).routes.items():
        assert route.answer is not None, "an operation has a result"
        form = route.form or route.query
        found.append(Op(name, form, route.answer, route.scope, route.summary))
    return found


def document(routes: Sequence[Route]) -> Json:
    """Return the whole document, ready for JSON."""
    ops = operations(routes)
    schemas = _Schemas(ops)
    messages: Json = {}
    described: Json = {}
    for op in ops:
        messages[op.name] = _message(op.summary, schemas.request(op))
        messages[f"{op.name}.result"] = _message(
            f"What {op.name} gives.", schemas.answer(schemas.given(op.result))
        )
        described[op.name] = _operation(op)
    messages[ERROR] = _message("An operation was refused.", schemas.given(ErrorFrame))
    for channel in CHANNELS:
        name = _channel_name(channel)
        messages[name] = _message(channel.frame.__doc__ or "", schemas.given(channel.frame))
        described[name] = _stream(channel)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Exchange: the WebSocket",
            "version": __version__,
            "description": "Prices, quantities and amounts are decimal strings, never numbers. "
            "Times are RFC 3339 in UTC with microseconds. Frames are JSON in text frames.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": SOCKET,
                "title": "The connection",
                "description": "All operations and all channels share one connection.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": described,
        "components": {"messages": messages, "schemas": schemas.definitions},
    }


class _Schemas:
    """The JSON schema of everything in the tables, each model defined once."""

    def __init__(self, ops: Sequence[Op]) -> None:
        generator = GenerateJsonSchema(by_alias=True, ref_template=REF)
        given = {op.result for op in ops} | {channel.frame for channel in CHANNELS} | {ErrorFrame}
        taken = {op.form for op in ops if op.form is not None}
        self._by_model, definitions = generator.generate_definitions(
            [
                *((m, "validation", m.__pydantic_core_schema__) for m in _by_name(taken)),
                *((m, "serialization", m.__pydantic_core_schema__) for m in _by_name(given)),
            ]
        )
        self.definitions: Json = {str(name): schema for name, schema in definitions.items()}

    def given(self, model: type[BaseModel]) -> Json:
        return dict(self._by_model[model, "serialization"])

    def request(self, op: Op) -> Json:
        """Return the frame of an operation: its envelope, and the fields of its form."""
        schema: Json = {"type": "object", "properties": {}}
        if op.form is not None:
            name = str(self._by_model[op.form, "validation"]["$ref"]).rsplit("/", 1)[-1]
            schema = deepcopy(dict(self.definitions[DefsRef(name)]))  # type: ignore[call-overload]  # Set above.
        fields = dict(schema.get("properties", {}))  # type: ignore[call-overload]  # JSON.
        envelope: Json = {"op": {"const": op.name}, "id": FRAME_ID}
        named: Json = {}
        if op.name in {"order.cancel", "order.amend"}:
            named["order_id"] = ORDER_ID
        if op.name == "order.cancel":
            named["client_order_id"] = CLIENT_ORDER_ID
        required = ["op", *schema.get("required", [])]  # type: ignore[misc]  # JSON.
        return {
            "type": "object",
            "properties": envelope | named | fields,
            "required": required,
            "additionalProperties": False,
        }

    def answer(self, result: Json) -> Json:
        """Return the frame that answers an operation."""
        return {
            "type": "object",
            "properties": {"id": FRAME_ID, "result": result},
            "required": ["id", "result"],
            "additionalProperties": False,
        }


def _by_name(models: Iterable[type[BaseModel]]) -> list[type[BaseModel]]:
    return sorted(models, key=lambda model: model.__name__)


def _message(summary: str, payload: Json) -> Json:
    return {"summary": summary, "payload": payload}


def _channel_name(channel: Channel) -> str:
    return channel.address.partition(":")[0]


def _operation(op: Op) -> Json:
    """Return an operation as the client's side of the socket sees it."""
    needs = "" if op.scope is None else f" Needs the scope `{op.scope}`."
    return {
        "action": "receive",
        "channel": {"$ref": "#/channels/socket"},
        "summary": f"{op.summary.rstrip('.')}.{needs}",
        "messages": [_on_socket(op.name)],
        "reply": {
            "channel": {"$ref": "#/channels/socket"},
            "messages": [_on_socket(f"{op.name}.result"), _on_socket(ERROR)],
        },
    }


def _stream(channel: Channel) -> Json:
    needs = " Needs `authenticate` and the scope `read`." if channel.own else ""
    return {
        "action": "send",
        "channel": {"$ref": "#/channels/socket"},
        "title": channel.address,
        "summary": f"Sent to who subscribed to `{channel.address}`.{needs}",
        "messages": [_on_socket(_channel_name(channel))],
    }


def _on_socket(message: str) -> Json:
    return {"$ref": f"#/channels/socket/messages/{message}"}
