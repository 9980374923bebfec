"""Punishes who contradicted itself: proof in, stake out, each contradiction once.

Evidence is taken in the epoch of the contradiction and in the next one. So what was punished has to
be remembered no longer, and the record stays as small as two epochs are.
"""

from collections.abc import Iterator

from protocol.accounts import Accounts
from protocol.economy.reputation import NEWCOMER, Reputation, after_conviction
from protocol.economy.slashing import Contradiction, Penalties, equivocation_share, slash_stake
from protocol.entries import Table
from protocol.epochs import Epochs
from protocol.errors import Reason, Rejected
from protocol.facts import Slashed
from protocol.job.record import Fault
from protocol.ledger.evidence import check_evidence, epoch_of
from protocol.messages import EquivocationEvidence, Genesis, network_of
from protocol.signing import Scheme
from protocol.units import AccountId, Milliseconds


class Punishment:
    """Knows what has been punished; owned by the state.

    Args:
        genesis: The network's terms.
        scheme: Signature functions.
        accounts: Whose stake answers.
        epochs: Whose members contradict themselves.
        reputations: What a conviction costs besides.
    """

    def __init__(
        self,
        genesis: Genesis,
        scheme: Scheme,
        accounts: Accounts,
        epochs: Epochs,
        reputations: Table[AccountId, Reputation],
    ) -> None:
        self._parameters = genesis.parameters
        self._network = network_of(genesis)
        self._scheme = scheme
        self._accounts = accounts
        self._epochs = epochs
        self._reputations = reputations
        self._penalties = Penalties()

    def check(self, evidence: EquivocationEvidence) -> Contradiction:
        """Opens evidence that an account brings.

        Raises:
            Rejected: `BAD_EVIDENCE`, `EVIDENCE_TOO_OLD` or `ALREADY_PUNISHED`.
        """
        epoch = epoch_of(evidence)
        committee = self._epochs.committee_of(epoch)
        if committee is None:
            is_past = epoch < self._epochs.epoch
            raise Rejected(Reason.EVIDENCE_TOO_OLD if is_past else Reason.BAD_EVIDENCE)
        found = check_evidence(evidence, committee, self._network, self._scheme)
        contradiction = Contradiction(committee.epoch, *found)
        if contradiction in self._penalties.punished:
            raise Rejected(Reason.ALREADY_PUNISHED)
        return contradiction

    def punish(
        self, contradiction: Contradiction, reporter: AccountId | None, now_ms: Milliseconds
    ) -> Iterator[Slashed]:
        """Slashes a member for two blocks in one round, once for each epoch and round."""
        if contradiction in self._penalties.punished:
            return
        committee = self._epochs.committee_of(contradiction.epoch)
        assert committee is not None, "older contradictions are refused"
        member = committee.members[contradiction.member]
        account, parameters = member.account, self._parameters
        self._penalties = self._penalties.including(contradiction, account, member.weight, now_ms)
        since_ms = Milliseconds(now_ms - parameters.unbonding_ms)
        lately = self._penalties.weight_since(since_ms)
        share = equivocation_share(lately, committee.total, parameters)
        self._epochs.convict(account)
        owned = self._accounts.of(account)
        movements, amount = slash_stake(account, owned, share, reporter, parameters)
        self._accounts.apply(movements)
        reputation = self._reputations.get(account, NEWCOMER)
        self._reputations.set(account, after_conviction(reputation))
        yield Slashed(account, amount, Fault.EQUIVOCATION, None)

    def close(self, now_ms: Milliseconds) -> None:
        """Forgets, where an epoch ends, what nobody can tell of any more."""
        since_ms = Milliseconds(now_ms - self._parameters.unbonding_ms)
        self._penalties = self._penalties.since(self._epochs.epoch, since_ms)

    def record(self) -> Penalties:
        """What has been punished and not been forgotten."""
        return self._penalties

    def load(self, penalties: Penalties) -> None:
        """Takes over what another state knows."""
        self._penalties = penalties
