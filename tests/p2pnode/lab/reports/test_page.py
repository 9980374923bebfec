"""The page says what the tables say, and nothing that data says can become markup."""

from p2pnode.lab.reports.page import origin, page
from tests.p2pnode.lab.results.builders import SPLIT, operation, reading

EVIL = "<script>alert('x')</script>"
RUN = reading(
    faults=SPLIT,
    operations=operation("a", 0, 1_500.0, {0: 1_900.0, 1: 1_950.0}),
    jobs=[
        {
            "job": "ab" * 32,
            "phase": "settled",
            "ending": "accepted",
            "executors": "1 0",
            "bidding_ms": 1_000.0,
            "settled_ms": 3_500.0,
            "payouts_microcredits": "1:1500000",
        }
    ],
)
MANIFEST = {
    "name": "tiny",
    "seed": 7,
    "source": "simulator",
    "version": "1.2",
    "outcome": "safety",
    "trace": "f" * 64,
    "checks": [
        {"name": "lottery", "result": "unknown", "reason": "nobody was drawn"},
        {"name": "own_slot", "result": "holds", "reason": ""},
    ],
    "violations": [{"invariant": "agreement", "node": -1, "detail": "two commits"}],
}


def test_everything_that_comes_from_data_is_escaped() -> None:
    manifest = {
        "name": EVIL,
        "outcome": f'"{EVIL}',
        "version": EVIL,
        "checks": [{"name": EVIL, "result": EVIL, "reason": EVIL}],
        "violations": [{"invariant": EVIL, "node": EVIL, "detail": EVIL}],
        "rewards": {"without_faults": {"earned_microcredits": {EVIL: 1}}},
        "scenario": {"about": EVIL, "expect": {"outcome": EVIL}},
        "as_expected": False,
    }
    run = reading(
        faults=[{"kind": EVIL, "count": 1}],
        jobs=[{"job": EVIL, "phase": EVIL, "ending": EVIL}],
        operations=operation(EVIL, 0, 10.0, {0: 20.0}, kind=EVIL),
    )
    text = page(manifest, run, [("<svg></svg>", EVIL)])
    assert "<script" not in text
    assert 'class="outcome "' not in text
    assert text.count("&lt;script&gt;") >= 8


def test_a_run_of_processes_says_how_it_was_played() -> None:
    told = {
        "wires": "switch",
        "links_reason": EVIL,
        "asked_round_ms": 100,
        "round_ms": 250,
        "cores": 2,
        "notes": ["a round lasts longer", EVIL],
        "stores": {"agree": True},
        "facts_missed": 0,
        "streams_broken": 3,
    }
    text = page(MANIFEST | {"processes": told}, RUN, [])
    assert "<h2>How it was played</h2>" in text
    assert "<td>a round, as asked for and as played</td><td>100 ms; 250 ms</td>" in text
    assert "<li>a round lasts longer</li>" in text
    assert "<script" not in text
    assert "How it was played" not in page(MANIFEST, RUN, [])


def test_a_page_tells_what_was_broken_and_who_was_paid() -> None:
    text = page(MANIFEST, RUN, [("<svg></svg>", "About this plot.")])
    assert "<td>agreement</td><td>several</td><td>two commits</td>" in text
    assert "<td>lottery</td><td>unknown</td><td>nobody was drawn</td>" in text
    assert "Held: own_slot. Unknown:" in text
    assert "<td>own_slot" not in text
    effect = '<td class="number">3 messages met the cut</td>'
    assert f"<td>Partition</td><td>0 | 1</td><td>1.00 s – 2.00 s</td>{effect}" in text
    why = "a result reached the tolerated error"
    assert f"<td>abababababab</td><td>settled</td><td>{why}</td><td>1, 0</td>" in text
    assert '<td class="number">2.50 s</td>' in text
    assert '<td>1</td><td class="number">1.500000</td>' in text
    assert "<figure><svg></svg><figcaption>About this plot.</figcaption></figure>" in text


def test_a_page_says_what_its_scenario_is_about_and_expects() -> None:
    scenario = {
        "about": "Cut for\na second.",
        "expect": {"outcome": "safety", "invariant": "agreement"},
    }
    text = page({**MANIFEST, "scenario": scenario, "as_expected": True}, RUN, [])
    assert "<p><em>Cut for a second.</em></p>" in text
    assert "<p>The scenario expects this outcome: safety of agreement.</p>" in text
    unlike = page({**MANIFEST, "scenario": {}, "as_expected": False}, RUN, [])
    assert "<p><strong>The scenario expects another outcome: pass.</strong></p>" in unlike
    assert "The scenario expects" not in page(MANIFEST, RUN, [])


def test_real_processes_have_bare_measures() -> None:
    text = page({**MANIFEST, "source": "processes"}, RUN, [])
    assert '<td>1.00 s – 2.00 s</td><td class="number">3</td>' in text


def test_figures_that_nobody_measured_are_not_zero() -> None:
    text = page(MANIFEST, RUN, [])
    assert "not measured; not measured" in text


def test_a_run_without_faults_or_jobs_says_so() -> None:
    text = page({"name": "calm", "outcome": "pass"}, reading(), [])
    assert "<p>None was planned.</p>" in text
    assert "<p>None was asked for.</p>" in text
    assert "What was broken" not in text


def test_the_run_without_faults_stands_beside_the_earnings() -> None:
    without = {"without_faults": {"earned_microcredits": {"1": 250_000}}}
    text = page({**MANIFEST, "rewards": without}, RUN, [])
    assert '<td class="number">1.500000</td><td class="number">0.250000</td>' in text
    odd = {"without_faults": {"earned_microcredits": {"1": "x"}}}
    assert "without the faults" not in page({**MANIFEST, "rewards": odd}, RUN, [])


def test_results_say_where_they_come_from() -> None:
    assert origin(MANIFEST) == f"tiny · seed 7 · simulated · p2pnode 1.2 · trace {'f' * 16}"
    real = {"name": "lan", "seed": None, "source": "processes", "version": "1", "commit": "c" * 40}
    assert origin(real) == f"lan · real processes · p2pnode 1 ({'c' * 12})"


def test_a_page_warns_where_the_tables_are_not_whole() -> None:
    text = page({**MANIFEST, "dropped": {"facts": 3, "<b>": 1}}, RUN, [])
    assert "Missing: 3 facts, 1 &lt;b&gt;.</p>" in text
    assert "Not everything was kept" not in page(MANIFEST, RUN, [])


def test_what_nobody_measured_is_said_not_to_be() -> None:
    text = page(MANIFEST, reading(blocks=[{"round": 1, "author": 0}]), [])
    assert '<td>greatest divergence D; blocks apart</td><td class="number">not measured' in text
    assert '<td>blocks in a round, mean / most</td><td class="number">not measured' in text
