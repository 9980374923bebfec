"""One node's own work, beside one Ed25519 verification, below which no signed ledger goes."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

import trio

from p2pnode.storage import Journal, OwnOperation, StoredBlock, open_journal
from protocol import vrf
from protocol.encoding import decode, digest_of, encode
from protocol.errors import Rejected
from protocol.job.lottery import draw
from protocol.ledger.block import open_block
from protocol.messages import Block, SignedBlock, Transfer, network_of, open_operation
from protocol.parameters import minimal
from protocol.signing import BLOCK, OPERATION, REAL, Scheme
from protocol.units import Digest, Signature
from tests.benchmarks.figures import Effort, Figure, Floor, at_most, scaled, seconds_each
from tests.support.builders import account_id, make_genesis, make_operation
from tests.support.dag_builder import NETWORK, OUTPUT, lockstep, make_committee, make_ledger

SEED = b"\x05" * 32
MESSAGE = Digest(b"\x06" * 32)
MICRO = 1e6
MEMBERS = 16
ALONE = "processor time of one process"
DURABLE_SECONDS = 1.0
BATCH = 500


def _unverified(*_: object) -> None:
    """Accepts every signature."""


def _unproven(*_: object) -> bytes:
    """Accepts every proof."""
    return OUTPUT


UNCHECKED = Scheme(
    account_of=REAL.account_of,
    sign=REAL.sign,
    verify=_unverified,
    vrf_key_of=REAL.vrf_key_of,
    prove=REAL.prove,
    verify_proof=_unproven,
    read_proof=_unproven,
)


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure the parts from the cheapest to the disk."""
    runs = effort.of(7, 3)
    floor = Floor("one Ed25519 verification", verification_seconds(runs) * MICRO)
    yield Figure(
        "Ed25519 verification",
        "us",
        scaled(seconds_each(_verification(), 2_000, runs), MICRO),
        f"{ALONE}; 32-byte digest, PyNaCl through protocol.signing",
    )
    yield _refusal(runs, floor)
    yield from _random_function(runs, floor)
    yield _lottery(runs)
    yield from _blocks(effort, floor)
    yield from trio.run(_appends, effort)


def _refusal(runs: int, floor: Floor) -> Figure:
    """Refuse an operation of another network, which is found last before the signature."""
    payload = Transfer(account_id(2), 1)
    raw = make_operation(make_genesis(5), 1, 0, payload).raw
    network = network_of(make_genesis())

    def refuse() -> None:
        with suppress(Rejected):
            open_operation(raw, network, REAL)

    return Figure(
        "an operation refused before its signature",
        "us",
        scaled(seconds_each(refuse, 2_000, runs), MICRO),
        f"{ALONE}; decoded and canonical, of another network",
        floor,
        at_most(10),
    )


def verification_seconds(runs: int = 3) -> float:
    """Seconds of one verification: the median of some runs."""
    return median(seconds_each(_verification(), 2_000, runs))


def _verification() -> partial[None]:
    signature = REAL.sign(SEED, OPERATION, MESSAGE)
    return partial(REAL.verify, REAL.account_of(SEED), OPERATION, MESSAGE, signature)


def _random_function(runs: int, floor: Floor) -> Iterator[Figure]:
    key = vrf.public_key(SEED)
    numbers, proof = count(), vrf.prove(SEED, MESSAGE)
    prove = seconds_each(lambda: vrf.prove(SEED, b"%d" % next(numbers)), 200, runs)
    verify = seconds_each(partial(vrf.verify, key, MESSAGE, proof), 200, runs)
    yield Figure("random function: prove", "us", scaled(prove, MICRO), ALONE, floor)
    yield Figure("random function: verify", "us", scaled(verify, MICRO), ALONE, floor)


def _lottery(runs: int) -> Figure:
    weights = {number.to_bytes(32, "big"): 1_000 + number % 977 for number in range(10_000)}
    samples = seconds_each(partial(draw, SEED, weights, 3), 1, runs)
    hashes = min(seconds_each(lambda: [digest_of(b"floor", one) for one in weights], 1, runs))
    floor = Floor("one hash for each of them", hashes * 1_000)
    return Figure("lottery: 3 of 10,000 bidders", "ms", scaled(samples, 1_000), ALONE, floor)


def _blocks(effort: Effort, floor: Floor) -> Iterator[Figure]:
    """Take in a calm network's blocks in order, each referring to all of the round before."""
    raws = [
        encode(SignedBlock(encode(verified.block), (), Signature(bytes(64))))
        for row in lockstep(make_committee((1,) * MEMBERS), effort.of(250, 60))
        for verified in row
    ]
    runs = effort.of(5, 2)
    opened = [_whole_path(raws) for _ in range(runs)]
    yield Figure(
        "a block accepted, signatures not checked",
        "us",
        tuple(sample * MICRO for sample in opened),
        f"{ALONE}; n={MEMBERS}, {len(raws)} blocks without operations: "
        "decode, hash, rules, graph, commit rule, order",
        floor,
        at_most(floor.value),
    )
    plain = tuple(decoding_seconds(raws) * MICRO for _ in range(runs))
    yield Figure(
        "of that: decode and hash", "us", plain, f"{ALONE}; n={MEMBERS}; canonical form", floor
    )


def decoding_seconds(raws: Sequence[bytes]) -> float:
    """Mean seconds to decode a block's two layers and to hash its body."""
    begun = time.process_time()
    for raw in raws:
        body = decode(raw, SignedBlock, 2**20).body
        decode(body, Block, 2**20)
        digest_of(BLOCK, body)
    return (time.process_time() - begun) / len(raws)


def _whole_path(raws: Sequence[bytes]) -> float:
    committee, parameters = make_committee((1,) * MEMBERS), minimal()
    ledger = make_ledger(committee)
    begun = time.process_time()
    for raw in raws:
        ledger.accept(open_block(raw, committee, NETWORK, parameters, UNCHECKED))
    elapsed = time.process_time() - begun
    assert ledger.last_commit is not None
    return elapsed / len(raws)


async def _appends(effort: Effort) -> list[Figure]:
    """Append as a driver does: a batch, wait until it is synced, the next one."""
    runs = effort.of(5, 2)
    with tempfile.TemporaryDirectory() as name:
        folder, numbers = Path(name), count()
        synced = _syncs(folder / "plain")
        async with open_journal(folder, NETWORK, SEED, hash_block=_block_hash) as journal:
            operations = [await _single_appends(journal, numbers) for _ in range(runs)]
            blocks = [await _block_appends(journal, numbers) for _ in range(runs)]
    return [
        Figure(
            "durable appends, each waited for",
            "/s",
            tuple(operations),
            "durability on; one record of 220 bytes in each transaction",
            Floor("write and fdatasync of one file of the same folder", synced),
        ),
        Figure(
            f"durable blocks, {BATCH} in a batch",
            "/s",
            tuple(blocks),
            "durability on; 800 bytes each, with checksums and counted rows",
        ),
    ]


async def _single_appends(journal: Journal, numbers: Iterator[int]) -> float:
    begun = trio.current_time()
    first = number = next(numbers)
    while trio.current_time() < begun + DURABLE_SECONDS:
        await journal.append([OwnOperation(number.to_bytes(32, "big"), number, bytes(220))])
        number = next(numbers)
    return (number - first) / (trio.current_time() - begun)


async def _block_appends(journal: Journal, numbers: Iterator[int]) -> float:
    raws = [os.urandom(800) for _ in range(BATCH)]
    blocks = [StoredBlock(_block_hash(raw), 0, next(numbers), 0, raw) for raw in raws]
    begun = trio.current_time()
    await journal.append(blocks)
    return BATCH / (trio.current_time() - begun)


def _syncs(path: Path) -> float:
    with path.open("wb", buffering=0) as file:
        begun, done = time.perf_counter(), 0
        while time.perf_counter() < begun + DURABLE_SECONDS:
            file.write(bytes(4_096))
            os.fdatasync(file.fileno())
            done += 1
        return done / (time.perf_counter() - begun)


def _block_hash(raw: bytes) -> bytes:
    return digest_of(BLOCK, raw)
