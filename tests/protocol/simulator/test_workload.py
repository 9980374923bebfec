from dataclasses import replace

from protocol.job.offer import check_terms
from protocol.messages import Offer, StakeDeposit, Transfer
from protocol.simulator.catalogue import calm
from protocol.simulator.draw import draw_scenario
from protocol.simulator.scenario import START_NS, LossBurst, Scenario, identities
from protocol.simulator.scheme import FAKE
from protocol.simulator.workload import Request, requests_of


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


def test_a_fault_does_not_shift_the_workload() -> None:
    faulty = replace(calm(3), faults=(LossBurst(1, 2, 3),))
    assert requests(faulty) == requests(calm(3))


def test_every_offer_holds_together() -> None:
    for seed in range(1, 40):
        scenario = draw_scenario(seed)
        for one in requests(scenario):
            if isinstance(one.payload, Offer):
                check_terms(one.payload, scenario.parameters)
