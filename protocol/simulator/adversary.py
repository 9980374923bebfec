"""Nodes that break the rules with everything that their keys allow, and nothing more."""

from dataclasses import dataclass, field
from typing import Final

from protocol.encoding import content_digest, decode
from protocol.ledger.block import content_of, sign_block
from protocol.messages import Block, Offer, SignedBlock
from protocol.signing import Scheme
from protocol.simulator.chance import Stream
from protocol.simulator.scenario import Behaviour, Scenario
from protocol.simulator.stepped import steps_left
from protocol.units import DIGEST_BYTES, Digest

EQUIVOCATION_PPM: Final = 300_000
"""How many of its blocks an equivocating member signs twice."""

WITHHOLDING_PPM: Final = 500_000
"""How many of its blocks a withholding member hides."""

ANSWERS_THAT_COUNT: Final = (
    Behaviour.LYING,
    Behaviour.ERRING,
    Behaviour.LAZY,
    Behaviour.SILENT,
    Behaviour.SYBIL,
)
"""Behaviours that show whenever their node is drawn for a job."""

WRONG: Final = (Behaviour.LYING, Behaviour.ERRING, Behaviour.LAZY)
"""Behaviours whose results are other than the right ones."""

FORMAT_MAX: Final = 2**31


@dataclass(slots=True)
class Mischief:
    """What has been done so far, by kind and node."""

    done: dict[tuple[Behaviour, int], int] = field(default_factory=dict)

    def note(self, behaviour: Behaviour, node: int) -> None:
        """Counts one more."""
        self.done[behaviour, node] = self.done.get((behaviour, node), 0) + 1

    def count(self, behaviour: Behaviour, node: int) -> int:
        """How often a node did it; sybils, who have one owner, count together."""
        if behaviour is Behaviour.SYBIL:
            return sum(count for (one, _), count in self.done.items() if one is behaviour)
        return self.done.get((behaviour, node), 0)


@dataclass(frozen=True, slots=True)
class Showing:
    """Which version of a block goes to whom."""

    raw: bytes
    targets: tuple[int, ...]


class Adversary:
    """Decides for all nodes that are not honest."""

    def __init__(self, scenario: Scenario, seeds: tuple[bytes, ...], scheme: Scheme) -> None:
        self.mischief = Mischief()
        self._scenario = scenario
        self._seeds = seeds
        self._scheme = scheme
        self._streams = [Stream(scenario.seed, "mischief", n) for n in range(scenario.nodes)]
        self._everybody = tuple(range(scenario.nodes))

    def show_block(self, node: int, raw: bytes) -> tuple[Showing, ...]:
        """Decides who is shown which version of a node's new block."""
        stream = self._streams[node]
        behaviour = self._scenario.behaviour(node)
        others = [other for other in self._everybody if other != node]
        if behaviour is Behaviour.EQUIVOCATING and stream.hits(EQUIVOCATION_PPM):
            self.mischief.note(behaviour, node)
            mixed = stream.shuffled(others)
            half = len(mixed) // 2
            twin = twin_of(raw, self._seeds[node], self._scheme)
            return (Showing(raw, tuple(mixed[:half])), Showing(twin, tuple(mixed[half:])))
        if behaviour is Behaviour.WITHHOLDING and stream.hits(WITHHOLDING_PPM):
            self.mischief.note(behaviour, node)
            return (Showing(raw, (stream.pick(others),)),)
        return (Showing(raw, self._everybody),)

    def hands_out(self, node: int) -> bool:
        """Whether a node answers requests for blocks."""
        return self._scenario.behaviour(node) is not Behaviour.WITHHOLDING

    def result_of(self, node: int, offer: Offer) -> Digest | None:
        """Decides what a node says a job's output is; None when no run of it ever ends."""
        behaviour = self._scenario.behaviour(node)
        if behaviour in ANSWERS_THAT_COUNT:
            self.mischief.note(behaviour, node)
        match behaviour:
            case Behaviour.LYING:
                return content_digest(b"a lie" + offer.artefact)
            case Behaviour.ERRING:
                return content_digest(b"error %d" % node + offer.artefact)
            case Behaviour.LAZY:
                return content_digest(b"lazy")
            case Behaviour.SILENT | Behaviour.COPYING | Behaviour.HIDING:
                return None
            case _:
                return right_result(offer)

    def errs(self, node: int) -> bool:
        """Whether a node's runs of jobs made of steps have a wrong one among them."""
        return self._scenario.behaviour(node) in WRONG

    def takes_its_time(self, node: int) -> bool:
        """Whether a node's runs of jobs are real ones."""
        return self._scenario.behaviour(node) is not Behaviour.LAZY


def right_result(offer: Offer) -> Digest:
    """Computes what every honest run of a job yields."""
    left = steps_left(offer, lies=False)
    if left:
        return left[-1]
    return content_digest(b"output" + offer.artefact + b"".join(offer.inputs))


def twin_of(raw: bytes, seed: bytes, scheme: Scheme) -> bytes:
    """Signs another valid block for the same slot: as of a millisecond later, and empty."""
    signed = decode(raw, SignedBlock, FORMAT_MAX)
    block = decode(signed.body, Block, FORMAT_MAX)
    twin = Block(
        version=block.version,
        network=block.network,
        epoch=block.epoch,
        round=block.round,
        author=block.author,
        own=block.own,
        parents=block.parents,
        weak=block.weak,
        content=content_of(()),
        checkpoint=block.checkpoint,
        proof=block.proof,
        time_ms=block.time_ms + 1,
    )
    output = bytes(DIGEST_BYTES) if block.proof else b""  # not part of what is signed
    return sign_block(twin, seed, scheme, output).raw
