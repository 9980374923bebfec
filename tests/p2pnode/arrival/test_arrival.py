"""A newcomer among peers that are honest, lie, are silent, or contradict what it trusts."""

import pytest
import trio
import trio.testing

from p2pnode.arrival import pages as pages_module
from p2pnode.arrival import wire
from p2pnode.arrival.arrival import ArrivalRefused, Way, arrive
from p2pnode.arrival.asking import ANSWER_SECONDS
from p2pnode.arrival.chain import HistoryForked
from p2pnode.arrival.wire import Standing
from p2pnode.network import RequestRefused
from protocol.encoding import content_digest, encode
from protocol.ledger.certified import TrustedEnd
from protocol.units import Digest, Epoch
from tests.p2pnode.arrival.builders import (
    ENDS,
    MemoryStore,
    Shown,
    company_of,
    history,
    peer,
    store_of,
    without_quorum,
)
from tests.p2pnode.fake_ports import FakeNetwork, Handler

LAST = ENDS - 1


def newcomer() -> MemoryStore:
    return MemoryStore(history().genesis)


def honest(name: str, *snapshots: int) -> FakeNetwork:
    return peer(name, store_of(history(), *(snapshots or (LAST - 1, LAST))))


def answering(network: FakeNetwork, kind: str, raw: bytes) -> FakeNetwork:
    """A peer with one fixed answer."""

    async def answer(account: bytes, payload: bytes) -> bytes:
        return raw

    network.handlers[kind] = answer
    return network


def trusting(epoch: int, digest: Digest | None = None) -> Way:
    lived = history()
    boundary = lived.boundaries[epoch].digest if digest is None else digest
    return Way(lived.genesis, TrustedEnd(Epoch(epoch), boundary))


TRUSTING_GENESIS = Way(history().genesis, None)


async def test_the_newest_certified_state_comes_from_several_peers() -> None:
    store, shown = newcomer(), Shown()
    company, own = company_of(honest("one"), honest("two"), honest("three"))
    assert await arrive(TRUSTING_GENESIS, store, company, shown) == LAST
    lived = history()
    assert store.installed == [lived.boundaries[LAST]]
    assert store.snapshots[LAST] == lived.pages[LAST]
    assert len(lived.pages[LAST]) > 6
    assert [store.kept[epoch] for epoch in range(ENDS)] == lived.certificates
    givers = {account for account, kind in own.asked if kind == wire.PAGE_KIND}
    assert len(givers) == 3
    assert shown.epochs[-1] == (LAST, LAST)
    assert shown.fetched[-1] == (LAST, len(lived.pages[LAST]), len(lived.pages[LAST]))
    assert company.liars == {}


async def test_what_is_here_already_is_not_fetched_again() -> None:
    store = store_of(history(), LAST)
    company, own = company_of(honest("one"))
    assert await arrive(TRUSTING_GENESIS, store, company, Shown()) is None
    assert not [kind for _, kind in own.asked if kind == wire.PAGE_KIND]
    part = MemoryStore(history().genesis, dict(enumerate(history().certificates[:3])))
    assert await arrive(TRUSTING_GENESIS, part, company, Shown()) == LAST
    assert len(part.kept) == ENDS


async def test_a_young_network_has_nothing_to_fetch() -> None:
    company, _ = company_of(peer("one", newcomer()))
    assert await arrive(TRUSTING_GENESIS, newcomer(), company, Shown()) is None
    assert await arrive(TRUSTING_GENESIS, newcomer(), company_of()[0], Shown()) is None


async def test_an_older_snapshot_is_better_than_none() -> None:
    company, _ = company_of(honest("one", 2), peer("two", store_of(history())))
    assert await arrive(TRUSTING_GENESIS, newcomer(), company, Shown()) == 2


async def test_a_snapshot_whose_end_is_not_certified_yet_is_passed_over() -> None:
    store = store_of(history(), LAST - 1, LAST)
    del store.kept[LAST]
    company, _ = company_of(peer("one", store))
    assert await arrive(TRUSTING_GENESIS, newcomer(), company, Shown()) == LAST - 1
    assert company.liars == {}


# Lies


async def test_a_lying_page_costs_the_liar_its_place_and_the_rest_comes_from_others() -> None:
    liar = answering(honest("liar"), wire.PAGE_KIND, b"no such page")
    company, own = company_of(liar, honest("one"))
    store = newcomer()
    assert await arrive(TRUSTING_GENESIS, store, company, Shown()) == LAST
    assert "is not the one in its list" in company.liars[liar.account]
    assert store.snapshots[LAST] == history().pages[LAST]
    asked = [account for account, kind in own.asked if kind == wire.PAGE_KIND]
    assert 0 < asked.count(liar.account) <= 2, "as many as were on their way"


async def test_pages_of_another_state_show_in_the_root_and_all_that_gave_them_are_banned() -> None:
    forged = store_of(history(), LAST)
    pages = forged.snapshots[LAST]
    forged.snapshots[LAST] = (*pages[:-1], pages[-1][:-1] + bytes((pages[-1][-1] ^ 1,)))
    liars = [peer(name, forged) for name in ("liar 1", "liar 2")]
    company, _ = company_of(*liars, honest("one"))
    store = newcomer()
    assert await arrive(TRUSTING_GENESIS, store, company, Shown()) == LAST
    assert store.snapshots[LAST] == pages
    assert set(company.liars) == {one.account for one in liars}
    assert all("certified root" in one for one in company.liars.values())


async def test_what_a_liar_filled_memory_with_is_not_counted_against_the_honest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true_bytes = sum(map(len, history().pages[LAST]))
    monkeypatch.setattr(pages_module, "SNAPSHOT_BYTES_MAX", true_bytes + 100)
    liar_store = store_of(history(), LAST)
    liar_store.snapshots[LAST] = tuple(bytes([number]) * 100 for number in range(200))
    liar = peer("a liar", liar_store)
    company, _ = company_of(liar, honest("one"))
    store = newcomer()
    assert await arrive(TRUSTING_GENESIS, store, company, Shown()) == LAST
    assert list(company.liars) == [liar.account]
    assert "more bytes than a state has" in company.liars[liar.account]
    assert store.installed == [history().boundaries[LAST]]


async def test_a_list_that_nobody_can_serve_costs_its_giver_its_place() -> None:
    endless = encode(wire.PageList(tuple([content_digest(b"x")] * 5_000)))
    liar = answering(honest("liar"), wire.PAGE_LIST_KIND, endless)
    company, own = company_of(liar, honest("one"))
    assert await arrive(TRUSTING_GENESIS, newcomer(), company, Shown()) == LAST
    assert len(own.asked) < 60
    alone, asking = company_of(liar)
    assert await arrive(TRUSTING_GENESIS, newcomer(), alone, Shown()) is None
    assert liar.account in alone.liars
    assert len(asking.asked) < 30


@pytest.mark.parametrize("at", [0, 3])
async def test_a_forged_certificate_is_refused_and_what_came_before_it_stays(at: int) -> None:
    forged = store_of(history(), LAST)
    forged.kept[at] = without_quorum(forged.kept[at])
    liar = peer("liar", forged)
    company, _ = company_of(liar)
    store = newcomer()
    assert await arrive(TRUSTING_GENESIS, store, company, Shown()) is None
    assert f"certificate of epoch {at} proves none" in company.liars[liar.account]
    assert sorted(store.kept) == list(range(at))
    assert store.installed == []
    company, _ = company_of(honest("one"))
    assert await arrive(TRUSTING_GENESIS, store, company, Shown()) == LAST


async def test_more_epochs_than_time_has_passed_are_a_lie() -> None:
    liar = answering(honest("liar"), wire.STANDING_KIND, encode(Standing(0, 10**9, 0, (10**9,))))
    company, own = company_of(liar, honest("one"), epochs_max=50)
    assert await arrive(TRUSTING_GENESIS, newcomer(), company, Shown()) == LAST
    assert "no more than 50 can have ended" in company.liars[liar.account]
    kinds = [kind for account, kind in own.asked if account == liar.account]
    assert kinds == [wire.STANDING_KIND]


async def test_a_chain_that_never_comes_ends() -> None:
    """A peer claims all epochs that there can be and sends the same answer for ever."""
    lived = history()
    liar = answering(honest("liar"), wire.STANDING_KIND, encode(Standing(0, 900, 0, ())))
    answering(liar, wire.CERTIFICATES_KIND, encode(wire.Certificates((lived.certificates[0],))))
    company, own = company_of(liar, honest("one"))
    assert await arrive(TRUSTING_GENESIS, newcomer(), company, Shown()) == LAST
    assert liar.account in company.liars
    assert len(own.asked) < 60


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (wire.STANDING_KIND, bytes(2_000)),
        (wire.STANDING_KIND, encode(Standing(5, 2, 0, ()))),
        (wire.STANDING_KIND, encode(Standing(0, 2, 0, (2, 1)))),
        (wire.CERTIFICATES_KIND, b"garbage"),
        (wire.CERTIFICATES_KIND, bytes(4 * 1024 * 1024)),
        (wire.CERTIFICATES_KIND, encode(wire.Certificates(()))),
        (wire.CERTIFICATES_KIND, encode(wire.Certificates((b"",) * wire.CERTIFICATES_MAX))),
        (wire.PAGE_LIST_KIND, bytes(4 * 1024 * 1024)),
        (wire.PAGE_LIST_KIND, encode([[]])),
        (wire.PAGE_KIND, bytes(2 * 1024 * 1024)),
        (wire.PAGE_KIND, b""),
    ],
)
async def test_an_answer_of_the_wrong_size_or_form_is_a_lie(kind: str, raw: bytes) -> None:
    liar = answering(honest("liar"), kind, raw)
    company, _ = company_of(liar, honest("one"))
    store = newcomer()
    assert await arrive(TRUSTING_GENESIS, store, company, Shown()) == LAST
    assert store.installed == [history().boundaries[LAST]]
    assert list(company.liars) == [liar.account]


# Silence


async def test_a_peer_that_stops_answering_is_replaced_and_what_came_stays() -> None:
    lived, answers = history(), 3
    fading = honest("fading")
    true_answer = fading.handlers[wire.PAGE_KIND]

    async def fade(account: bytes, payload: bytes) -> bytes:
        nonlocal answers
        answers -= 1
        if answers < 0:
            raise RequestRefused("too many requests")
        return await true_answer(account, payload)

    fading.handlers[wire.PAGE_KIND] = fade
    company, own = company_of(fading, honest("one"))
    assert await arrive(TRUSTING_GENESIS, newcomer(), company, Shown()) == LAST
    assert answers < 0, "it did stop"
    assert company.liars == {}
    pages = [one for one in own.asked if one[1] == wire.PAGE_KIND]
    assert len(pages) <= len(lived.pages[LAST]) + 4, "no page was fetched twice"


async def test_a_peer_that_gives_a_certificate_at_a_time_holds_nobody_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scant = honest("a scant one")
    true_answer = scant.handlers[wire.CERTIFICATES_KIND]
    asked: list[float] = []

    async def give_one(account: bytes, payload: bytes) -> bytes:
        asked.append(trio.current_time())
        await trio.sleep(ANSWER_SECONDS - 1)
        given = wire.open_certificates(await true_answer(account, payload)).raws
        return encode(wire.Certificates(given[:1]))

    scant.handlers[wire.CERTIFICATES_KIND] = give_one
    company, _ = company_of(scant, honest("one"))
    store, begun = newcomer(), trio.current_time()
    assert await arrive(TRUSTING_GENESIS, store, company, Shown()) == LAST
    assert len(asked) == 2, "first for the beginning, and for the newest one at the end"
    assert trio.current_time() - begun < 2 * ANSWER_SECONDS
    assert [store.kept[epoch] for epoch in range(ENDS)] == history().certificates
    alone, _ = company_of(scant)
    assert await arrive(TRUSTING_GENESIS, newcomer(), alone, Shown()) == LAST, "better than nobody"


async def test_a_snapshot_that_is_replaced_meanwhile_is_looked_for_again() -> None:
    store = store_of(history(), LAST - 1)
    moving = peer("moving", store)
    listed: Handler = moving.handlers[wire.PAGE_LIST_KIND]

    async def replace(account: bytes, payload: bytes) -> bytes:
        answer = await listed(account, payload)
        store.snapshots.pop(LAST - 1, None)
        store.snapshots[LAST] = history().pages[LAST]
        return answer

    moving.handlers[wire.PAGE_LIST_KIND] = replace
    company, _ = company_of(moving)
    assert await arrive(TRUSTING_GENESIS, newcomer(), company, Shown()) == LAST
    assert company.liars == {}


async def test_an_epoch_that_was_never_certified_stops_the_chain_and_nobody_is_blamed() -> None:
    gap = store_of(history(), 1, LAST)
    del gap.kept[3]
    company, _ = company_of(peer("one", gap))
    store = newcomer()
    assert await arrive(TRUSTING_GENESIS, store, company, Shown()) == 1
    assert company.liars == {}
    beyond = newcomer()
    company, _ = company_of(peer("one", gap))
    assert await arrive(trusting(4), beyond, company, Shown()) == LAST


# Checkpoints


async def test_a_trusted_end_makes_the_chain_before_it_unnecessary() -> None:
    young = peer("young", store_of(history(), LAST, first=3))
    company, _ = company_of(young)
    assert await arrive(TRUSTING_GENESIS, newcomer(), company, Shown()) is None
    store = newcomer()
    company, _ = company_of(young)
    assert await arrive(trusting(3), store, company, Shown()) == LAST
    assert sorted(store.kept) == [3, 4, 5]
    assert store.installed == [history().boundaries[LAST]]


async def test_a_chain_that_all_peers_have_pruned_is_refused_with_what_to_do() -> None:
    pruned = store_of(history(), LAST, first=3)
    pruned.first_blocks = 4
    company, _ = company_of(peer("one", pruned), peer("two", pruned))
    store = newcomer()
    with pytest.raises(ArrivalRefused, match=r"from epoch 3 on.*with epoch 0: name an archive"):
        await arrive(TRUSTING_GENESIS, store, company, Shown())
    with pytest.raises(ArrivalRefused, match=r"from epoch 3 on, and --checkpoint 1:.*newer one"):
        await arrive(trusting(1), store, company, Shown())
    assert store.kept == {}
    assert company.liars == {}
    company, _ = company_of(peer("one", pruned), honest("archive"))
    assert await arrive(TRUSTING_GENESIS, store, company, Shown()) == LAST


async def test_a_lone_liar_that_claims_to_be_ahead_keeps_nobody_from_starting() -> None:
    """In a young network nobody has a certificate yet, and what a liar claims is not proven."""
    pruned = store_of(history(), LAST, first=3)
    pruned.first_blocks = 4
    young = [peer(f"honest {number}", newcomer()) for number in range(3)]
    company, _ = company_of(peer("liar", pruned), *young)
    store = newcomer()
    assert await arrive(TRUSTING_GENESIS, store, company, Shown()) is None
    assert store.installed == []


async def test_a_ledger_that_fell_behind_all_certificates_is_told_to_name_a_checkpoint() -> None:
    pruned = store_of(history(), LAST, first=4)
    pruned.first_blocks = 5
    behind = store_of(history(), 1)
    behind.kept = {epoch: behind.kept[epoch] for epoch in (0, 1)}
    company, _ = company_of(peer("one", pruned))
    with pytest.raises(ArrivalRefused, match=r"from epoch 4 on.*go on with epoch 2"):
        await arrive(TRUSTING_GENESIS, behind, company, Shown())
    assert await arrive(trusting(4), behind, company, Shown()) == LAST


async def test_an_end_that_was_pruned_here_cannot_be_compared_and_that_is_said() -> None:
    company, own = company_of(honest("one"))
    store = store_of(history(), LAST, first=3)
    with pytest.raises(ArrivalRefused, match=r"keeps certificates from epoch 3 on.*checkpoint 1"):
        await arrive(trusting(1), store, company, Shown())
    assert own.asked == []


async def test_peers_whose_chain_contradicts_the_trusted_end_are_refused_in_words() -> None:
    company, own = company_of(honest("one"), honest("two"))
    store = newcomer()
    with pytest.raises(ArrivalRefused, match=r"contradicts --checkpoint 3:0000.*several operators"):
        await arrive(trusting(3, Digest(bytes(32))), store, company, Shown())
    assert store.kept == {}
    assert len(company.liars) == 2
    assert all("contradicts the trusted checkpoint" in one for one in company.liars.values())
    assert not [kind for _, kind in own.asked if kind == wire.PAGE_KIND]


async def test_a_trusted_end_that_nobody_has_yet_is_said() -> None:
    company, _ = company_of(honest("one"))
    with pytest.raises(ArrivalRefused, match="no peer that was asked shows the end of epoch 77"):
        await arrive(
            Way(history().genesis, TrustedEnd(Epoch(77), Digest(bytes(32)))),
            newcomer(),
            company,
            Shown(),
        )


async def test_an_own_ledger_that_contradicts_the_trusted_end_is_refused() -> None:
    company, own = company_of(honest("one"))
    store = store_of(history())
    with pytest.raises(ArrivalRefused, match=r"another end of epoch 3 than --checkpoint.*fresh"):
        await arrive(trusting(3, Digest(bytes(32))), store, company, Shown())
    assert own.asked == []
    assert await arrive(trusting(3), store, company, Shown()) == LAST


async def test_two_histories_that_are_both_certified_stop_the_newcomer() -> None:
    """Members with more than a third of the weight signed two ends: no rule can choose."""
    forked = history(forked=True)
    assert forked.certificates[:LAST] == history().certificates[:LAST]
    assert forked.boundaries[LAST] != history().boundaries[LAST]
    company, _ = company_of(honest("one"), peer("two", store_of(forked, LAST)))
    store = newcomer()
    with pytest.raises(HistoryForked, match=rf"two ends of epoch {LAST} are certified"):
        await arrive(TRUSTING_GENESIS, store, company, Shown())
    assert store.installed == []
