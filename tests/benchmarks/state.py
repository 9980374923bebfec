"""A state of a million accounts and a hundred thousand open jobs: commits, root, pages, memory."""

import gc
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from protocol.balances import Account, Reserves
from protocol.compact import pack
from protocol.encoding import digest_of
from protocol.entries import ACCOUNT, ESCROW, FORMAT, HEADER, JOB, RESERVES, Entry, Header
from protocol.job.record import Job
from protocol.ledger.committee import Committee
from protocol.ledger.ordering import Commit
from protocol.messages import Genesis, Payload, Transfer, VerifiedOperation
from protocol.parameters import live
from protocol.signing import REAL
from protocol.snapshot import decode_pages, encode_pages
from protocol.state import State
from protocol.tree.tree import Tree
from protocol.units import (
    CREDIT,
    AccountId,
    CommitIndex,
    Credits,
    Digest,
    JobId,
    Milliseconds,
    Nonce,
    Round,
)
from tests.benchmarks.figures import Effort, Figure, at_most, scaled
from tests.benchmarks.processes import forget_peak, peak_mib
from tests.support.builders import (
    HandLedger,
    account_id,
    make_bid,
    make_genesis,
    make_offer,
    make_operation,
    make_state,
)

ALONE = "processor time of one process"
CHANGED = 100
"""Entries that a commit changes."""
COMMITS = 60
MILLI = 1_000
SENDERS = 50
FUNDS = 100_000 * CREDIT
FAR_MS = Milliseconds(10**9)


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure at full size, and small beside it: what depends on the size would show."""
    accounts, jobs = effort.of(1_000_000, 50_000), effort.of(100_000, 5_000)
    size = f"{accounts:,} accounts, {jobs:,} open jobs"
    genesis = make_genesis(SENDERS, parameters=live(), available=FUNDS)
    yield from _commits(make_state(genesis), genesis, "a few accounts, no jobs")
    entries = list(_entries(genesis, accounts, jobs))
    root = Tree().updated(entries).root
    pages = list(encode_pages(entries))
    del entries
    begun_mib = forget_peak()
    yield Figure("state: pages of a snapshot", "MB", (sum(map(len, pages)) / 1e6,), size)
    begun = time.process_time()
    state = State.load(genesis, Committee.of_genesis(genesis), REAL, pages, root)
    loaded = time.process_time() - begun
    yield Figure("state: load and check a snapshot", "s", (loaded,), f"{ALONE}; {size}")
    grown = peak_mib() - begun_mib
    yield Figure("state: memory, with loading", "MiB", (grown,), f"peak above the pages; {size}")
    gc.freeze()  # as a node would after loading: else each collection looks at all of it
    yield from _commits(state, genesis, size)
    yield _written_again(state, root, size)
    yield _rebuilt(pages, size)


def _commits(state: State, genesis: Genesis, size: str) -> Iterator[Figure]:
    driver = _Driver(state, genesis)
    empty = [driver.commit() for _ in range(COMMITS)]
    yield Figure("state: an empty commit", "ms", scaled(tuple(empty), MILLI), f"{ALONE}; {size}")
    paid = [driver.commit(*driver.transfers()) for _ in range(COMMITS)]
    yield Figure(
        f"state: a commit of {SENDERS} transfers",
        "ms",
        scaled(tuple(paid), MILLI),
        f"{ALONE}; fold and root, operations open already; {size}",
    )
    if state.open_jobs:
        offers = [driver.commit(*driver.offers_and_bids()) for _ in range(COMMITS // 4)]
        what = f"{ALONE}; 5 offers, 45 bids; {size}"
        yield Figure("state: a commit of offers and bids", "ms", scaled(tuple(offers), MILLI), what)
    roots = [driver.seal() for _ in range(COMMITS)]
    yield Figure(
        f"state: root after {CHANGED} changed entries",
        "ms",
        scaled(tuple(roots), MILLI),
        f"{ALONE}; encode, hash, fold up; {size}",
        target=at_most(2),
    )


def _written_again(state: State, root: Digest, size: str) -> Figure:
    assert state.digest != root, "commits went on"
    begun = time.process_time()
    count = sum(1 for _ in state.encode_pages())
    elapsed = time.process_time() - begun
    return Figure("state: write a snapshot", "s", (elapsed,), f"{ALONE}; {count} pages; {size}")


def _rebuilt(pages: list[bytes], size: str) -> Figure:
    entries = decode_pages(pages)
    begun = time.process_time()
    tree = Tree().updated(entries)
    elapsed = time.process_time() - begun
    return Figure("state: tree from nothing", "s", (elapsed,), f"{ALONE}; {len(tree):,}; {size}")


class _Driver:
    """Puts commits to a state and times them."""

    def __init__(self, state: State, genesis: Genesis) -> None:
        self._state = state
        self._genesis = genesis
        self._people = list(state.accounts)[::-997]
        self._turn = 0

    def commit(self, *entries: VerifiedOperation) -> float:
        """Apply one commit, 250 ms and a round after the last; return its seconds."""
        state = self._state
        name = digest_of(b"benchmark", state.index.to_bytes(8, "big"))
        commit = Commit(
            index=CommitIndex(state.index + 1),
            leader_round=Round(state.leader_round + 1),
            leader=name,
            digest=name,
            time_ms=state.commit_time_ms + 250,
            beacon=name,
            blocks=(),
            equivocations=(),
        )
        begun = time.process_time()
        state.apply(commit, entries)
        return time.process_time() - begun

    def transfers(self) -> Iterable[VerifiedOperation]:
        """One transfer of each of some members and workers, to people all over the tree."""
        return [self._from(number, Transfer(self._next(), 1)) for number in range(SENDERS)]

    def offers_and_bids(self) -> Iterable[VerifiedOperation]:
        """Some offers, and bids for jobs all over the tree."""
        jobs = iter(self._state.open_jobs)
        bids = [self._from(number, make_bid(next(jobs), price=1)) for number in range(5, SENDERS)]
        terms = make_offer(
            bid_window_rounds=200, budget=10_000 * CREDIT, price_cap=1, replicas_max=4
        )
        return [*(self._from(number, terms) for number in range(5)), *bids]

    def seal(self) -> float:
        """Change that many accounts by hand; return the seconds until the root is known."""
        accounts = self._state.accounts
        for number in range(CHANGED):
            accounts.advance_nonce(self._next() if len(accounts) > 1_000 else account_id(number))
        begun = time.process_time()
        self._state._entries.seal()
        return time.process_time() - begun

    def _next(self) -> AccountId:
        self._turn += 1
        return self._people[self._turn % len(self._people)]

    def _from(self, number: int, payload: Payload) -> VerifiedOperation:
        nonce = self._state.next_nonce(account_id(number))
        assert nonce is not None, "every sender has an account"
        return make_operation(self._genesis, number, nonce, payload, signed=False)


def _entries(genesis: Genesis, accounts: int, jobs: int) -> Iterator[Entry]:
    """A state that had this many accounts made and jobs offered, half of them being run."""
    first = make_state(genesis)
    people = dict(first.accounts.items()) | {
        AccountId(number.to_bytes(32, "big")): Account(Credits(CREDIT), nonce=Nonce(number % 7))
        for number in range(accounts - SENDERS)
    }
    running, bidding = _templates(genesis)
    made = [
        replace(running if number % 2 else bidding, identifier=JobId(number.to_bytes(32, "little")))
        for number in range(jobs)
    ]
    made.sort(key=lambda job: job.identifier)
    budget = Credits(running.offer.budget)
    issued = sum(one.slashable + one.available for one in people.values()) + budget * jobs
    header = Header(FORMAT, first._network, first._position, first._began)
    minted = issued - first.accounts.genesis_supply
    yield HEADER.key(b""), pack(header)
    yield from ((ACCOUNT.key(one), pack(people[one])) for one in sorted(people))
    yield from ((ESCROW.key(job.identifier), pack(budget)) for job in made)
    yield RESERVES.key(b""), pack(Reserves(0, 0, minted, yield_index=0, fraction=0))
    yield from ((JOB.key(job.identifier), pack(job)) for job in made)


def _templates(genesis: Genesis) -> tuple[Job, Job]:
    """A job that is being run for days, and one that takes bids for as long."""
    ledger = HandLedger(genesis, signed=False)
    offer = make_offer(bid_window_rounds=12)
    running = ledger.start(offer)
    executors = tuple(replace(one, deadline_ms=FAR_MS) for one in running.executors)
    bidding = ledger.state.jobs[ledger.open(0, offer)]
    return replace(running, executors=executors), replace(bidding, round_awaited=Round(10**6))
