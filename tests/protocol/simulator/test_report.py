"""What a run says to people."""

from dataclasses import replace

from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.costs import Costs
from protocol.simulator.faults import Bite
from protocol.simulator.network import Delay, Law
from protocol.simulator.overlay.parameters import as_the_node
from protocol.simulator.queue import Capacity
from protocol.simulator.report import options, outcome_lines, summary
from protocol.simulator.run import play
from protocol.units import MILLISECOND

CALM = SCENARIOS["calm"](1)


def test_options_are_said_only_where_they_are_set() -> None:
    said = list(options(CALM))
    words = ("overlay", "regions", "uplink", "costs", "twins", "clocks", "fault")
    assert [line for line in said if line.strip().startswith(words)] == []


def test_what_is_set_is_said() -> None:
    conditions = replace(
        CALM.conditions,
        regions=(0, 1),
        region_delays_ns=((0, 5 * MILLISECOND), (7 * MILLISECOND, 0)),
        uplink=Capacity(8_000_000),
        uplinks=((3, Capacity(64_000, 9)),),
    )
    scenario = replace(
        CALM,
        conditions=conditions,
        costs=Costs(sign_ns=40_000),
        sync_delay=Delay(Law.UNIFORM, 2 * MILLISECOND, 9 * MILLISECOND),
        overlay=as_the_node(),
        twins=(1, 2),
        faults=SCENARIOS["split-3-2"](1).faults,
    )
    said = list(options(scenario))
    assert said[2:9] == [
        "  regions: of each node 0,1; delays between them in ms:",
        "    0,5",
        "    7,0",
        "  uplink: rate_bps 8000000",
        "  uplink of node 3: rate_bps 64000, queue_bytes 9",
        "  sync: uniform 2-9 ms",
        "  costs: sign_ns 40000",
    ]
    assert "  overlay: strategy flood, dials 4, accepts 8" in said
    assert "  twins: a second one runs with the keys of 1,2" in said
    fault = scenario.faults[0]
    start, end = fault.start_ns // MILLISECOND, fault.end_ns // MILLISECOND
    (told,) = (line for line in said if line.startswith("  fault: "))
    assert told == f"  fault: Partition from {start} to {end} ms, groups 0,1,2 | 3,4"


def test_every_promise_has_a_line_with_what_the_run_says_of_it() -> None:
    outcome = play(CALM)
    said = [line.split(maxsplit=2) for line in outcome_lines(outcome, "again")]
    told = {words[0]: words[1:] for words in said if words[0] in {c.name for c in outcome.checks}}
    assert len(told) == len(outcome.checks) > 10
    assert told["agreement"] == ["holds"]
    assert told["accountability"] == ["unknown", "nobody was convicted"]
    assert not any("repeat with" in " ".join(words) for words in said)


def test_a_table_says_what_fired_was_alone_and_bit() -> None:
    calm = play(CALM)
    mixed = (Bite("Crash", 1), Bite("Crash", 0), Bite("loss", 0))
    outcomes = [calm, replace(calm, bites=(Bite("loss", 3),)), replace(calm, bites=mixed)]
    assert [line.split() for line in summary(outcomes)][3:] == [
        ["class", "fired", "alone", "bit", "of", "3"],
        ["Crash", "1", "0", "1"],
        ["loss", "2", "1", "1"],
    ]
    assert len(list(summary([calm]))) == 3
