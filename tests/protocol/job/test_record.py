"""The record of a job: its table of transitions and what it tells about itself."""

import pytest

from protocol.encoding import encode
from protocol.job.record import TRANSITIONS, Phase
from tests.support.builders import HandLedger

ENDS = {Phase.SETTLED, Phase.INCONCLUSIVE, Phase.REFUNDED}


def test_every_phase_is_in_the_table_and_every_end_is_final() -> None:
    assert set(TRANSITIONS) == set(Phase)
    assert {phase for phase, following in TRANSITIONS.items() if not following} == ENDS


def test_every_phase_can_be_reached_and_left_towards_an_end() -> None:
    reached = {Phase.BIDDING}
    for _ in Phase:
        reached |= {following for phase in reached for following in TRANSITIONS[phase]}
    assert reached == set(Phase)


def test_a_transition_outside_the_table_is_our_own_mistake() -> None:
    ledger = HandLedger()
    record = ledger.state.jobs[ledger.open()]
    with pytest.raises(AssertionError):
        record.advanced(Phase.SETTLED, ledger.state._position)


def test_a_record_has_canonical_bytes() -> None:
    ledger = HandLedger()
    job = ledger.start().identifier
    record = ledger.run(job)
    assert encode(record) == encode(record)


def test_a_record_knows_its_parts() -> None:
    ledger = HandLedger()
    record = ledger.start()
    first = record.executors[0]
    assert record.executor(first.account) == first
    assert record.executor(record.requester) is None
    assert record.bid_of(record.requester) is None
    assert record.deadline_ms == first.deadline_ms
    assert record.accepted is None
    assert record.confidence_bp is None
