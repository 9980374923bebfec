from protocol.ledger.block import VerifiedBlock
from protocol.ledger.committee import Committee
from protocol.ledger.ledger import Ledger
from protocol.messages import Checkpoint, network_of
from protocol.parameters import minimal
from protocol.roles.validator import (
    CHECKPOINTS_KEPT,
    FRESH_WAIT,
    STILL_IDLE_ROUNDS,
    CheckpointWatch,
    Validator,
)
from protocol.simulator.scheme import FAKE
from protocol.units import (
    MILLISECOND,
    SECOND,
    CommitIndex,
    Digest,
    MemberIndex,
    Round,
    Signature,
)
from tests.support.core_group import CoreGroup, account, fake_genesis, identity

GENESIS = fake_genesis()
COMMITTEE = Committee.of_genesis(GENESIS)
ACCOUNTS = tuple(member.account for member in COMMITTEE.members)
STILL_NS = STILL_IDLE_ROUNDS * minimal().idle_round_ms * MILLISECOND
COMMIT, STATE = Digest(b"\x01" * 32), Digest(b"\x02" * 32)


def number_of(member: int) -> int:
    return next(number for number in range(4) if account(number) == ACCOUNTS[member])


def make_validator(member: int = 0, ledger: Ledger | None = None) -> Validator:
    secrets = identity(number_of(member))
    return Validator(
        ledger if ledger is not None else Ledger(COMMITTEE, minimal()),
        MemberIndex(member),
        (secrets.seed, secrets.vrf_seed),
        network_of(GENESIS),
        minimal(),
        FAKE,
    )


def history(*absent: int) -> tuple[VerifiedBlock, ...]:
    """Blocks of a network that ran for a few rounds, ancestors first."""
    present = [number_of(member) for member in range(4) if member not in absent]
    group = CoreGroup().start(*present).seconds(6)
    dag = group.cores[present[0]].ledger.dag
    last = max(dag.tips())
    return tuple(
        block for number in range(1, last + 1) for block in dag.blocks_of_round(Round(number))
    )


def ledger_of(blocks: tuple[VerifiedBlock, ...]) -> Ledger:
    ledger = Ledger(COMMITTEE, minimal())
    for block in blocks:
        ledger.accept(block)
    return ledger


def restored(blocks: tuple[VerifiedBlock, ...], last_round: int) -> Validator:
    validator = make_validator(0, ledger_of(blocks))
    validator.restore(last_round, 100 * SECOND)
    return validator


def is_ready(validator: Validator, now: int) -> bool:
    return validator.due(lambda: True, now) is not None


def test_a_new_member_waits_for_a_quorum() -> None:
    validator = make_validator()
    validator.restore(0, 0)
    validator.hear(ACCOUNTS[1], (0, 0, 0, 0))
    assert not is_ready(validator, 0)
    validator.hear(ACCOUNTS[2], (0, 0, 0, 0))
    assert is_ready(validator, 0)


def test_in_a_network_that_begins_one_other_is_enough_after_a_while() -> None:
    validator = make_validator()
    validator.restore(0, 0)
    assert not is_ready(validator, FRESH_WAIT), "alone it never begins"
    validator.hear(ACCOUNTS[1], (0, 0, 0, 0))
    assert not is_ready(validator, FRESH_WAIT - 1)
    assert is_ready(validator, FRESH_WAIT)


def test_strangers_and_short_summaries_do_not_count() -> None:
    validator = make_validator(1)
    validator.restore(0, 0)
    validator.hear(account(9), (0, 0, 0, 0))
    validator.hear(ACCOUNTS[2], (0,))
    validator.hear(ACCOUNTS[0], (0,))
    assert not is_ready(validator, 9 * SECOND)


def test_a_summary_that_knows_more_own_blocks_does_not_count() -> None:
    blocks = history()
    validator = restored(blocks, last_round=3)
    tips = ledger_of(blocks).dag.tips()
    ahead = (tips[0] + 1, *tips[1:])
    for member in (1, 2, 3):
        validator.hear(ACCOUNTS[member], ahead)
    assert not is_ready(validator, 100 * SECOND)
    for member in (1, 2):
        validator.hear(ACCOUNTS[member], tips)
    assert is_ready(validator, 100 * SECOND)


def test_a_slot_that_outlived_its_block_counts_as_known() -> None:
    validator = restored((), last_round=5)
    for member in (1, 2):
        validator.hear(ACCOUNTS[member], (5, 0, 0, 0))
    assert validator.due(lambda: True, 100 * SECOND) is None, "nothing is signed up to that round"
    ready = restored((), last_round=0)
    for member in (1, 2):
        ready.hear(ACCOUNTS[member], (5, 0, 0, 0))
    assert not is_ready(ready, 100 * SECOND)


def test_while_the_whole_network_stands_still_one_neighbour_is_enough_after_a_while() -> None:
    blocks = history()
    validator = restored(blocks, last_round=5)
    start = 100 * SECOND
    assert not is_ready(validator, start)
    validator.hear(ACCOUNTS[1], ledger_of(blocks).dag.tips())
    assert not is_ready(validator, start + STILL_NS - 1)
    assert is_ready(validator, start + STILL_NS)


def test_alone_a_member_never_goes_on() -> None:
    assert not is_ready(restored(history(), last_round=5), 10_000 * SECOND)


def test_while_rounds_go_on_a_member_keeps_listening() -> None:
    blocks = history()
    half = tuple(block for block in blocks if block.block.round <= 3)
    ledger = ledger_of(half)
    validator = make_validator(0, ledger)
    validator.restore(3, 100 * SECOND)
    assert not is_ready(validator, 100 * SECOND)
    validator.hear(ACCOUNTS[1], ledger.dag.tips())
    later = 100 * SECOND + STILL_NS - 1
    for block in blocks[len(half) :]:
        ledger.accept(block)
    assert not is_ready(validator, later)
    assert not is_ready(validator, later + STILL_NS - 1)
    assert is_ready(validator, later + STILL_NS)


def test_authors_of_new_blocks_are_heard() -> None:
    blocks = history()
    validator = make_validator(0, ledger_of(blocks))
    validator.restore(99, 0)  # as if the clock had been far behind: all blocks are new
    assert not validator._is_ready(0)
    for block in blocks:
        assert not validator.notice(block)
    assert validator._is_ready(0)


def test_an_unknown_own_block_makes_a_member_sit_out_for_good() -> None:
    blocks = history()
    own = [block for block in blocks if block.block.author == 0]
    validator = restored(blocks, last_round=2)
    assert not validator.notice(own[1])
    assert validator.notice(own[2])
    assert (validator.sits_out, validator.seen_round) == (True, 3)
    assert not validator.notice(own[3]), "once is enough"
    for member in (1, 2, 3):
        validator.hear(ACCOUNTS[member], ledger_of(blocks).dag.tips())
    assert not is_ready(validator, 10_000 * SECOND)


def test_the_blocks_of_others_prove_nothing() -> None:
    blocks = history()
    validator = restored(blocks, last_round=0)
    assert [block for block in blocks if block.block.author and validator.notice(block)] == []


def test_a_foreign_block_for_a_round_that_was_passed_over_makes_a_member_sit_out() -> None:
    ledger = ledger_of(history(0))
    validator = make_validator(0, ledger)
    validator.restore(0, 0)
    group = CoreGroup()
    group.start()
    signed = validator.propose(group.cores[0].pool, SECOND)
    assert signed.block.round > 2
    ledger.accept(signed)
    assert not validator.notice(signed)
    first = next(block for block in history() if block.block.author == 0)
    ledger.accept(first)
    assert validator.notice(first)


def test_a_member_remembers_no_more_own_blocks_than_there_are_above_the_horizon() -> None:
    group = CoreGroup().start().seconds(60)
    validator = group.cores[0].validator
    assert validator is not None
    ledger = group.cores[0].ledger
    assert ledger.gc_round > 20
    assert set(validator._own) <= set(range(ledger.gc_round, ledger.clock_round + 1))


def test_a_vote_travels_in_one_block_only() -> None:
    group = CoreGroup()
    group.start()
    pool = group.cores[0].pool
    validator = make_validator(0)
    validator.vote(CommitIndex(8), COMMIT, STATE)
    vote = validator.propose(pool, 0).block.checkpoint
    assert vote is not None
    assert (vote.index, vote.commit_digest, vote.state_digest) == (8, COMMIT, STATE)
    assert make_validator(0).propose(pool, 0).block.checkpoint is None


# Checkpoints


def checkpoint(index: int = 8, state: Digest = STATE) -> Checkpoint:
    return Checkpoint(index, COMMIT, state, Signature(bytes(64)))


def watch() -> CheckpointWatch:
    made = CheckpointWatch(Ledger(COMMITTEE, minimal()))
    made.keep(8, COMMIT, STATE)
    return made


def test_equal_votes_and_votes_on_the_unknown_prove_nothing() -> None:
    made = watch()
    other = Digest(bytes(32))
    assert not any(made.contradicts(MemberIndex(n), checkpoint()) for n in range(4))
    assert not any(made.contradicts(MemberIndex(n), checkpoint(9, other)) for n in range(4))


def test_one_liar_does_not_halt_the_ledger_however_often_it_lies() -> None:
    made = watch()
    lies = [checkpoint(state=Digest(bytes([n]) * 32)) for n in range(3, 9)]
    assert not any(made.contradicts(MemberIndex(1), lie) for lie in lies)


def test_more_than_a_faulty_minority_halts_the_ledger() -> None:
    made = watch()
    lie = checkpoint(state=Digest(bytes(32)))
    assert not made.contradicts(MemberIndex(1), lie)
    assert made.contradicts(MemberIndex(3), lie)


def test_differing_votes_on_different_commits_do_not_add_up() -> None:
    made = watch()
    made.keep(16, COMMIT, STATE)
    lie = Digest(bytes(32))
    assert not made.contradicts(MemberIndex(1), checkpoint(8, lie))
    assert not made.contradicts(MemberIndex(3), checkpoint(16, lie))


def test_old_checkpoints_are_forgotten() -> None:
    made = watch()
    for index in range(9, 9 + CHECKPOINTS_KEPT):
        made.keep(index, COMMIT, STATE)
    lie = checkpoint(state=Digest(bytes(32)))
    assert not any(made.contradicts(MemberIndex(n), lie) for n in range(4))
