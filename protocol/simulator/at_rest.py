"""What must hold once nothing is under way any more: nothing asked for or proven is forgotten."""

from protocol.simulator.log import Log, Violation
from protocol.simulator.world import World


def durability(world: World, log: Log) -> list[Violation]:
    """What a node took on is final, or still waits in its pool; no crash loses it."""
    found = []
    for identifier, node in log.unsettled.items():
        core = world.nodes[node].core
        if core is not None and identifier not in core.pool:
            detail = f"operation {identifier.hex()} is neither final nor waiting"
            found.append(Violation("durability", node, detail, world.engine.now))
    return found


def conviction(world: World, log: Log) -> list[Violation]:
    """Who signed two blocks for one round where a member saw it has lost stake."""
    members = range(len(world.scenario.stakes))
    slashed = dict.fromkeys(account for _, account in log.slashes)
    return [
        Violation("accountability", -1, f"{account.hex()} kept its stake", world.engine.now)
        for account, rounds in log.equivocations.items()
        if account not in slashed and any(witness in members for witness in rounds.values())
    ]
