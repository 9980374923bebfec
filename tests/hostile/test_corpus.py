"""Each bomb of the corpus bites where nothing holds it, and is held by the walls of a worker."""

import pytest

from tests.hostile import corpus
from tests.hostile.bombs import bombs

SAMPLE = (
    "fork bomb",
    "daemon that ignores SIGTERM",
    "memory bomb in shared pages",
    "disk bomb",
    "giant answer",
    "reads and writes files",
    "opens sockets",
    "signals and reads its parent",
    "starts a program",
    "wasm: endless loop",
    "wasm: deep recursion",
    "onnx: endless loop",
    "onnx: weights in another file",
    "onnx: graphs nested 2,000 deep",
)
"""Played in the suite; `make fuzz` plays all, in every way."""
NUMBERS = {bomb.name: number for number, bomb in enumerate(bombs())}


@pytest.mark.slow
@pytest.mark.skipif(not corpus.can_play(), reason="needs unshare (and root)")
@pytest.mark.parametrize("name", SAMPLE)
def test_a_bomb_bites_and_is_held(name: str) -> None:
    number = NUMBERS[name]
    bomb = bombs()[number]
    bare, held = corpus.play(number, wrapped=False)
    assert bomb.bites(bare), bare
    assert bomb.holds(held), held
    assert held.survivors == 0, held
    assert held.level >= 2, held
