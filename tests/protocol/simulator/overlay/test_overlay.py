"""The overlay as a whole; and one seed is one run, in any process."""

import hashlib
import os
import subprocess
import sys

from protocol.simulator.chance import Stream
from protocol.simulator.engine import Engine
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.overlay.message import Control
from protocol.simulator.overlay.overlay import Overlay
from protocol.simulator.overlay.parameters import (
    OverlayParameters,
    as_the_node,
    gossipsub_1_0,
    gossipsub_attacked_1_1,
)
from protocol.simulator.overlay.topology import draw_topology
from protocol.simulator.overlay.wires import WireConditions
from protocol.units import MILLISECOND, SECOND
from tests.support.sources import ROOT

LINKS = WireConditions(
    Conditions(Delay(Law.UNIFORM, 10 * MILLISECOND, 150 * MILLISECOND), loss_ppm=20_000)
)


def played(
    parameters: OverlayParameters,
    count: int = 60,
    messages: int = 10,
    seed: int = 1,
    conditions: WireConditions = LINKS,
) -> Overlay:
    engine, stream = Engine(), Stream(seed, "sources")
    topology = draw_topology(count, parameters.dials, parameters.accepts, Stream(seed, "topology"))
    overlay = Overlay(engine, topology, parameters, conditions, seed)
    engine.run(5 * SECOND)
    for _ in range(messages):
        overlay.publish(stream.below(count))
        engine.run(engine.now + SECOND)
    engine.run(engine.now + 5 * SECOND)
    return overlay


def digest(overlay: Overlay) -> str:
    """Tells two runs apart by when everybody got everything."""
    state = hashlib.blake2b(repr(overlay.tally).encode())
    for message in overlay.messages:
        state.update(message.seen)
        state.update(repr(message.arrivals.tolist()).encode())
    return state.hexdigest()


def test_everything_reaches_everybody_although_links_lose() -> None:
    for parameters in (as_the_node(), gossipsub_1_0(), gossipsub_attacked_1_1()):
        overlay = played(parameters)
        assert all(sum(message.seen) == 60 for message in overlay.messages)
        tally = overlay.tally
        assert (tally.published, tally.delivered) == (10, 10 * 59)
        assert tally.copies == tally.delivered + tally.useless


def test_names_repair_what_a_mesh_loses() -> None:
    lossy = WireConditions(
        Conditions(Delay(Law.UNIFORM, 10 * MILLISECOND, 150 * MILLISECOND), loss_ppm=400_000)
    )
    overlay = played(gossipsub_1_0(), conditions=lossy)
    assert overlay.tally.controls[Control.IWANT] > 0
    late = [
        node
        for message in overlay.messages
        for node in range(60)
        if message.arrivals[node] - message.born_ns > SECOND
    ]
    assert late, "the losses never bit"
    assert sum(sum(message.seen) for message in overlay.messages) >= 599


def test_an_invalid_message_reaches_neighbours_only() -> None:
    overlay = played(as_the_node(), messages=0)
    message = overlay.publish(0, invalid=True)
    assert message.copies < 13
    assert overlay.tally.copies == message.copies


def test_one_seed_is_one_run_and_another_seed_another() -> None:
    for parameters in (as_the_node(), gossipsub_attacked_1_1()):
        assert digest(played(parameters)) == digest(played(parameters))
        assert digest(played(parameters)) != digest(played(parameters, seed=2))


def test_the_hash_seed_of_the_process_does_not_count() -> None:
    place = "tests.protocol.simulator.overlay.test_overlay"
    program = (
        f"from {place} import *\n"
        "print(digest(played(as_the_node())), digest(played(gossipsub_attacked_1_1())))"
    )
    printed = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    assert len(printed[0].split()) == 2
