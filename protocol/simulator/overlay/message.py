"""What travels over an overlay: messages, which nodes know them, and control between neighbours."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

NEVER: Final = (1 << 63) - 1
"""Later than everything."""


@dataclass(slots=True, eq=False)
class Message:
    """One published message.

    Attributes:
        number: Counts from 0 in the order of publishing.
        origin: The node that published it.
        born_ns: When.
        seen: For each node whether it has the message.
        arrivals: For each node when the first copy reaches it that has been sent so far.
        copies: Copies that were sent.
        invalid: Whether every honest node finds it invalid.
    """

    number: int
    origin: int
    born_ns: int
    seen: bytearray
    arrivals: "array[int]"
    copies: int = 0
    invalid: bool = False


def new_message(number: int, origin: int, born_ns: int, count: int) -> Message:
    """Makes a message that only its origin has, among so many nodes."""
    message = Message(number, origin, born_ns, bytearray(count), array("q", (NEVER,)) * count)
    message.seen[origin] = 1
    message.arrivals[origin] = born_ns
    return message


class Control(Enum):
    """What neighbours say to each other besides messages."""

    GRAFT = "graft"
    PRUNE = "prune"
    IHAVE = "ihave"
    IWANT = "iwant"


@dataclass(slots=True)
class Tally:
    """What an overlay has carried.

    Attributes:
        published: Messages.
        copies: Copies of messages that were sent and not lost.
        delivered: First copies that reached a node.
        useless: Copies that told their receiver nothing new, or that it ignored.
        controls: Control messages sent, by kind.
    """

    published: int = 0
    copies: int = 0
    delivered: int = 0
    useless: int = 0
    controls: dict[Control, int] = field(default_factory=lambda: dict.fromkeys(Control, 0))

    @property
    def events(self) -> int:
        """Everything that was sent: copies and control."""
        return self.copies + sum(self.controls.values())


class Carrier(Protocol):
    """Whatever takes messages from a node to its neighbours."""

    def spread(self, message: Message, source: int, targets: Sequence[int], relay: int) -> None:
        """Sends a copy to each target but the relay it came from and its origin."""

    def tell(
        self, source: int, target: int, control: Control, named: tuple[Message, ...] = ()
    ) -> None:
        """Sends control."""


class Router(Protocol):
    """What the nodes of an overlay do with what reaches them."""

    def link(self, node: int, peer: int) -> None:
        """Makes a peer a neighbour of a node."""

    def unlink(self, node: int, peer: int) -> None:
        """Takes a neighbour away from a node."""

    def publish(self, node: int, message: Message) -> None:
        """Spreads a node's own message."""

    def arrive(self, node: int, source: int, message: Message) -> bool:
        """Takes a copy that reached a node; tells whether it is the first."""

    def hear(self, node: int, source: int, control: Control, named: tuple[Message, ...]) -> None:
        """Takes control that reached a node."""
