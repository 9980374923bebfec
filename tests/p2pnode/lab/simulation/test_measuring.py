import pytest

from p2pnode.lab.simulation.library import load_scenario, parse_scenario
from p2pnode.lab.simulation.measuring import Measurer, healed_ns, row_of
from p2pnode.lab.simulation.playing import run_scenario
from protocol import effects as fx
from protocol.simulator.run import play
from protocol.state import OperationApplied
from protocol.units import AccountId, CommitIndex, Digest
from tests.p2pnode.lab.simulation.builders import text

SECOND = 1_000_000_000
ONE, TWO = Digest(bytes(32)), Digest(bytes(31) + b"1")
PERSIST = fx.PersistCommit(CommitIndex(1), ONE, ONE)


def asked(identifier: Digest) -> fx.Effect:
    return fx.Report(fx.OperationSeen(1, identifier))


def applied(identifier: Digest) -> fx.Effect:
    return fx.Report(OperationApplied(identifier, AccountId(bytes(32))))


def test_what_was_never_final_is_later_than_all_else_and_counted() -> None:
    scenario = parse_scenario(text()).scenario
    outcome = play(scenario)
    measured = Measurer(scenario)
    measured.effect(2 * SECOND, 0, asked(ONE))
    measured.effect(2 * SECOND, 0, asked(TWO))
    measured.effect(5 * SECOND, 1, applied(ONE))
    measured.effect(3 * SECOND, 0, applied(ONE))
    row = row_of(outcome, measured)
    assert (row["operations"], row["unfinished"]) == (2, 1)
    assert (row["finality_p50_ms"], row["finality_p99_ms"]) == (1_000, None)
    assert row["recovery_ms"] is None


def test_recovery_counts_from_the_last_fault_to_the_last_honest_node() -> None:
    scenario = parse_scenario(text()).scenario
    outcome = play(scenario)
    assert healed_ns(scenario) == 6 * SECOND
    measured = Measurer(scenario)
    for node in range(5):
        measured.effect(5 * SECOND, node, PERSIST)
        measured.effect(7 * SECOND + node, node, PERSIST)
        measured.effect(9 * SECOND, node, PERSIST)
    assert row_of(outcome, measured)["recovery_ms"] == 1_000


def test_the_longest_silence_reaches_to_the_end() -> None:
    measured = Measurer(parse_scenario(text()).scenario)
    measured.effect(3 * SECOND, 0, PERSIST)
    measured.effect(9 * SECOND, 1, PERSIST)
    assert measured.silence_ns(4 * SECOND) == 2 * SECOND
    assert measured.silence_ns(11 * SECOND) == 8 * SECOND


@pytest.mark.slow
def test_a_partition_without_a_quorum_is_one_long_silence() -> None:
    _, split = run_scenario(load_scenario("split-3-2"))
    _, calm = run_scenario(load_scenario("calm"))
    assert split["silence_ms"] is not None
    assert calm["silence_ms"] is not None
    assert split["silence_ms"] >= 8_000 - 1_000 > calm["silence_ms"]
    assert "recovery_ms" not in calm
    assert split["unfinished"] == calm["unfinished"] == 0
