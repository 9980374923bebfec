"""Warnings about committees, which follow the committee from epoch to epoch."""

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from p2pnode.cautions import Cautions, cautions_about
from p2pnode.views import ledger_view
from protocol.facts import EpochClosed, OperationApplied
from protocol.messages import Lease, StakeDeposit, StakeWithdrawal
from protocol.parameters import minimal
from protocol.units import AccountId, Digest
from tests.p2pnode.fake_ports import lone_core
from tests.support.builders import STAKE, HandLedger, account_id, make_genesis
from tests.support.dag_builder import make_committee

TERMS = replace(minimal(), committee_weight_min=0)


@pytest.mark.parametrize(
    ("weights", "starts"),
    [
        ((1,), ["the committee has 1 of"]),
        ((5, 5), ["the committee has 2 of", "50 %"]),
        ((5, 5, 5), ["the committee has 3 of", "33 %"]),
        ((1, 1, 1, 1), []),
        ((2, 1, 1, 1), ["40 %"]),
        ((32, 23, 23, 22), []),
        ((3, 2, 2, 2), ["33 %"]),
    ],
)
def test_few_members_and_one_with_a_third_of_the_weight_are_warned_of(
    weights: tuple[int, ...], starts: list[str]
) -> None:
    found = cautions_about(make_committee(weights=weights))
    assert len(found) == len(starts)
    assert all(start in sentence for start, sentence in zip(starts, found, strict=True))


def watched() -> tuple[HandLedger, Cautions, list[str]]:
    """A ledger of five members, what watches it, and what the status shows of it."""
    ledger = HandLedger(make_genesis(5, available=6 * STAKE, parameters=TERMS))
    core = lone_core(ledger.genesis)
    core.state = ledger.state
    return ledger, Cautions(core), ledger_view(core)["warnings"]  # type: ignore[return-value]


def end(ledger: HandLedger, cautions: Cautions, *absent: int) -> list[dict[str, object]]:
    """Ends an epoch; returns what is logged of it."""
    seated = [ledger.numbers[one.account] for one in ledger.state.committee.members]
    there = [number for number in seated if number not in absent]
    facts = ledger.commit(authors=there, closes=True)
    assert EpochClosed in map(type, facts)
    with capture_logs() as logs:
        for fact in facts:
            cautions.hear(fact)
    return logs


def test_the_warnings_follow_the_committee_from_epoch_to_epoch() -> None:
    ledger, cautions, shown = watched()
    with capture_logs() as logs:
        cautions.tell()
        cautions.hear(OperationApplied(Digest(bytes(32)), AccountId(bytes(32))))
    assert (logs, shown) == ([], [])
    (few,) = end(ledger, cautions, 3, 4)[:1]
    assert (few["event"], few["log_level"], few["epoch"]) == ("committee_too_weak", "warning", 1)
    assert "3 of at least 4 members" in str(few["detail"])
    assert end(ledger, cautions) == [], "said once"
    for number in (3, 4):
        ledger.do(number, Lease(ledger.state.committee.beacon_at_start))
    end(ledger, cautions)
    for number in (3, 4):
        ledger.do(number, Lease(ledger.state.committee.beacon_at_start))
    (well,) = end(ledger, cautions)
    assert (well["event"], well["log_level"]) == ("committee_strong_enough", "info")


def test_a_holder_that_grows_to_a_third_is_named_two_epochs_later_and_until_it_shrinks() -> None:
    ledger, cautions, _ = watched()
    ledger.do(0, StakeDeposit(2 * STAKE))
    assert end(ledger, cautions) == [], "its stake has not been there for an epoch"
    (named,) = end(ledger, cautions)
    assert account_id(0).hex() in str(named["detail"])
    assert "42 %" in str(named["detail"])
    ledger.do(0, StakeWithdrawal(2 * STAKE))
    (well,) = end(ledger, cautions)
    assert well["event"] == "committee_strong_enough"
