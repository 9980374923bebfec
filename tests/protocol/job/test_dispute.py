"""The search for the first step that two results differ in, and who loses by it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding import content_digest
from protocol.errors import Reason, Rejected
from protocol.job.dispute import (
    Dispute,
    DisputedStep,
    Ground,
    Side,
    Verdict,
    disputed_step,
    end_by_votes,
    is_before_asked,
    open_level,
    pass_deadline,
    place_of,
)
from protocol.step_messages import StepPair
from protocol.tree.trace import NO_STEP, Trace, height_of
from protocol.units import AccountId, Digest, JobId, Milliseconds

JOB = JobId(bytes(32))
ANN, BEA, CID, DOT = (AccountId(bytes([number]) * 32) for number in range(1, 5))
CLOCK_MS = Milliseconds(60_000)


def honest(count: int) -> list[Digest]:
    return [content_digest(b"step %d" % number) for number in range(count)]


def lying(count: int, at: int) -> list[Digest]:
    """A run that goes wrong in one step and is done honestly from there on."""
    wrong = [content_digest(b"lie %d" % number) for number in range(at, count)]
    return [*honest(count)[:at], *wrong]


@dataclass
class Contest:
    """A dispute and the traces of its two sides."""

    first: Sequence[Digest]
    second: Sequence[Digest]
    now_ms: int = 1_000
    bytes_sent: int = 0
    dispute: Dispute = field(init=False)

    def __post_init__(self) -> None:
        self.traces = (Trace(self.first), Trace(self.second))
        sides = (
            Side((ANN, CID), self.first[-1], self.traces[0].root, CLOCK_MS),
            Side((BEA,), self.second[-1], self.traces[1].root, CLOCK_MS),
        )
        self.dispute = Dispute(len(self.first), sides, Milliseconds(self.now_ms))

    def answer_of(self, side: int) -> StepPair:
        place, level = place_of(self.dispute), self.dispute.level
        left, right = self.traces[side].halves(place.begin, place.height)
        before: tuple[Digest, ...] = ()
        if is_before_asked(place, side):
            before = self.traces[side].ending(place.begin, place.agreed_height)
        return StepPair(JOB, 0, level, left, right, before)

    def answer(self, side: int, payload: StepPair | None = None) -> None:
        payload = payload or self.answer_of(side)
        account = self.dispute.sides[side].members[0]
        self.dispute = open_level(self.dispute, account, payload, Milliseconds(self.now_ms))
        self.bytes_sent += len(payload.left + payload.right) + 32 * len(payload.before)

    def play(self) -> DisputedStep:
        while self.dispute.is_searching:
            self.answer(0)
            self.answer(1)
        return disputed_step(self.dispute)

    def refusal(self, account: AccountId, payload: StepPair) -> Reason:
        with pytest.raises(Rejected) as caught:
            open_level(self.dispute, account, payload, Milliseconds(self.now_ms))
        return caught.value.reason

    def expire(self) -> None:
        self.now_ms = self.dispute.deadline_ms
        self.dispute = pass_deadline(self.dispute, Milliseconds(self.now_ms))


@settings(max_examples=300)
@given(st.integers(1, 600), st.data(), st.booleans())
def test_the_search_finds_the_first_wrong_step_whatever_it_is(
    steps: int, data: st.DataObject, is_liar_first: bool
) -> None:
    at = data.draw(st.integers(0, steps - 1))
    right, wrong = honest(steps), lying(steps, at)
    contest = Contest(wrong, right) if is_liar_first else Contest(right, wrong)
    found = contest.play()
    claims = (right[at], wrong[at])
    assert found == DisputedStep(
        at, right[at - 1] if at else None, claims[::-1] if is_liar_first else claims
    )
    assert contest.dispute.level == height_of(steps)
    ended = end_by_votes(contest.dispute, [right[at]], 1)
    assert ended.verdict == Verdict(Ground.STEP, (0 if is_liar_first else 1,), convicting=True)


@pytest.mark.parametrize("at", [0, 1, 999, 1_000, 1_023, 1_024, 1_025, 1_535, 1_536, 1_998, 1_999])
def test_two_thousand_steps_take_eleven_rounds_and_two_kilobytes(at: int) -> None:
    contest = Contest(honest(2_000), lying(2_000, at))
    assert contest.play().index == at
    assert contest.dispute.level == 11
    assert contest.bytes_sent <= 2_000


@given(st.integers(2, 70))
def test_who_has_the_right_trace_and_another_output_lies_in_the_last_step(steps: int) -> None:
    right = honest(steps)
    contest = Contest(right, right)
    lie = content_digest(b"another output")
    first, second = contest.dispute.sides
    contest.dispute = replace(contest.dispute, sides=(first, replace(second, output=lie)))
    assert contest.play() == DisputedStep(steps - 1, right[-2], (right[-1], NO_STEP))


@given(st.integers(1, 70), st.data())
def test_who_has_the_right_output_and_another_trace_lies_in_a_step(
    steps: int, data: st.DataObject
) -> None:
    at, right = data.draw(st.integers(0, steps - 1)), honest(steps)
    wrong = [*right[:at], content_digest(b"wrong"), *right[at + 1 :]]
    contest = Contest(right, wrong)
    first, second = contest.dispute.sides
    contest.dispute = replace(contest.dispute, sides=(first, replace(second, output=right[-1])))
    found = contest.play()
    assert found.index == at
    assert found.claims == (right[at], NO_STEP if at == steps - 1 else wrong[at])


@given(st.integers(3, 70).filter(lambda steps: steps & (steps - 1)))
def test_a_trace_with_something_behind_the_last_step_cannot_be_opened(steps: int) -> None:
    right = honest(steps)
    longer = Trace([*right, content_digest(b"behind")])
    contest = Contest(right, right)
    first, second = contest.dispute.sides
    contest.traces = (contest.traces[0], longer)
    contest.dispute = replace(contest.dispute, sides=(first, replace(second, trace=longer.root)))
    with pytest.raises(Rejected) as caught:
        contest.play()
    assert caught.value.reason is Reason.BAD_PROOF
    contest.expire()
    contest.expire()
    assert contest.dispute.verdict == Verdict(Ground.SILENCE, (1,), convicting=False)


def test_what_the_trace_does_not_have_is_refused() -> None:
    contest = Contest(honest(8), lying(8, 3))
    good = contest.answer_of(0)
    forged = StepPair(JOB, 0, 0, good.right, good.left, ())
    assert contest.refusal(ANN, forged) is Reason.BAD_PROOF
    assert contest.refusal(ANN, contest.answer_of(1)) is Reason.BAD_PROOF
    early = StepPair(JOB, 0, 0, good.left, good.right, (good.left,))
    assert contest.refusal(ANN, early) is Reason.BAD_PROOF
    ahead = StepPair(JOB, 0, 1, good.left, good.right, ())
    assert contest.refusal(ANN, ahead) is Reason.WRONG_PHASE
    assert contest.refusal(DOT, good) is Reason.NOT_EXECUTOR
    contest.answer(0)
    assert contest.refusal(CID, good) is Reason.ALREADY_DONE


def test_the_step_before_has_to_lead_to_what_both_have() -> None:
    contest = Contest(honest(8), lying(8, 4))
    for _ in range(2):
        contest.answer(0)
        contest.answer(1)
    good = contest.answer_of(0)
    assert len(good.before) == 3
    for before in ((), good.before[:-1], (good.left, *good.before[1:])):
        wrong = StepPair(JOB, 0, 2, good.left, good.right, before)
        assert contest.refusal(ANN, wrong) is Reason.BAD_PROOF
    contest.answer(0, good)
    contest.answer(1)
    assert disputed_step(contest.dispute).given == honest(8)[3]


def test_after_the_search_nothing_is_taken_any_more() -> None:
    contest = Contest(honest(1), lying(1, 0))
    assert not contest.dispute.is_searching
    late = StepPair(JOB, 0, 0, bytes(32), bytes(32), ())
    assert contest.refusal(ANN, late) is Reason.WRONG_PHASE
    assert contest.play() == DisputedStep(0, None, (honest(1)[0], lying(1, 0)[0]))


def test_a_silent_side_loses_when_its_clock_has_run_out() -> None:
    contest = Contest(honest(8), lying(8, 3))
    contest.answer(0)
    contest.expire()
    assert contest.dispute.is_urgent, "half of the clock: everybody of the side is asked"
    assert contest.now_ms == 1_000 + CLOCK_MS // 2
    contest.expire()
    assert contest.now_ms == 1_000 + CLOCK_MS
    assert contest.dispute.verdict == Verdict(Ground.SILENCE, (1,), convicting=False)
    assert not contest.dispute.is_searching


def test_two_silent_sides_both_lose() -> None:
    contest = Contest(honest(8), lying(8, 3))
    contest.expire()
    contest.expire()
    assert contest.dispute.verdict == Verdict(Ground.SILENCE, (0, 1), convicting=False)


def test_the_clock_of_a_side_is_for_all_its_answers_together() -> None:
    contest = Contest(honest(8), lying(8, 3))
    contest.answer(0)
    contest.now_ms += 50_000
    contest.answer(1)
    assert [side.remaining_ms for side in contest.dispute.sides] == [60_000, 10_000]
    assert contest.dispute.deadline_ms == 51_000 + 5_000
    assert not contest.dispute.is_urgent
    contest.expire()
    contest.expire()
    assert contest.dispute.verdict == Verdict(Ground.SILENCE, (1,), convicting=False)


RIGHT, WRONG, THIRD = (content_digest(word) for word in (b"right", b"wrong", b"third"))


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        ([RIGHT] * 3, Verdict(Ground.STEP, (1,), convicting=True)),
        ([WRONG] * 3, Verdict(Ground.STEP, (0,), convicting=True)),
        ([RIGHT, RIGHT, WRONG], Verdict(Ground.STEP, (1,), convicting=False)),
        ([RIGHT, RIGHT], Verdict(Ground.STEP, (1,), convicting=False)),
        ([THIRD] * 3, Verdict(Ground.STEP, (0, 1), convicting=False)),
        ([RIGHT, WRONG, THIRD], Verdict(Ground.NO_JURY, (), convicting=False)),
        ([RIGHT], Verdict(Ground.NO_JURY, (), convicting=False)),
        ([], Verdict(Ground.NO_JURY, (), convicting=False)),
    ],
)
def test_a_jury_decides_by_more_than_half_and_convicts_by_more_than_two_thirds(
    votes: list[Digest], verdict: Verdict
) -> None:
    contest = Contest([RIGHT], [WRONG])
    assert end_by_votes(contest.dispute, votes, 3).verdict == verdict
