"""Watches a run, simulated or real, and takes the notes that its tables are made of.

A recorder for simulated runs, which are told everything, and for real ones, whose nodes write it
down. `record` and `fact` are the doors for facts alone, as an operator's node streams them, and
`block` for the bytes of blocks that nobody was seen to take in. Its memory grows with blocks,
operations and samples, each up to a limit; what came later is counted in `dropped`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from p2pnode.lab.results.json_facts import fact_of, name_of
from p2pnode.lab.results.notes import (
    BlockNote,
    ExecutionNote,
    LifeNote,
    OperationNote,
    RequestNote,
    Sample,
)
from p2pnode.lab.results.observer import REPEATED, Observer, Setup, setup_of
from protocol import effects as fx
from protocol import events as ev
from protocol.facts import JobAdvanced, OperationApplied, OperationFailed
from protocol.job.record import Phase
from protocol.ledger.block import VerifiedBlock
from protocol.messages import VerifiedOperation
from protocol.simulator.scenario import Scenario
from protocol.units import MILLISECOND, Digest, JobId

SAMPLE_MS: Final = 100
"""Time between two samples, until there are too many."""

BLOCKS_MAX: Final = 200_000
OPERATIONS_MAX: Final = 200_000
EXECUTIONS_MAX: Final = 200_000
SAMPLES_MAX: Final = 4_000
"""When there are more, every second one is dropped and the time between them doubled."""

SHORT_DIGITS: Final = 12
"""Hexadecimal digits that name a block well enough within one run."""


class Collector:
    """The notes of one run.

    Args:
        scenario: What is run, or what a real network is a copy of.
        setup: Whom it is about; the simulator's own accounts when left out.
        sample_ms: Time between two samples.

    Attributes:
        observer: Knows what commits ordered and what jobs came to.
        blocks, operations, requests, executions, lives, samples: The notes.
        proposed: When a block's author said that it had signed it.
        commits: By node, the time of each commit that it reported, by index.
        phases: By job and phase, when each node reported it first.
        dropped: How many things are missing from the notes, by kind.
    """

    def __init__(
        self, scenario: Scenario, setup: Setup | None = None, sample_ms: int = SAMPLE_MS
    ) -> None:
        self.scenario = scenario
        self.setup = setup if setup is not None else setup_of(scenario)
        self.observer = Observer(self.setup)
        self._honest = frozenset(self.setup.honest)
        count = len(self.setup.accounts)
        self.blocks: dict[Digest, BlockNote] = {}
        self.proposed: dict[Digest, tuple[int, int, int]] = {}
        self.operations: dict[Digest, OperationNote] = {}
        self.requests: dict[tuple[int, int], RequestNote] = {}
        self.executions: list[ExecutionNote] = []
        self.commits: list[dict[int, int]] = [{} for _ in range(count)]
        self.leader_rounds: dict[int, int] = {}
        self.phases: dict[tuple[JobId, Phase], dict[int, int]] = {}
        self.lives = [LifeNote() for _ in range(count)]
        self.samples: list[Sample] = []
        self.dropped: dict[str, int] = {}
        self._running: dict[tuple[int, JobId], ExecutionNote] = {}
        self._rounds = [0] * count
        self._indices = [0] * count
        self._received = [0] * count
        self._accepted = [0] * count
        self._states = [b""] * count
        self._sample_ns = sample_ms * MILLISECOND
        self._next_ns = 0
        self._handlers: dict[type, Callable[[int, int, Any], None]] = {
            ev.BlockReceived: self._receive_block,
            ev.OperationRequested: self._request,
            ev.ExecutionEnded: self._end_execution,
            ev.ExecutionImpossible: self._give_up_execution,
            ev.BlocksRestored: self._restore,
            ev.Restored: self._restore,
            fx.PersistBlock: self._persist_block,
            fx.PersistOperation: self._persist_operation,
            fx.Execute: self._execute,
            fx.StopExecution: self._stop_execution,
            fx.Report: self._report,
            fx.BlockProposed: self._propose,
            fx.CommitApplied: self._commit,
            fx.OperationSeen: self._see,
            fx.OperationRefused: self._refuse,
            OperationApplied: self._finish_operation,
            OperationFailed: self._finish_operation,
            JobAdvanced: self._advance_job,
        }

    @property
    def saw_acceptance(self) -> bool:
        """Whether anybody told which node took in which block; facts alone do not."""
        return not self.blocks or any(note.accepted for note in self.blocks.values())

    # Doors: a simulated run

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Notes what happened to a node."""
        if time >= self._next_ns:
            self.sample(time)
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(time, node, event)
        self.lives[node].heard_ns = time

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Notes what a node writes or lets out."""
        handler = self._handlers.get(type(effect))
        if handler is not None:
            handler(time, node, effect)

    # Doors: real processes

    def fact(self, time: int, node: int, fact: fx.Fact) -> None:
        """Notes a fact that a node reported.

        Args:
            time: Nanoseconds since genesis; may not go back.
            node: Its number.
            fact: What it reported.
        """
        if time >= self._next_ns:
            self.sample(time)
        self.lives[node].heard_ns = time
        handler = self._handlers.get(type(fact))
        if handler is not None:
            handler(time, node, fact)

    def record(self, time: int, node: int, record: Mapping[str, object]) -> None:
        """Notes a line of a real node's stream of facts; one of an unknown kind is passed over.

        Facts that the stream says it left out count as dropped.

        Raises:
            BadRecord: it has the name of a fact, but not its fields.
        """
        missed = record.get("missed")
        if isinstance(missed, int):
            self._drop("facts", missed)
        fact = fact_of(record)
        if fact is not None:
            self.fact(time, node, fact)

    def block(self, raw: bytes) -> None:
        """Takes in a block of which nobody told who took it in, after those that it refers to.

        Args:
            raw: Its signed bytes, from any node's store or export.
        """
        self._note_block(self.observer.take(raw))

    def request(self, time: int, node: int, ticket: int, kind: str) -> None:
        """Notes that a user asked a node for an operation."""
        self.requests[node, ticket] = RequestNote(time, kind)

    def started(self, time: int, node: int) -> None:
        """Notes that a node is up; runs from before are lost."""
        for key in [key for key in self._running if key[0] == node]:
            run = self._running.pop(key)
            run.device_ns = max(0, self.lives[node].heard_ns - run.begun_ns)
        self.lives[node].start(time)

    def stopped(self, time: int, node: int) -> None:
        """Notes that a node is down."""
        self.lives[node].stop(time)

    # Samples

    def sample(self, time: int) -> None:
        """Notes the state of all nodes for each time at which a sample was due, the first apart.

        Nothing has changed since the event before, so a silence is told as well as anything.
        """
        if not self.samples:
            self._next_ns = time - time % self._sample_ns
        while self._next_ns <= time:
            self.samples.append(self._state(self._next_ns))
            if len(self.samples) > SAMPLES_MAX:
                del self.samples[::2]
                self._sample_ns *= 2
                self._next_ns = self.samples[-1].time_ns
            self._next_ns += self._sample_ns

    def _state(self, time: int) -> Sample:
        return Sample(
            time,
            tuple(self._rounds),
            tuple(self._indices),
            tuple(self._received),
            tuple(self._accepted),
            tuple(self._states),
        )

    def close(self, time: int) -> None:
        """Takes a last sample and ends the runs that go on."""
        for run in self._running.values():
            run.device_ns = time - run.begun_ns
        self._running.clear()
        self.sample(time)
        if self.samples[-1].time_ns < time:
            self.samples.append(self._state(time))

    # Blocks and commits

    def _receive_block(self, time: int, node: int, event: ev.BlockReceived) -> None:
        self._received[node] += 1

    def _persist_block(self, time: int, node: int, effect: fx.PersistBlock) -> None:
        note = self.blocks.get(effect.digest)
        if note is None:
            note = self._note_block(self.observer.take(effect.raw))
        counted = self.observer.counted(effect.epoch, effect.round)
        self._rounds[node] = max(self._rounds[node], counted)
        if note is None:
            return
        if node in note.accepted:
            note.lapses.append((node, self.lives[node].downs[-1][1] or 0, time))
        else:
            note.accepted[node] = time
            self._accepted[node] += 1

    def _note_block(self, block: VerifiedBlock) -> BlockNote | None:
        digest, body = block.digest, block.block
        if digest in self.blocks:
            return self.blocks[digest]
        if len(self.blocks) >= BLOCKS_MAX:
            self._drop("blocks")
            return None
        references = (body.own, *body.parents, *body.weak)
        note = self.blocks[digest] = BlockNote(
            self.observer.author_of(body),
            self.observer.counted(body.epoch, body.round),
            len(block.raw),
            len(block.operations),
            " ".join(one.digest.hex()[:SHORT_DIGITS] for one in references if one.round > 0),
        )
        for operation in self.observer.operations_of(block):
            held = self._note_operation(operation.identifier)
            if held is not None:
                self._describe(held, operation)
                held.blocks.append(digest)
        return note

    def _propose(self, time: int, node: int, fact: fx.BlockProposed) -> None:
        if fact.digest not in self.proposed and len(self.proposed) < BLOCKS_MAX:
            self.proposed[fact.digest] = (time, node, fact.round)

    def _commit(self, time: int, node: int, fact: fx.CommitApplied) -> None:
        self.leader_rounds.setdefault(fact.index, fact.leader_round)
        self.commits[node].setdefault(fact.index, time)
        self._indices[node] = fact.index
        self._states[node] = fact.state_digest

    # Operations

    def _request(self, time: int, node: int, event: ev.OperationRequested) -> None:
        self.request(time, node, event.ticket, name_of(type(event.payload)))

    def _see(self, time: int, node: int, fact: fx.OperationSeen) -> None:
        request = self.requests.get((node, fact.ticket))
        if request is not None and request.operation is None:
            request.operation = fact.identifier
        self._sign(time, node, fact.identifier)

    def _refuse(self, time: int, node: int, fact: fx.OperationRefused) -> None:
        request = self.requests.get((node, fact.ticket))
        if request is not None:
            request.refusal = fact.reason.name.lower()

    def _persist_operation(self, time: int, node: int, effect: fx.PersistOperation) -> None:
        note = self._sign(time, node, effect.identifier)
        operation = self.observer.open(effect.raw)
        if note is not None and operation is not None:
            self._describe(note, operation)

    def _sign(self, time: int, node: int, identifier: Digest) -> OperationNote | None:
        note = self._note_operation(identifier)
        if note is not None and note.seen_ns is None:
            note.seen_ns = time
            note.signer = node
        return note

    def _describe(self, note: OperationNote, operation: VerifiedOperation) -> None:
        if not note.kind:
            note.kind = name_of(type(operation.operation.payload))
            if note.signer < 0:
                note.signer = self.observer.number_of(operation.operation.account)

    def _note_operation(self, identifier: Digest) -> OperationNote | None:
        note = self.operations.get(identifier)
        if note is None:
            if len(self.operations) >= OPERATIONS_MAX:
                self._drop("operations")
                return None
            note = self.operations[identifier] = OperationNote()
        return note

    def _finish_operation(
        self, time: int, node: int, fact: OperationApplied | OperationFailed
    ) -> None:
        if isinstance(fact, OperationFailed) and fact.reason in REPEATED:
            return
        note = self._note_operation(fact.identifier)
        if note is None:
            return
        note.final.setdefault(node, time)
        if isinstance(fact, OperationFailed):
            note.failure = fact.reason.name.lower()

    # Jobs

    def _execute(self, time: int, node: int, effect: fx.Execute) -> None:
        if node not in self._honest:
            return  # what a dishonest node says of its devices is worth nothing
        if len(self.executions) >= EXECUTIONS_MAX:
            self._drop("executions")
            return
        run = ExecutionNote(effect.job, node, time)
        self.executions.append(run)
        self._running[node, effect.job] = run

    def _end_execution(self, time: int, node: int, event: ev.ExecutionEnded) -> None:
        run = self._running.pop((node, event.job), None)
        if run is not None:
            run.device_ns = event.elapsed_ms * MILLISECOND
            run.has_finished = True

    def _give_up_execution(self, time: int, node: int, event: ev.ExecutionImpossible) -> None:
        run = self._running.pop((node, event.job), None)
        if run is not None:
            run.device_ns = 0
            run.is_impossible = True

    def _stop_execution(self, time: int, node: int, effect: fx.StopExecution) -> None:
        run = self._running.pop((node, effect.job), None)
        if run is not None:
            run.device_ns = time - run.begun_ns

    def _advance_job(self, time: int, node: int, fact: JobAdvanced) -> None:
        self.phases.setdefault((fact.job, fact.phase), {}).setdefault(node, time)

    # Small change

    def _restore(self, time: int, node: int, event: ev.BlocksRestored | ev.Restored) -> None:
        self.started(time, node)

    def _report(self, time: int, node: int, effect: fx.Report) -> None:
        handler = self._handlers.get(type(effect.fact))
        if handler is not None:
            handler(time, node, effect.fact)

    def _drop(self, kind: str, count: int = 1) -> None:
        self.dropped[kind] = self.dropped.get(kind, 0) + count
