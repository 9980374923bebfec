"""A cabal among observers: what is drawn, what is paid, and the published needs."""

from p2pnode.lab.experiments.experiment import Effort, Verdict
from p2pnode.lab.experiments.yuma import (
    CASES,
    HONEST,
    STAKE,
    Case,
    honest_share,
    measure,
    required,
    sample,
)
from protocol.economy.observations import WHOLE

PLAIN = CASES[0]


def test_a_network_has_the_shares_that_it_is_drawn_for() -> None:
    network = sample(96, 24, 40)
    assert (network.honest_observers, network.honest_subjects) == (14, 43)
    assert (len(network.stakes), len(network.rows), len(network.rows[0])) == (24, 24, 72)
    honest = sum(network.stakes[: network.honest_observers])
    assert abs(honest - STAKE * HONEST // 100) < 24
    everything = [said for row in network.rows for said in row]
    assert abs(sum(everything) / len(everything) / 10**6 - 1) < 0.03
    assert min(everything) >= 0
    assert sample(96, 24, 40) == network, "a seed is one network"
    assert len({said for row in sample(96, 24, 0).rows for said in row}) == 1


def test_all_that_is_paid_goes_to_one_of_both_sides() -> None:
    network = sample(96, 24, 0)
    agreed = honest_share(network, PLAIN, 100, 0)
    assert abs(agreed - WHOLE * 80 // 100) < 1_000, "all subjects, and observers by their stake"
    assert honest_share(network, PLAIN, 0, 100) < WHOLE * 31 // 100


def test_whoever_does_not_vary_needs_the_share_that_it_has() -> None:
    utility, tried, eroded = required(sample(96, 24, 0), PLAIN, 20)
    assert utility in (HONEST, HONEST + 1)
    assert 0 < eroded < tried


def test_a_cabal_gains_where_nothing_is_cut() -> None:
    network = sample(96, 24, 40)
    mild, strict = (Case(40, penalty, 50, 0) for penalty in (0, 100))
    assert honest_share(network, mild, 70, 60) < honest_share(network, strict, 70, 60)


def test_small_networks_need_what_was_published() -> None:
    findings = measure(Effort(is_quick=True))
    assert {row.verdict for row in findings.rows} == {Verdict.AGREES}
    assert len(findings.rows) == len(CASES)
