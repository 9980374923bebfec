"""A scenario: everything that a simulated run depends on, as one value.

Node numbers count from 0: first the members of the committee, then nodes that only watch and work.
Times are nanoseconds since genesis.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocol.core import Identity
from protocol.messages import Allocation, Genesis, Validator
from protocol.parameters import Parameters, minimal
from protocol.signing import Scheme
from protocol.simulator.chance import Stream
from protocol.simulator.network import Conditions, Pair
from protocol.simulator.overlay.parameters import OverlayParameters
from protocol.units import CREDIT, SECOND, AccountId

START_NS: Final = SECOND
"""When the nodes start; leaves room for clocks that lag."""

FUNDS: Final = 1_000_000 * CREDIT
"""What each account has besides its stake."""


class Behaviour(Enum):
    """What a node does to the others."""

    HONEST = "honest"
    EQUIVOCATING = "equivocating"
    """Signs two blocks for one round and shows one to each half."""
    WITHHOLDING = "withholding"
    """Shows its blocks to one other node only, and hands out nothing."""
    LYING = "lying"
    """Reveals wrong results, the same as every other liar."""
    SILENT = "silent"
    """Bids for jobs and never answers."""
    COPYING = "copying"
    """Bids for jobs, runs none, and sends what it can copy."""
    BURYING = "burying"
    """Puts others' operations into blocks that it shows too late for anybody to refer to."""


MINIMAL: Final = minimal()


@dataclass(frozen=True, slots=True)
class Partition:
    """Groups that cannot reach one another."""

    start_ns: int
    end_ns: int
    groups: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """Directed links that carry nothing."""

    start_ns: int
    end_ns: int
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class LossBurst:
    """All links lose more than usual."""

    start_ns: int
    end_ns: int
    ppm: int


@dataclass(frozen=True, slots=True)
class Crash:
    """A node loses its memory and what it had not synced, and starts again later."""

    start_ns: int
    end_ns: int
    node: int


@dataclass(frozen=True, slots=True)
class Pause:
    """A node does nothing for a while and then finds all its messages."""

    start_ns: int
    end_ns: int
    node: int


@dataclass(frozen=True, slots=True)
class ClockJump:
    """A node's clock is off by so much for a while."""

    start_ns: int
    end_ns: int
    node: int
    skew_ns: int


@dataclass(frozen=True, slots=True)
class StoreFailure:
    """A node can make nothing durable."""

    start_ns: int
    end_ns: int
    node: int


@dataclass(frozen=True, slots=True)
class StaleDisk:
    """A node is started again from a copy that was made of its disk some time before."""

    start_ns: int
    """When the copy is made."""
    end_ns: int
    """When the node is stopped and started from the copy."""
    node: int


Fault = Partition | Cut | LossBurst | Crash | Pause | ClockJump | StoreFailure | StaleDisk


@dataclass(frozen=True, slots=True)
class Workload:
    """What honest nodes ask for, at drawn times.

    Attributes:
        transfers: Their number.
        jobs: Their number.
        span_ns: All requests fall into this time from the start.
    """

    transfers: int
    jobs: int
    span_ns: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulated network and its fate.

    Attributes:
        name: What it is about.
        seed: Of every draw during the run.
        stakes: Whole credits staked by each committee member.
        observers: Nodes outside the committee.
        twins: Nodes of which a second one runs with the same keys; these come last in number, and
            neither of a pair counts as honest.
        conditions: What links are like.
        parameters: The network's terms.
        faults: What goes wrong for a time.
        behaviours: Nodes that are not honest.
        skews_ns: Constant error of each node's clock; missing ones are right.
        sync_ns: Time from a write until it is safe.
        workload: What is asked of the network.
        safety_ns: The faults and the workload end by this time.
        liveness_ns: So much time is left afterwards to finish everything.
        overlay: How gossip travels from neighbour to neighbour; None links everybody directly.
    """

    name: str
    seed: int
    stakes: tuple[int, ...]
    conditions: Conditions
    workload: Workload
    safety_ns: int
    observers: int = 0
    twins: tuple[int, ...] = ()
    parameters: Parameters = MINIMAL
    faults: tuple[Fault, ...] = ()
    behaviours: tuple[tuple[int, Behaviour], ...] = ()
    skews_ns: tuple[int, ...] = ()
    sync_ns: int = 0
    liveness_ns: int = 180 * SECOND
    overlay: OverlayParameters | None = None

    @property
    def nodes(self) -> int:
        """All nodes, twins included."""
        return self.originals + len(self.twins)

    @property
    def originals(self) -> int:
        """Members and observers together: as many as there are keys."""
        return len(self.stakes) + self.observers

    def behaviour(self, node: int) -> Behaviour:
        """What a node does to the others."""
        return dict(self.behaviours).get(node, Behaviour.HONEST)

    @property
    def honest(self) -> tuple[int, ...]:
        """The nodes that keep every rule and whose keys nobody else uses."""
        return tuple(
            node
            for node in range(self.originals)
            if self.behaviour(node) is Behaviour.HONEST and node not in self.twins
        )


def identities(scenario: Scenario) -> tuple[Identity, ...]:
    """Draws every node's secrets."""
    found = []
    for node in range(scenario.originals):
        stream = Stream(scenario.seed, "identity", node)
        found.append(Identity(stream.digest(), stream.digest()))
    return (*found, *(found[node] for node in scenario.twins))


def genesis_of(scenario: Scenario, scheme: Scheme) -> Genesis:
    """Founds the scenario's network."""
    secrets = identities(scenario)
    validators = tuple(
        Validator(
            scheme.account_of(secret.seed),
            AccountId(scheme.vrf_key_of(secret.vrf_seed)),
            stake * CREDIT,
        )
        for secret, stake in zip(secrets, scenario.stakes, strict=False)
    )
    owners = secrets[: scenario.originals]
    allocations = tuple(Allocation(scheme.account_of(secret.seed), FUNDS) for secret in owners)
    return Genesis(
        name=scenario.name,
        time_ms=0,
        seed=Stream(scenario.seed, "genesis").digest(),
        parameters=scenario.parameters,
        validators=validators,
        allocations=allocations,
        faucet=None,
    )
