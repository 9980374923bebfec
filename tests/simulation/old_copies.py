"""Networks in which one member starts again from an old copy of its data folder.

`python -m tests.simulation.old_copies --seeds 100` plays many in virtual time; a seed draws the
size of the network, the member, when the copy was made and how much older it is than the member.
"""

import argparse
import sys
from dataclasses import dataclass, replace

from protocol.simulator.catalogue import CONDITIONS, calm
from protocol.simulator.chance import Stream
from protocol.simulator.faults import FaultPlan
from protocol.simulator.invariants import SAFETY
from protocol.simulator.log import Log
from protocol.simulator.scenario import Scenario, StaleDisk, Workload
from protocol.simulator.world import World
from protocol.units import MILLISECOND, SECOND

SIZES = (4, 5, 7)
COPY_NS = 3 * SECOND
AGES_MS = (1_500, 9_000)
"""How much older than its member a copy is: from little more than a backup's own time."""
AFTERWARDS_NS = 8 * SECOND
LAG_COMMITS = 5


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of one restored member."""

    forgotten: int
    """Blocks that the member had signed and its copy did not know."""
    broken: tuple[str, ...]
    """Promises that did not hold."""
    sits_out: bool
    """It says that it signs no more in this epoch."""
    signed_again: int
    """Blocks that it signed after its return."""
    equivocations: int
    """Rounds for which anybody has seen two of its blocks."""
    lag: int
    """Commits by which it is behind the first at the end."""

    @property
    def is_well(self) -> bool:
        """Whether the copy was old, and harmed nobody."""
        is_harmless = not (self.broken or self.signed_again or self.equivocations)
        return self.forgotten > 0 and is_harmless and self.sits_out and self.lag < LAG_COMMITS


def restored(seed: int) -> Scenario:
    """One member goes back some seconds; payments go on meanwhile."""
    stream = Stream(seed, "old-copy")
    members = stream.pick(SIZES)
    return replace(
        calm(seed, members),
        name="old-copy",
        conditions=CONDITIONS,
        faults=(
            StaleDisk(
                COPY_NS,
                COPY_NS + stream.between(*AGES_MS) * MILLISECOND,
                stream.below(members),
            ),
        ),
        workload=Workload(4, 0, 5 * SECOND),
    )


def play(seed: int) -> Restored:
    """Plays one seed to its end."""
    scenario = restored(seed)
    log = Log(scenario)
    world = World(scenario, (log,))
    log.know(world.accounts)
    plan = FaultPlan(world)
    (fault,) = scenario.faults
    assert isinstance(fault, StaleDisk)
    world.engine.run(fault.end_ns)
    signed = world.nodes[fault.node].disk.signed
    world.engine.run(fault.end_ns + AFTERWARDS_NS)
    core = world.nodes[fault.node].core
    assert core is not None
    indexes = [node.core.state.index for node in world.nodes if node.core is not None]
    return Restored(
        forgotten=plan.bites()[0].count,
        broken=tuple(one.invariant for check in SAFETY for one in check(world, log)),
        sits_out=core.validator is None or core.validator.sits_out,
        signed_again=world.nodes[fault.node].disk.signed - signed,
        equivocations=sum(map(len, log.proofs.values())),
        lag=max(indexes) - core.state.index,
    )


def main() -> int:
    """Plays seeds, and names those in which something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="networks to play")
    options = parser.parse_args()
    found = {seed: play(seed) for seed in range(1, 1 + options.seeds)}
    failed = {seed: one for seed, one in found.items() if not one.is_well}
    for seed, one in failed.items():
        print(f"seed {seed}: {one}")
    forgotten = [one.forgotten for one in found.values()]
    print(
        f"{len(found)} restores, each of a copy that lacked {min(forgotten)} to {max(forgotten)} "
        f"own blocks: {sum(one.sits_out for one in found.values())} sat out, "
        f"{sum(one.signed_again for one in found.values())} blocks signed afterwards, "
        f"{sum(one.equivocations for one in found.values())} rounds signed twice, "
        f"{len(failed)} failed"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
