"""What an actor may know of another: that it can be told something."""

from contextlib import suppress
from typing import Generic, Protocol, TypeVar

import pykka

M_contra = TypeVar("M_contra", contravariant=True)
M = TypeVar("M")


class Recipient(Protocol[M_contra]):
    """Anything that takes messages without answering."""

    def tell(self, message: M_contra) -> None:
        """Hand over a message; returns at once."""


class Later(Generic[M]):
    """A recipient that is named after those who tell it things: facts flow in a circle."""

    def __init__(self) -> None:
        """Begin without a target."""
        self.target: Recipient[M] | None = None

    def tell(self, message: M) -> None:
        """Pass a message on."""
        assert self.target is not None, "told before the circle was closed"
        self.target.tell(message)


class Dispensable(Generic[M]):
    """A recipient that the exchange goes on without: what it is told when it is dead is dropped."""

    def __init__(self, target: Recipient[M]) -> None:
        """Stand before the recipient."""
        self._target = target

    def tell(self, message: M) -> None:
        """Pass a message on if anybody takes it."""
        with suppress(pykka.ActorDeadError):
            self._target.tell(message)
