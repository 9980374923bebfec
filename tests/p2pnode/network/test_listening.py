import pytest

from p2pnode.network import CannotListen
from p2pnode.network.listening import own_transports, require_free

LOCAL = "/ip4/127.0.0.1/tcp/5"


def test_an_address_of_all_interfaces_is_told_as_a_specific_one():
    (told,) = own_transports(("/ip4/0.0.0.0/tcp/5",), ())
    assert told.startswith("/ip4/")
    assert "0.0.0.0" not in told  # noqa: S104
    assert own_transports((LOCAL,), ()) == (LOCAL,)
    assert own_transports((LOCAL,), ("/dns4/example.org/tcp/9",)) == ("/dns4/example.org/tcp/9",)


async def test_a_place_of_another_machine_is_not_free_here():
    await require_free("/ip4/127.0.0.1/tcp/0")
    with pytest.raises(CannotListen):
        await require_free("/ip4/192.0.2.1/tcp/0")
