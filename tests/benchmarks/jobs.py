"""How long a tiny job takes in real processes, from submission to settlement."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from msgspec.structs import replace as with_terms

from p2pnode.calls import JobFailed, Record, Refused, ended
from p2pnode.client import Client
from p2pnode.lab.founding import EXAMPLES
from p2pnode.lab.readiness import client_of
from protocol.parameters import Parameters, local
from protocol.units import BASIS
from tests.benchmarks.figures import Effort, Figure, Floor, Target, at_most
from tests.benchmarks.real_nodes import conditions, running

JOB_FILE = EXAMPLES / "01_wasm" / "job.toml"
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Course:
    """How one job went, in seconds since it was submitted."""

    settled: float
    in_hand: float
    audited: bool
    phases: Mapping[str, float]
    """When each phase began, in ledger time."""


def measure(effort: Effort) -> Iterator[Figure]:
    """Submit jobs one after the other, where audits are rare and where each is audited."""
    count = effort.of(10, 3)
    plain, always = local(), with_terms(local(), audit_floor=BASIS)
    yield from _figures("unaudited", plain, count, at_most(10))
    yield from _figures("audited", always, count, at_most(14))


def _figures(kind: str, terms: Parameters, count: int, target: Target) -> Iterator[Figure]:
    courses = _play(terms, count, audited=kind == "audited")
    pace = terms.minimum_round_ms / 1_000
    rounds = terms.bid_window_rounds_min + terms.seed_delay_rounds + terms.seed_leaders
    floor = Floor(f"bid window and beacon, {rounds} rounds at the stated pace", rounds * pace)
    stated = (
        f"{conditions(terms)}; preset local: bids {terms.bid_window_rounds_min} rounds, beacon "
        f"{terms.seed_delay_rounds}+{terms.seed_leaders} leaders; audit chance "
        f"{terms.audit_floor / BASIS:.0%}; 3 replicas; {_phases(courses)}"
    )
    yield Figure(
        f"tiny job, {kind}: submitted to settled",
        "s",
        tuple(one.settled for one in courses),
        stated,
        floor,
        target,
    )
    yield Figure(
        f"tiny job, {kind}: result in the requester's hands",
        "s",
        tuple(one.in_hand for one in courses),
        "the same jobs: until the node handed the accepted output to the program that asked",
        floor,
    )


def _phases(courses: list[Course]) -> str:
    names = [name for name in courses[0].phases if all(name in one.phases for one in courses)]
    parts = [f"{name} {median(one.phases[name] for one in courses):.1f}" for name in names]
    return "phases began after (ledger seconds) " + ", ".join(parts)


def _play(terms: Parameters, count: int, *, audited: bool) -> list[Course]:
    """Run jobs until enough of them were audited, or were not."""
    found: list[Course] = []
    with running(terms=terms) as nodes:
        for number in range(3 * count):
            with client_of(nodes.members[number % len(nodes.members)]) as client:
                course = follow(client)
            if course is not None and course.audited == audited:
                found.append(course)
            if len(found) == count:
                break
    assert found, "no job ended as it should"
    return found


def follow(client: Client) -> Course | None:
    """Submit the example's job and watch it to its end; None when it has no accepted result."""
    begun = time.monotonic()
    job = client.submit(JOB_FILE)
    in_hand = settled = None
    while time.monotonic() < begun + PATIENCE_SECONDS:
        record = job.record()
        now = time.monotonic() - begun
        if in_hand is None and record.get("result_digest") and _has_result(client, job.id):
            in_hand = time.monotonic() - begun
        if settled is None and _is_settled(record):
            settled = now
        if in_hand is not None and settled is not None:
            audit = record["audit"] or {}
            return Course(settled, in_hand, bool(audit.get("auditors")), _began(record))
        if record["state"] in {"refunded", "inconclusive"}:
            return None
        time.sleep(POLL_SECONDS)
    return None


def _is_settled(record: Record) -> bool:
    try:
        return ended(record)
    except JobFailed:
        return False


def _has_result(client: Client, job: str) -> bool:
    try:
        return bool(client.result(job))
    except Refused:
        return False


def _began(record: Record) -> dict[str, float]:
    timeline = record["timeline"]
    return {one["phase"]: (one["at_ms"] - timeline[0]["at_ms"]) / 1_000 for one in timeline}
