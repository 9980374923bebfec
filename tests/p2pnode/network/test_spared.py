"""A node does not load what it never uses, and the library says so where somebody would use it."""

import subprocess
import sys

import pytest

from p2pnode.network.spared import SPARED, Spared, spare_unused

OPENED = """
import sys, trio
from p2pnode.network import NetworkSettings, open_network

async def opened():
    settings = NetworkSettings(("/ip4/127.0.0.1/tcp/0",), (), (), address_book=None)
    async with open_network(settings, bytes(32), lambda *_: True):
        print("libp2p" in sys.modules, sorted({"zeroconf", "requests", "httpx"} & set(sys.modules)))

trio.run(opened)
"""


def test_an_open_network_has_not_loaded_what_it_does_not_use() -> None:
    done = subprocess.run([sys.executable, "-c", OPENED], capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode().strip()) == (0, "True []"), done.stderr.decode()


def test_a_part_that_is_loaded_already_stays_and_another_says_that_it_is_spared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second, *_ = SPARED
    loaded = sys.modules[__name__]
    monkeypatch.setitem(sys.modules, first, loaded)
    monkeypatch.delitem(sys.modules, second, raising=False)
    spare_unused()
    assert sys.modules[first] is loaded
    for name in SPARED[second]:
        assert getattr(sys.modules[second], name) is Spared
        with pytest.raises(NotImplementedError):
            getattr(sys.modules[second], name)("a key")
    monkeypatch.delitem(sys.modules, second)
