import pytest
from msgspec.structs import replace

from protocol import parameters as terms
from protocol.encoding import decode, encode
from protocol.errors import Reason, Rejected
from protocol.messages import Genesis, network_of
from protocol.parameters import Parameters, live, local, minimal, with_pace
from tests.support.builders import make_genesis

PRESETS = (live(), terms.testnet(), local(), minimal())


@pytest.mark.parametrize("parameters", PRESETS)
def test_a_preset_survives_its_encoding(parameters: Parameters) -> None:
    assert decode(encode(parameters), Parameters, 10_000) == parameters


@pytest.mark.parametrize("parameters", PRESETS)
def test_a_preset_keeps_the_order_of_its_limits(parameters: Parameters) -> None:
    assert parameters.minimum_round_ms <= parameters.idle_round_ms <= parameters.ledger_step_max_ms
    assert parameters.operation_bytes_max < parameters.block_bytes_max
    assert parameters.vote_grace_ms <= parameters.leader_timeout_ms
    assert parameters.unbonding_ms > parameters.reveal_window_ms
    assert parameters.forfeit_window_ms > parameters.reveal_window_ms
    assert parameters.seed_leaders >= 3
    assert parameters.rounds_ahead_max >= parameters.gc_depth_rounds


def test_networks_of_other_terms_have_other_names() -> None:
    names = {network_of(make_genesis(validators=1, parameters=one)) for one in PRESETS}
    assert len(names) == len(PRESETS)


def test_a_change_of_any_term_changes_the_network() -> None:
    base = minimal()
    name = network_of(make_genesis(validators=1, parameters=base))
    for field in Parameters.__struct_fields__:
        value = getattr(base, field)
        other = replace(base, **{field: not value if isinstance(value, bool) else value + 1})
        assert network_of(make_genesis(validators=1, parameters=other)) != name, field


def test_a_pace_changes_nothing_else() -> None:
    paced = with_pace(live(), 7, 9)
    assert (paced.minimum_round_ms, paced.idle_round_ms) == (7, 9)
    assert with_pace(paced, live().minimum_round_ms, live().idle_round_ms) == live()


def test_terms_outside_their_range_are_refused() -> None:
    genesis = make_genesis(validators=1, parameters=replace(minimal(), audit_floor=10_001))
    with pytest.raises(Rejected) as caught:
        decode(encode(genesis), Genesis, 10_000)
    assert caught.value.reason is Reason.MALFORMED
