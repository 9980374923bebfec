"""Every message that is signed, in the order in which a job produces them, then blocks and genesis.

Each type packs as an array of its fields (`protocol.encoding`). Sizes and ranges that no valid
message can exceed stand here as types; what depends on the network's parameters is judged by the
rules. Unions are told apart by the integer tag that leads each member.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import replace

from protocol.claims import Unavailable
from protocol.encoding import decode, decode_version, digest_of, encode
from protocol.errors import Misuse, Reason, Rejected
from protocol.parameters import Parameters
from protocol.signing import OPERATION, Scheme
from protocol.step_messages import StepPair
from protocol.units import AccountId, Digest, JobId, MemberIndex, Round, Signature

VERSION: Final = 1
"""Version of the message formats; another one is refused, not guessed."""

OPERATION_BYTES_MAX: Final = 64 * 1024
"""Format bound; the parameters set a lower one for all but evidence, which has two block bodies."""

BLOCK_BODY_BYTES_MAX: Final = 16 * 1024
"""Format bound: 64 references and a checkpoint take a third of this."""

Key = Annotated[AccountId, Meta(min_length=32, max_length=32)]
Hash = Annotated[Digest, Meta(min_length=32, max_length=32)]
Job = Annotated[JobId, Meta(min_length=32, max_length=32)]
Seal = Annotated[Signature, Meta(min_length=64, max_length=64)]
Salt = Annotated[bytes, Meta(min_length=32, max_length=32)]
Proof = Annotated[bytes, Meta(max_length=80)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Amount = Annotated[int, Meta(ge=0, le=2**63 - 1)]
PositiveAmount = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Position = Annotated[int, Meta(ge=0, le=2**53)]
Member = Annotated[MemberIndex, Meta(ge=0, le=63)]
Text = Annotated[str, Meta(max_length=64)]


# Operations on accounts


class Transfer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """Moves available credits to another account, which is created when it is new."""

    recipient: Key
    amount: PositiveAmount


class StakeDeposit(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """Moves available credits into the account's stake."""

    amount: PositiveAmount


class StakeWithdrawal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=3):
    """Starts the unbonding of free stake; it stays slashable until the period ends."""

    amount: PositiveAmount


# Operations of withdrawal keys


class CustodyTerms(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=4):
    """Names the withdrawal key of an account and what its own key may spend.

    Sent by the account itself to name its first key, and from then on by that key's account.
    """

    account: Key
    key: Key
    allowance: Amount
    """Millionths of a credit that fees and escrows of jobs may take until the terms change."""


class CustodyUnstaking(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=5):
    """A withdrawal key starts the unbonding of an account's free stake."""

    account: Key
    amount: PositiveAmount


class CustodyWithdrawal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=6):
    """A withdrawal key takes available credits of an account to its own account."""

    account: Key
    amount: PositiveAmount


# Operations on jobs


class Limits(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What one run of a job may use; reaching a limit is a legal outcome."""

    time_ms: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    memory_bytes: PositiveAmount
    output_bytes: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    fuel: Amount


class Offer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=10):
    """A requester's terms; the whole budget is locked when the operation is final."""

    kind: Text
    artefact: Hash
    inputs: Annotated[tuple[Hash, ...], Meta(max_length=64)]
    size_bytes: Amount
    """Artefact and inputs together, for a bidder's decision."""
    device: Text
    """`any`, `cpu` or `cuda`."""
    limits: Limits
    result_class: Text
    """`exact`, `class-exact`, or `stepped/` and how many steps a run has."""
    tolerated_error_ppm: Annotated[int, Meta(ge=1, le=500_000)]
    """Highest probability, in millionths, that an accepted result is wrong."""
    replicas: Annotated[int, Meta(ge=1, le=64)]
    replicas_max: Annotated[int, Meta(ge=1, le=64)]
    price_cap: PositiveAmount
    """Highest price in millionths of a credit per second."""
    budget: PositiveAmount
    bid_window_rounds: Annotated[int, Meta(ge=1, le=10_000)]
    deadline_ms: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    """Ledger time from the draw to the commitment of each executor."""
    speed_target_ms: Count
    """Ledger time from the draw within which a commitment earns the speed bonus; 0 for none."""
    sandbox_level: Count
    """Lowest level that a bid may name."""
    retention_ms: Count
    """Ledger time after the end for which the output stays available, and payouts wait; or 0."""


def with_budget(offer: Offer, budget: int) -> Offer:
    """Returns the same terms with another budget."""
    return replace(offer, budget=budget)


class Bid(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=11):
    """A worker's price for a job; it says that the worker can fetch the artefact and run it."""

    job: Job
    price: PositiveAmount
    """Millionths of a credit per second."""
    device: Text
    estimate_ms: Count
    sandbox_level: Count


class Decline(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=12):
    """An executor says before the deadline that it cannot run the job; this costs nothing."""

    job: Job
    unavailable: bool
    """True when the artefact or an input could not be fetched."""


class Cancellation(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=13):
    """The requester withdraws its offer while bidding is open."""

    job: Job


class Commitment(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=14):
    """Binds its author to a result without showing it."""

    job: Job
    digest: Hash


class Fingerprint(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=16):
    """Lets committed results be compared while none of them is public."""

    job: Job
    digest: Hash
    """See `protocol.job.commit_reveal.fingerprint_digest`."""


class Reveal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=15):
    """Opens a commitment."""

    job: Job
    outcome: Annotated[int, Meta(ge=0, le=8)]
    """A value of `protocol.job.record.ResultOutcome`."""
    output: Hash
    """Content digest of the output; of no bytes when the run did not finish."""
    elapsed_ms: Count
    fuel: Amount
    salt: Salt
    trace: Annotated[bytes, Meta(max_length=32)] = b""
    """Root over the steps of a job made of steps, see `protocol.tree.trace`; empty elsewhere."""


# Operations on epochs; free, as they keep the committee alive


class Registration(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=17):
    """Makes a staked account a candidate for the committee; a new key counts two epochs later."""

    vrf_key: Key
    """Key that proves its random values."""


class Lease(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=18):
    """A candidate says in an epoch that it is there, and so asks for a seat in the next one."""

    beacon: Hash
    """Random value at the start of the epoch: nobody can sign leases ahead."""


class EpochAttestation(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=19):
    """A member of a closed epoch signs how that epoch ended; a quorum makes its certificate."""

    epoch: Position
    boundary: Hash
    """Digest of the `Boundary` that the member computed."""
    signature: Seal


# Evidence


class EquivocationEvidence(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=20
):
    """Two block bodies that one member signed for one round of one epoch."""

    first: bytes
    first_signature: Seal
    second: bytes
    second_signature: Seal


MoneyPayload = (
    Transfer | StakeDeposit | StakeWithdrawal | CustodyTerms | CustodyUnstaking | CustodyWithdrawal
)
EpochPayload = Registration | Lease | EpochAttestation

Payload = (
    MoneyPayload
    | Offer
    | Bid
    | Decline
    | Cancellation
    | Commitment
    | Fingerprint
    | Reveal
    | StepPair
    | Unavailable
    | EpochPayload
    | EquivocationEvidence
)


class Operation(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What an account asks of the ledger, at one position of its chain."""

    version: Annotated[int, Meta(ge=0, le=255)]
    network: Hash
    account: Key
    nonce: Position
    last_epoch: Position
    """The operation is void after this epoch."""
    payload: Payload


class SignedOperation(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The canonical bytes of an operation and its account's signature over their digest."""

    body: bytes
    signature: Seal


class VerifiedOperation(Struct, frozen=True):
    """An operation whose form, network and signature the functions below have checked."""

    identifier: Digest
    operation: Operation
    raw: bytes


def sign_operation(operation: Operation, seed: bytes, scheme: Scheme) -> VerifiedOperation:
    """Signs an operation of our own account."""
    if scheme.account_of(seed) != operation.account:
        raise Misuse("the seed does not belong to the operation's account")
    body = encode(operation)
    identifier = digest_of(OPERATION, body)
    signature = scheme.sign(seed, OPERATION, identifier)
    return VerifiedOperation(identifier, operation, encode(SignedOperation(body, signature)))


def open_operation(raw: bytes, network: Digest, scheme: Scheme) -> VerifiedOperation:
    """Checks form, network and signature of an operation from outside.

    Raises:
        Rejected: with the first rule that it breaks.
    """
    signed = decode(raw, SignedOperation, OPERATION_BYTES_MAX)
    operation = decode_version(signed.body, Operation, OPERATION_BYTES_MAX, VERSION)
    if operation.network != network:
        raise Rejected(Reason.WRONG_NETWORK)
    identifier = digest_of(OPERATION, signed.body)
    scheme.verify(operation.account, OPERATION, identifier, signed.signature)
    return VerifiedOperation(identifier, operation, raw)


# Blocks


class Reference(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, order=True):
    """Names one block of one author in one round."""

    author: Member
    round: Annotated[Round, Meta(ge=0, le=2**31 - 1)]
    digest: Hash


class Checkpoint(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A member's vote that this commit left this state."""

    index: Position
    commit_digest: Hash
    state_digest: Hash
    signature: Seal


class Block(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One member's step in one round: what it has seen, and which operations it adds."""

    version: Annotated[int, Meta(ge=0, le=255)]
    network: Hash
    epoch: Position
    round: Annotated[Round, Meta(ge=1, le=2**31 - 1)]
    author: Member
    own: Reference
    """The author's own previous block."""
    parents: Annotated[tuple[Reference, ...], Meta(max_length=64)]
    """Other authors' blocks of the previous round, ascending by author."""
    weak: Annotated[tuple[Reference, ...], Meta(max_length=64)]
    """Older blocks of other authors that the author has not referenced before, ascending."""
    content: Hash
    """Digest of the operations, which travel beside the body: so a proof of equivocation, which
    holds two bodies, stays small."""
    checkpoint: Checkpoint | None
    proof: Proof
    """The leader's proof of its random value; empty for everybody else."""
    time_ms: Position
    """The author's clock, milliseconds since genesis; only its weighted median is used."""


class SignedBlock(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The canonical bytes of a block, its operations, and the signature over the body's digest."""

    body: bytes
    operations: Annotated[tuple[bytes, ...], Meta(max_length=4096)]
    signature: Seal


# Genesis


class Validator(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A member of the genesis committee."""

    account: Key
    vrf_key: Key
    stake: PositiveAmount


class Allocation(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Available credits of an account at genesis."""

    account: Key
    amount: PositiveAmount


class Genesis(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Everything that the nodes of one network share before the first block."""

    name: Text
    time_ms: Position
    """Unix time of genesis in milliseconds; every other time counts from here."""
    seed: Salt
    """First value of the beacon; also tells networks with equal terms apart."""
    parameters: Parameters
    validators: Annotated[tuple[Validator, ...], Meta(min_length=1, max_length=64)]
    allocations: Annotated[tuple[Allocation, ...], Meta(max_length=65_536)]
    faucet: Key | None
    """An ordinary account whose holder gives small amounts to newcomers of a test network."""
    custodies: Annotated[tuple[CustodyTerms, ...], Meta(max_length=65_536)] = ()
    """Accounts that have a withdrawal key from the start."""


def network_of(genesis: Genesis) -> Digest:
    """Names a network by everything that its nodes share."""
    return digest_of(b"network", encode(genesis))
