"""What a job waits for between two phases: a beacon that nobody knew, or everybody's answers."""

from dataclasses import replace

from protocol.job.record import Circumstances, Job, Phase
from protocol.units import Milliseconds, Round


def await_beacon(job: Job, phase: Phase, circumstances: Circumstances) -> Job:
    """Enters a phase that waits for leaders who could not have decided what came before."""
    delay = circumstances.parameters.seed_delay_rounds
    awaited = Round(circumstances.position.leader_round + delay)
    return replace(job.advanced(phase, circumstances.position), round_awaited=awaited)


def await_answers(job: Job, phase: Phase, circumstances: Circumstances) -> Job:
    """Enters a phase in which everybody who committed has the same time to answer."""
    now_ms = circumstances.position.ledger_ms
    window_end_ms = Milliseconds(now_ms + circumstances.parameters.reveal_window_ms)
    return replace(job.advanced(phase, circumstances.position), window_end_ms=window_end_ms)
