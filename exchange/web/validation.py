"""Says in a sentence what is wrong with what a client sent."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from exchange.web.errors import LONGEST_VALUE, Problem

M = TypeVar("M", bound=BaseModel)

LIMITS = ("ge", "gt", "le", "lt", "max_length", "min_length", "pattern", "expected")
"""Where pydantic keeps the limit that was broken."""


MAX_FIELDS = 64
"""Of an object, well above what any form has: complaints of thousands take long."""


def validate(model: type[M], given: object) -> M:
    """Return what was given as a `model`, or raise the problem of the first field at fault."""
    if isinstance(given, dict) and len(given) > MAX_FIELDS:
        says = "There are more fields than any object has."
        raise Problem("validation_error", says, limit=MAX_FIELDS, value=len(given))
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise problem_of_first(error) from None


def problem_of_first(error: ValidationError) -> Problem:
    """Return the first thing that is wrong, as a problem."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or None
    if first["type"] == "missing":
        return Problem("validation_error", f"{field} is missing.", field=field)
    if first["type"] == "extra_forbidden":
        return Problem("validation_error", f"{field} is not a known field.", field=field)
    context = first.get("ctx", {})
    limit = next((context[name] for name in LIMITS if name in context), None)
    value = first["input"]
    return Problem(
        "validation_error",
        _sentence(field, first),
        field=field,
        limit=limit,
        value=None if isinstance(value, dict | list) else value,
    )


def _sentence(field: str | None, error: ErrorDetails) -> str:
    subject = field or "The body"
    value = error["input"]
    kind = error["type"]
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return f"{subject} must be a JSON object."
    if kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
        return f'{subject} must be a JSON string such as "0.10", not a number.'
    rule = error["msg"].removeprefix("Value error, ")
    for said in ("Input should ", "String should "):
        rule = rule.replace(said, "must ", 1)
    told = f", not {str(value)[:LONGEST_VALUE]!r}" if isinstance(value, str | int | float) else ""
    return f"{subject} {rule}{told}."
