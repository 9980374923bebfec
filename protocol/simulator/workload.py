"""What honest nodes ask of the network: transfers and jobs at drawn times.

The stream is the workload's own, so the same seed asks for the same things whatever goes wrong.
"""

from dataclasses import dataclass
from typing import Final

from protocol.encoding import content_digest
from protocol.job.offer import smallest_budget
from protocol.messages import Limits, Offer, Payload, StakeDeposit, Transfer
from protocol.parameters import Parameters
from protocol.simulator.chance import Stream
from protocol.simulator.scenario import START_NS, Scenario
from protocol.units import CREDIT, AccountId, Digest

KINDS: Final = ("wasm", "onnx")
DEVICES: Final = ("cpu", "cuda")
TOLERATED_ERRORS_PPM: Final = (200_000, 50_000, 20_000)
OBSERVER_STAKE: Final = 5_000 * CREDIT
WORKER_PRICE: Final = CREDIT // 100
"""Millionths of a credit per second that every worker asks for."""
TRANSFER_MAX: Final = 100 * CREDIT
MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """One node asks for one operation.

    Attributes:
        ticket: Its number, as echoed by the core.
    """

    time_ns: int
    node: int
    payload: Payload
    ticket: int


def requests_of(scenario: Scenario, accounts: tuple[AccountId, ...]) -> tuple[Request, ...]:
    """Draws everything that is asked for during a run, in the order of time."""
    stream = Stream(scenario.seed, "workload")
    workload = scenario.workload
    asked: list[tuple[int, int, Payload]] = [
        (START_NS, node, StakeDeposit(OBSERVER_STAKE))
        for node in range(len(scenario.stakes), scenario.originals)
    ]
    for _ in range(workload.transfers):
        recipient = accounts[stream.below(len(accounts))]
        payload = Transfer(recipient, stream.between(CREDIT, TRANSFER_MAX))
        asked.append((_time(stream, scenario), stream.pick(scenario.honest), payload))
    for _ in range(workload.jobs):
        offer = _offer(stream, scenario.parameters)
        asked.append((_time(stream, scenario), stream.pick(scenario.honest), offer))
    asked.sort(key=lambda entry: entry[0])
    return tuple(
        Request(time, node, payload, ticket)
        for ticket, (time, node, payload) in enumerate(asked, start=1)
    )


def _time(stream: Stream, scenario: Scenario) -> int:
    return START_NS + stream.below(max(1, scenario.workload.span_ns))


def _offer(stream: Stream, parameters: Parameters) -> Offer:
    artefact = content_digest(stream.digest())
    inputs = tuple(content_digest(stream.digest()) for _ in range(stream.below(3)))
    time_ms = stream.between(200, 1_000)
    replicas = stream.between(1, 3)
    terms = _Terms(
        kind=stream.pick(KINDS),
        time_ms=time_ms,
        replicas=replicas,
        replicas_max=replicas + stream.below(3),
        error_ppm=stream.pick(TOLERATED_ERRORS_PPM),
        rounds=parameters.bid_window_rounds_min + stream.below(6),
        deadline_ms=time_ms + stream.between(500, 2_500),
    )
    least = smallest_budget(_make(artefact, inputs, terms, 1), parameters)
    return _make(artefact, inputs, terms, least + stream.below(CREDIT))


@dataclass(frozen=True, slots=True)
class _Terms:
    """The drawn part of an offer."""

    kind: str
    time_ms: int
    replicas: int
    replicas_max: int
    error_ppm: int
    rounds: int
    deadline_ms: int


def _make(artefact: Digest, inputs: tuple[Digest, ...], terms: _Terms, budget: int) -> Offer:
    return Offer(
        kind=terms.kind,
        artefact=artefact,
        inputs=inputs,
        size_bytes=MEGABYTE,
        device="any",
        limits=Limits(terms.time_ms, 64 * MEGABYTE, MEGABYTE, 10**9),
        result_class="exact",
        tolerated_error_ppm=terms.error_ppm,
        replicas=terms.replicas,
        replicas_max=terms.replicas_max,
        price_cap=2 * WORKER_PRICE,
        budget=budget,
        bid_window_rounds=terms.rounds,
        deadline_ms=terms.deadline_ms,
        speed_target_ms=0,
        tentative_ok=False,
    )
