"""The two ways in which a caller can be wrong, and every reason a peer can be refused for.

`Rejected` means that data from outside broke a rule: it is caught at the door, counted, and never
crashes a node. `Misuse` means that our own caller broke a contract. A broken internal invariant is
an `assert`.
"""

from enum import Enum


class Reason(Enum):
    """Why something from outside was refused; the value is the sentence shown to people."""

    # Bytes
    TOO_LARGE = "the message is larger than its limit"
    MALFORMED = "the bytes are not a well-formed message of this type"
    NOT_CANONICAL = "the bytes are not the one canonical encoding of their value"
    # Identity
    BAD_KEY = "the public key is not a valid point of the prime-order group"
    BAD_SIGNATURE = "the signature does not match the message and the key"
    WRONG_ROOT = "the entries do not have the state root that was expected"
    BAD_PROOF = "the proof does not verify for this key and message"
    WRONG_NETWORK = "the message belongs to another network"
    WRONG_VERSION = "the message has a version that this node does not speak"
    WRONG_EPOCH = "the message belongs to another epoch"
    PAST_EPOCH = "the block belongs to an epoch that is over"
    COMING_EPOCH = "the block belongs to the next epoch, which has not begun here"
    # Blocks
    UNKNOWN_AUTHOR = "the author is not a member of the committee"
    BAD_OWN_REFERENCE = "the first reference is not to the author's own earlier block"
    BAD_REFERENCE = "a reference points to an impossible block"
    DUPLICATE_REFERENCE = "two references name the same author"
    NO_PARENT_QUORUM = "the parents of the previous round carry less than a quorum"
    BAD_CONTENT = "the operations are not the ones that the block names"
    BAD_LEADER_PROOF = "the leader's random proof is missing, wrong or out of place"
    BAD_CHECKPOINT = "the checkpoint vote does not verify"
    TOO_MANY_VARIANTS = "the author already has two different blocks in this round"
    TOO_FAR_AHEAD = "the round lies too far beyond what this node has seen"
    BEHIND_HORIZON = "the round lies below what this node still keeps"
    TOO_MANY_PENDING = "too many blocks of this author wait for their ancestors"
    # Operations
    STALE_NONCE = "an operation with this position of the account's chain is already final"
    NONCE_GAP = "an earlier operation of this account is missing"
    EXPIRED = "the operation's last epoch has passed"
    POOL_FULL = "the account has too many operations waiting"
    UNKNOWN_ACCOUNT = "the account does not exist yet: it has never been funded"
    # Money
    INSUFFICIENT_FUNDS = "the available balance does not cover the amount and the fee"
    INSUFFICIENT_STAKE = "the stake that is neither pledged nor unbonding is too small"
    BELOW_MINIMUM = "the amount is below the minimum"
    WITHDRAWAL_KEY = "the account's money leaves only for the account of its withdrawal key"
    OVER_ALLOWANCE = "the account has spent what its withdrawal key allows for fees and escrows"
    NOT_OWNER = "only the account's withdrawal key may do this"
    TOO_MANY_UNBONDINGS = "too many unbondings of this account are still pending"
    SEAT_NEEDED = "without this stake the members could not form the next committee"
    # Jobs
    UNKNOWN_JOB = "no such job is known"
    WRONG_PHASE = "the job is not in a phase that accepts this"
    NOT_REQUESTER = "only the job's requester may do this"
    NOT_EXECUTOR = "only an account drawn for this job may do this"
    OWN_JOB = "a requester may not work on its own job"
    ALREADY_DONE = "this account has already done this for this job"
    BAD_TERMS = "the job's terms are contradictory or outside the network's limits"
    BUDGET_TOO_SMALL = "the budget does not cover the job's highest possible price"
    PRICE_TOO_HIGH = "the bid's price is above the offer's cap"
    SANDBOX_TOO_LOW = "the bid's sandbox level is below the one that the offer asks for"
    TOO_MANY_BIDS = "the job already has as many bids as it can hold"
    RESTING = "the account rests for a while after missed deadlines"
    CLASS_NOT_SUPPORTED = "this network does not serve the requested numeric class"
    OTHER_CLASS = "the job's results are compared within another device class"
    BAD_REVEAL = "the reveal does not open the commitment, or contradicts the fingerprint"
    # Epochs
    NOT_A_MEMBER = "the account was not a member of the committee of that epoch"
    NOT_REGISTERED = "the account has not registered a key for random values"
    NO_QUORUM = "the members that signed weigh less than a quorum"
    UNTRUSTED_END = "the epoch did not end as the checkpoint that was given by hand says"
    ALREADY_COUNTED = "this account has already done this in this epoch"
    # Evidence
    BAD_EVIDENCE = "the evidence does not prove a contradiction"
    EVIDENCE_TOO_OLD = "a contradiction is punished in its epoch and the next one, not later"
    ALREADY_PUNISHED = "this contradiction has already been punished"


class Rejected(Exception):  # noqa: N818  a rejection is an answer, not an error of ours
    """Something from outside broke a rule.

    Attributes:
        reason: The rule, as a member of `Reason`.
        detail: What exactly was wrong, for people; never used by code.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason.value} ({self.detail})" if self.detail else self.reason.value


class Misuse(Exception):  # noqa: N818  named for what happened, like Rejected
    """Our own caller broke a function's contract."""
