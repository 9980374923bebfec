"""No set of accounts gains by trading with itself, and the search would notice if one did."""

import dataclasses
from collections import Counter

import pytest
from msgspec.structs import replace

from protocol.balances import Move, Reserve
from protocol.economy import fees
from protocol.job import settlement
from protocol.units import Credits
from tests.properties.self_dealing import TERMS, Strategy, play, strategies

FAIR = Strategy("aaaa", 3, 1_000, 60_000, speed=True, up=True, audits=False)
SAMPLE = [*list(strategies())[::11], *list(strategies())[-12:]]


def test_no_strategy_pays() -> None:
    seen: Counter[str] = Counter()
    for strategy in SAMPLE:
        outcome = play(strategy)
        assert outcome.profit <= -TERMS.operation_fee, outcome
        assert outcome.minted <= 0, "nothing is minted for work"
        seen[outcome.ending] += 1
        seen["record"] += outcome.record > 0
    assert len(seen) >= 6, seen
    assert seen["record"] > 5, seen


def test_every_bonus_only_raises_the_loss() -> None:
    plain = Strategy("aaaa", 3, 1_000, 60_000, speed=False, up=False, audits=False)
    losses = [play(one).profit for one in (FAIR, plain)]
    assert losses[0] < losses[1] < 0


def test_a_slash_that_goes_to_an_accomplice_still_loses_nearly_all_of_it() -> None:
    liar = Strategy("aaab", 4, 1_000, 60_000, speed=True, up=True, audits=True)
    assert play(liar).profit < 100 * play(FAIR).profit


def test_a_record_has_its_price() -> None:
    terms = replace(TERMS, check_fee_min=300)
    dear = play(FAIR, terms)
    assert dear.record > 0
    assert dear.profit < -terms.check_fee_min - terms.operation_fee
    cheap = dataclasses.replace(FAIR, elapsed_ms=1)
    assert (play(cheap).record > 0, play(cheap, terms).record) == (True, 0)


def test_a_missing_burn_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Credits(0)
    monkeypatch.setattr(settlement, "fee_on", lambda *_: nothing)
    monkeypatch.setattr(fees, "fee_of", lambda *_: Move(Reserve.BURNED, Reserve.BURNED, nothing))
    assert play(FAIR).profit == 0, "without fees trading with oneself costs nothing"
