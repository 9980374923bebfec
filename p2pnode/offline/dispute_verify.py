"""Judges the disputes in a job's transcript again: the search, the jury's draw, and the verdict."""

import msgspec
from msgspec import Struct

from p2pnode.cli.endings import BadInput
from p2pnode.offline.lottery_verify import Difference, Draw
from protocol.encoding import digest_of
from protocol.errors import Rejected
from protocol.job.dispute import (
    Dispute,
    Ground,
    Pair,
    Side,
    disputed_step,
    end_by_votes,
    open_level,
)
from protocol.job.lottery import draw
from protocol.job.record import Duty, ResultOutcome, Status
from protocol.job.stepped import seats_of
from protocol.parameters import Parameters
from protocol.step_messages import StepPair
from protocol.units import AccountId, Digest, JobId, Milliseconds

CLOCK_MS = Milliseconds(2**40)
"""Times are not in a transcript, so that no clock runs out when it is judged again."""
NOW = Milliseconds(0)
FINISHED = ResultOutcome.FINISHED.name.lower()


class SideRecord(Struct, frozen=True):
    """Everybody who found one result, and what they opened."""

    members: tuple[str, ...]
    output: str
    trace: str
    opened: tuple[tuple[str, str], ...]


class DisputeRecord(Struct, frozen=True):
    """One dispute as a node shows it."""

    steps: int
    sides: tuple[SideRecord, SideRecord]
    before: tuple[str, ...] = ()
    step: int | None = None
    ground: str | None = None
    losers: tuple[int, ...] = ()
    convicting: bool = False
    jury: Draw | None = None


class Voter(Struct, frozen=True):
    """Somebody who was called, and what it found."""

    account: str
    duty: str
    status: str = ""
    outcome: str | None = None
    output: str | None = None


class Disputed(Struct, frozen=True):
    """The part of a job's record that its disputes follow from."""

    id: str
    executors: tuple[Voter, ...] = ()
    disputes: tuple[DisputeRecord, ...] = ()


def verify_disputes(raw: bytes, parameters: Parameters | None) -> tuple[str, ...]:
    """Judges every dispute of a transcript again.

    Args:
        raw: What `p2pnode job ID --json` printed.
        parameters: The network's terms; None when they are not known, and then verdicts of juries
            are left out, as they depend on how many jurors there had to be.

    Returns:
        What was found as the rules have it.

    Raises:
        BadInput: The text is no transcript.
        Difference: The first thing that is not as the rules have it.
    """
    try:
        job = msgspec.json.decode(raw, type=Disputed)
        checked: list[str] = []
        for number, record in enumerate(job.disputes):
            checked += _verify(job, number, record, parameters)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BadInput(f"this is no output of `p2pnode job ID --json`: {error}") from error
    return tuple(checked)


def _verify(
    job: Disputed, number: int, record: DisputeRecord, parameters: Parameters | None
) -> list[str]:
    name = f"dispute {number}"
    dispute = _searched(JobId(bytes.fromhex(job.id)), number, record)
    step = None if dispute.is_searching else disputed_step(dispute).index
    _compare(f"step of {name}", step, record.step)
    checked = [f"search of {name}"]
    if record.jury is not None:
        _check_jury(job, number, record.jury)
        checked.append(f"jury of {name}")
    if step is not None and record.ground is not None and parameters is not None:
        verdict = end_by_votes(dispute, _votes(job, record.jury), seats_of(parameters)).verdict
        assert verdict is not None, "votes end a dispute"
        found = (verdict.ground.name.lower(), verdict.losers, verdict.convicting)
        _compare(f"verdict of {name}", found, (record.ground, record.losers, record.convicting))
        checked.append(f"verdict of {name}")
    elif record.ground == Ground.SILENCE.name.lower():
        _compare(f"silent sides of {name}", True, set(record.losers) <= set(dispute.awaited))
        checked.append(f"silence in {name}")
    return checked


def _searched(job: JobId, number: int, record: DisputeRecord) -> Dispute:
    """Opens everything again, each pair against the one above it."""
    first, second = (_side(side) for side in record.sides)
    dispute = Dispute(record.steps, (first, second), NOW)
    before = tuple(Digest(bytes.fromhex(one)) for one in record.before)
    for level in range(max(len(side.opened) for side in record.sides)):
        for side, members in zip(record.sides, (first.members, second.members), strict=True):
            if level >= len(side.opened):
                continue
            pair = _pair(side.opened[level])
            shown = StepPair(job, number, level, pair.left, pair.right, ())
            dispute = _opened(dispute, members[0], shown, before)
    return dispute


def _opened(
    dispute: Dispute, account: AccountId, shown: StepPair, before: tuple[Digest, ...]
) -> Dispute:
    """Opens one level; what the step before left is shown with the pair that it belongs to."""
    complete = StepPair(shown.job, shown.dispute, shown.level, shown.left, shown.right, before)
    refusals = []
    for tried in (shown, complete):
        try:
            return open_level(dispute, account, tried, NOW)
        except Rejected as refusal:
            refusals.append(refusal)
    raise Difference(f"level {shown.level} of a trace", "a pair of its root", str(refusals[0]))


def _check_jury(job: Disputed, number: int, jury: Draw) -> None:
    beacon, identifier = bytes.fromhex(jury.beacon), bytes.fromhex(job.id)
    seed = digest_of(b"step jury", beacon, identifier, bytes([number]))
    _compare(f"seed of the jury of dispute {number}", seed.hex(), jury.seed)
    weights = {bytes.fromhex(one.account): one.weight for one in jury.candidates}
    order = [account.hex() for account in draw(seed, weights, len(jury.order))]
    _compare(f"order of the jury of dispute {number}", order, list(jury.order))


def _votes(job: Disputed, jury: Draw | None) -> list[Digest]:
    order = jury.order if jury is not None else ()
    heard = (Status.REVEALED.value, Status.REFUTED.value)
    return [
        Digest(bytes.fromhex(one.output))
        for one in job.executors
        if one.duty == Duty.STEP_JUROR.value
        and one.account in order
        and one.outcome == FINISHED
        and one.output is not None
        and one.status in heard
    ]


def _side(record: SideRecord) -> Side:
    members = tuple(AccountId(bytes.fromhex(one)) for one in record.members)
    output, trace = (Digest(bytes.fromhex(one)) for one in (record.output, record.trace))
    return Side(members, output, trace, CLOCK_MS)


def _pair(shown: tuple[str, str]) -> Pair:
    left, right = (Digest(bytes.fromhex(one)) for one in shown)
    return Pair(left, right)


def _compare(what: str, computed: object, recorded: object) -> None:
    if computed != recorded:
        raise Difference(what, computed, recorded)
