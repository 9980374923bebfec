from dataclasses import replace

from p2pnode.calls import read_spec
from p2pnode.lab.real.asking import JOB_DEADLINE_MS, job_of
from p2pnode.lab.real.shape import JOB_FILE
from protocol.messages import Offer
from protocol.simulator.scenario import Workload
from protocol.simulator.workload import requests_of
from protocol.units import SECOND, AccountId
from tests.p2pnode.lab.real.builders import scenario


def test_a_job_is_the_example_with_the_trust_that_was_drawn():
    base = scenario(workload=Workload(0, 1, SECOND))
    accounts = tuple(AccountId(bytes([number]) * 32) for number in range(4))
    (offer,) = (request.payload for request in requests_of(base, accounts))
    assert isinstance(offer, Offer)
    assert job_of(offer) == replace(
        read_spec(JOB_FILE),
        replicas=offer.replicas,
        replicas_max=offer.replicas_max,
        tolerated_error_ppm=offer.tolerated_error_ppm,
        deadline_ms=JOB_DEADLINE_MS,
        retention_ms=0,
    )
