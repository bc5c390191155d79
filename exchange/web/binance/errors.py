"""Refusals as clients of Binance know them: a code, an exact message and an HTTP status."""

from exchange.web.codec import Json


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
