"""Every way in which a call of the exchange can fail."""


class ClientError(Exception):
    """The exchange did not do as asked; the message is one line for people."""


class UnreachableError(ClientError):
    """No answer: whether the exchange did as asked is unknown."""


class GapError(ClientError):
    """A local book has missed an update or differs from the exchange's: subscribe again."""


PASSING = frozenset({429, 503, 504})
"""Statuses that say "not now": the same request may succeed in a moment."""


class ApiError(ClientError):
    """The exchange said no, with one of its codes; docs/errors.md lists them."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        retry_after: float | None = None,
        field: str | None = None,
        limit: object = None,
        value: object = None,
    ) -> None:
        """Keep what the problem says."""
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        """Seconds after which to try again, where the exchange named them."""
        self.field = field
        """The field at fault."""
        self.limit = limit
        """The rule's limit, as the exchange wrote it."""
        self.value = value
        """The value that broke the rule."""

    @property
    def passing(self) -> bool:
        """Return whether the same request may succeed in a moment."""
        return self.status in PASSING


def is_unknown(error: ClientError) -> bool:
    """Return whether the exchange may have done as asked all the same."""
    return isinstance(error, UnreachableError) or (
        isinstance(error, ApiError) and error.code == "outcome_unknown"
    )


def from_problem(
    problem: dict[str, object], status: int, *, retry_after: float | None = None
) -> ApiError:
    """Return an RFC 9457 problem as the error to raise."""
    field = problem.get("field")
    return ApiError(
        status,
        str(problem.get("code", "unknown")),
        str(problem.get("detail", problem.get("title", "no reason was given"))),
        retry_after=retry_after,
        field=None if field is None else str(field),
        limit=problem.get("limit"),
        value=problem.get("value"),
    )
