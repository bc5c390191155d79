"""What can go wrong with storage, one class per thing that a caller can react to."""


class StorageUnavailable(Exception):  # noqa: N818  They say what happened, not that it did.
    """PostgreSQL did not answer, or not in time: whether a write was committed is unknown."""


class Fenced(Exception):  # noqa: N818
    """Another server has taken over the database: this one must write nothing any more."""


class AlreadyServed(Exception):  # noqa: N818
    """Another server is running on this database."""


class RedisUnavailable(Exception):  # noqa: N818
    """Redis did not answer, or not in time."""
