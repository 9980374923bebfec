import json
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pnode.lab.simulation.library import ScenarioError, parse_scenario
from p2pnode.lab.simulation.scenario_file import (
    SEED_MAX,
    Described,
    Expectation,
    document_of,
    read_described,
)
from p2pnode.lab.simulation.toml_writer import write_toml
from protocol.parameters import minimal, with_pace
from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.draw import draw_scenario
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.overlay.parameters import (
    MeshParameters,
    OverlayParameters,
    ScoreParameters,
    Strategy,
    as_the_node,
    gossipsub_1_0,
    gossipsub_attacked_1_0,
    gossipsub_attacked_1_1,
)
from protocol.simulator.run import Verdict
from protocol.simulator.scenario import Behaviour, Cut, Partition, Scenario, Workload
from tests.p2pnode.lab.simulation.builders import text

WHOLE = '''
name = "whole"
seed = 7
about = """
All keys
at once."""

[nodes]
stakes = [3000, 4000]
observers = 1
twins = [1]
skews = ["-1 s", "0 s", "20 ms"]
sync = "5 ms"

[links]
delay = { law = "long-tailed", low = "10 ms", high = "50 ms" }
loss = "1 %"
duplicate = "200 ppm"
slow = [[[0, 1], { law = "constant", low = "1 s" }]]

[workload]
transfers = 3
jobs = 2
span = "4 s"

[stop]
safety = "9 s"
liveness = "1 min"

[parameters]
preset = "minimal"
minimum_round_ms = 300
idle_round_ms = 900

[[behaviour]]
kind = "lying"
nodes = [2]

[[fault]]
kind = "partition"
at = "2 s"
for = "1 s"
groups = [[0, 2], [1, 3]]

[[fault]]
kind = "cut"
at = "4 s"
until = "5.5 s"
pairs = ["0 <> 2"]

[expect]
outcome = "safety"
invariant = "agreement"
'''

SECOND = 1_000_000_000
MILLISECOND = 1_000_000

EXPECTED = Scenario(
    name="whole",
    seed=7,
    stakes=(3000, 4000),
    conditions=Conditions(
        Delay(Law.LONG_TAILED, 10 * MILLISECOND, 50 * MILLISECOND),
        10_000,
        200,
        (((0, 1), Delay(Law.CONSTANT, SECOND, SECOND)),),
    ),
    workload=Workload(3, 2, 4 * SECOND),
    safety_ns=9 * SECOND,
    observers=1,
    twins=(1,),
    parameters=with_pace(minimal(), 300, 900),
    faults=(
        Partition(2 * SECOND, 3 * SECOND, ((0, 2), (1, 3))),
        Cut(4 * SECOND, 5 * SECOND + SECOND // 2, ((0, 2), (2, 0))),
    ),
    behaviours=((2, Behaviour.LYING),),
    skews_ns=(-SECOND, 0, 20 * MILLISECOND),
    sync_ns=5 * MILLISECOND,
    liveness_ns=60 * SECOND,
)


def test_a_file_says_everything_that_a_scenario_has() -> None:
    assert parse_scenario(WHOLE) == Described(
        EXPECTED, "All keys\nat once.", Expectation(Verdict.SAFETY, "agreement")
    )


def test_the_seed_of_the_command_takes_the_place_of_the_files() -> None:
    assert parse_scenario(WHOLE, seed=9).scenario.seed == 9
    assert parse_scenario(text()).scenario.seed == 1


@given(st.integers(0, SEED_MAX), st.booleans())
@settings(max_examples=60)
def test_every_drawn_scenario_survives_being_written_as_toml_and_as_json(
    seed: int, full: bool
) -> None:
    described = Described(draw_scenario(seed), "drawn\nat random", overlaps=True)
    document = document_of(described, full=full)
    assert read_described(json.loads(json.dumps(document))) == described
    assert read_described(tomllib.loads(write_toml(document))) == described


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_scenario_of_the_catalogue_survives_too(name: str) -> None:
    described = Described(SCENARIOS[name](3))
    assert read_described(tomllib.loads(write_toml(document_of(described)))) == described


OVERLAYS = (as_the_node(), gossipsub_1_0(), gossipsub_attacked_1_0(), gossipsub_attacked_1_1())


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("full", [False, True])
def test_every_overlay_that_is_known_survives_too(overlay: OverlayParameters, full: bool) -> None:
    described = Described(replace(EXPECTED, overlay=overlay))
    written = write_toml(document_of(described, full=full))
    assert read_described(tomllib.loads(written)) == described


def test_scores_may_be_negative_and_their_decay_is_a_share() -> None:
    scored = """[overlay]
strategy = "gossipsub"
dials = 4
[overlay.mesh]
heartbeat = "700 ms"
scores = { invalid_weight = -5, gossip_threshold = -7, mesh_decay = "99.5 %" }
"""
    overlay = parse_scenario(text(fault=scored)).scenario.overlay
    scores = ScoreParameters(invalid_weight=-5, gossip_threshold=-7, mesh_decay=995_000)
    assert overlay == OverlayParameters(
        Strategy.GOSSIPSUB, 4, mesh=MeshParameters(heartbeat_ns=700 * MILLISECOND, scores=scores)
    )


def test_a_full_document_does_not_depend_on_defaults_of_this_version() -> None:
    brief = document_of(Described(EXPECTED), full=False)
    full = document_of(Described(EXPECTED))
    assert brief["parameters"] == {"minimum_round_ms": 300, "idle_round_ms": 900}
    assert isinstance(full["parameters"], dict)
    assert len(full["parameters"]) == len(minimal().__struct_fields__)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[stop]", "[stops]", "line 10: stops: unknown key 'stops': did you mean 'stop'?"),
        (
            "safety",
            "safetys",
            "line 11: stop.safetys: unknown key 'safetys': did you mean 'safety'?",
        ),
        ('span = "4 s"', "", "line 6: workload: 'span' is missing"),
        ('safety = "8 s"', "", "line 10: stop: 'safety' is missing"),
        ("members", "membres", "line 3: nodes.membres: unknown key 'membres': did you mean 'memb"),
        ("members = 5", "members = 5\nobservers = 99_999", "nodes: there are 100004 nodes, and 1"),
        ("example", "a\\u001b[2J", "line 1: name: expected a text of one line, without control"),
        ("members = 5", 'members = "5"', "line 3: nodes.members: expected a whole number"),
        ("jobs = 1", "jobs = -1", "line 8: workload.jobs: -1 is negative"),
        ("at =", "att =", "line 12: fault.0: a fault has 'at', and either 'for' or 'until'"),
        ('for = "3 s"', "", "line 12: fault.0: a fault has 'at', and either 'for' or 'until'"),
        ('for = "3 s"', 'for = "3"', "line 15: fault.0.for: expected a time with its unit"),
        ('kind = "partition"', 'kind = "partitoin"', "line 13: fault.0.kind: unknown kind"),
        ("groups", "group", "line 16: fault.0.group: unknown key 'group': did you mean 'groups'?"),
        ('"3/2"', '"3/3"', "line 16: fault.0.groups: sizes '3/3' do not divide the 5 nodes"),
        ("[[fault]]", "[fault]", "line 12: fault: write [[fault]], with two brackets"),
        ('name = "example"', "", "file: 'name' is missing"),
        ('name = "example"', "name = 5", "line 1: name: expected a text"),
    ],
)
def test_a_mistake_is_named_by_its_line_and_by_what_is_allowed(
    old: str, new: str, said: str
) -> None:
    lines = text().replace(old, new, 1)
    with pytest.raises(ScenarioError) as refusal:
        parse_scenario(lines, "file")
    assert said in str(refusal.value)
    assert str(refusal.value).startswith("file")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            '[expect]\noutcome = "safety"\ninvariant = "agree_ment"',
            "file, line 15: expect.invariant: unknown promise 'agree_ment': did you mean 'agreeme",
        ),
        (
            '[expect]\ninvariant = "agreement"',
            "file, line 14: expect.invariant: the outcome 'pass' breaks no promise: expect anoth",
        ),
        ('[expect]\noutcome = "fine"', "expect.outcome: 'fine': known are crash"),
        ("[parameters]\nroundms = 5", "parameters.roundms: unknown key"),
        ("[parameters]\nminimum_round_ms = -5", "parameters.minimum_round_ms: Expected `int` >= 0"),
        ('[parameters]\npreset = "minimals"', "did you mean 'minimal'?"),
        ('[[behaviour]]\nkind = "lyings"\nnodes = [1]', "did you mean 'lying'?"),
        ("[[behaviour]]\nnodes = [1]", "behaviour.0: 'kind' is missing"),
        ("overlaps = 1", "overlaps: expected true or false"),
        ("seed = -1", "seed: expected a whole number from 0"),
    ],
)
def test_mistakes_in_what_need_not_be_said_are_named_too(more: str, said: str) -> None:
    top, _, rest = text(fault="").partition("\n")
    whole = f"{top}\n{more}\n{rest}" if "[" not in more[:1] else f"{top}\n{rest}\n{more}"
    with pytest.raises(ScenarioError) as refusal:
        parse_scenario(whole, "file")
    assert said in str(refusal.value)
