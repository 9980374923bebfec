"""What all nodes of a network must share: part of genesis, and so of the network's name.

What one operator may choose for itself is a setting of the node, never a parameter.
"""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from protocol.units import CREDIT

Whole = Annotated[int, Meta(ge=0, le=2**53)]
Positive = Annotated[int, Meta(ge=1, le=2**53)]
Share = Annotated[int, Meta(ge=0, le=10_000)]
Millionths = Annotated[int, Meta(ge=0, le=1_000_000)]


class Parameters(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """The constants of one network; every field has its unit in its name or docstring."""

    # Blocks
    block_bytes_max: Positive = 256 * 1024
    """A block travels as one gossip message; larger ones would delay everybody's round."""
    block_operations_max: Positive = 512
    operation_bytes_max: Positive = 8 * 1024
    """Largest operation except evidence, which holds two block bodies."""
    gc_depth_rounds: Positive = 50
    """Blocks this far below the last committed leader are dropped from memory and never ordered."""
    churn_profile: bool = False
    """False: quorum above 2/3 of the weight. True: above 3/5, for committees that come and go."""

    # Pace
    minimum_round_ms: Whole = 250
    """Shortest time between two own blocks: gossip costs a millisecond a link and message."""
    idle_round_ms: Whole = 5_000
    """Time between own blocks while there is nothing to order."""
    leader_timeout_ms: Whole = 1_000
    """How long a round waits for its leader's block; doubles with the lag of commits."""
    vote_grace_ms: Whole = 500
    """How long a round waits for missing votes on an undecided leader."""
    unseen_leader_rounds: Whole = 3
    """A leader not seen for this many rounds is not waited for."""
    rounds_ahead_max: Positive = 50
    """Blocks further ahead of the own clock are refused; catch-up asks for what lies between."""
    checkpoint_commits: Positive = 32
    """Members vote on the state after every so many commits."""

    # Epochs
    epoch_rounds: Positive = 2_400
    """The first committed leader of this round or a later one ends the epoch: ten minutes at full
    pace."""
    epoch_ms: Positive = 600_000
    """Ledger time after which the next committed leader ends the epoch."""
    epoch_rounds_min: Positive = 32
    """Time ends no epoch with fewer rounds, in which a member that is late would seem silent."""
    committee_max: Annotated[int, Meta(ge=1, le=64)] = 32
    """Members of a committee: those with the most stake."""
    committee_weight_min: Share = 3_333
    """Share of an earlier committee's weight below which the ledger halts: too much has left."""
    committee_weight_epochs: Positive = 144
    """How many epochs earlier that committee served: a day of ten-minute epochs."""

    # Ledger time
    ledger_step_max_ms: Positive = 15_000
    """A commit advances ledger time by at most this, so that a halt expires no deadline."""
    ledger_gap_commits: Whole = 32
    """After a gap, this many commits count their operations before deadlines are judged."""

    # Accounts
    operation_fee: Whole = CREDIT // 1_000
    """Burned for each operation of an account that is not free of it."""
    account_minimum: Whole = CREDIT // 10
    """Smallest first transfer to a new account."""
    chain_pool_max: Positive = 256
    """Operations of one account that wait in a node's pool."""

    # Stake
    stake_minimum: Whole = 1_000 * CREDIT
    unbonding_ms: Whole = 14 * 24 * 3_600 * 1_000
    """Ledger time during which withdrawn stake can still be slashed."""
    unbondings_max: Positive = 10
    exposure_multiple: Positive = 20
    """An executor pledges this many times the most that the job can pay it."""
    lottery_stake_cap: Positive = 100_000 * CREDIT
    """Free stake above this adds no weight to a bid."""
    price_weight_max: Positive = 4
    """A cheap bid weighs at most this many times one at the price cap."""
    equivocation_slash_min: Share = 200
    equivocation_slash_correlated: Whole = 3
    """The slashed share is this many times the weight share slashed in the same window."""
    slash_reporter_share: Share = 500
    """Part of a slash that goes to whoever brought the evidence; the rest is burned."""

    # Yield
    yield_most: Share = 1_200
    """Yearly yield of stake while hardly anything is staked; nothing else is ever minted."""
    yield_least: Share = 800
    """Yearly yield of stake when everything is staked; between the two it falls in a line."""
    yield_uptime_bonus: Share = 2_500
    """Added to the yield of whoever is up."""
    uptime_epochs: Annotated[int, Meta(ge=1, le=10_000)] = 144
    """How many of the latest epochs decide whether an account is up: a day."""
    uptime_min: Share = 9_500
    """Share of those epochs that an account must have kept to be up."""
    uptime_rounds_min: Share = 8_000
    """Share of an epoch's rounds in which a member needs a block to keep it: a slow link misses
    some, and those of the last rounds are not ordered before the end."""

    # Jobs
    bid_window_rounds_min: Positive = 12
    bid_window_rounds_max: Positive = 240
    """A job that takes bids keeps the ledger at full pace, so nobody may ask for hours of it."""
    ended_job_kept_ms: Whole = 24 * 3_600 * 1_000
    """Ledger time for which an ended job stays in the state; after that only history has it."""
    bids_max: Positive = 1_024
    """Bids that one job can hold; each bidder has a stake, so crowding others out costs one."""
    seed_delay_rounds: Whole = 3
    """Leaders this near a close could still have been decided by the seed's leaders."""
    seed_leaders: Positive = 3
    """The beacon after this many committed leaders beyond the delay draws the executors."""
    replicas_max: Positive = 16
    commitment_grace_ms: Whole = 5_000
    """Ledger time added to every deadline of an executor, for the ledger's own latency."""
    reveal_window_ms: Whole = 30_000
    """Ledger time in which a reveal is paid."""
    forfeit_window_ms: Whole = 3_600_000
    """Ledger time after which a commitment never opened forfeits its pledge."""
    deadline_max_ms: Whole = 24 * 3_600 * 1_000
    limit_time_max_ms: Whole = 24 * 3_600 * 1_000
    limit_memory_max_bytes: Whole = 256 * 1024**3
    limit_output_max_bytes: Whole = 64 * 1024**2
    limit_fuel_max: Whole = 10**15
    payload_bytes_max: Whole = 16 * 1024**3

    # Trust
    assumed_fault_share: Share = 2_000
    """Share of results assumed wrong before anything is known of a worker."""
    slash_error_ppm: Millionths = 1
    """A conviction needs a confidence of one minus this."""
    jury_size: Whole = 3
    """Workers from outside the job that a conviction draws; 0 only in networks of a few nodes."""
    audit_floor: Share = 500
    """Lowest probability of an audit, whatever the worker's record."""
    checks_before_alone: Whole = 10
    """Passed cross-checks below which a worker never works unreplicated."""
    check_period_ms: Positive = 600_000
    """Ledger time in which one requester's jobs raise a worker's credibility only so often."""
    checks_per_requester: Positive = 2
    """How often in such a period; so credibility cannot be farmed by trading with oneself."""
    check_fee_min: Whole = CREDIT // 100
    """Jobs that burn less say nothing about a worker: a good record has a price for everybody."""
    back_off_ms: Whole = 30_000
    """Ledger time for which a worker is not drawn after a missed deadline; doubles each time."""
    back_off_max_ms: Whole = 24 * 3_600 * 1_000

    # Money
    fee_share: Share = 500
    """Burned on top of all payouts of a job."""
    uptime_bonus: Share = 2_500
    speed_bonus: Share = 1_000
    verified_bonus: Share = 500
    audited_bonus: Share = 1_000
    fuel_per_second: Positive = 500_000_000
    """Fuel that is paid like one second, so that metering is equal on every machine."""


def live() -> Parameters:
    """The terms of a network with strangers and real stakes."""
    return Parameters()


def testnet() -> Parameters:
    """Like `live`, with an hour of unbonding so that the whole cycle can be watched."""
    return replace(live(), unbonding_ms=3_600_000, forfeit_window_ms=600_000)


def local() -> Parameters:
    """A handful of nodes on one machine: short windows, and conviction without a jury."""
    return replace(
        testnet(),
        bid_window_rounds_min=8,
        bid_window_rounds_max=120,
        assumed_fault_share=1_000,
        slash_error_ppm=20_000,
        jury_size=0,
        reveal_window_ms=10_000,
        forfeit_window_ms=60_000,
        audit_floor=1_000,
        check_fee_min=0,
    )


def minimal() -> Parameters:
    """The shortest windows that keep every rule in play, for simulations and tests."""
    return replace(
        local(),
        bid_window_rounds_min=6,
        gc_depth_rounds=24,
        minimum_round_ms=100,
        idle_round_ms=1_000,
        leader_timeout_ms=400,
        vote_grace_ms=200,
        checkpoint_commits=8,
        unbonding_ms=60_000,
    )


def with_pace(parameters: Parameters, minimum_round_ms: int, idle_round_ms: int) -> Parameters:
    """The same terms at another pace; 0 and 0 let rounds follow as fast as the network carries."""
    return replace(parameters, minimum_round_ms=minimum_round_ms, idle_round_ms=idle_round_ms)


def with_jury(parameters: Parameters, size: int) -> Parameters:
    """The same terms with another number of jurors that a conviction needs."""
    return replace(parameters, jury_size=size)
