"""One seeded run of a whole exchange: any order of messages, outages, failures, crashes."""

from random import Random

from tests.actors.commands import CURRENCIES, MARKETS, Commands
from tests.actors.world import KilledError, World

COMMANDS = 400
TROUBLE = 0.15
CALM_AND_STORM = 40
"""Commands between two storms, and in one: a fault is found best where it meets no other."""


def run(seed: int, commands: int = COMMANDS) -> "Run":
    """Run the exchange over one seed; raises `AssertionError` where it breaks a promise."""
    try:
        made = Run(seed, commands)
        made.play()
    except Exception as error:
        # A bug may show as anything, a `KeyError` just as well: it belongs to its seed.
        replay = f"./test tests/actors/test_simulation.py --seed {seed}"
        raise AssertionError(f"seed {seed} fails, see it again by {replay}: {error!r}") from error
    return made


class Run:
    """A world, its clients, and what happens to them."""

    def __init__(self, seed: int, commands: int) -> None:
        self.random = Random(seed)
        self.world = World(self.random, CURRENCIES, *MARKETS)
        self.commands = Commands(self.random, self.world)
        self._left = commands
        self._total = commands

    def play(self) -> None:
        """Send everything, crash once more, and come to rest."""
        world = self.world
        world.clients.send(*self.commands.deposits())
        world.rest()
        world.meanwhile = self._send
        while self._left > 0:
            storm = (self._total - self._left) // CALM_AND_STORM % 2 == 1
            world.troubled = TROUBLE if storm else 0.0
            world.clients.faulty = 0.02 if storm else 0.0
            self._turn()
        world.troubled = world.clients.faulty = 0.0
        world.rest()
        self._crash()
        world.rest()

    def _turn(self) -> None:
        """Send something, let some messages be taken, and now and then let something happen."""
        self._send()
        try:
            for _ in range(self.random.choice((0, 0, 2, 5, 10, 20))):
                self.world.step()
            self._happen(self.random.random())
        except KilledError:
            self._crash()

    def _send(self) -> None:
        wanted = self.random.choice((1, 1, 1, 2, 5))
        self.world.clients.send(*[self.commands.some() for _ in range(min(wanted, self._left))])
        self._left -= wanted

    def _happen(self, chance: float) -> None:
        if chance < 0.16:
            self.world.load_used_ids()
        elif chance < 0.165:
            self._crash()
        elif chance < 0.175:
            self.world.stop()
        elif chance < 0.19:
            self.world.flush_redis()
        elif chance < 0.23:
            self.world.rest()

    def _crash(self) -> None:
        retries = self.commands.unanswered()
        self.world.crash()
        if retries:
            self.world.seen["retried"] += 1
            self.world.clients.send(*retries)
