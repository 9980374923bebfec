from dataclasses import replace

from protocol.ledger.block import open_block
from protocol.ledger.committee import Committee
from protocol.ledger.evidence import check_evidence, make_evidence
from protocol.messages import Offer, network_of
from protocol.simulator.adversary import Adversary, Mischief, right_result, twin_of
from protocol.simulator.catalogue import calm
from protocol.simulator.scenario import Behaviour, Scenario, genesis_of, identities
from protocol.simulator.scheme import FAKE
from protocol.simulator.workload import requests_of
from protocol.simulator.world import World
from protocol.units import SECOND


def adversary(behaviour: Behaviour) -> Adversary:
    scenario = replace(calm(1), behaviours=((1, behaviour),))
    seeds = tuple(secret.seed for secret in identities(scenario))
    return Adversary(scenario, seeds, FAKE)


def own_block(scenario: Scenario, node: int) -> bytes:
    """Runs the network until this node has stored a block of its own."""
    world = World(scenario)
    world.engine.run(4 * SECOND)
    core = world.nodes[node].core
    assert core is not None
    member = core.ledger.committee.index_of(core.account)
    assert member is not None
    block = core.ledger.dag.latest(member)
    assert block is not None
    return block.raw


def test_a_twin_is_valid_and_proves_the_equivocation() -> None:
    scenario = calm(1)
    raw = own_block(scenario, 1)
    genesis = genesis_of(scenario, FAKE)
    network, committee = network_of(genesis), Committee.of_genesis(genesis)
    twin = twin_of(raw, identities(scenario)[1].seed, FAKE)
    first = open_block(raw, committee, network, genesis.parameters, FAKE)
    second = open_block(twin, committee, network, genesis.parameters, FAKE)
    assert first.digest != second.digest
    evidence = make_evidence(first, second)
    assert check_evidence(evidence, committee, network, FAKE) == (
        first.block.author,
        first.block.round,
    )


def test_an_equivocating_member_shows_each_half_another_block() -> None:
    raw = own_block(calm(1), 1)
    bad = adversary(Behaviour.EQUIVOCATING)
    shown = next(one for one in (bad.show_block(1, raw) for _ in range(50)) if len(one) == 2)
    assert sorted((*shown[0].targets, *shown[1].targets)) == [0, 2, 3, 4]
    assert shown[0].raw != shown[1].raw
    assert bad.mischief.done == {(Behaviour.EQUIVOCATING, 1): 1}


def test_a_withholding_member_shows_a_block_to_one_node_and_hands_out_nothing() -> None:
    bad = adversary(Behaviour.WITHHOLDING)
    shown = [bad.show_block(1, b"block") for _ in range(50)]
    assert {len(one.targets) for each in shown for one in each} == {1, 5}
    assert not bad.hands_out(1)
    assert bad.hands_out(0)


def test_liars_agree_on_a_wrong_result_and_the_silent_give_none() -> None:
    scenario = calm(1)
    accounts = tuple(FAKE.account_of(secret.seed) for secret in identities(scenario))
    offers = [one.payload for one in requests_of(scenario, accounts)]
    offer = next(payload for payload in offers if isinstance(payload, Offer))
    liar = adversary(Behaviour.LYING)
    assert liar.result_of(0, offer) == right_result(offer)
    assert liar.result_of(1, offer) not in (None, right_result(offer))
    assert adversary(Behaviour.SILENT).result_of(1, offer) is None


def test_bad_workers_are_wrong_each_in_its_own_way() -> None:
    scenario = calm(1)
    accounts = tuple(FAKE.account_of(secret.seed) for secret in identities(scenario))
    first, second = [
        one.payload for one in requests_of(scenario, accounts) if isinstance(one.payload, Offer)
    ]
    bad = replace(scenario, behaviours=((1, Behaviour.ERRING), (2, Behaviour.ERRING)))
    erring = Adversary(bad, tuple(secret.seed for secret in identities(bad)), FAKE)
    wrong = {erring.result_of(node, offer) for node in (1, 2) for offer in (first, second)}
    assert len(wrong - {None, right_result(first), right_result(second)}) == 4
    lazy = adversary(Behaviour.LAZY)
    assert lazy.result_of(1, first) == lazy.result_of(1, second) != right_result(first)
    assert [lazy.takes_its_time(node) for node in (0, 1)] == [True, False]
    assert lazy.mischief.count(Behaviour.LAZY, 1) == 2
    assert adversary(Behaviour.HIDING).result_of(1, first) is None
    assert adversary(Behaviour.SYBIL).result_of(1, first) == right_result(first)


def test_sybils_count_together() -> None:
    mischief = Mischief()
    for node in (1, 2, 2):
        mischief.note(Behaviour.SYBIL, node)
        mischief.note(Behaviour.LAZY, node)
    assert [mischief.count(Behaviour.SYBIL, node) for node in (1, 2, 3)] == [3, 3, 3]
    assert [mischief.count(Behaviour.LAZY, node) for node in (1, 2, 3)] == [1, 2, 0]
