"""A writer on a fresh database."""

from collections.abc import Iterator

import pytest

from exchange.persistence.writer import BatchWriter


@pytest.fixture
def writer(database_url: str) -> Iterator[BatchWriter]:
    writer = BatchWriter(database_url)
    writer.open()
    yield writer
    writer.close()
