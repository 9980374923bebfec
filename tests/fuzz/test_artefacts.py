"""Whatever artefact arrives, its reader answers with a value or a refusal, and nothing else."""

import json
import random
import re
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from p2pnode.execution.compositions.recipe import RecipeError, read_recipe
from p2pnode.execution.wgsl_rules import (
    ShaderRefusedError,
    guarded,
    read_manifest,
    without_comments,
)
from tests.p2pnode.execution import builders
from tests.p2pnode.execution.shaders import manifest

TRACER = (builders.ROOT / "examples" / "05_render" / "tracer.json").read_bytes()
RECIPE = (builders.ROOT / "examples" / "05_render" / "tiles" / "0-0.json").read_bytes()
WORDS = ["loop", "for", "while", "(", ")", "{", "}", ";", "//", "/*", "*/", "\n", " ", "x", "fn"]


def shader_reader(raw: bytes) -> None:
    guarded(read_manifest(raw).shader)


@pytest.mark.parametrize(
    ("read", "valid", "refusal"),
    [
        (shader_reader, TRACER, ShaderRefusedError),
        (shader_reader, manifest(), ShaderRefusedError),
        (read_recipe, RECIPE, RecipeError),
    ],
)
def test_damaged_artefacts_are_read_or_refused(
    read: Callable[[bytes], object], valid: bytes, refusal: type[Exception]
) -> None:
    draw, refused = random.Random(7), 0  # noqa: S311 - damage, no secret
    read(valid)
    for _ in range(3000):
        raw = bytearray(valid)
        for _ in range(draw.randint(1, 3)):
            place = draw.randrange(len(raw))
            match draw.randrange(3):
                case 0:
                    raw[place] = draw.randrange(256)
                case 1:
                    del raw[place : place + draw.randint(1, 20)]
                case _:
                    raw[place:place] = raw[: draw.randint(1, 20)]
        try:
            read(bytes(raw))
        except refusal:
            refused += 1
    assert refused > 300


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with pytest.raises(ShaderRefusedError):
        read_manifest(raw)
    with pytest.raises(RecipeError):
        read_recipe(raw)


@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join))
def test_any_text_has_a_guard_for_each_of_its_loops_or_is_refused(text: str) -> None:
    try:
        counted = guarded(text)
    except ShaderRefusedError:
        return
    loops = len(re.findall(r"\b(?:for|while|loop)\b", without_comments(text)))
    assert counted.count("if (p2p_spent())") == loops


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_any_value_in_the_place_of_a_key_is_read_or_refused(value: object) -> None:
    assume(value != 1)
    for key in ("version", "shader", "buffers", "passes"):
        with pytest.raises(ShaderRefusedError):
            read_manifest(manifest(**{key: value}))
    for key in json.loads(RECIPE):
        changed = json.dumps(json.loads(RECIPE) | {key: value}).encode()
        try:
            read_recipe(changed)
        except RecipeError:
            continue
        assert isinstance(value, int)
