"""Who may be told something, and who may be missed."""

import pykka
import pytest

from exchange.actors.recipient import Dispensable


class Listener(pykka.ThreadingActor):
    def on_receive(self, message: object) -> None: ...


def test_what_a_dead_dispensable_actor_is_told_is_dropped() -> None:
    actor = Listener.start()
    actor.stop()

    with pytest.raises(pykka.ActorDeadError):
        actor.tell([])
    Dispensable(actor).tell([])
