"""RELIABILITY B7: floods of operations, of bids and of noise, and how long the honest wait beside.

What refusing costs in microseconds is measured by `make bench`; here are the bounds.
"""

from dataclasses import dataclass, field, replace

import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.errors import Reason, Rejected
from protocol.facts import OperationApplied, OperationFailed
from protocol.ledger.admission import Admission
from protocol.ledger.committee import Committee
from protocol.messages import Transfer, network_of
from protocol.signing import REAL, Scheme
from protocol.simulator import spammer
from protocol.simulator.catalogue import misbehaving
from protocol.simulator.costs import MEASURED
from protocol.simulator.run import Verdict, play
from protocol.simulator.scenario import Behaviour, Scenario, Workload
from protocol.units import MILLISECOND, SECOND, AccountId, Digest, MemberIndex, Signature
from protocol.wire import open_message
from tests.support.builders import HandLedger, account_id, make_bid, make_genesis, make_operation
from tests.support.pool_bench import COMMITTEE, Bench, chain, operation, refusal

HONEST = Workload(30, 0, 8 * SECOND)
FORGERIES = 60
PAUSE_NS = 50 * MILLISECOND


@dataclass
class Waits:
    """How long what honest nodes asked for took, and how much spam they refused meanwhile."""

    honest: tuple[int, ...]
    spans_ns: list[int] = field(default_factory=list)
    refused: int = 0
    _asked: dict[tuple[int, Digest], int] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """What nodes do about events is looked at."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        match effect:
            case fx.Report(fx.PeerRefused()):
                self.refused += 1
            case fx.Report(fx.OperationSeen(identifier=one)) if node in self.honest:
                self._asked[node, one] = time
            case fx.Report(OperationApplied(identifier=one) | OperationFailed(identifier=one)):
                if (node, one) in self._asked:
                    self.spans_ns.append(time - self._asked.pop((node, one)))
            case _:
                pass

    def p99_ns(self) -> int:
        return sorted(self.spans_ns)[len(self.spans_ns) * 99 // 100]


def played(scenario: Scenario) -> Waits:
    waits = Waits(scenario.honest)
    outcome = play(scenario, recorders=(waits,))
    assert outcome.verdict is Verdict.PASS, outcome.violations[:3]
    assert len(waits.spans_ns) == HONEST.transfers
    return waits


@pytest.mark.slow
def test_b7_the_honest_wait_at_most_twice_as_long_under_a_hundredfold_spam(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spammer, "FORGED_OPERATIONS", FORGERIES)
    monkeypatch.setattr(spammer, "PAUSE_NS", PAUSE_NS)
    flooded = replace(misbehaving(1, Behaviour.SPAMMING), workload=HONEST, costs=MEASURED)
    spammed = played(flooded)
    calm = played(replace(flooded, behaviours=()))
    listeners = len(flooded.honest)
    assert spammed.refused > 100 * HONEST.transfers * listeners, "at each of them"
    assert calm.refused == 0
    assert spammed.p99_ns() <= 2 * calm.p99_ns()


@dataclass
class Checks:
    """Counts signatures that are checked."""

    count: int = 0

    def verify(self, account: AccountId, tag: bytes, digest: Digest, signature: Signature) -> None:
        self.count += 1
        REAL.verify(account, tag, digest, signature)

    def scheme(self) -> Scheme:
        return replace(REAL, verify=self.verify)


def test_b7_what_is_cheap_to_refuse_is_refused_before_a_signature_is_checked() -> None:
    checks = Checks()
    genesis = make_genesis()
    network = network_of(genesis)
    admission = Admission(
        Committee.of_genesis(genesis), network, genesis.parameters, checks.scheme()
    )
    good = make_operation(genesis, 1, 0, Transfer(account_id(2), 1))
    elsewhere = make_operation(make_genesis(5), 1, 0, Transfer(account_id(2), 1))
    cheap = {
        Reason.TOO_LARGE: bytes(2**20),
        Reason.MALFORMED: good.raw[:-1],
        Reason.WRONG_NETWORK: elsewhere.raw,
    }
    for reason, raw in cheap.items():
        with pytest.raises(Rejected) as caught:
            admission.operation(raw)
        assert caught.value.reason is reason
    with pytest.raises(Rejected):
        open_message(b"\xc1" * 64)
    assert checks.count == 0
    assert admission.operation(good.raw).identifier == good.identifier
    assert admission.operation(good.raw).identifier == good.identifier
    assert checks.count == 1, "and what was seen before is not checked again"


def test_b7_one_key_fills_its_own_queue_and_holds_nobody_up() -> None:
    cap = 16
    bench = Bench(chain_pool_max=cap, block_operations_max=64)
    flood = [make_bid(operation(7, nonce).identifier) for nonce in range(cap)]
    genesis = make_genesis(validators=1)
    for nonce, bid in enumerate(flood):
        bench.pool.add(make_operation(genesis, 8, nonce, bid, signed=False), 1, own=True)
    assert refusal(bench, operation(8, cap)) is Reason.POOL_FULL
    bench.add(*chain(0, 0))
    chosen = bench.select()
    assert len(chosen) == cap + 1
    assert chain(0, 0)[0] in chosen, "in the same block"


def test_b7_a_flood_of_many_keys_delays_an_honest_operation_by_blocks_that_they_fill() -> None:
    keys, cap, size = 20, 8, 64
    bench = Bench(chain_pool_max=cap, block_operations_max=size)
    for number in range(10, 10 + keys):
        bench.add(*chain(number, *range(cap)))
    bench.add(*chain(0, 0))
    honest = chain(0, 0)[0]
    blocks = 0
    while not bench.pool.is_in_block(honest.identifier):
        blocks += 1
        chosen = bench.select()
        assert len(chosen) <= size
        bench.put_in_block(blocks, *chosen, author=MemberIndex(blocks % len(COMMITTEE.members)))
        assert blocks <= -(-keys * cap // size) + 1
    assert blocks > 1, "the flood came first"


def test_b7_of_many_bids_of_one_key_one_counts_and_all_others_are_paid_for() -> None:
    ledger = HandLedger()
    job = ledger.open()
    before = ledger.state.accounts.of(account_id(1)).available
    futile = 20
    ledger.do(1, make_bid(job))
    for _ in range(futile):
        assert ledger.fail(1, make_bid(job)).reason in (Reason.ALREADY_DONE, Reason.WRONG_PHASE)
    record = ledger.state.jobs[job]
    assert [bid.account for bid in record.bids] == [account_id(1)]
    after = ledger.state.accounts.of(account_id(1)).available
    assert before - after == futile * ledger.state.parameters.operation_fee
