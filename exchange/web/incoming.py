"""Reads what strangers send as JSON, and says no without repeating it."""

import re
from collections.abc import Mapping
from typing import Literal

import jiter

from exchange.web.errors import Problem

TYPES = frozenset({"application/json", "application/x-www-form-urlencoded"})
"""What a body may be called: JSON, or what `curl -d` calls whatever it sends."""

_CHARSETS = frozenset({"utf-8", "utf8"})
_KEY = re.compile(r"Detected duplicate key .* at line", re.DOTALL)


def check_coding(headers: Mapping[str, str]) -> None:
    """Raise the problem of a body in any coding; a small one could unfold to gigabytes."""
    for name, plain in (("Content-Encoding", "identity"), ("Transfer-Encoding", "chunked")):
        coding = headers.get(name, plain)
        if coding.lower() != plain:
            raise Problem("unsupported_media_type", field=name, value=coding)


def check_type(given: str) -> None:
    """Raise the problem of a `Content-Type` that says that the body is something else than JSON."""
    if not given or given in TYPES:
        return
    kind, _, parameters = given.lower().partition(";")
    name, _, charset = parameters.partition("=")
    if kind.strip() in TYPES and (
        not parameters.strip()
        or (name.strip() == "charset" and charset.strip().strip('"') in _CHARSETS)
    ):
        return
    says = "Send the body as application/json, in UTF-8."
    raise Problem("unsupported_media_type", says, field="Content-Type", value=given)


def read_json(
    given: bytes, what: str, float_mode: Literal["float", "lossless-float"] = "float"
) -> object:
    """Return the JSON of a body or a frame, or raise `malformed_request`.

    Another reader in front of us may have gone by the first of two equal keys where we would go by
    the last, so neither is taken. Lone surrogates, more than 200 levels and numbers of more than
    4,300 digits are refused too.
    """
    try:
        return jiter.from_json(
            given,
            allow_inf_nan=False,
            float_mode=float_mode,
            catch_duplicate_keys=True,
            cache_mode="keys",  # Values may be secrets, which are not to be kept.
        )
    except ValueError as error:
        # All of its sentences name a place; the one about keys also repeats what stands there.
        says = _KEY.sub("a key is there twice at line", str(error))
        raise Problem("malformed_request", f"The {what} is not valid JSON: {says}.") from None
