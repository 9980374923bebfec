"""The artefact of a `builtin` task: which composition, which version, with which parameters."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
ModelDigest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
"""Names the model, which is the first input: so an allow-list of artefacts covers it."""


class MonteCarlo(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="monte-carlo"
):
    """Estimates pi: throws points in so many streams, each with a seed of its own."""

    version: Literal[1]
    points: Count
    """Of each stream."""
    streams: Annotated[int, Meta(ge=1, le=64)]
    seed: Seed


class MatmulChallenge(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    tag_field="name",
    tag="matmul-challenge",
):
    """Multiplies two square matrices drawn from a seed: work that only a device does in time."""

    version: Literal[1]
    size: Annotated[int, Meta(ge=16, le=4096)]
    seed: Seed


class TrainingLoop(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="training-loop"
):
    """Repeats a training step, a model whose outputs `NAME_next` become its inputs `NAME`."""

    version: Literal[1]
    model: ModelDigest
    steps: Annotated[int, Meta(ge=1, le=1_000_000)]


class BatchInference(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="batch-inference"
):
    """Runs a model on each of the further inputs and joins the outputs along the first axis."""

    version: Literal[1]
    model: ModelDigest


class Render(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="render"
):
    """Draws one tile of a path-traced picture."""

    version: Literal[1]
    width: Annotated[int, Meta(ge=1, le=4096)]
    height: Annotated[int, Meta(ge=1, le=4096)]
    left: Annotated[int, Meta(ge=0, le=4095)]
    top: Annotated[int, Meta(ge=0, le=4095)]
    tile_width: Annotated[int, Meta(ge=1, le=4096)]
    tile_height: Annotated[int, Meta(ge=1, le=4096)]
    samples: Annotated[int, Meta(ge=1, le=4096)]
    seed: Seed


Recipe = MonteCarlo | MatmulChallenge | TrainingLoop | BatchInference | Render

NAMES = ("batch-inference", "matmul-challenge", "monte-carlo", "render", "training-loop")
"""What there is, for people."""


class RecipeError(ValueError):
    """The artefact names no composition, or wrong parameters; the text says which."""


def read_recipe(artefact: bytes) -> Recipe:
    """Read a JSON document such as `{"name": "matmul-challenge", "version": 1, ...}`.

    Raises:
        RecipeError: if it is none.
    """
    try:
        recipe: Recipe = msgspec.json.decode(artefact, type=Recipe)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(
            f"the artefact names no composition ({', '.join(NAMES)}): {error}"
        ) from None
    if isinstance(recipe, Render) and not _is_inside(recipe):
        raise RecipeError("the tile lies outside the picture")
    return recipe


def _is_inside(render: Render) -> bool:
    across = render.left + render.tile_width <= render.width
    return across and render.top + render.tile_height <= render.height
