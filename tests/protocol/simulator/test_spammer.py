from dataclasses import dataclass, field

import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.errors import Reason
from protocol.simulator.catalogue import misbehaving
from protocol.simulator.run import Verdict, play
from protocol.simulator.scenario import Behaviour
from protocol.simulator.spammer import PAUSE_NS

pytestmark = pytest.mark.slow


@dataclass
class Refusals:
    """Counts what the others refuse, by reason, and when the last of it came."""

    reasons: dict[Reason, int] = field(default_factory=dict)
    last: int = 0

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events are not judged."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if isinstance(effect, fx.Report) and isinstance(effect.fact, fx.PeerRefused):
            self.reasons[effect.fact.reason] = self.reasons.get(effect.fact.reason, 0) + 1
            self.last = time


def test_a_flood_is_refused_stage_by_stage_ends_and_breaks_nothing() -> None:
    refused = Refusals()
    scenario = misbehaving(1, Behaviour.SPAMMING)
    outcome = play(scenario, recorders=(refused,))
    assert outcome.verdict is Verdict.PASS, outcome.violations[:3]
    bursts = outcome.bites[0].count
    assert bursts > 40
    assert bursts <= scenario.safety_ns // PAUSE_NS
    assert refused.reasons[Reason.MALFORMED] > 2 * bursts
    assert refused.reasons[Reason.BAD_SIGNATURE] > 20 * bursts
    assert refused.last < scenario.safety_ns + PAUSE_NS
