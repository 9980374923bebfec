"""How much a scenario takes at least, so that one that could never end is refused at once.

Each figure is a small part, a third at most, of what was measured with 5 to 50 nodes, so that
nothing is refused that could be run.
"""

import os
from typing import Final

from p2pnode.lab.simulation.schema import Misread
from protocol.simulator.scenario import Scenario
from protocol.units import MILLISECOND, SECOND

DAYS_MAX: Final = 30
SECONDS_PER_DAY: Final = 86_400
GIBIBYTE: Final = 2**30

NODE_BYTES: Final = 50_000
LINK_BYTES: Final = 100
REQUEST_BYTES: Final = 500
"""Of one request at one node."""
ROUND_BYTES: Final = 5_000
"""Of one round at one node."""
MESSAGE_NS: Final = 20_000
"""Time to handle one message; each member sends each node one in a round at least."""
REQUEST_NS: Final = 50_000
"""Time to handle one request at one node."""


def check_size(scenario: Scenario) -> None:
    """Refuse a scenario that no machine ends in a month, or that this one has no memory for.

    Raises:
        Misread: With the estimate, and the place of what counts most.
    """
    nodes, members = scenario.nodes, len(scenario.stakes)
    rounds = scenario.safety_ns // (max(1, scenario.parameters.idle_round_ms) * MILLISECOND)
    requests = scenario.workload.transfers + scenario.workload.jobs
    places = (("workload",), ("stop", "safety"), ("nodes",))
    sizes = (
        requests * nodes * REQUEST_BYTES,
        rounds * nodes * ROUND_BYTES,
        nodes * (NODE_BYTES + members * LINK_BYTES),
    )
    present = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if sum(sizes) > present:
        raise Misread(
            places[sizes.index(max(sizes))],
            f"the run needs at least {sum(sizes) // GIBIBYTE} GiB of memory, "
            f"and this machine has {present // GIBIBYTE}",
        )
    times = (requests * nodes * REQUEST_NS, rounds * members * nodes * MESSAGE_NS)
    days = sum(times) // (SECONDS_PER_DAY * SECOND)
    if days > DAYS_MAX:
        raise Misread(
            places[times.index(max(times))],
            f"the run takes at least {days} days, and {DAYS_MAX} are the most",
        )
