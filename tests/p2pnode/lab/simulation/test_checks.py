import re

import pytest

from p2pnode.lab.simulation.checks import is_sound, warnings
from p2pnode.lab.simulation.library import ScenarioError, parse_scenario
from tests.p2pnode.lab.simulation.builders import FAULT, NODES, REST, text

SLOW = 'slow = [[[0, 7], { law = "constant", low = "1 s" }]]\n'


def links(line: str) -> str:
    return text(rest=REST.replace("[workload]", f"{line}\n[workload]"), fault="")


def fault(kind: str, at: str, lasts: str, rest: str = "node = 1") -> str:
    return f'[[fault]]\nkind = "{kind}"\nat = "{at}"\nfor = "{lasts}"\n{rest}\n'


def refusal(lines: str) -> str:
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(lines, "file")
    return str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (fault("crash", "3 s", "0 s"), "the fault ends at 3 s, not after its start at 3 s"),
        (
            '[[fault]]\nkind = "crash"\nat = "5 s"\nuntil = "4 s"\nnode = 1\n',
            "the fault ends at 4 s, not after its start at 5 s",
        ),
        (fault("crash", "3 s", "6 s"), "the fault ends at 9 s, after 'stop.safety', 8 s"),
        (fault("crash", "-3 s", "6 s"), "the fault begins at -3 s, and a network's time at 0"),
        (
            fault("stale-disk", "3 s", "2 s", "node = 1\ndown = '2001 ms'"),
            "down: the node would stop",
        ),
        (fault("cut", "3 s", "1 s", "pairs = ['1 > 1']"), "'1 > 1': a node has no link to itself"),
        (fault("crash", "0 s", "1 s"), "the fault ends at 1 s, before the nodes start at 1 s"),
        (fault("join", "2 s", "1 s"), "a node that joins is not there when all start, at 1 s"),
        (fault("crash", "3 s", "1 s", "node = 5"), "there is no node 5: the last one is 4"),
        (fault("cut", "3 s", "1 s", "pairs = [[0, 9]]"), "there is no node 9"),
        (fault("cut", "3 s", "1 s", "pairs = [[2, 2]]"), "a node has no link to itself"),
        (fault("partition", "3 s", "1 s", "groups = [[0, 1], [1, 2, 3, 4]]"), "node 1 stands in"),
        (fault("partition", "3 s", "1 s", "groups = [[0, 1], [2, 3]]"), "node 4 stands in no"),
        (fault("partition", "3 s", "1 s", "groups = [[0, 1, 2, 3, 4]]"), "name at least two"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_its_line(wrong: str, said: str) -> None:
    found = refusal(text(fault=wrong))
    assert re.match(r"file, line (12: fault\.0: |1[67]: fault\.0\.)", found)
    assert said in found


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (
            fault("pause", "2 s", "3 s"),
            fault("crash", "3 s", "1 s"),
            "'pause' and 'crash' stop node 1",
        ),
        (
            fault("stale-disk", "2 s", "2 s"),
            fault("crash", "3 s", "2 s"),
            "'stale-disk' and 'crash' stop node 1",
        ),
        (
            fault("torn-write", "2 s", "2 s"),
            fault("crash", "3 s", "2 s"),
            "'torn-write' and 'crash' stop node 1",
        ),
        (
            fault("store-failure", "2 s", "2 s"),
            fault("store-failure", "3 s", "2 s"),
            "two of 'store-failure' for the same",
        ),
        (
            fault("loss-burst", "2 s", "2 s", 'loss = "5 %"'),
            fault("loss-burst", "3 s", "2 s", 'loss = "5 %"'),
            "two of 'loss-burst' for the same",
        ),
        (
            FAULT,
            fault("partition", "4 s", "1 s", "groups = [[0, 3], [1, 2, 4]]"),
            "two partitions at one time",
        ),
    ],
)
def test_faults_that_contradict_one_another_are_refused(first: str, second: str, said: str) -> None:
    found = refusal(text(fault=first + second))
    assert re.match(r"file, line 1[67]: fault\.1: ", found)
    assert said in found
    assert "'overlaps = true' allows it" in found
    name, _, rest = text(fault=first + second).partition("\n")
    assert parse_scenario(f"{name}\noverlaps = true\n{rest}").overlaps


@pytest.mark.parametrize(
    "both",
    [
        fault("pause", "2 s", "1 s") + fault("crash", "3 s", "1 s"),
        fault("pause", "2 s", "3 s") + fault("crash", "3 s", "1 s", "node = 2"),
        fault("stale-disk", "2 s", "4 s") + fault("crash", "3 s", "1 s"),
        fault("crash", "2 s", "3 s") + fault("store-failure", "3 s", "1 s"),
        fault("cut", "2 s", "3 s", "pairs = '0 > 1'")
        + fault("cut", "3 s", "1 s", "pairs = '0 > 1'"),
        FAULT + fault("partition", "4 s", "1 s", "groups = '2/1/2'"),
    ],
)
def test_faults_that_can_be_at_one_time_are_not_refused(both: str) -> None:
    assert len(parse_scenario(text(fault=both)).scenario.faults) == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (text(rest=REST.replace("8 s", "4.5 s"), fault=""), "line 9: workload.span: requests"),
        (text(rest=REST.replace("8 s", "1 s"), fault=""), "stop.safety: nodes start at 1 s"),
        (text(rest=REST.replace("20 ms", "90 ms")), "line 5: links.delay: 'low' is above 'high'"),
        (
            text(rest=REST.replace("[workload]", SLOW + "[workload]"), fault=""),
            "line 6: links.slow: there is no node 7",
        ),
        (links('reorder = "5 %"'), "line 6: links.reorder: say with 'reorder_longest'"),
        (links("regions = [0, 0, 0, 0, 0, 0]"), "links.regions: there are 5 nodes only"),
        (
            links("regions = [0, 1]"),
            "line 6: links.regions: without 'region_delays', regions change nothing",
        ),
        (
            text(nodes="[nodes]\nstakes = [1, 5_000_000_000_000]\n", fault=""),
            "line 3: nodes.stakes: stakes and 1000000 credits for each node come to 5000002000001 "
            "credits, and a network has 1152921504606 at most",
        ),
        (links('region_delays = [["0 s"], ["1 s"]]'), "expected as many columns as rows"),
        (
            links('regions = [0, 1]\nregion_delays = [["0 s"]]'),
            "links.regions: 1 regions have delays; they count from 0",
        ),
        (
            text(rest=REST.replace("jobs = 1", "jobs = 1\nreplicas = [3, 1]")),
            "workload.replicas: the least is above the most",
        ),
        (text(nodes=NODES + "twins = [7]\n", fault=""), "line 4: nodes.twins: there is no node 7"),
        (text(nodes=NODES + "twins = [1, 1]\n", fault=""), "a node has one twin at most"),
        (text(nodes=NODES + "skews = ['-2 s']\n"), "line 4: nodes.skews: clocks lag by 1 s"),
        (text(fault="[[behaviour]]\nkind = 'lying'\nnodes = [9]\n"), "there is no node 9"),
        (text(fault="[[behaviour]]\nkind = 'lying'\nnodes = [1, 1]\n"), "behaves in two ways"),
        (text(fault="[[behaviour]]\nkind = 'honest'\nnodes = [1]\n"), "honest without being"),
        (
            text(fault="[[behaviour]]\nkind = 'lying'\nnodes = [0, 1, 2, 3, 4]\n"),
            "none of 5 members and 5 nodes is honest",
        ),
    ],
)
def test_networks_and_times_that_cannot_be_are_refused(lines: str, said: str) -> None:
    assert said in refusal(lines)


def test_a_third_of_the_stake_is_warned_of_unless_something_else_is_expected() -> None:
    bad = "[[behaviour]]\nkind = 'equivocating'\nnodes = [0, 1]\n"
    described = parse_scenario(text(fault=bad))
    assert not is_sound(described.scenario)
    (sentence,) = warnings(described)
    assert sentence.startswith("40 % of the stake is dishonest")
    expecting = parse_scenario(text(fault=bad + "[expect]\noutcome = 'safety'\n"))
    assert list(warnings(expecting)) == []
    assert list(warnings(parse_scenario(text()))) == []


def test_twins_count_as_dishonest_stake() -> None:
    described = parse_scenario(text(nodes=NODES + "twins = [0, 1]\n", fault=""))
    assert len(list(warnings(described))) == 1


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("dials = 0", "line 13: overlay.dials: 0 is nothing"),
        ("dials = 4\nmesh = { heartbeat = '0 s' }", "overlay.mesh.heartbeat: '0 s' is nothing"),
        ("dials = 4\nmesh = { degree = 20 }", "overlay.mesh: 'degree' is not between"),
        ("dials = 4\nmesh = { window = 9 }", "overlay.mesh: 'window' is longer than 'history'"),
        ("dials = 4\nstrategy = 'push'", "overlay.strategy: rumours are an experiment"),
        ("dials = 4\nmesh = { lazy = -1 }", "overlay.mesh.lazy: -1 is negative"),
    ],
)
def test_an_overlay_that_cannot_be_is_refused(keys: str, said: str) -> None:
    strategy = "" if "strategy" in keys else "strategy = 'gossipsub'\n"
    assert said in refusal(text(fault=f"[overlay]\n{keys}\n{strategy}"))
