"""What the HTTP interface may ask of this node; the only caller of requests on the core."""

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from heapq import nlargest
from itertools import count
from typing import Final

import trio

from p2pnode import __version__
from p2pnode.content import Content, ContentUnavailable
from p2pnode.disk_watch import DiskWatch
from p2pnode.driver import Driver
from p2pnode.facts import FactLog, plain, record_of
from p2pnode.faucet import ask_faucet
from p2pnode.interfaces import ControlError, JobRequest, Metered
from p2pnode.latency import Latencies
from p2pnode.lending import Lending
from p2pnode.money import in_credits
from p2pnode.network import Network, NetworkError, peer_id_of
from p2pnode.quotes import quote_of, why_unreachable
from p2pnode.settings import Settings
from p2pnode.storage import ArtifactStore, ArtifactTooLarge, StorageError
from p2pnode.views import (
    account_view,
    ending_reason,
    find_job,
    job_line,
    ledger_view,
    missing_job,
)
from p2pnode.world import BLOCKS_TOPIC, OPERATIONS_TOPIC, topic_of
from protocol import effects as fx
from protocol import events as ev
from protocol.claims import Unavailable
from protocol.facts import OperationApplied, OperationFailed
from protocol.job.offer import smallest_budget
from protocol.job.record import Job, ResultOutcome
from protocol.messages import (
    Cancellation,
    Limits,
    Offer,
    Payload,
    StakeDeposit,
    StakeWithdrawal,
    Transfer,
    with_budget,
)
from protocol.parameters import Parameters
from protocol.units import AccountId, Digest, JobId

OPERATION_SECONDS: Final = 10.0
"""For the core and the store to answer; longer means that the store is failing."""
SILENT_ROUNDS: Final = 4
"""Idle rounds, each with its leader's timeout, without a commit: then there is no quorum here."""
RESULT_BYTES_MAX: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ControlParts:
    """What a node consists of, as far as its control uses it."""

    settings: Settings
    network: Network
    facts: FactLog
    content: Content
    store: ArtifactStore
    lending: Lending
    disk: DiskWatch


def silence_seconds(terms: Parameters) -> float:
    """Time without a commit after which a node claims no quorum any more."""
    return SILENT_ROUNDS * (terms.idle_round_ms + terms.leader_timeout_ms) / 1_000


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request to the core that waits for its answer."""

    ticket: int
    answered: trio.Event = field(default_factory=trio.Event)
    answers: list[Digest | ControlError] = field(default_factory=list)


class NodeControl:
    """One running node, as its operator and local programs see it."""

    def __init__(self, driver: Driver, parts: ControlParts) -> None:
        self._driver = driver
        self._core = driver.core
        self._network = parts.network
        self._facts = parts.facts
        self._content = parts.content
        self._store = parts.store
        self._settings = parts.settings
        self._lending = parts.lending
        self._disk = parts.disk
        self._tickets = count(1)
        self._asked: dict[int, _Asked] = {}
        self.latencies = Latencies()
        self._last_commit_at = -math.inf
        """Until this node has seen a commit become final, it claims no quorum."""

    def hear(self, fact: fx.Fact) -> None:
        """Takes in a fact: answers to requests, and what the status shows."""
        match fact:
            case fx.OperationSeen(ticket, identifier):
                self.latencies.begin(identifier)
                self._answer(ticket, identifier)
            case fx.OperationRefused(ticket, reason, detail):
                text = f"{reason.value}: {detail}" if detail else reason.value
                self._answer(ticket, ControlError(reason.name.lower(), in_credits(text)))
            case OperationApplied(identifier=identifier) | OperationFailed(identifier=identifier):
                self.latencies.end(identifier)
            case fx.CommitApplied():
                self._last_commit_at = trio.current_time()
            case _:
                pass

    # Reading

    def status(self) -> Mapping[str, object]:
        """Where this node and its network stand."""
        core = self._core
        silence = trio.current_time() - self._last_commit_at
        return ledger_view(core) | {
            "version": __version__,
            "peer_id": peer_id_of(core.account),
            "account": core.account.hex(),
            "addresses": list(self._network.addresses),
            "network": core.network.hex(),
            "network_name": core.genesis.name,
            "topics": [topic_of(name, core.network) for name in (BLOCKS_TOPIC, OPERATIONS_TOPIC)],
            "roles": list(self._settings.roles),
            **self._lending.view(),
            "connected_peers": len(core.peers),
            "quorum": silence < silence_seconds(core.parameters) and not core.halted,
            "finality_p50_ms": self.latencies.percentile_ms(50),
            "finality_p99_ms": self.latencies.percentile_ms(99),
            "open_jobs": len(core.state.open_jobs),
            "store_failure": self._driver.store_failure,
            "storage": dict(self._disk.view()),
        }

    def peers(self) -> Sequence[Mapping[str, object]]:
        """The connected peers."""
        neighbours = set(self._core.peers)
        return [
            {str(key): plain(getattr(peer, key)) for key in type(peer).__slots__}
            | {"same_network": peer.account in neighbours}
            for peer in self._network.peers()
        ]

    def devices(self) -> Sequence[Mapping[str, object]]:
        """The lent devices, and what their meters said last."""
        return self._lending.devices_view()

    def account(self, account: bytes | None) -> Mapping[str, object]:
        """Balances of an account; of the node's own for None."""
        return account_view(self._core, AccountId(account) if account else self._core.account)

    def jobs(self, limit: int) -> Sequence[Mapping[str, object]]:
        """Newest jobs first."""
        jobs = self._core.state.jobs.values()
        newest = nlargest(limit, jobs, key=lambda job: (job.opened_index, job.identifier))
        return [job_line(job) | self._not_bidding(job) for job in newest]

    def job(self, job: bytes) -> Mapping[str, object]:
        """One job with its receipt."""
        found = find_job(self._core, JobId(job))
        if found is None:
            raise ControlError("unknown_job", missing_job(self._core), 404)
        metered = self._facts.latest(job.hex(), Metered)
        return found | {"metered": record_of(metered)} if metered is not None else found

    def operation(self, identifier: bytes) -> Mapping[str, object]:
        """How far an operation got, and why it was refused if it was."""
        digest = Digest(identifier)
        if digest in self._core.pool:
            level = "in_block" if self._core.pool.is_in_block(digest) else "seen"
            return {"id": digest.hex(), "finality": level}
        if digest in map(_decided_operation, self._driver.unreported):
            return {"id": digest.hex(), "finality": "in_block"}
        for record in reversed(self._facts.about(digest.hex())):
            if record["fact"] == "operation_applied":
                return {"id": digest.hex(), "finality": "final"} | record
            if record["fact"] == "operation_failed":
                return {"id": digest.hex(), "finality": "rejected"} | record
        raise ControlError("unknown_operation", "this node remembers no such operation", 404)

    def why(self, identifier: bytes) -> Mapping[str, object]:
        """Everything remembered of an identifier, with the job's transcript or the account."""
        facts = list(self._facts.about(identifier.hex()))
        job = find_job(self._core, JobId(identifier))
        is_account = AccountId(identifier) in self._core.state.accounts
        if not facts and job is None and not is_account:
            raise ControlError("unknown_identifier", "nothing is remembered of this", 404)
        account = account_view(self._core, AccountId(identifier)) if is_account else None
        return {"id": identifier.hex(), "facts": facts, "job": job, "account": account}

    def metrics(self) -> Mapping[str, float]:
        """Counters and gauges by name."""
        core = self._core
        gauges = {
            "epoch": core.ledger.committee.epoch,
            "round": core.ledger.counted(core.ledger.clock_round),
            "final_index": core.state.index,
            "pending_operations": len(core.pool),
            "connected_peers": len(core.peers),
            "inbox_dropped_total": self._driver.dropped,
        }
        gauges |= {f"fact_{name}_total": value for name, value in self._facts.counts.items()}
        counters = self._network.counters()
        gauges |= {f"network_{name}_total": value for name, value in counters.items()}
        return {name: float(value) for name, value in gauges.items()}

    @asynccontextmanager
    async def facts(self) -> AsyncIterator[AsyncIterator[Mapping[str, object]]]:
        """Follows what happens in this node."""
        try:
            async with self._facts.follow() as following:
                yield following
        except trio.WouldBlock:
            raise ControlError("too_many_followers", "too many event streams", 429) from None

    # Doing

    async def store(self, pieces: AsyncIterator[bytes]) -> tuple[bytes, int]:
        """Puts an artefact or an input into the node's store as it comes: digest and size."""
        try:
            chunks = await self._store.receive(pieces)
        except ArtifactTooLarge as error:
            raise ControlError("too_large", str(error), 413) from error
        except StorageError as error:
            raise ControlError("storage_failed", str(error), 503) from error
        return chunks.name, chunks.size_bytes

    async def submit(self, request: JobRequest) -> bytes:
        """Signs, persists and gossips an offer; returns the job's identifier."""
        if "requester" not in self._settings.roles:
            text = "this node was started without the role requester: add it with --role"
            raise ControlError("role_missing", text)
        for digest in (request.artefact, *request.inputs):
            if not self._store.has(digest):
                text = f"the content {digest.hex()} is not in this node's store: send it first"
                raise ControlError("artefact_missing", text, 404)
        offer = self._offer(request)
        obstacle = why_unreachable(offer, self._core.account, self._core.state)
        if obstacle is not None:
            raise ControlError("unreachable", obstacle)
        return await self._do(offer)

    def quote(self, request: JobRequest) -> Mapping[str, object]:
        """What a job would cost: expected, and at most."""
        return quote_of(self._offer(request), self._core.account, self._core.state)

    async def cancel(self, job: bytes) -> bytes:
        """Withdraws an offer whose bidding is open."""
        return await self._do(Cancellation(JobId(job)))

    async def claim(self, job: bytes) -> bytes:
        """Says that an accepted output cannot be fetched, while its payouts wait."""
        return await self._do(Unavailable(JobId(job)))

    async def transfer(self, recipient: bytes, amount: int) -> bytes:
        """Sends credits."""
        return await self._do(Transfer(AccountId(recipient), amount))

    async def stake(self, amount: int) -> bytes:
        """Moves credits into stake."""
        return await self._do(StakeDeposit(amount))

    async def unstake(self, amount: int) -> bytes:
        """Starts to unbond stake."""
        return await self._do(StakeWithdrawal(amount))

    async def submit_operations(self, signed: Sequence[bytes]) -> Sequence[Mapping[str, object]]:
        """Brings operations that any accounts have signed; answers each, in their order."""
        events = [partial(ev.OperationSubmitted, raw=raw) for raw in signed]
        return [
            {"error": {"code": answer.code, "message": answer.message}}
            if isinstance(answer, ControlError)
            else {"operation": answer.hex()}
            for answer in await self._ask(events)
        ]

    async def ask_faucet(self) -> Mapping[str, object]:
        """Asks the network's faucet for credits."""
        try:
            amount = await ask_faucet(self._core, self._network)
        except NetworkError as error:
            raise ControlError("faucet_refused", str(error)) from error
        return {"amount": amount, "account": self._core.account.hex()}

    async def result(self, job: bytes) -> bytes:
        """The accepted output of a job, fetched when it is not here yet."""
        record = self._core.state.jobs.get(JobId(job))
        if record is None:
            raise ControlError("unknown_job", missing_job(self._core), 404)
        accepted = record.accepted
        if accepted is None:
            ended = record.ending.value if record.ending else f"it is {record.phase.value}"
            raise ControlError("no_result", f"the job has no accepted result: {ended}")
        if accepted.outcome is not ResultOutcome.FINISHED:
            raise ControlError("no_output", str(ending_reason(record)))
        try:
            return await self._content.fetch(accepted.output, accepted.members, RESULT_BYTES_MAX)
        except ContentUnavailable as error:
            raise ControlError("result_unavailable", str(error), 503) from error

    # Small change

    def _offer(self, request: JobRequest) -> Offer:
        parameters = self._core.parameters
        offer = Offer(
            kind=request.kind,
            artefact=Digest(request.artefact),
            inputs=tuple(Digest(one) for one in request.inputs),
            size_bytes=request.size_bytes or self._size_of(request),
            device=request.device,
            limits=Limits(
                time_ms=request.time_limit_ms,
                memory_bytes=request.memory_limit_bytes,
                output_bytes=request.output_limit_bytes,
                fuel=request.fuel_limit,
            ),
            result_class=request.result_class,
            tolerated_error_ppm=request.tolerated_error_ppm,
            replicas=request.replicas,
            replicas_max=request.replicas_max,
            price_cap=request.price_cap,
            budget=max(1, request.budget),
            bid_window_rounds=request.bid_window_rounds or parameters.bid_window_rounds_min,
            deadline_ms=request.deadline_ms,
            speed_target_ms=request.speed_target_ms,
            sandbox_level=request.sandbox_level,
            retention_ms=request.retention_ms,
        )
        if request.budget:
            return offer
        return with_budget(offer, smallest_budget(offer, parameters))

    def _size_of(self, request: JobRequest) -> int:
        """Measures content that was named by its digest alone."""
        digests = (request.artefact, *request.inputs)
        return sum(self._store.size_bytes(one) for one in digests if self._store.has(one))

    def _not_bidding(self, job: Job) -> dict[str, object]:
        """Why this node did not bid for a job, where it decided not to."""
        fact = self._facts.latest(job.identifier.hex(), fx.NotBidding)
        if fact is None or job.bid_of(self._core.account) is not None:
            return {}
        return {"not_bidding": fact.explanation}

    async def _do(self, payload: Payload) -> bytes:
        """Hands a payload to the core and waits until it is durable or refused."""
        (answer,) = await self._ask([partial(ev.OperationRequested, payload=payload)])
        if isinstance(answer, ControlError):
            raise answer
        return answer

    async def _ask(
        self, events: Sequence[Callable[[int], ev.Event]]
    ) -> list[Digest | ControlError]:
        """Hands events, each made for its ticket, to the core and waits for all the answers."""
        asked = [_Asked(next(self._tickets)) for _ in events]
        self._asked |= {one.ticket: one for one in asked}
        try:
            with trio.fail_after(OPERATION_SECONDS):
                for one, make in zip(asked, events, strict=True):
                    await self._driver.put(make(one.ticket))
                for one in asked:
                    await one.answered.wait()
        except trio.TooSlowError:
            text = "the node cannot make anything durable just now: see its log; it may be done yet"
            raise ControlError("storage_failed", text, 503) from None
        finally:
            for one in asked:
                del self._asked[one.ticket]
        return [answer for one in asked for answer in one.answers]

    def _answer(self, ticket: int, answer: Digest | ControlError) -> None:
        asked = self._asked.get(ticket)
        if asked is not None:
            asked.answers.append(answer)
            asked.answered.set()


def _decided_operation(fact: fx.Fact) -> Digest | None:
    """Which operation left the pool by a fact."""
    return fact.identifier if isinstance(fact, (OperationApplied, OperationFailed)) else None
