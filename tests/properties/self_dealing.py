"""Searches for a set of accounts that gains by offering jobs to itself.

A strategy is played on a state: a requester and four workers that belong together, all members and
thus able to be up. What all of them own afterwards, yield due included, is compared with a twin of
the same ledger in which they did nothing. `python -m tests.properties.self_dealing` lists the best.
"""

import dataclasses
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from msgspec.structs import replace

from protocol.balances import YIELD_SCALE
from protocol.economy.reputation import SCALE
from protocol.job.commit_reveal import fingerprint_due, reveal_due
from protocol.job.record import Phase, ResultOutcome, Status
from protocol.messages import Cancellation, Offer
from protocol.parameters import Parameters, minimal
from protocol.state import State
from protocol.units import CREDIT, JobId, MemberIndex, Round
from tests.support.builders import (
    HandLedger,
    account_id,
    make_bid,
    make_genesis,
    make_offer,
    make_reveal,
    make_state,
)

REQUESTER = 0
WORKERS = (1, 2, 3, 4)
COALITION = (REQUESTER, *WORKERS)
HONEST = (5, 6)
TERMS = replace(minimal(), uptime_epochs=1)
DONE = (Status.UNOPENED, Status.COMMITTED, Status.RUNNING)


@dataclass(frozen=True, slots=True)
class Strategy:
    """How the accomplices deal with one another."""

    answers: str
    """One letter for each worker: what it finds, `-` for never opening, `.` for never committing,
    `T` for running into the time limit."""
    replicas: int
    price: int
    elapsed_ms: int
    """What all of them claim."""
    speed: bool
    up: bool
    audits: bool
    kind: str = "onnx"
    cancels: bool = False
    contradicts: bool = False
    """A worker signs two blocks in a round as well."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a strategy came to."""

    strategy: Strategy
    profit: int
    """Millionths of a credit, against the twin that did nothing."""
    minted: int
    """Yield minted beyond the twin's."""
    record: int
    """Right results that count for the workers' records, in thousandths."""
    ending: str


def strategies() -> Iterator[Strategy]:
    """All combinations that differ in what the rules look at."""
    answers = ("aaaa", "aaab", "aabb", "abcd", "aaa-", "aa..", "a...", "....", "TTTT", "aaTT")
    for found, replicas, price, elapsed_ms, speed, up, audits in product(
        answers, (1, 2, 4), (1, 1_000), (1, 60_000), (False, True), (False, True), (False, True)
    ):
        yield Strategy(found, replicas, price, elapsed_ms, speed, up, audits)
    for price, up in product((1, 1_000), (False, True)):
        yield Strategy("aaaa", 4, price, 60_000, True, up, True, kind="wasm")
        yield Strategy("aaaa", 4, price, 60_000, True, up, True, cancels=True)
        yield Strategy("aaab", 4, price, 60_000, True, up, True, contradicts=True)


def terms_of(strategy: Strategy, parameters: Parameters = TERMS) -> Parameters:
    """The network's terms, with an audit of every job or of hardly any."""
    return replace(parameters, audit_floor=10_000 if strategy.audits else 0)


def play(strategy: Strategy, parameters: Parameters = TERMS) -> Outcome:
    """Plays a strategy, and the twin in which nobody does anything."""
    genesis = make_genesis(7, available=1_000 * CREDIT, parameters=terms_of(strategy, parameters))
    ledger = HandLedger(genesis, signed=False)
    authors = range(7) if strategy.up else HONEST
    for _ in range(4):
        ledger.commit(step_ms=14_000, authors=authors)
    ledger.turn()
    job = ledger.open(REQUESTER, _offer(strategy))
    if strategy.cancels:
        ledger.do(REQUESTER, Cancellation(job))
    else:
        ledger.commit(
            *(ledger.operation(n, make_bid(job, strategy.price)) for n in WORKERS), authors=authors
        )
    if strategy.contradicts:
        index = ledger.state.committee.index_of(account_id(WORKERS[0]))
        ledger.commit(equivocations=((MemberIndex(index or 0), Round(1)),), authors=authors)
    _work(ledger, job, strategy, authors)
    for _ in range(4):
        ledger.commit(step_ms=14_000, authors=authors)
    ledger.turn()
    twin = make_state(genesis)
    for commit, _ in ledger.commits:
        twin.apply(dataclasses.replace(commit, equivocations=()), ())
    record = ledger.state.jobs[job]
    reputations = [ledger.state.reputation_of(account_id(number)) for number in WORKERS]
    return Outcome(
        strategy=strategy,
        profit=wealth(ledger.state) - wealth(twin),
        minted=ledger.state.accounts.minted - twin.accounts.minted,
        record=sum(one.right for one in reputations),
        ending=str(record.ending),
    )


def wealth(state: State) -> int:
    """All that the accomplices own, and the yield that they are owed."""
    accounts = state.accounts
    held = [accounts.of(account_id(number)) for number in COALITION]
    return sum(
        one.available + one.slashable + one.escrow + one.due(accounts.yield_index) // YIELD_SCALE
        for one in held
    )


def _offer(strategy: Strategy) -> Offer:
    return make_offer(
        kind=strategy.kind,
        replicas=strategy.replicas,
        replicas_max=max(3, strategy.replicas),
        price_cap=1_000,
        speed_target_ms=60_000 if strategy.speed else 0,
        tolerated_error_ppm=100_000,
    )


def _work(ledger: HandLedger, job: JobId, strategy: Strategy, authors: Iterable[int]) -> None:
    """Lets every accomplice do its part in each commit until nothing of the job is open."""
    for _ in range(400):
        record = ledger.state.jobs[job]
        if record.terminal and not record.having(*DONE):
            return
        for number in ledger.running(job):
            answer = strategy.answers[number - 1]
            if answer != ".":
                outcome = ResultOutcome.TIME_LIMIT if answer == "T" else ResultOutcome.FINISHED
                output = b"" if answer == "T" else answer.encode()
                reveal = make_reveal(job, output, outcome, strategy.elapsed_ms, fuel=10**9)
                ledger.send_commitment(number, reveal)
        record = ledger.state.jobs[job]
        silent = {number for number in WORKERS if strategy.answers[number - 1] == "-"}
        entries = list(ledger.due_fingerprints(job))
        for one in record.executors:
            number = ledger.numbers[one.account]
            if (
                reveal_due(record, one)
                and number not in silent
                and not fingerprint_due(record, one)
            ):
                entries.append(ledger.operation(number, ledger.reveals[number, job]))
        waits = record.phase in (Phase.EXECUTING, Phase.AUDITING) or record.terminal
        ledger.commit(*entries, step_ms=12_000 if waits and not entries else 300, authors=authors)
    raise AssertionError("the job does not end")


def search(parameters: Parameters = TERMS) -> list[Outcome]:
    """Plays every strategy; the most profitable first."""
    outcomes = [play(strategy, parameters) for strategy in strategies()]
    return sorted(outcomes, key=lambda outcome: -outcome.profit)


def main() -> int:
    """Lists the best strategies; 1 when one of them pays."""
    outcomes = search()
    print(f"{len(outcomes)} strategies; profit in millionths of a credit, the best:")
    for outcome in outcomes[:5]:
        print(f"{outcome.profit:>12}  {outcome.ending}  {outcome.strategy}")
    farmed = [one for one in outcomes if one.record]
    cheapest = max(farmed, key=lambda one: one.profit * SCALE // one.record)
    cost = -cheapest.profit * SCALE // cheapest.record
    print(f"cheapest record: {cost} millionths for each right result, by {cheapest.strategy}")
    return int(outcomes[0].profit >= 0)


if __name__ == "__main__":
    sys.exit(main())
