"""A scenario: everything that a simulated run depends on, as one value.

Node numbers count from 0: first the members of the committee, then nodes that only watch and work.
Times are nanoseconds since genesis.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocol.messages import Allocation, Genesis, Validator
from protocol.parameters import Parameters, minimal
from protocol.signing import Identity, Scheme
from protocol.simulator.chance import Stream
from protocol.simulator.costs import Costs
from protocol.simulator.network import Conditions, Delay, Pair
from protocol.simulator.overlay.parameters import OverlayParameters
from protocol.simulator.queue import Capacity
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
    """Reveals wrong results, the same as every other liar: they collude."""
    ERRING = "erring"
    """Reveals wrong results, each job's another one than anybody else's."""
    LAZY = "lazy"
    """Runs no job, and reveals one constant result for all of them at once."""
    SILENT = "silent"
    """Bids for jobs and never answers."""
    HIDING = "hiding"
    """Commits to results and shows their fingerprints, and never reveals them."""
    COPYING = "copying"
    """Bids for jobs, runs none, and sends what it can copy."""
    BURYING = "burying"
    """Puts others' operations into blocks that it shows too late for anybody to refer to."""
    SPAMMING = "spamming"
    """Floods everybody with blocks and operations that are invalid, or valid and of no use."""
    SYBIL = "sybil"
    """One of several keys outside the committee whose owner splits one stake among them."""


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
class DuplicateBurst:
    """All links deliver more twice than usual."""

    start_ns: int
    end_ns: int
    ppm: int


@dataclass(frozen=True, slots=True)
class ReorderBurst:
    """All links hold back a share of what they carry, so that later messages overtake it."""

    start_ns: int
    end_ns: int
    ppm: int
    longest_ns: int
    """The most that a message is held back."""


@dataclass(frozen=True, slots=True)
class SlowLink:
    """Directed links that take longer, or carry less."""

    start_ns: int
    end_ns: int
    pairs: tuple[Pair, ...]
    extra_ns: int = 0
    """Added to each delay."""
    capacity: Capacity | None = None
    """What all of these links carry together; None leaves them as fast as they are."""


@dataclass(frozen=True, slots=True)
class Clog:
    """Directed links that hold everything back until the end, and lose nothing.

    Connections stay as they are, and what was already on its way arrives.
    """

    start_ns: int
    end_ns: int
    pairs: tuple[Pair, ...]


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
class TornWrite:
    """A node crashes in the middle of its next write, of which its disk keeps the beginning."""

    start_ns: int
    """The first write from now on is torn."""
    end_ns: int
    """When the node starts again."""
    node: int
    is_noticed: bool = True
    """Whether the restore drops the torn batch, as a store with checksums does. False is a store
    without any, which starts from what has reached the disk."""


@dataclass(frozen=True, slots=True)
class StaleDisk:
    """A node is started again from a copy that was made of its disk some time before."""

    start_ns: int
    """When the copy is made."""
    end_ns: int
    """When the node is started from the copy."""
    node: int
    down_ns: int = 0
    """How long before that it was stopped."""


@dataclass(frozen=True, slots=True)
class Join:
    """A node is not there yet; it comes for the first time at the end, with an empty disk."""

    start_ns: int
    """No later than when all others start."""
    end_ns: int
    """When the node starts."""
    node: int


Fault = (
    Partition
    | Cut
    | SlowLink
    | Clog
    | LossBurst
    | DuplicateBurst
    | ReorderBurst
    | Crash
    | Pause
    | ClockJump
    | StoreFailure
    | TornWrite
    | StaleDisk
    | Join
)


class Arrivals(Enum):
    """When requests come within their span."""

    UNIFORM = "uniform"
    """Each at a time of its own."""
    CONSTANT = "constant"
    """At equal intervals."""
    POISSON = "poisson"
    """After exponential gaps, so that some come together; what falls behind the end of the span
    goes on from its start."""


Range = tuple[int, int]
"""The least and the most of what is drawn evenly between."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What honest nodes ask for, at drawn times.

    Attributes:
        transfers: Their number.
        jobs: Their number.
        span_ns: All requests fall into this time from the start.
        arrivals: How they are spread over it; transfers and jobs each for themselves.
        run_ms: The longest that a job may run.
        size_bytes: Of a job's artefact and inputs together.
        replicas: Executors that a job asks for.
        spares: Executors that it may call besides.
        slack_ms: What its deadline leaves besides the run.
        tolerated_errors_ppm: Chances of a wrong result that it may accept; one is picked.
        retention_ms: How long the output of each job is kept while its payouts wait.
        observer_stakes: Whether each owner of a node outside the committee stakes at the start, as
            those who work for others must; in a large network that is many operations at once.
        steps: Equal steps that each job is made of, so that one of them settles a dispute; 0 for
            jobs that are run as a whole.
    """

    transfers: int
    jobs: int
    span_ns: int
    arrivals: Arrivals = Arrivals.UNIFORM
    run_ms: Range = (200, 1_000)
    size_bytes: Range = (1_000_000, 1_000_000)
    replicas: Range = (1, 3)
    spares: Range = (0, 2)
    slack_ms: Range = (500, 2_500)
    tolerated_errors_ppm: tuple[int, ...] = (200_000, 50_000, 20_000)
    retention_ms: int = 0
    observer_stakes: bool = True
    steps: int = 0


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
        sync_delay: The same as a law; stands in place of `sync_ns` where there is one.
        costs: What computation takes; None when it takes no time.
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
    sync_delay: Delay | None = None
    costs: Costs | None = None
    overlay: OverlayParameters | None = None

    @property
    def nodes(self) -> int:
        """All nodes, twins included."""
        return self.originals + len(self.twins)

    @property
    def originals(self) -> int:
        """Members and observers together: as many as there are keys."""
        return len(self.stakes) + self.observers

    @property
    def late(self) -> frozenset[int]:
        """Nodes that are not there from the start."""
        return frozenset(fault.node for fault in self.faults if isinstance(fault, Join))

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
