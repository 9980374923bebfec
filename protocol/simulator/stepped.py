"""What simulated runs of jobs made of steps leave: the same on every honest node.

Who errs does one step wrong, which one the offer decides, and goes on from what that left.
"""

from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import content_digest
from protocol.job.stepped import steps_of
from protocol.messages import Offer
from protocol.step_messages import StepPair
from protocol.tree.trace import Trace
from protocol.units import Digest


def steps_left(offer: Offer, *, lies: bool) -> tuple[Digest, ...]:
    """Lists what a run leaves after each step; empty for a job that is not made of steps."""
    steps = steps_of(offer.result_class) or 0
    wrong_from = lying_step(offer) if lies else steps
    return tuple(
        content_digest(b"%s %d" % (b"lie" if at >= wrong_from else b"step", at) + offer.artefact)
        for at in range(steps)
    )


def lying_step(offer: Offer) -> int:
    """Says which step of an offer everybody who errs does wrong."""
    return int.from_bytes(offer.artefact[:4], "big") % (steps_of(offer.result_class) or 1)


def ended(event: ev.ExecutionEnded, effect: fx.Execute, *, lies: bool) -> ev.ExecutionEnded:
    """Gives the end of a run what its steps left, or the one step that a juror ran."""
    left = steps_left(effect.offer, lies=lies)
    if not left:
        return event
    output, trace = left[-1], bytes(Trace(left).root)
    if effect.step is not None:
        output, trace = left[effect.step.index], b""
    return ev.ExecutionEnded(event.job, event.outcome, output, event.elapsed_ms, event.fuel, trace)


def opened(effect: fx.OpenTrace, *, lies: bool) -> ev.TraceOpened:
    """Opens the trace of a simulated run."""
    trace, asked = Trace(steps_left(effect.offer, lies=lies)), effect.question
    left, right = trace.halves(asked.begin, asked.height)
    before = trace.ending(asked.begin, asked.before_height) if asked.before_height else ()
    return ev.TraceOpened(StepPair(effect.job, asked.dispute, asked.level, left, right, before))
