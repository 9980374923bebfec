import subprocess
import sys

import pytest
import trio

from p2pnode.network import CannotListen, open_network
from tests.support.networks import accept_all, local_settings, open_networks, seed_of


async def test_what_the_block_raises_comes_out_as_it_is():
    with pytest.raises(ZeroDivisionError):
        async with open_networks(1):
            raise ZeroDivisionError


async def test_a_cancelled_block_is_cancelled_and_no_more():
    with trio.move_on_after(0.05) as scope:
        async with open_networks(1):
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_task_of_the_network_that_fails_ends_the_block():
    async def fail():
        raise ZeroDivisionError

    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with open_networks(1) as (one,):
            one._parts.links._parts.nursery.start_soon(fail)
            await trio.sleep(5)


async def test_a_port_that_is_taken_is_an_error():
    async with open_networks(1) as (one,):
        port = int(one.addresses[0].split("/")[4])
        with pytest.raises(CannotListen):
            async with open_network(local_settings(port=port), seed_of(2), accept_all):
                raise AssertionError


@pytest.mark.slow
def test_importing_the_folder_does_not_load_the_library():
    code = "import sys, p2pnode.network; sys.exit('libp2p' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
