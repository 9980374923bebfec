from protocol.simulator.chance import Stream
from protocol.simulator.draw_cast import SYBILS, Cast, draw_cast
from protocol.simulator.draw_features import FEATURES, MISDEEDS, WORK_FAULTS, Doubt, Feature
from protocol.simulator.scenario import Behaviour

SEEDS = 200
STAKE_MINIMUM = 1_000
"""Of a validator, in whole credits."""


def cast(seed: int, *features: Feature, nodes: int | None = None) -> Cast:
    return draw_cast(Stream(seed, "cast"), features, nodes)


def suspects(one: Cast) -> list[int]:
    """Members that are bad or in doubt."""
    bad = [node for node, _ in one.behaviours if node < len(one.stakes)]
    return [*bad, *one.twins, *one.stale]


def test_members_that_are_bad_or_in_doubt_have_less_than_a_third_of_the_stake() -> None:
    for seed in range(SEEDS):
        for features in (FEATURES, FEATURES[::2], FEATURES[1::2], FEATURES[-1:]):
            one = cast(seed, *features)
            members = suspects(one)
            assert len(members) == len(set(members))
            assert 3 * sum(one.stakes[node] for node in members) < sum(one.stakes)
            assert min(one.stakes) >= STAKE_MINIMUM


def test_everybody_who_was_chosen_takes_part() -> None:
    for seed in range(SEEDS):
        one = cast(seed, *FEATURES)
        behaviours = [behaviour for _, behaviour in one.behaviours]
        assert set(behaviours) == {*MISDEEDS, *WORK_FAULTS, Behaviour.SPAMMING}
        assert SYBILS[0] <= behaviours.count(Behaviour.SYBIL) <= SYBILS[1]
        assert (len(one.twins), len(one.stale)) == (1, 1)
        assert {node for node, _ in one.behaviours} <= set(range(len(one.stakes) + one.observers))


def test_a_bad_worker_alone_sits_in_the_committee_or_outside() -> None:
    seated = {
        node < len(one.stakes)
        for seed in range(SEEDS)
        for one in [cast(seed, Behaviour.LYING)]
        for node, _ in one.behaviours
    }
    assert seated == {True, False}


def test_who_buries_has_an_honest_node_outside_to_bury_for() -> None:
    assert min(cast(seed, Behaviour.BURYING).observers for seed in range(SEEDS)) == 1


def test_a_number_of_nodes_is_kept_to() -> None:
    for seed in range(SEEDS):
        one = cast(seed, *FEATURES, nodes=20)
        assert len(one.stakes) + one.observers == 20
        assert 3 * sum(one.stakes[node] for node in suspects(one)) < sum(one.stakes)


def test_a_doubt_is_no_behaviour() -> None:
    assert cast(1, Doubt.TWIN).behaviours == cast(1, Doubt.STALE).behaviours == ()
