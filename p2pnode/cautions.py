"""Warns of a committee that can bear too little: of few members, or with one that outweighs others.

Nothing is wrong yet, and people should know before something is. The warnings follow the committee:
they are logged when they change, and the status always shows those that hold now.
"""

from typing import Final

import structlog

from protocol.core import Core
from protocol.facts import EpochClosed
from protocol.ledger.committee import Committee

MEMBERS_MIN: Final = 4
"""Fewer members of equal weight cannot lose one and go on."""

log = structlog.get_logger(__name__)


def cautions_about(committee: Committee) -> tuple[str, ...]:
    """Says what a committee cannot bear, in sentences for people."""
    found = []
    count, total = len(committee), committee.total
    if count < MEMBERS_MIN:
        found.append(
            f"the committee has {count} of at least {MEMBERS_MIN} members: every one must stay "
            "online; let more accounts stake and run with the role validator"
        )
    heaviest = max(committee.members, key=lambda one: (one.weight, one.account))
    if count > 1 and 3 * heaviest.weight >= total:
        share = 100 * heaviest.weight // total
        found.append(
            f"{heaviest.account.hex()} holds {share} % of the committee's weight: a third is "
            "enough to halt the network alone; let others stake more"
        )
    return tuple(found)


class Cautions:
    """Logs the warnings about one node's ledger, each when it begins to hold.

    Args:
        core: Whose state has the committee.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._told: tuple[str, ...] = ()

    def hear(self, fact: object) -> None:
        """Takes in a fact: a committee is another one where an epoch has ended."""
        if isinstance(fact, EpochClosed):
            self.tell()

    def tell(self) -> None:
        """Logs what holds now and was not said before."""
        committee = self._core.state.committee
        now = cautions_about(committee)
        for caution in now:
            if caution not in self._told:
                log.warning("committee_too_weak", epoch=committee.epoch, detail=caution)
        if self._told and not now:
            log.info("committee_strong_enough", epoch=committee.epoch)
        self._told = now
