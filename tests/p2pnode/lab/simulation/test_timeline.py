import pytest

from p2pnode.lab.simulation.library import ScenarioError, parse_scenario
from protocol.simulator.scenario import Fault, Partition
from tests.p2pnode.lab.simulation.builders import text

SECOND = 1_000_000_000
FLAPPING = """[[fault]]
kind = "partition"
at = "2 s"
until = "7 s"
groups = "4/1"
repeat = { every = "2 s", for = "1 s" }
"""


def faults(lines: str, seed: int = 1) -> tuple[Fault, ...]:
    return parse_scenario(text(fault=lines), "file", seed).scenario.faults


def spans(found: tuple[Fault, ...]) -> list[tuple[int, int]]:
    return [(fault.start_ns, fault.end_ns) for fault in found]


def test_one_table_stands_for_faults_at_equal_intervals() -> None:
    groups = ((0, 1, 2, 3), (4,))
    assert faults(FLAPPING) == (
        Partition(2 * SECOND, 3 * SECOND, groups),
        Partition(4 * SECOND, 5 * SECOND, groups),
        Partition(6 * SECOND, 7 * SECOND, groups),
    )


def test_drawn_gaps_depend_on_the_seed_and_leave_every_fault_its_length() -> None:
    lines = FLAPPING.replace("every", "gap").replace('for = "1 s"', 'for = "300 ms"')
    lines = lines.replace('gap = "2 s"', 'gap = "300 ms"')
    found = faults(lines)
    assert len(found) > 2
    assert faults(lines) == found
    assert spans(faults(lines, 2)) != spans(found)
    for (start, end), (following, _) in zip(spans(found), spans(found)[1:], strict=False):
        assert end - start == 300_000_000
        assert end <= following


def test_random_sides_are_two_for_every_fault_and_drawn_anew() -> None:
    lines = FLAPPING.replace('"4/1"', '"random"')
    drawn = [
        fault.groups
        for seed in range(8)
        for fault in faults(lines, seed)
        if isinstance(fault, Partition)
    ]
    assert drawn
    assert {len(groups) for groups in drawn} == {2}
    assert all(sorted(node for side in groups for node in side) == [*range(5)] for groups in drawn)
    assert len(set(drawn)) > 5


def test_a_contradiction_between_repeated_faults_names_their_table() -> None:
    crash = '[[fault]]\nkind = "crash"\nat = "2 s"\nfor = "1 s"\nnode = 1\n'
    pauses = '[[fault]]\nkind = "pause"\nat = "4 s"\nuntil = "7 s"\nnode = 1\n'
    pauses += 'repeat = { every = "1 s", for = "500 ms" }\n'
    last = crash.replace('"2 s"', '"6 s"')
    with pytest.raises(ScenarioError, match=r"line 23: fault\.2: 'pause' and 'crash' stop node 1"):
        faults(crash + pauses + last)


@pytest.mark.parametrize(
    ("repeat", "said"),
    [
        ('{ every = "1 s" }', "say how long each is with 'for'"),
        ('{ every = "1 s", gap = "1 s", for = "1 s" }', "how often with 'every' or 'gap'"),
        ('{ everys = "1 s", for = "1 s" }', "did you mean 'every'?"),
        ('{ every = "0 s", for = "1 s" }', "times are above 0"),
        ('{ every = "1 ms", for = "1 ms" }', "there are 1000 repeats at most"),
        ('{ every = "1 s", for = "2 s" }', "each is longer than the time to the next"),
        ('{ every = "6 s", for = "6 s" }', "not one fits between"),
        ("5", "a table with keys is expected"),
    ],
)
def test_repeats_that_cannot_be_are_refused_with_their_line(repeat: str, said: str) -> None:
    lines = FLAPPING.replace('{ every = "2 s", for = "1 s" }', repeat)
    with pytest.raises(ScenarioError) as refusal:
        faults(lines)
    assert str(refusal.value).startswith("file, line 17: fault.0.repeat")
    assert said in str(refusal.value)
