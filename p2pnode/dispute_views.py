"""What people and programs are shown of a dispute: what both sides opened, and how it ended."""

from p2pnode.facts import plain
from protocol.job.dispute import Dispute, Ground, Side, disputed_step
from protocol.tree.trace import height_of

SIDES = ("first", "second")


def dispute_view(dispute: Dispute) -> dict[str, object]:
    """One dispute with all that its verdict follows from; the jury's draw is shown beside it."""
    is_found = dispute.level == height_of(dispute.steps)
    step = disputed_step(dispute) if is_found else None
    verdict = dispute.verdict
    return {
        "steps": dispute.steps,
        "level": dispute.level,
        "sides": [_side_view(side) for side in dispute.sides],
        "before": plain(dispute.before),
        "step": step.index if step else None,
        "given": plain(step.given) if step else None,
        "claims": plain(step.claims) if step else None,
        "ground": verdict.ground.name.lower() if verdict else None,
        "losers": list(verdict.losers) if verdict else [],
        "convicting": verdict.convicting if verdict else False,
        "reason": dispute_reason(dispute),
    }


def dispute_reason(dispute: Dispute) -> str:
    """Says in a sentence how a dispute stands or ended."""
    verdict = dispute.verdict
    if verdict is None and dispute.level < height_of(dispute.steps):
        return f"level {dispute.level} of {height_of(dispute.steps)} is being opened"
    if verdict is not None and verdict.ground is Ground.SILENCE:
        return f"{verdict.ground.value}: {_lost(verdict.losers)}"
    step = f"step {disputed_step(dispute).index} of {dispute.steps}"
    if verdict is None:
        return f"{step} is for a jury"
    return f"{verdict.ground.value}, {step}: {_lost(verdict.losers)}"


def _lost(losers: tuple[int, ...]) -> str:
    if not losers:
        return "undecided"
    return "both sides lost" if len(losers) > 1 else f"the {SIDES[losers[0]]} side lost"


def _side_view(side: Side) -> dict[str, object]:
    return {
        "members": plain(side.members),
        "output": side.output.hex(),
        "trace": side.trace.hex(),
        "remaining_ms": side.remaining_ms,
        "opened": [[pair.left.hex(), pair.right.hex()] for pair in side.opened],
    }
