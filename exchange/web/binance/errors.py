"""Refusals as clients of Binance know them: a code, an exact message and an HTTP status."""

from secrets import token_hex

from exchange.web.bridge import BusyError, OutcomeUnknownError
from exchange.web.codec import Json
from exchange.web.errors import Problem
from exchange.web.routing import Context

RETRY_SECONDS = 1


class BinanceError(Exception):
    """A no on its way to a client of the dialect."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int = 400,
        data: Json | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Take the code, the message that clients compare to the letter, and the HTTP status."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.data = data
        self.retry_after = retry_after

    def body(self) -> Json:
        """Return what is answered."""
        body: Json = {"code": self.code, "msg": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


def missing(name: str) -> BinanceError:
    """Return the refusal of a call that lacks a parameter."""
    return BinanceError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def malformed(name: str) -> BinanceError:
    """Return the refusal of a parameter that is not written as it must be."""
    return BinanceError(-1100, f"Illegal characters found in parameter '{name}'.")


def invalid_symbol() -> BinanceError:
    """Return the refusal of a market that the dialect does not list."""
    return BinanceError(-1121, "Invalid symbol.")


def explain(error: Exception, context: Context) -> BinanceError:
    """Return any failure as a refusal; what is a bug is logged here, once, and not told."""
    match error:
        case BinanceError():
            return error
        case BusyError():
            return busy()
        case OutcomeUnknownError():
            return outcome_unknown()
        case Problem():
            return BinanceError(-1100, str(error), status=error.status)
    if isinstance(error, context.unavailable):
        return BinanceError(
            -1001,
            "Internal error; unable to process your request. Please try again.",
            status=503,
            retry_after=RETRY_SECONDS,
        )
    context.log.error("request failed", failure=token_hex(8), exc_info=error)
    return BinanceError(
        -1000, "An unknown error occurred while processing the request.", status=500
    )


def busy() -> BinanceError:
    """Return the refusal of a call that nothing was done about."""
    return BinanceError(
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
        status=503,
        retry_after=RETRY_SECONDS,
    )


def outcome_unknown() -> BinanceError:
    """Return what a client is told whose command may still be carried out."""
    return BinanceError(
        -1007,
        "Timeout waiting for response from backend server. "
        "Send status unknown; execution status unknown.",
        status=504,
    )
