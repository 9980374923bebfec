"""One attack for each planted mistake: it tells what it broke, or nothing."""

from collections import Counter
from itertools import chain
from typing import TypeVar

from msgspec.structs import replace

from protocol import events as ev
from protocol.errors import Rejected
from protocol.facts import OperationApplied, Slashed
from protocol.job.record import Phase, Status
from protocol.ledger.block import open_block
from protocol.messages import StakeWithdrawal, Transfer
from protocol.parameters import minimal, with_jury
from protocol.units import CREDIT, MILLISECOND, Digest, JobId, MemberIndex, Round
from tests.support.builders import (
    RICHES,
    STAKE,
    HandLedger,
    account_id,
    make_genesis,
    make_offer,
    make_reveal,
)
from tests.support.contradiction import contradict
from tests.support.core_group import CoreGroup, fake_genesis
from tests.support.dag_attacks import TRUSTING, unsigned_bytes
from tests.support.dag_builder import (
    NETWORK,
    Loom,
    commits_of,
    lockstep,
    make_committee,
    make_ledger,
)
from tests.support.town import Town

TERMS = minimal()
BIDDERS = range(1, 7)
Body = TypeVar("Body")


def changed(body: Body, /, **fields: object) -> Body:
    """A message with other fields."""
    return replace(body, **fields)


def replay() -> str:
    ledger = HandLedger()
    entry = ledger.operation(0, Transfer(account_id(1), CREDIT))
    applied = [one for one in ledger.commit(entry, entry) if isinstance(one, OperationApplied)]
    return "one operation took effect twice" if len(applied) > 1 else ""


def order_lockstep() -> str:
    committee = make_committee()
    commits = commits_of(make_ledger(committee), chain.from_iterable(lockstep(committee, 12)))
    counts = Counter(block.digest for commit in commits for block in commit.blocks)
    assert counts
    accused = [one for commit in commits for one in commit.equivocations]
    return f"ordered twice: {accused[0]}" if accused or max(counts.values()) > 1 else ""


def order_twins() -> str:
    """Member 0 signs two blocks of round 1; one half of the others refers to each."""
    committee = make_committee()
    loom = Loom(committee)
    first = loom.row(1, (), range(4))
    twin = loom.weave(0, 1, time_ms=7)
    row = [
        loom.weave(author, 2, (twin, *first[1:]) if author == 3 else first, own=first[author])
        for author in range(1, 4)
    ]
    blocks = [*first, twin, *row]
    for number in range(3, 12):
        row = loom.row(number, row, range(1, 4))
        blocks += row
    commits = commits_of(make_ledger(committee), blocks)
    ordered = [block for commit in commits for block in commit.blocks]
    assert {one.block.author for one in ordered} == {0, 1, 2, 3}
    counts = Counter((one.block.author, one.block.round) for one in ordered)
    return "two blocks of one author and round count" if max(counts.values()) > 1 else ""


def bid_late() -> str:
    ledger = HandLedger()
    job = ledger.open()
    ledger.bid(job, 1, 2, 3)
    ledger.until(job, Phase.DRAWING)
    ledger.bid(job, 4)
    return "a bid after the close counts" if ledger.state.jobs[job].bid_of(account_id(4)) else ""


def bid_twice() -> str:
    ledger = HandLedger()
    job = ledger.open()
    ledger.bid(job, 1)
    ledger.bid(job, 1)
    return "one account bids twice" if len(ledger.state.jobs[job].bids) > 1 else ""


def bid_for_own_job() -> str:
    ledger = HandLedger()
    job = ledger.open(0)
    ledger.bid(job, 0)
    return "the requester bids" if ledger.state.jobs[job].bids else ""


def draw_early() -> str:
    """Each commit of this ledger has the next round's leader, so rounds count commits."""
    job = HandLedger().start()
    closed = next(step.leader_round for step in job.timeline if step.phase is Phase.DRAWING)
    assert job.draw is not None
    awaited = closed + TERMS.seed_delay_rounds + TERMS.seed_leaders - 1
    return f"drawn by commit {job.draw.index}" if job.draw.index < awaited else ""


def reveal_another() -> str:
    ledger = HandLedger()
    job = ledger.start().identifier
    liar, *others = ledger.running(job)
    for number in (liar, *others):
        ledger.send_commitment(number, make_reveal(job, b"wrong" if number == liar else b"right"))
    ledger.until(job, Phase.REVEALING)
    ledger.commit(ledger.operation(liar, make_reveal(job, b"right")))
    executor = ledger.state.jobs[job].executor(account_id(liar))
    assert executor is not None
    return "" if executor.status is Status.COMMITTED else "another result was revealed"


def be_paid() -> str:
    ledger = HandLedger()
    job = ledger.start().identifier
    before = {number: ledger.state.accounts.of(account_id(number)) for number in BIDDERS}
    ended = ledger.run(job)
    assert ended.payouts
    for number in BIDDERS:
        paid = sum(one.amount for one in ended.payouts if one.account == account_id(number))
        gained = ledger.state.accounts.of(account_id(number)).available - before[number].available
        if gained > paid:
            return f"{gained} paid, {paid} owed"
    return ""


def transfer() -> str:
    ledger = HandLedger()
    ledger.do(0, Transfer(account_id(1), CREDIT))
    left = ledger.state.accounts.of(account_id(0)).available
    return "" if left == RICHES - CREDIT - TERMS.operation_fee else "no fee was charged"


def accuse() -> str:
    ledger = HandLedger()
    proven = ((MemberIndex(0), Round(4)),)
    facts = [*ledger.commit(equivocations=proven), *ledger.commit(equivocations=proven)]
    slashes = [fact for fact in facts if isinstance(fact, Slashed)]
    assert slashes
    return "one contradiction cost stake twice" if len(slashes) > 1 else ""


def finish_job() -> str:
    ledger = HandLedger()
    job = ledger.run(ledger.start().identifier)
    owned = [ledger.state.accounts.of(executor.account) for executor in job.executors]
    assert owned
    return "a pledge outlives its job" if any(one.pledged for one in owned) else ""


def restore_old_copy() -> str:
    """The copy is made just before the member signs another round."""
    group = CoreGroup().start().seconds(6)
    validator = group.cores[0].validator
    assert validator is not None
    while group.cores[0].ledger.clock_round <= validator.last_round:
        group.run(10 * MILLISECOND)
    copy = group.disks[0].copy()
    group.seconds(6).stop(0)
    group.disks[0] = copy
    group.seconds(2).start(0)
    group.tell(0, ev.Tick())
    group.seconds(4)
    return "a round was signed twice" if group.signed_twice(0) else ""


def send_old_epoch() -> str:
    return _send(epoch=7)


def send_other_network() -> str:
    return _send(network=Digest(b"\x09" * 32))


def _send(**fields: object) -> str:
    committee = make_committee()
    leader = committee.leader(Round(1))
    made = Loom(committee).weave((leader + 1) % 4, 1)
    for other in ({}, fields):
        sent = type(made)(replace(made.block, **other), made.digest, b"", b"")
        try:
            open_block(unsigned_bytes(sent), committee, NETWORK, TERMS, TRUSTING)
        except Rejected:
            assert other, "the block is valid as it is"
            return ""
    return "a foreign block was taken"


def diverge() -> str:
    """Two members of four compute another state from some moment on."""
    group = CoreGroup().start().seconds(3)
    group.derail(0, 1)
    group.seconds(30)
    halted = [bool(core.halted) for core in group.cores.values()]
    reached = group.cores[2].state.index
    assert all(halted) or reached > 2 * TERMS.checkpoint_commits
    return "" if all(halted) else f"commit {reached} in spite of it"


def cut_in_halves() -> str:
    """Members of one credit each, so that one less in a quorum is one member less."""
    genesis = fake_genesis()
    validators = tuple(replace(one, stake=CREDIT) for one in genesis.validators)
    group = CoreGroup(genesis=replace(genesis, validators=validators)).start().seconds(6)
    before = max(core.state.index for core in group.cores.values())
    group.cut(0, 1)
    group.seconds(12)
    after = [core.state.index for core in group.cores.values()]
    return f"halves went on to {after}" if min(after) > before + 3 else ""


def leave_before_proof() -> str:
    """A member contradicts itself, leaves, and is told on once its unbonding is over."""
    town = Town(parameters=replace(TERMS, unbonding_ms=1_000))
    evidence = contradict(town.state.committee, 1)
    town.commit((1, StakeWithdrawal(STAKE)))
    town.commit()
    town.close(0, 1, 2, 3)
    town.commit()
    (_, slash) = town.commit((0, evidence))
    assert isinstance(slash, Slashed)
    return "" if slash.amount else "nothing was left to slash"


def vote_after_leaving() -> str:
    town = Town()
    town.commit((1, StakeWithdrawal(STAKE)))
    town.close(0, 1, 2, 3)
    return "a vote without stake" if account_id(1) in town.accounts else ""


def halt_before_deadline() -> str:
    ledger = HandLedger()
    job = ledger.start(make_offer()).identifier
    assert ledger.running(job)
    allowed_ms = make_offer().deadline_ms + TERMS.commitment_grace_ms
    for _ in range(allowed_ms // ledger.step_ms - 5):
        ledger.commit()
    before = ledger.running(job)
    ledger.commit(step_ms=10 * TERMS.ledger_step_max_ms)
    return "" if ledger.running(job) == before else "deadlines passed while nothing was ordered"


def contradicted() -> tuple[HandLedger, JobId]:
    """Three of four lie, and a jury is about to be drawn."""
    ledger = HandLedger(make_genesis(11, parameters=with_jury(TERMS, 1)))
    job = ledger.start(make_offer(replicas=4), range(1, 9)).identifier
    honest = ledger.running(job)[-1]
    for number in ledger.running(job):
        answer = b"right" if number == honest else b"wrong"
        ledger.send_commitment(number, make_reveal(job, answer))
    ledger.until(job, Phase.SUMMONING, Phase.REVEALING)
    return ledger, job


def convict_with_a_silent_jury() -> str:
    ledger, job = contradicted()
    ledger.step_ms = 14_000
    ledger.until(job, Phase.REVEALING)
    ledger.step_ms = 1_000
    slashes = ledger.run(job).slashes
    return f"{slashes[0].account.hex()} lost stake for a right result" if slashes else ""


def judge_oneself() -> str:
    ledger, job = contradicted()
    jury = ledger.until(job, Phase.JUDGING).jury
    assert jury is not None
    executors = {one.account for one in ledger.state.jobs[job].executors[:4]}
    inside = executors & {one.account for one in jury.candidates}
    return f"{len(inside)} of the executors could sit in judgement" if inside else ""


def overspend() -> str:
    ledger = HandLedger()
    ledger.commit(ledger.operation(0, Transfer(account_id(1), 2 * RICHES)))
    left = ledger.state.accounts.of(account_id(0)).available
    return f"{left} left" if left < 0 else ""
