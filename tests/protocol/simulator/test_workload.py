from dataclasses import replace
from itertools import pairwise

from protocol.job.offer import check_terms
from protocol.messages import Offer, StakeDeposit, Transfer
from protocol.simulator.catalogue import calm
from protocol.simulator.draw import draw_scenario
from protocol.simulator.scenario import (
    START_NS,
    Arrivals,
    Behaviour,
    LossBurst,
    Scenario,
    Workload,
    identities,
)
from protocol.simulator.scheme import FAKE
from protocol.simulator.workload import OBSERVER_STAKE, Request, requests_of


def requests(scenario: Scenario) -> tuple[Request, ...]:
    accounts = tuple(FAKE.account_of(secret.seed) for secret in identities(scenario))
    return requests_of(scenario, accounts)


def test_the_workload_is_what_was_asked_for() -> None:
    scenario = replace(calm(3), observers=1)
    asked = requests(scenario)
    kinds = [type(one.payload) for one in asked]
    assert kinds.count(Transfer) == scenario.workload.transfers
    assert kinds.count(Offer) == scenario.workload.jobs
    assert kinds.count(StakeDeposit) == 1
    assert [one.ticket for one in asked] == list(range(1, len(asked) + 1))
    end = START_NS + scenario.workload.span_ns
    assert all(START_NS <= one.time_ns <= end for one in asked)


def test_observers_need_not_stake_and_all_else_is_asked_alike() -> None:
    scenario = replace(calm(3), observers=2)
    bare = replace(scenario, workload=replace(scenario.workload, observer_stakes=False))
    asked = [(one.time_ns, one.node, one.payload) for one in requests(scenario)]
    assert [(one.time_ns, one.node, one.payload) for one in requests(bare)] == asked[2:]
    assert {type(payload) for _, _, payload in asked[:2]} == {StakeDeposit}


def test_a_fault_does_not_shift_the_workload() -> None:
    faulty = replace(calm(3), faults=(LossBurst(1, 2, 3),))
    assert requests(faulty) == requests(calm(3))


def test_every_offer_holds_together() -> None:
    for seed in range(1, 40):
        scenario = draw_scenario(seed)
        for one in requests(scenario):
            if isinstance(one.payload, Offer):
                check_terms(one.payload, scenario.parameters)


def test_requests_can_come_at_equal_intervals() -> None:
    workload = Workload(8, 4, 8_000, Arrivals.CONSTANT)
    asked = requests(replace(calm(3), workload=workload))
    times = {
        kind: [one.time_ns - START_NS for one in asked if isinstance(one.payload, kind)]
        for kind in (Transfer, Offer)
    }
    assert times == {Transfer: list(range(0, 8_000, 1_000)), Offer: [0, 2_000, 4_000, 6_000]}


def test_requests_can_come_like_a_poisson_process() -> None:
    span_ns = 10_000_000
    asked = requests(replace(calm(3), workload=Workload(4_000, 0, span_ns, Arrivals.POISSON)))
    times = sorted(one.time_ns - START_NS for one in asked)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 0 <= times[0] < times[-1] < span_ns
    assert 2_200 < sum(gap < 2_500 for gap in gaps) < 2_800, "63 % are below the mean"
    assert max(gaps) > 4 * 2_500


def test_jobs_keep_the_ranges_that_they_are_drawn_from() -> None:
    workload = Workload(
        0,
        50,
        1_000,
        run_ms=(300, 310),
        size_bytes=(5, 7),
        replicas=(2, 4),
        spares=(1, 1),
        slack_ms=(50, 60),
        tolerated_errors_ppm=(1_000,),
    )
    scenario = replace(calm(3), workload=workload)
    offers = [one.payload for one in requests(scenario) if isinstance(one.payload, Offer)]
    assert len(offers) == 50
    assert {offer.replicas for offer in offers} == {2, 3, 4}
    assert {offer.replicas_max - offer.replicas for offer in offers} == {1}
    assert {offer.size_bytes for offer in offers} == {5, 6, 7}
    assert {offer.tolerated_error_ppm for offer in offers} == {1_000}
    assert all(300 <= offer.limits.time_ms <= 310 for offer in offers)
    assert all(50 <= offer.deadline_ms - offer.limits.time_ms <= 60 for offer in offers)


def test_sybils_stake_together_what_another_stakes_alone() -> None:
    bad = tuple((node, Behaviour.SYBIL) for node in (6, 7, 8, 9))
    scenario = replace(calm(3), observers=5, behaviours=bad)
    deposits = [
        one.payload.amount for one in requests(scenario) if isinstance(one.payload, StakeDeposit)
    ]
    assert deposits == [OBSERVER_STAKE] + [OBSERVER_STAKE // 4] * 4
