"""What honest nodes ask of the network: transfers and jobs at drawn times.

The stream is the workload's own, so the same seed asks for the same things whatever goes wrong.
"""

from dataclasses import dataclass
from typing import Final, assert_never

from protocol.encoding import content_digest
from protocol.job.offer import smallest_budget
from protocol.messages import Limits, Offer, Payload, StakeDeposit, Transfer
from protocol.parameters import Parameters
from protocol.simulator.chance import Stream
from protocol.simulator.scenario import START_NS, Arrivals, Behaviour, Scenario, Workload
from protocol.units import CREDIT, AccountId, Digest

KINDS: Final = ("wasm", "onnx")
DEVICES: Final = ("cpu", "cuda")
OBSERVER_STAKE: Final = 5_000 * CREDIT
"""What each owner of a node outside the committee stakes at its start."""
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
    observers = range(len(scenario.stakes), scenario.originals) if workload.observer_stakes else ()
    asked: list[tuple[int, int, Payload]] = [
        (START_NS, node, StakeDeposit(_deposit(scenario, node))) for node in observers
    ]
    clock = _Clock(workload, workload.transfers)
    for _ in range(workload.transfers):
        recipient = accounts[stream.below(len(accounts))]
        payload = Transfer(recipient, stream.between(CREDIT, TRANSFER_MAX))
        asked.append((clock.next(stream), stream.pick(scenario.honest), payload))
    clock = _Clock(workload, workload.jobs)
    for _ in range(workload.jobs):
        offer = _offer(stream, workload, scenario.parameters)
        asked.append((clock.next(stream), stream.pick(scenario.honest), offer))
    asked.sort(key=lambda entry: entry[0])
    return tuple(
        Request(time, node, payload, ticket)
        for ticket, (time, node, payload) in enumerate(asked, start=1)
    )


def _deposit(scenario: Scenario, node: int) -> int:
    """What a node outside the committee stakes; sybils have one stake together, rounded down."""
    if scenario.behaviour(node) is not Behaviour.SYBIL:
        return OBSERVER_STAKE
    sybils = sum(behaviour is Behaviour.SYBIL for _, behaviour in scenario.behaviours)
    return OBSERVER_STAKE // sybils


class _Clock:
    """Draws the times of a number of requests, one after the other."""

    def __init__(self, workload: Workload, count: int) -> None:
        self._arrivals = workload.arrivals
        self._span_ns = max(1, workload.span_ns)
        self._gap_ns = self._span_ns // max(1, count)
        self._passed_ns = 0

    def next(self, stream: Stream) -> int:
        match self._arrivals:
            case Arrivals.UNIFORM:
                return START_NS + stream.below(self._span_ns)
            case Arrivals.CONSTANT:
                passed_ns = self._passed_ns
                self._passed_ns += self._gap_ns
            case Arrivals.POISSON:
                self._passed_ns += stream.long_tailed(self._gap_ns)
                passed_ns = self._passed_ns
            case _:
                assert_never(self._arrivals)
        return START_NS + passed_ns % self._span_ns


def _offer(stream: Stream, workload: Workload, parameters: Parameters) -> Offer:
    artefact = content_digest(stream.digest())
    inputs = tuple(content_digest(stream.digest()) for _ in range(stream.below(3)))
    time_ms = stream.between(*workload.run_ms)
    replicas = stream.between(*workload.replicas)
    terms = _Terms(
        kind=stream.pick(KINDS),
        time_ms=time_ms,
        replicas=replicas,
        replicas_max=replicas + stream.between(*workload.spares),
        error_ppm=stream.pick(workload.tolerated_errors_ppm),
        rounds=parameters.bid_window_rounds_min + stream.below(6),
        deadline_ms=time_ms + stream.between(*workload.slack_ms),
        size_bytes=stream.between(*workload.size_bytes),
        retention_ms=workload.retention_ms,
        result_class=f"stepped/{workload.steps}" if workload.steps else "exact",
    )
    least = smallest_budget(_make(artefact, inputs, terms, 1), parameters)
    return _make(artefact, inputs, terms, least + stream.below(CREDIT))


@dataclass(frozen=True, slots=True)
class _Terms:
    """The part of an offer that is drawn, or that the workload says."""

    kind: str
    time_ms: int
    replicas: int
    replicas_max: int
    error_ppm: int
    rounds: int
    deadline_ms: int
    size_bytes: int
    retention_ms: int
    result_class: str


def _make(artefact: Digest, inputs: tuple[Digest, ...], terms: _Terms, budget: int) -> Offer:
    return Offer(
        kind=terms.kind,
        artefact=artefact,
        inputs=inputs,
        size_bytes=terms.size_bytes,
        device="any",
        limits=Limits(terms.time_ms, 64 * MEGABYTE, MEGABYTE, 10**9),
        result_class=terms.result_class,
        tolerated_error_ppm=terms.error_ppm,
        replicas=terms.replicas,
        replicas_max=terms.replicas_max,
        price_cap=2 * WORKER_PRICE,
        budget=budget,
        bid_window_rounds=terms.rounds,
        deadline_ms=terms.deadline_ms,
        speed_target_ms=0,
        sandbox_level=0,
        retention_ms=terms.retention_ms,
    )
