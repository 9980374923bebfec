"""What a run leaves behind: notes taken while it goes on, tables, metrics, one folder for all.

    collector = Collector(scenario)
    outcome = play(scenario, recorders=(collector,))
    tables = tables_of(collector, outcome)
    summary = summary_of(tables, counterfactual(scenario))
    write_folder(folder, manifest_of(collector, outcome, wall_ms), summary, tables)

Simulated and real networks share one schema (`schema`). A real network's facts go into a collector
by `Collector.record`, and what is known only at its end goes into an `End`. Polars is imported when
a folder is written or read, not before.
"""

from p2pnode.lab.results.collector import Collector
from p2pnode.lab.results.extra import MissingExtra, missing
from p2pnode.lab.results.folder import BadFolder, Results, read_folder, write_folder
from p2pnode.lab.results.manifest import Manifest, checks_to_json, manifest_of, scenario_to_json
from p2pnode.lab.results.metrics import TIMES, Metric, Metrics, metrics_of, wait_of
from p2pnode.lab.results.observer import Setup, setup_of
from p2pnode.lab.results.over_seeds import (
    SEEDS_MIN,
    Middle,
    mean_over_seeds,
    median_over_seeds,
    middle_of,
    resamples_for,
)
from p2pnode.lab.results.reading import Reading, read_tables
from p2pnode.lab.results.recovery import recovery
from p2pnode.lab.results.rewards import counterfactual
from p2pnode.lab.results.schema import SCHEMA, SCHEMA_VERSION, Tables
from p2pnode.lab.results.summary import summary_of
from p2pnode.lab.results.survival import Wait, ended_shares, summarise
from p2pnode.lab.results.tables import End, tables_of
from p2pnode.lab.results.waiting import availability, finality_waits

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
    "SEEDS_MIN",
    "TIMES",
    "BadFolder",
    "Collector",
    "End",
    "Manifest",
    "Metric",
    "Metrics",
    "Middle",
    "MissingExtra",
    "Reading",
    "Results",
    "Setup",
    "Tables",
    "Wait",
    "availability",
    "checks_to_json",
    "counterfactual",
    "ended_shares",
    "finality_waits",
    "manifest_of",
    "mean_over_seeds",
    "median_over_seeds",
    "metrics_of",
    "middle_of",
    "missing",
    "read_folder",
    "read_tables",
    "recovery",
    "resamples_for",
    "scenario_to_json",
    "setup_of",
    "summarise",
    "summary_of",
    "tables_of",
    "wait_of",
    "write_folder",
]
