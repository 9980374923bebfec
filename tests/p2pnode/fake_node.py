"""A node behind the port `Control` that only remembers, and the real server in front of it."""

import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import trio

from p2pnode.api.security import Limits
from p2pnode.api.server import ApiSettings, serve_api
from p2pnode.interfaces import ControlError, JobRequest

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105  of no real node
OWN = "aa" * 32
PEER = "bb" * 32
JOB = "c1" * 32
OTHER_JOB = "c2" * 32
OPERATION = "dd" * 32


def job_record(identifier: str = JOB, state: str = "settled") -> dict[str, object]:
    return {
        "id": identifier,
        "state": state,
        "finality": "final",
        "requester": OWN,
        "executors": [{"account": PEER, "reason": "drawn first of 4 bids", "price": 500_000}],
        "spares": [],
        "confidence": 9_860,
        "replicas": 1,
        "outcome": "finished",
        "result_digest": "ee" * 32,
        "payouts": [{"account": PEER, "amount": 1_500_000, "reason": "base pay"}],
        "slashes": [],
        "fee": 75_000,
        "refund": 425_000,
        "timeline": [
            {"phase": "bidding", "round": 10, "at_ms": 1_000},
            {"phase": "settled", "round": 20, "at_ms": 2_500},
        ],
    }


@dataclass
class FakeControl:
    """Answers from its fields and remembers what it was asked to do."""

    records: dict[str, dict[str, object]] = field(default_factory=lambda: {JOB: job_record()})
    states: list[str] = field(default_factory=list)
    """States that the job goes through, one for each question; empty leaves the record alone."""
    quorum: bool = True
    refusal: ControlError | None = None
    broken: bool = False
    output: bytes = b"output"
    submitted: list[JobRequest] = field(default_factory=list)
    moved: list[tuple[str, str, int]] = field(default_factory=list)
    stored: list[bytes] = field(default_factory=list)
    peer: dict[str, object] = field(default_factory=dict)
    """What its peer's view has beside account and address."""
    line: dict[str, object] = field(default_factory=dict)
    """What each job in a list has beside its identifier and state."""
    gpus: list[dict[str, object]] = field(default_factory=list)
    readers: int = 0
    readers_seen: int = 0

    def status(self) -> Mapping[str, object]:
        if self.broken:
            raise RuntimeError("secret detail")
        return {
            "peer_id": "12D3Koo",
            "account": OWN,
            "quorum": self.quorum,
            "connected_peers": 1,
            "storage": {"bounded": True, "keep_chain": 9, "warnings": []},
        }

    def peers(self) -> Sequence[Mapping[str, object]]:
        return [{"account": PEER, "address": "/ip4/127.0.0.1/tcp/1"} | self.peer]

    def devices(self) -> Sequence[Mapping[str, object]]:
        return [{"identifier": "cpu", "name": "processor", "memory_bytes": 2**30}, *self.gpus]

    def account(self, account: bytes | None) -> Mapping[str, object]:
        return {
            "account": OWN if account is None else account.hex(),
            "available": 12_500_000,
            "staked": 1_000_000_000,
            "pledged": 0,
            "unbonding": [{"amount": 5_000_000, "due_ms": 10}],
            "escrow": 0,
            "pending": 0,
            "final": True,
        }

    def jobs(self, limit: int) -> Sequence[Mapping[str, object]]:
        lines = [
            {"id": key, "state": job["state"]} | self.line for key, job in self.records.items()
        ]
        return lines[:limit]

    def job(self, job: bytes) -> Mapping[str, object]:
        record = self.records.get(job.hex())
        if record is None:
            raise ControlError("unknown_job", "no such job is known", 404)
        if self.states:
            record = record | {"state": self.states.pop(0)}
        return record

    def why(self, identifier: bytes) -> Mapping[str, object]:
        name = identifier.hex()
        if name == PEER:
            return {"id": name, "facts": [], "job": None, "account": self.account(identifier)}
        fact = {"fact": "job_advanced", "job": name, "phase": "bidding", "at_ms": 1_250}
        return {"id": name, "facts": [fact], "job": job_record(name)}

    async def result(self, job: bytes) -> bytes:
        self.job(job)
        return self.output

    async def store(self, pieces: AsyncIterator[bytes]) -> tuple[bytes, int]:
        content = b"".join([piece async for piece in pieces])
        self.stored.append(content)
        return len(content).to_bytes(32, "big"), len(content)

    async def submit(self, request: JobRequest) -> bytes:
        self._maybe_refuse()
        self.submitted.append(request)
        return bytes.fromhex(JOB)

    def quote(self, request: JobRequest) -> Mapping[str, object]:
        self._maybe_refuse()
        return {"replicas": 3, "expected_price": 900_000, "highest_price": 2_000_000}

    async def cancel(self, job: bytes) -> bytes:
        self._maybe_refuse()
        self.moved.append(("cancel", job.hex(), 0))
        return bytes.fromhex(OPERATION)

    async def claim(self, job: bytes) -> bytes:
        self._maybe_refuse()
        self.moved.append(("claim", job.hex(), 0))
        return bytes.fromhex(OPERATION)

    async def transfer(self, recipient: bytes, amount: int) -> bytes:
        self._maybe_refuse()
        self.moved.append(("transfer", recipient.hex(), amount))
        return bytes.fromhex(OPERATION)

    async def stake(self, amount: int) -> bytes:
        self._maybe_refuse()
        self.moved.append(("stake", "", amount))
        return bytes.fromhex(OPERATION)

    async def unstake(self, amount: int) -> bytes:
        self._maybe_refuse()
        self.moved.append(("unstake", "", amount))
        return bytes.fromhex(OPERATION)

    async def submit_operations(self, signed: Sequence[bytes]) -> Sequence[Mapping[str, object]]:
        self._maybe_refuse()
        refused = {"error": {"code": "malformed", "message": "it is empty inside"}}
        return [{"operation": OPERATION} if any(one) else refused for one in signed]

    async def ask_faucet(self) -> Mapping[str, object]:
        self._maybe_refuse()
        return {"operation": OPERATION, "amount": 100_000_000}

    def operation(self, identifier: bytes) -> Mapping[str, object]:
        return {"id": identifier.hex(), "state": "final"}

    def metrics(self) -> Mapping[str, float]:
        return {"connected_peers": 3, "gossip_refused_total": 7.0}

    def facts(self) -> AbstractAsyncContextManager[AsyncIterator[Mapping[str, object]]]:
        return self._facts()

    @asynccontextmanager
    async def _facts(self) -> AsyncIterator[AsyncIterator[Mapping[str, object]]]:
        self.readers += 1
        self.readers_seen += 1
        send, receive = trio.open_memory_channel[Mapping[str, object]](4)
        send.send_nowait({"fact": "peer_joined", "account": PEER})
        try:
            yield receive
        finally:
            self.readers -= 1

    def _maybe_refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal


@dataclass(frozen=True)
class Served:
    """A server that runs, and the event that stops it."""

    address: str
    shutdown: trio.Event

    def client(self, token: str | None = TOKEN, **options: object) -> httpx.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= options.pop("headers", {})  # type: ignore[call-overload]
        return httpx.AsyncClient(
            base_url=f"http://{self.address}", headers=headers, trust_env=False
        )


@asynccontextmanager
async def serve(control: FakeControl, limits: Limits | None = None) -> AsyncIterator[Served]:
    """Serve on a free port of the loopback address, and stop in order at the end."""
    shutdown = trio.Event()
    settings = ApiSettings("127.0.0.1", 0, TOKEN, limits or Limits())
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            address = await nursery.start(serve_api, control, settings, shutdown)
            yield Served(address, shutdown)
            shutdown.set()


@contextmanager
def served_in_thread(control: FakeControl, data_dir: Path) -> Iterator[str]:
    """Serve beside synchronous code, with the files that a node leaves in its data folder."""
    ready, done = threading.Event(), threading.Event()
    addresses: list[str] = []

    async def serve_until_done() -> None:
        async with serve(control) as served:
            addresses.append(served.address)
            ready.set()
            while not done.is_set():  # noqa: ASYNC110  set from another thread
                await trio.sleep(0.02)

    thread = threading.Thread(target=trio.run, args=(serve_until_done,), daemon=True)
    thread.start()
    assert ready.wait(10)
    (data_dir / "api-address").write_text(addresses[0] + "\n")
    (data_dir / "api-token").write_text(TOKEN + "\n")
    try:
        yield addresses[0]
    finally:
        done.set()
        thread.join(10)
        assert not thread.is_alive()
