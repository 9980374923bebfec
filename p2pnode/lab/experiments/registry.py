"""All experiments, in the order of the page. One more is one more line here."""

from typing import Final

from p2pnode.lab.experiments import (
    cap_curve,
    commit_latency,
    economy_year,
    gossip,
    inactivity,
    lost_third,
    matrix,
    mesh_at_scale,
    quorums,
    split_brain,
    staleness,
    sybil_split,
    yuma,
)
from p2pnode.lab.experiments.experiment import Experiment

EXPERIMENTS: Final[tuple[Experiment, ...]] = (
    staleness.EXPERIMENT,
    quorums.AVAILABILITY,
    quorums.BIPARTITION,
    cap_curve.EXPERIMENT,
    commit_latency.EXPERIMENT,
    lost_third.EXPERIMENT,
    inactivity.EXPERIMENT,
    split_brain.EXPERIMENT,
    matrix.EXPERIMENT,
    gossip.PUSH,
    gossip.INFECTION,
    gossip.DELIVERY,
    gossip.ATTACKS,
    economy_year.EXPERIMENT,
    sybil_split.EXPERIMENT,
    yuma.EXPERIMENT,
    mesh_at_scale.EXPERIMENT,
)
