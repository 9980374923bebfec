"""The summary of a run: every metric, by name, as `summary.json` has it.

What each figure means stands at the function that computes it; a key here is the function's name
or one of its value's attributes. An unknown figure is null, a time that the run's end cut short is
given as `beyond_ms`.
"""

from dataclasses import asdict

from p2pnode.lab.results.ledgers import (
    Divergence,
    Width,
    carriage,
    dag_width,
    divergence,
    lag_shares,
    longest_silence,
    stale_blocks,
)
from p2pnode.lab.results.reading import Reading, Side, read_tables
from p2pnode.lab.results.recovery import Recovery, recovery
from p2pnode.lab.results.rewards import compare_rewards, earnings, gini_of, work
from p2pnode.lab.results.schema import SCHEMA_VERSION, Tables
from p2pnode.lab.results.survival import Quantile, Wait, summarise
from p2pnode.lab.results.waiting import (
    PARTS,
    WHOLE,
    WITHIN_MS,
    availability,
    finality_waits,
    provisional_gaps,
    stability,
)


def summary_of(tables: Tables, without: Tables | None = None) -> dict[str, object]:
    """Computes every metric of a run.

    Args:
        tables: The run's.
        without: Those of the same seed without faults, by `counterfactual`, to compare rewards.
    """
    reading = read_tables(tables)
    stable = stability(reading)
    return {
        "schema_version": SCHEMA_VERSION,
        "ended_ms": reading.ended_ms,
        "commits": _commits(reading),
        "silence_ms": longest_silence(reading),
        "finality": summarise(finality_waits(reading)).to_json(),
        "sides": [_side(reading, side) for side in reading.sides],
        "provisional_to_final": summarise(provisional_gaps(reading)).to_json(),
        "set_full": {
            "stable_latency": summarise(stable.stable).to_json(),
            "lost": stable.lost,
            "never_final": stable.never_final,
        },
        "stale_blocks": asdict(stale_blocks(reading)),
        "divergence": _known(divergence(reading)),
        "lag_shares": {str(lag): share for lag, share in lag_shares(reading).items()},
        "recovery": _recovery(recovery(reading)),
        "jobs": _jobs(reading),
        "work": asdict(work(reading)),
        "rewards": _rewards(reading, without),
        "dag_width": _known(dag_width(reading)),
        "carriage": asdict(carriage(reading)),
    }


def _known(figures: Divergence | Width | None) -> dict[str, object] | None:
    return None if figures is None else asdict(figures)


def _commits(reading: Reading) -> int:
    indices = (index for index in reading.tables["votes"]["commit_index"] if index is not None)
    return max((int(index) for index in indices), default=0)


def _side(reading: Reading, side: Side) -> dict[str, object]:
    """Finality and availability of one side, before, during and after the faults."""
    found: dict[str, object] = {"nodes": list(side), "within_ms": WITHIN_MS}
    for part in PARTS if reading.window is not None else ("",):
        found[part or WHOLE] = {
            "finality": summarise(finality_waits(reading, side, part)).to_json(),
            "availability": asdict(availability(reading, side, part)),
        }
    return found


def _recovery(found: Recovery | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {
        "healed_ms": found.healed_ms,
        "sets_equal": None if found.sets_equal is None else _wait(found.sets_equal),
        "unreachable_blocks": found.unreachable_blocks,
        "first_finality": [
            {"nodes": list(side)} | _wait(wait) for side, wait in found.first_finality
        ],
        "backlog": _wait(found.backlog),
    }


def _wait(wait: Wait) -> dict[str, object]:
    return Quantile(wait.time_ms, not wait.has_ended).to_json()


def _jobs(reading: Reading) -> dict[str, int]:
    """Counts jobs by where they stood at the end."""
    counts: dict[str, int] = {}
    for job in reading.jobs:
        counts[job.phase] = counts.get(job.phase, 0) + 1
    return dict(sorted(counts.items()))


def _rewards(reading: Reading, without: Tables | None) -> dict[str, object]:
    earned = earnings(reading)
    found: dict[str, object] = {
        "earned_microcredits": {str(node): amount for node, amount in earned.items()},
        "gini": gini_of(list(earned.values())),
        "without_faults": None,
    }
    if without is not None:
        compared = compare_rewards(earned, earnings(read_tables(without)))
        found["without_faults"] = {
            "earned_microcredits": {str(n): amount for n, amount in compared.without.items()},
            "gini": compared.gini_without,
            "distance": compared.distance,
        }
    return found
