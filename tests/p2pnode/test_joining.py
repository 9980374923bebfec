"""How a node finds its network, among peers that are away, lie or belong to another one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from p2pnode import joining
from p2pnode.genesis import GENESIS_BYTES_MAX, write_genesis
from p2pnode.joining import (
    GENESIS_KIND,
    AnotherNetwork,
    JoinRefused,
    JoinRequest,
    NobodyAnswered,
    join,
    serve_genesis,
)
from p2pnode.network import NetworkSettings, PeerUnreachable, open_network, peer_id_of
from protocol.encoding import encode
from protocol.messages import Genesis, network_of
from tests.support.builders import account_id, account_seed, make_genesis

OURS, OTHER = make_genesis(4), make_genesis(5)
HASH = network_of(OURS).hex()
LIAR, PEER, GONE = (
    f"/ip4/192.0.2.{number}/tcp/1/p2p/{peer_id_of(account_id(number))}" for number in (1, 2, 3)
)


@dataclass
class Street:
    """Peers by address, each with the genesis that it hands out."""

    answers: dict[str, bytes]
    asked: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, *_: object) -> AsyncIterator["Street"]:
        yield self

    async def connect(self, address: str) -> bytes:
        self.asked.append(address)
        if address not in self.answers:
            raise PeerUnreachable("nobody answers there")
        return address.encode()

    async def request(self, account: bytes, kind: str, payload: bytes, timeout_s: float) -> bytes:
        assert kind == GENESIS_KIND
        return self.answers[account.decode()]


def request(folder: Path, insisted: str = "", *bootstrap: str) -> JoinRequest:
    return JoinRequest(folder / "genesis", insisted, bootstrap, account_seed(0), b"r" * 32)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def street(monkeypatch: pytest.MonkeyPatch) -> Street:
    made = Street({PEER: encode(OURS)})
    monkeypatch.setattr(joining, "open_network", made.open)
    return made


async def test_without_any_hint_a_development_network_is_made_and_kept(tmp_path: Path) -> None:
    first = await join(request(tmp_path))
    assert (first.is_new, first.is_verified) == (True, True)
    assert [one.account for one in first.genesis.validators] == [account_id(0)]
    assert first.genesis.faucet == account_id(0)
    again = await join(request(tmp_path))
    assert (again.genesis, again.network) == (first.genesis, first.network)
    assert (again.is_new, again.is_verified) == (False, True)


async def test_genesis_comes_from_the_peer_to_start_from(tmp_path: Path, street: Street) -> None:
    joined = await join(request(tmp_path, "", GONE, PEER))
    assert joined.genesis == OURS
    assert not joined.is_verified, "nobody confirmed this network"
    assert street.asked == [GONE, PEER]
    await join(request(tmp_path, "", GONE))
    assert street.asked == [GONE, PEER], "the network is pinned now"


@pytest.mark.parametrize("named", [HASH, HASH[:8], HASH[:16].upper()])
async def test_a_hash_confirms_the_network_for_good(
    named: str, tmp_path: Path, street: Street
) -> None:
    assert (await join(request(tmp_path, named, PEER))).is_verified
    assert (await join(request(tmp_path))).is_verified


async def test_a_network_can_be_confirmed_later(tmp_path: Path, street: Street) -> None:
    assert not (await join(request(tmp_path, "", PEER))).is_verified
    assert (await join(request(tmp_path, HASH))).is_verified
    assert (await join(request(tmp_path))).is_verified


async def test_a_genesis_file_names_the_network(tmp_path: Path, street: Street) -> None:
    write_genesis(tmp_path / "given", OURS)
    joined = await join(request(tmp_path, str(tmp_path / "given"), PEER))
    assert (joined.genesis, joined.is_verified) == (OURS, True)
    assert street.asked == []


@pytest.mark.parametrize("insisted", ["hash", "file"])
async def test_another_network_than_the_pinned_one_is_refused_and_the_pin_stays(
    insisted: str, tmp_path: Path
) -> None:
    pin(tmp_path, OURS)
    write_genesis(tmp_path / "other", OTHER)
    named = network_of(OTHER).hex() if insisted == "hash" else str(tmp_path / "other")
    with pytest.raises(JoinRefused, match=r"wrong network.*--data-dir"):
        await join(request(tmp_path, named))
    assert (await join(request(tmp_path))).genesis == OURS


def pin(folder: Path, genesis: Genesis) -> None:
    write_genesis(folder / "genesis", genesis)


async def test_the_network_of_a_peer_is_refused_when_another_one_was_named(
    tmp_path: Path, street: Street
) -> None:
    with pytest.raises(AnotherNetwork, match=r"^wrong network: ") as refused:
        await join(request(tmp_path, network_of(OTHER).hex(), GONE, PEER))
    assert str(refused.value).endswith(f". Name a peer of that one, not {PEER}")
    assert names_in(tmp_path) == [], "nothing is pinned"


@pytest.mark.parametrize(
    "lie",
    [
        b"",
        b"garbage",
        bytes(GENESIS_BYTES_MAX + 1),
        encode(OURS)[:-1],
        encode(OTHER),
    ],
    ids=["nothing", "garbage", "too large", "cut", "another network"],
)
async def test_a_liar_is_passed_over(lie: bytes, tmp_path: Path, street: Street) -> None:
    street.answers[LIAR] = lie
    joined = await join(request(tmp_path, HASH, LIAR, PEER))
    assert joined.genesis == OURS
    assert street.asked == [LIAR, PEER]


@pytest.mark.parametrize("lie", [b"", b"garbage", bytes(GENESIS_BYTES_MAX + 1)])
async def test_a_lying_peer_alone_is_a_sentence(lie: bytes, tmp_path: Path, street: Street) -> None:
    street.answers[LIAR] = lie
    with pytest.raises(JoinRefused, match="not a genesis file of this version") as refused:
        await join(request(tmp_path, "", GONE, LIAR))
    assert not isinstance(refused.value, NobodyAnswered)
    assert names_in(tmp_path) == []


async def test_an_unreachable_peer_is_a_sentence(tmp_path: Path, street: Street) -> None:
    with pytest.raises(NobodyAnswered, match=r"check that it runs.*nobody answers there"):
        await join(request(tmp_path, "", GONE))


async def test_a_bad_address_is_said_before_anybody_is_asked(
    tmp_path: Path, street: Street
) -> None:
    with pytest.raises(JoinRefused, match="bad address for --bootstrap"):
        await join(request(tmp_path, "", PEER, "nonsense"))
    assert street.asked == []


@pytest.mark.parametrize("named", ["short", HASH[:7], "not-a-file.toml", "g" * 64])
async def test_what_is_neither_a_hash_nor_a_file_is_said_before_anybody_is_asked(
    named: str, tmp_path: Path, street: Street
) -> None:
    with pytest.raises(JoinRefused, match="is neither"):
        await join(request(tmp_path, named, PEER))
    assert street.asked == []


async def test_a_hash_alone_does_not_find_a_network(tmp_path: Path) -> None:
    with pytest.raises(JoinRefused, match="name a peer with --bootstrap"):
        await join(request(tmp_path, HASH))


@pytest.mark.parametrize("place", ["genesis", "given"])
async def test_a_damaged_genesis_file_is_a_sentence_with_its_name(
    place: str, tmp_path: Path
) -> None:
    (tmp_path / place).write_bytes(encode(OURS)[:-5])
    with pytest.raises(JoinRefused, match=f"{place}: this is not a genesis file"):
        await join(request(tmp_path, "" if place == "genesis" else str(tmp_path / place)))


async def test_genesis_travels_between_real_nodes(tmp_path: Path) -> None:
    settings = NetworkSettings(("/ip4/127.0.0.1/tcp/0",), (), ())
    async with open_network(settings, account_seed(9), lambda *_: False) as network:

        async def answer(account: bytes, payload: bytes) -> bytes:
            return serve_genesis(OURS)

        network.serve(GENESIS_KIND, answer)
        with trio.fail_after(10):
            joined = await join(request(tmp_path, HASH, network.addresses[0]))
    assert joined.genesis == OURS
