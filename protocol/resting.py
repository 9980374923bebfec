"""What a node keeps of each epoch's end, so that it, and whoever asks, can begin there."""

from collections.abc import Iterable, Iterator

from protocol import effects as fx
from protocol.facts import EpochCertified, StateFact
from protocol.ledger.certified import encode_certificate
from protocol.snapshot import Snapshot
from protocol.state import State
from protocol.units import AccountId, JobId


def snapshot_of_end(
    state: State, account: AccountId, spent: tuple[JobId, ...] = ()
) -> fx.PersistSnapshot:
    """Asks for a snapshot of a state that has just begun an epoch and applied nothing in it.

    Args:
        state: At the end of an epoch.
        account: This node's, whose operations before the snapshot need not be kept.
        spent: Jobs that are over for this node, whose reveals need not be kept either.
    """
    boundary = state.epochs.closed[-1].boundary
    nonce = state.next_nonce(account)
    return fx.PersistSnapshot(Snapshot(boundary, state.encode_pages()), nonce or 0, spent)


def certificates_in(state: State, facts: Iterable[StateFact]) -> Iterator[fx.PersistCertificate]:
    """Asks to keep every certificate that a commit has completed."""
    for fact in facts:
        if isinstance(fact, EpochCertified):
            certificate = state.epochs.certificate(fact.epoch)
            assert certificate is not None, "the state has just said so"
            yield fx.PersistCertificate(fact.epoch, encode_certificate(certificate))
