"""How long a job waits for a beacon, and for answers."""

from protocol.job.record import Phase
from tests.support.builders import HandLedger, make_reveal


def test_a_beacon_and_answers_are_awaited_for_as_long_as_the_parameters_say() -> None:
    ledger = HandLedger()
    parameters = ledger.state.parameters
    job = ledger.open()
    ledger.bid(job, *range(1, 7))
    record = ledger.until(job, Phase.DRAWING)
    delay = parameters.seed_delay_rounds
    assert record.round_awaited == record.timeline[-1].leader_round + delay
    ledger.until(job, Phase.EXECUTING)
    ledger.quiet = set(range(7))
    for number in ledger.running(job):
        ledger.send_commitment(number, make_reveal(job))
    record = ledger.until(job, Phase.COMPARING)
    assert record.window_end_ms == ledger.state.ledger_time_ms + parameters.reveal_window_ms
