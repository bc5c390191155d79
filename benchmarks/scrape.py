"""What a running exchange says of itself on its metrics page."""

import re
from typing import NamedTuple

from aiohttp import ClientSession

_COMMIT = re.compile(r'^exchange_stage_seconds_(sum|count)\{stage="commit"\} (\S+)$', re.MULTILINE)


class Commits(NamedTuple):
    """How many transactions were committed since the start, and how long all of them took."""

    seconds: float
    number: float

    def since(self, before: "Commits") -> float:
        """Return the mean time of those after an earlier look, in seconds."""
        return (self.seconds - before.seconds) / (self.number - before.number)


async def commit_seconds(url: str) -> Commits:
    """Read the counters of the commits."""
    async with ClientSession(url) as session, session.get("/metrics") as answer:
        found = dict(_COMMIT.findall(await answer.text()))
    return Commits(float(found["sum"]), float(found["count"]))
