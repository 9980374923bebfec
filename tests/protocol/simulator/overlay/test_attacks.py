"""Attacks at small sizes: what is asked is the sign and the order, not the published figures."""

import pytest

from protocol.simulator.overlay.attacks import (
    SAMPLE_NS,
    Damage,
    attacked,
    cold_boot,
    covert_flash,
    eclipse,
    recovery_ns,
)
from protocol.simulator.overlay.parameters import (
    gossipsub_attacked_1_0,
    gossipsub_attacked_1_1,
)
from protocol.units import SECOND

HALF = 500_000


def test_recovery_is_when_the_meshes_were_good_for_the_last_time() -> None:
    attack = covert_flash(10, 10, 1)
    samples = (0,) * 24 + (100, 600_000, 400_000, 700_000, 800_000)
    damage = Damage(1, 1, 0, 0, 1, samples, 1)
    assert recovery_ns(damage, attack, HALF) == 20 * SECOND
    assert recovery_ns(damage, attack, 900_000) is None
    assert damage.lost_ppm == 0


@pytest.mark.slow
def test_a_cold_boot_loses_messages_without_scores_and_none_with_them() -> None:
    attack = cold_boot(30, 600, 5, 10 * SECOND)
    plain = attacked(attack, gossipsub_attacked_1_0(), 1)
    scored = attacked(attack, gossipsub_attacked_1_1(), 1)
    assert plain.swallowed > 0
    assert scored.swallowed > 0
    assert plain.lost_ppm > 5_000
    assert scored.lost_ppm == 0
    assert plain.late >= plain.lost
    assert scored.late == 0
    assert plain.published == scored.published == 50


@pytest.mark.slow
def test_an_eclipse_takes_over_an_unscored_mesh_and_not_a_scored_one() -> None:
    attack = eclipse(40, 80, 4, 45 * SECOND)
    plain = attacked(attack, gossipsub_attacked_1_0(), 1)
    scored = attacked(attack, gossipsub_attacked_1_1(), 1)
    assert plain.honest_ppm[0] == scored.honest_ppm[0] == 1_000_000
    after = attack.join_ns // SAMPLE_NS + 1
    assert max(plain.honest_ppm[after:]) < HALF
    assert sum(plain.honest_ppm[after:]) * 3 < sum(scored.honest_ppm[after:]) * 2
    assert plain.swallowed > 0
    assert scored.lost == 0
