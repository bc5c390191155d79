"""Keeps play money and real money apart: which of them a database holds is settled for ever."""

from psycopg import Connection
from psycopg.rows import TupleRow


class NotASandboxError(Exception):
    """The database was served as a real exchange, where nobody may help himself to money."""


_MESSAGE = (
    "this database was served without EXCHANGE_SANDBOX, so the money in it may be real: the "
    "sandbox needs a database of its own (another --data-dir or EXCHANGE_DATABASE_URL)"
)

# The house's accounts and the first token are there from the start.
_IS_NEW = """
    SELECT NOT EXISTS (SELECT FROM currencies)
        AND NOT EXISTS (SELECT FROM accounts WHERE id > 3)
        AND NOT EXISTS (SELECT FROM tokens)
"""


def settle_sandbox(connection: Connection[TupleRow], *, wanted: bool) -> None:
    """Note what the database is served as, or raise `NotASandboxError` and change nothing.

    A sandbox that is once served without the setting is none any more.
    """
    found = connection.execute("SELECT sandbox FROM service").fetchone()
    if found is None:
        found = connection.execute(_IS_NEW).fetchone()
        assert found is not None, "a statement without a condition has a row"
    (can_be,) = found
    if wanted and not can_be:
        raise NotASandboxError(_MESSAGE)
    connection.execute(
        "INSERT INTO service (sandbox) VALUES (%s) "
        "ON CONFLICT (single) DO UPDATE SET sandbox = EXCLUDED.sandbox",
        [wanted],
    )
