import json

import pytest

from p2pnode.execution.compositions.recipe import (
    NAMES,
    MatmulChallenge,
    MonteCarlo,
    RecipeError,
    read_recipe,
)

MATMUL = {"name": "matmul-challenge", "version": 1, "size": 64, "seed": 7}
RENDER = {
    "name": "render",
    "version": 1,
    "width": 8,
    "height": 8,
    "left": 4,
    "top": 4,
    "tile_width": 4,
    "tile_height": 4,
    "samples": 1,
    "seed": 0,
}


def refused(document: object) -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(json.dumps(document).encode())
    return str(caught.value)


def test_a_recipe_is_read() -> None:
    assert read_recipe(json.dumps(MATMUL).encode()) == MatmulChallenge(1, 64, 7)
    text = b'{"name": "monte-carlo", "version": 1, "points": 9, "streams": 2, "seed": 3}'
    assert read_recipe(text) == MonteCarlo(1, 9, 2, 3)
    read_recipe(json.dumps(RENDER).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"name": "mine-coins"},
        {"version": 2},
        {"size": 15},
        {"size": 4097},
        {"size": 64.5},
        {"seed": -1},
        {"seed": 2**32},
        {"more": 1},
    ],
)
def test_what_is_no_recipe_is_refused_with_the_list_of_them(change: dict[str, object]) -> None:
    complaint = refused(MATMUL | change)
    assert all(name in complaint for name in NAMES)


@pytest.mark.parametrize("change", [{"left": 5}, {"top": 5}, {"tile_width": 9}])
def test_a_tile_outside_its_picture_is_refused(change: dict[str, int]) -> None:
    assert refused(RENDER | change) == "the tile lies outside the picture"


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[]", b"[" * 100_000])
def test_bytes_that_are_no_document_are_refused(raw: bytes) -> None:
    with pytest.raises(RecipeError, match="names no composition"):
        read_recipe(raw)
