"""Mistakes planted anywhere in the protocol but its commit rule, and the attack that shows each.

`python -m tests.simulation.slips --seeds 200` prints how often drawn networks show each of them
blindly. An attack is a few steps by hand; it tells what it broke, and nothing without the mistake.
"""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from unittest.mock import patch

from protocol import accounts, state
from protocol.balances import Available, Move, Pledge, burn
from protocol.economy import fees
from protocol.economy.slashing import Contradiction, Penalties
from protocol.errors import Reason
from protocol.job import commit_reveal, crosscheck, drawing, lifecycle, settlement
from protocol.job.position import Position
from protocol.job.record import Change, Circumstances, Job, Phase
from protocol.ledger import block as validity
from protocol.ledger import committee
from protocol.ledger.committee import Committee
from protocol.ledger.dag import Vertex
from protocol.ledger.election import Candidate
from protocol.ledger.ordering import Ordering
from protocol.messages import Bid, Reveal
from protocol.roles.validator import CheckpointWatch, Validator
from protocol.simulator.draw import draw_scenario
from protocol.simulator.run import Verdict, play
from protocol.state import State
from protocol.units import CREDIT, AccountId, Credits, JobId, Round, Weight
from tests.simulation import slip_attacks as attacks
from tests.simulation.rates import told

Plant = AbstractContextManager[object]
SEEN = (Verdict.SAFETY, Verdict.LIVENESS, Verdict.CRASH)


@dataclass(frozen=True, slots=True)
class Slip:
    """One mistake.

    Attributes:
        mistake: What the naive implementation does.
        plant: Puts it into the product for the time of a `with` block.
        attack: Tells what it broke; an empty text when nothing.
    """

    mistake: str
    plant: Callable[[], Plant]
    attack: Callable[[], str]


def whole_recorded(candidate: Candidate) -> Weight:
    return Weight(candidate.recorded // CREDIT)


def unchecked_nonces() -> Plant:
    original = State._obstacle

    def mutated(self: State, entry: object) -> Reason | None:
        found = original(self, entry)
        return None if found in (Reason.STALE_NONCE, Reason.NONCE_GAP) else found

    return patch.object(State, "_obstacle", mutated)


def ordered_again() -> Plant:
    original = Ordering._history

    def mutated(self: Ordering, leader: Vertex) -> list[Vertex]:
        found = original(self, leader)
        for vertex in found:
            vertex.ordered = False
        return found

    return patch.object(Ordering, "_history", mutated)


def both_variants() -> Plant:
    def mutated(self: Ordering, history: list[Vertex]) -> object:
        return tuple(vertex.block for vertex in history), ()

    return patch.object(Ordering, "_deliver", mutated)


def bids_as(make: Callable[[Job, AccountId], Job]) -> Plant:
    """Judges a bid as if the job were another; the rest of the job stays."""
    original = lifecycle.place_bid

    def mutated(job: Job, account: AccountId, bid: Bid, circumstances: Circumstances) -> Change:
        decided = original(make(job, account), account, bid, circumstances)
        return Change(replace(job, bids=(*job.bids, decided.job.bids[-1])))

    return patch.object(lifecycle, "place_bid", mutated)


def beacon_at_once() -> Plant:
    original = lifecycle.await_beacon

    def mutated(job: Job, phase: Phase, circumstances: Circumstances) -> Job:
        awaited = Round(circumstances.position.leader_round + 1)
        return replace(original(job, phase, circumstances), round_awaited=awaited)

    return patch.object(lifecycle, "await_beacon", mutated)


def unbound_reveals() -> Plant:
    original = commit_reveal.reveal

    def mutated(job: Job, account: AccountId, payload: Reveal) -> Change:
        executor = job.executor(account)
        if executor is not None:
            digest = commit_reveal.commitment_digest(account, payload)
            job = job.with_executor(replace(executor, commitment=digest, fingerprint=None))
        return original(job, account, payload)

    return patch.object(commit_reveal, "reveal", mutated)


def paid_twice() -> Plant:
    """Pays from the escrow, and once more out of the requester's pocket."""
    original = settlement._close

    def mutated(job: Job, *terms: object) -> Change:
        change = original(job, *terms)
        paid = change.movements[: len(change.job.payouts)]
        pocket = Available(job.requester)
        again = [Move(pocket, one.target, one.amount) for one in paid]
        return replace(change, movements=(*change.movements, *again))

    return patch.object(settlement, "_close", mutated)


def free_of_charge() -> Plant:
    return patch.object(fees, "fee_of", lambda account, _: burn(account, Credits(0)))


def forgotten_penalties() -> Plant:
    original = Penalties.including

    def mutated(self: Penalties, one: Contradiction, *rest: object) -> Penalties:
        return replace(original(self, one, *rest), punished=self.punished)

    return patch.object(Penalties, "including", mutated)


def kept_pledges() -> Plant:
    def mutated(job: Job, account: AccountId) -> Pledge:
        executor = job.executor(account)
        assert executor is not None
        return Pledge(account, JobId(job.identifier), executor.exposure)

    return patch.object(commit_reveal, "freed", mutated)


def unguarded_slots() -> Plant:
    return patch.multiple(Validator, notice=lambda *_: False, _is_ready=lambda *_: True)


def field_ignored(name: str) -> Plant:
    """Reads blocks as if a field had the value that it must have."""
    original = validity._decode

    def mutated(raw: bytes, members: Committee, network: object, terms: object) -> object:
        signed = validity.decode(raw, validity.SignedBlock, terms.block_bytes_max + 128)
        body = validity.decode(signed.body, validity.Block, validity.BLOCK_BODY_BYTES_MAX)
        right = {"epoch": members.epoch, "network": network}[name]
        body = attacks.changed(body, **{name: right})
        repaired = attacks.changed(signed, body=validity.encode(body))
        return original(validity.encode(repaired), members, network, terms)

    return patch.object(validity, "_decode", mutated)


def insiders_judge() -> Plant:
    """Whoever bid for the job may sit, and whoever sat among its executors stays one."""

    def mutated(job: Job, seed: object, circumstances: Circumstances) -> object:
        return tuple(drawing.terms_of(job, bid.account, circumstances) for bid in job.bids)

    return patch.object(drawing, "outsiders_of", mutated)


def one_less(total: Weight, *, churn_profile: bool) -> Weight:
    return Weight(total - (total - 1) // 3 - 1)


SLIPS = {
    "nonce_unchecked": Slip(
        "gives an operation its effect at any position", unchecked_nonces, attacks.replay
    ),
    "no_deduplication": Slip(
        "orders what earlier leaders have ordered", ordered_again, attacks.order_lockstep
    ),
    "both_variants": Slip(
        "orders both blocks of an equivocator", both_variants, attacks.order_twins
    ),
    "late_bid": Slip(
        "counts bids after the close",
        lambda: bids_as(lambda job, _: replace(job, phase=Phase.BIDDING)),
        attacks.bid_late,
    ),
    "second_bid": Slip(
        "counts every bid of one account",
        lambda: bids_as(lambda job, _: replace(job, bids=())),
        attacks.bid_twice,
    ),
    "own_job": Slip(
        "lets a requester bid for its own job",
        lambda: bids_as(lambda job, _: replace(job, requester=AccountId(bytes(32)))),
        attacks.bid_for_own_job,
    ),
    "early_beacon": Slip(
        "draws from a beacon that bidders could foresee", beacon_at_once, attacks.draw_early
    ),
    "reveal_unbound": Slip(
        "takes a reveal without its commitment", unbound_reveals, attacks.reveal_another
    ),
    "double_settlement": Slip("pays workers twice", paid_twice, attacks.be_paid),
    "fee_uncharged": Slip("charges no fee", free_of_charge, attacks.transfer),
    "double_slash": Slip(
        "punishes one contradiction as often as it is told", forgotten_penalties, attacks.accuse
    ),
    "exposure_kept": Slip("never frees a pledge", kept_pledges, attacks.finish_job),
    "slot_unguarded": Slip(
        "signs on from an old copy of its store",
        unguarded_slots,
        attacks.restore_old_copy,
    ),
    "old_epoch": Slip(
        "takes blocks of another epoch", lambda: field_ignored("epoch"), attacks.send_old_epoch
    ),
    "other_network": Slip(
        "takes blocks of another network",
        lambda: field_ignored("network"),
        attacks.send_other_network,
    ),
    "checkpoint_ignored": Slip(
        "goes on although members computed another state",
        lambda: patch.object(CheckpointWatch, "contradicts", lambda *_: False),
        attacks.diverge,
    ),
    "quorum_less_one": Slip(
        "takes one less than a quorum",
        lambda: patch.object(committee, "quorum_of", one_less),
        attacks.cut_in_halves,
    ),
    "stake_released": Slip(
        "releases stake while a contradiction it answers for can still be proved",
        lambda: patch.object(state, "matured_ms", lambda ledger_ms, *_: ledger_ms),
        attacks.leave_before_proof,
    ),
    "vote_without_stake": Slip(
        "weighs a vote by stake that was withdrawn",
        lambda: patch.object(Candidate, "weight", property(whole_recorded)),
        attacks.vote_after_leaving,
    ),
    "gap_judged": Slip(
        "judges deadlines right after a halt of the ledger",
        lambda: patch.object(Position, "judges", property(lambda _: True)),
        attacks.halt_before_deadline,
    ),
    "jury_unasked": Slip(
        "convicts whom a confident majority contradicts, whatever the jury says",
        lambda: patch.object(crosscheck, "jury_agrees", lambda *_: True),
        attacks.convict_with_a_silent_jury,
    ),
    "jury_of_insiders": Slip(
        "draws the jury from the bidders of the job, its executors included",
        insiders_judge,
        attacks.judge_oneself,
    ),
    "overdraft": Slip(
        "lets balances fall below nothing",
        lambda: patch.object(accounts, "_not_negative", lambda amount, _: Credits(amount)),
        attacks.overspend,
    ),
}


def shows(slip: Slip, seed: int) -> bool:
    """Whether a drawn network shows a mistake to somebody who does not know of it."""
    with slip.plant():
        return play(draw_scenario(seed)).verdict in SEEN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="networks for each mistake")
    parser.add_argument("--only", choices=sorted(SLIPS), action="append")
    options = parser.parse_args()
    for name in options.only or SLIPS:
        hits = sum(shows(SLIPS[name], seed) for seed in range(1, 1 + options.seeds))
        print(f"{name:18} {told(hits, options.seeds)}", flush=True)


if __name__ == "__main__":
    main()
