"""Tells operators and their load balancers whether this server lives and whether it can serve."""

from time import monotonic
from typing import Literal

from aiohttp import web
from pydantic import BaseModel

from exchange.web.app import Page
from exchange.web.problems import SERVER_NAME
from exchange.web.routing import Answered, Call, Context, Route

UNAVAILABLE = 503

STUCK_SECONDS = 3.0
"""A command that has waited this long shows that something behind the front door hangs."""


class Live(BaseModel):
    """The process runs and its event loop turns."""

    status: Literal["ok"]


class Part(BaseModel):
    """A part that the exchange depends on."""

    status: Literal["up", "down"]


class Pipeline(BaseModel):
    """The way of a command from the front door to its commit and back."""

    status: Literal["up", "stuck"]
    in_flight: int
    oldest_seconds: float


class MarketPart(BaseModel):
    """One market: what its rules let in, and whether a failure has stopped it."""

    state: str
    halted: bool


class Parts(BaseModel):
    """Every part by its name."""

    database: Part
    redis: Part
    commands: Pipeline
    markets: dict[str, MarketPart]


class Ready(BaseModel):
    """`degraded` serves, but something wants an operator; `unavailable` comes with a 503."""

    status: Literal["ok", "degraded", "unavailable"]
    parts: Parts
    uptime_seconds: float


class Health:
    """Knows the parts' states; asks nobody, so that it answers while they hang."""

    def __init__(self, context: Context) -> None:
        """Begin counting the time that the server has been up."""
        self._context = context
        self._started = monotonic()

    async def live(self, _call: Call) -> Answered:
        """Answer at all: that is the proof that the event loop is not blocked."""
        return Answered(200, {"status": "ok"})

    async def ready(self, _call: Call) -> Answered:
        """Return each part's state."""
        context = self._context
        metrics, bridge = context.metrics, context.bridge
        oldest = bridge.oldest_seconds()
        stuck = oldest > STUCK_SECONDS
        if stuck or not metrics.database_up:
            status = "unavailable"
        elif metrics.redis_up and not metrics.halted:
            status = "ok"
        else:
            status = "degraded"
        parts = {
            "database": {"status": _up(up=metrics.database_up)},
            "redis": {"status": _up(up=metrics.redis_up)},
            "commands": {
                "status": "stuck" if stuck else "up",
                "in_flight": bridge.in_flight,
                "oldest_seconds": round(oldest, 3),
            },
            "markets": {
                symbol: {"state": view.market.state, "halted": symbol in metrics.halted}
                for symbol, view in bridge.view.markets.items()
            },
        }
        body = {
            "status": status,
            "parts": parts,
            "uptime_seconds": round(monotonic() - self._started, 3),
        }
        return Answered(UNAVAILABLE if status == "unavailable" else 200, body)

    async def metrics(self, _request: web.BaseRequest) -> web.StreamResponse:
        """Return what Prometheus scrapes."""
        headers = {
            "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
            "Server": SERVER_NAME,
        }
        return web.Response(body=self._context.metrics.render(), headers=headers)

    def routes(self) -> list[Route]:
        """Return the calls for probes."""
        return [
            Route(
                "GET",
                "/health/live",
                None,
                self.live,
                "Whether the process lives",
                answer=Live,
                tag="health",
            ),
            Route(
                "GET",
                "/health/ready",
                None,
                self.ready,
                "Whether the exchange can serve",
                answer=Ready,
                tag="health",
            ),
        ]

    def pages(self) -> list[Page]:
        """Return what is not JSON."""
        return [Page("/metrics", self.metrics)]


def _up(*, up: bool) -> str:
    return "up" if up else "down"
