import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.id import ID

from p2pnode.network import BadAddress, account_of, parse_address, peer_id_of
from p2pnode.network.addresses import check_transport, prefix_of

ACCOUNT = bytes(range(32))
PEER = peer_id_of(ACCOUNT)


@given(st.binary(min_size=32, max_size=32))
def test_a_peer_id_names_its_account_and_no_other(account):
    assert account_of(peer_id_of(account)) == account
    assert peer_id_of(account).startswith("12D3KooW")


def test_a_peer_id_is_the_one_that_the_library_gives():
    public = create_new_key_pair(b"\5" * 32).public_key
    assert peer_id_of(public.to_bytes()) == str(ID.from_pubkey(public))


def test_an_account_of_another_length_has_no_peer_id():
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        peer_id_of(bytes(31))


def test_an_address_is_read_and_written_back():
    text = f"/ip4/192.0.2.7/tcp/4001/p2p/{PEER}"
    address = parse_address(text)
    assert (address.account, address.transport) == (ACCOUNT, "/ip4/192.0.2.7/tcp/4001")
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "/ip4/192.0.2.7/tcp/4001",
        "/ip4/192.0.2.7/tcp/4001/p2p/",
        "/ip4/192.0.2.7/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        f"/ip4/192.0.2.7/tcp/4001/p2p/{PEER}l",
        f"/ip4/192.0.2.7/tcp/4001/p2p/{PEER * 9}",
        f"/ip4/192.0.2.300/tcp/4001/p2p/{PEER}",
        f"/ip4/192.0.2.7/tcp/0/p2p/{PEER}",
        f"/ip4/192.0.2.7/tcp/65536/p2p/{PEER}",
        f"/ip4/192.0.2.7/tcp/{'1' * 5000}/p2p/{PEER}",
        f"/ip4/192.0.2.7/tcp/²/p2p/{PEER}",
        f"/ip4/192.0.2.7/udp/4001/p2p/{PEER}",
        f"/ip6/192.0.2.7/tcp/4001/p2p/{PEER}",
        f"/dns4/exa mple.org/tcp/4001/p2p/{PEER}",
        f"/unix/socket/tcp/4001/p2p/{PEER}",
        f"/dns4/{'a' * 300}/tcp/4001/p2p/{PEER}",
    ],
)
def test_a_bad_address_is_named_as_one(text):
    with pytest.raises(BadAddress):
        parse_address(text)


def test_a_place_to_listen_may_leave_the_port_to_the_system():
    assert check_transport("/ip6/::1/tcp/0") == "/ip6/::1/tcp/0"


def test_neighbouring_addresses_share_a_prefix():
    assert prefix_of("/ip4/192.0.2.7/tcp/1") == prefix_of("/ip4/192.0.9.1/tcp/2") == "192.0"
    assert prefix_of("/ip6/2001:db8::1/tcp/1") == "2001:0db8"
    assert prefix_of("/dns4/example.org/tcp/1") == "example.org"
