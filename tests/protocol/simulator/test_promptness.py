from dataclasses import replace

from protocol import effects as fx
from protocol.facts import OperationApplied
from protocol.simulator.catalogue import SCENARIOS, calm
from protocol.simulator.promptness import PROMPT_ROUNDS, Promptness
from protocol.units import AccountId, Digest, Epoch, MemberIndex, Round

OPERATION = Digest(b"o" * 32)
NODE = 2


def reaches(found: Promptness, block_round: int) -> None:
    block = fx.PersistBlock(Digest(bytes(32)), Epoch(0), Round(block_round), MemberIndex(0), b"")
    found.effect(1, NODE, block)


def waits(found: Promptness, rounds: int) -> Promptness:
    reaches(found, 10)
    found.effect(1, NODE, fx.Report(fx.OperationSeen(1, OPERATION)))
    reaches(found, 10 + rounds)
    applied = fx.Report(OperationApplied(OPERATION, AccountId(bytes(32))))
    found.effect(1, NODE + 1, applied)
    assert found.waited == {}
    found.effect(1, NODE, applied)
    return found


def test_an_operation_may_wait_up_to_the_bound() -> None:
    found = waits(Promptness(calm(1)), PROMPT_ROUNDS)
    assert found.waited == {OPERATION: PROMPT_ROUNDS}
    assert found.violations() == []


def test_an_operation_that_waited_longer_is_told_of() -> None:
    found = waits(Promptness(calm(1)), PROMPT_ROUNDS + 1)
    assert [one.invariant for one in found.violations()] == ["promptness"]


def test_where_links_or_nodes_fail_no_bound_is_promised() -> None:
    lossy = calm(1)
    lossy = replace(lossy, conditions=replace(lossy.conditions, loss_ppm=1))
    for scenario in (SCENARIOS["crashes"](1), lossy):
        assert waits(Promptness(scenario), PROMPT_ROUNDS + 1).violations() == []
