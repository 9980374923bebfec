from collections import Counter

import pytest

from protocol.simulator.draw_features import (
    CALM,
    DEAL,
    FEATURES,
    MIXED_IN,
    MIXTURES,
    draw_features,
    draw_mixture,
)


@pytest.mark.parametrize("deal", [0, 1, 7])
def test_each_deal_has_every_class_once_alone_and_as_often_mixed(deal: int) -> None:
    drawn = [draw_features(1 + deal * DEAL + place) for place in range(DEAL)]
    alone = Counter(one[0] for one in drawn if len(one) == 1)
    mixed = Counter(feature for one in drawn if len(one) > 1 for feature in one)
    assert alone == Counter(FEATURES)
    assert mixed == Counter(MIXED_IN * FEATURES)
    assert sum(not one for one in drawn) == CALM


def test_deals_differ_in_their_order_and_in_what_they_mix() -> None:
    deals = [tuple(draw_features(1 + n * DEAL + place) for place in range(DEAL)) for n in range(3)]
    assert len(set(deals)) == 3
    assert len({one for deal in deals for one in deal if len(one) > 1}) == 3 * MIXTURES


def test_any_two_classes_meet() -> None:
    pairs = {
        (one, other)
        for deal in range(10)
        for mixture in range(MIXTURES)
        for one in draw_mixture("small", deal, mixture)
        for other in draw_mixture("small", deal, mixture)
    }
    assert len(pairs) == len(FEATURES) ** 2
    assert draw_mixture("small", 0, MIXTURES) == ()
