"""Makes everything that is sent: the shader's manifest, one input and one recipe for each tile.

`build.py` writes into its own folder, where the results are kept, so nobody needs to. The module
is compiled with clang 14 and its linker: `build.py module`.
"""

import json
import struct
import subprocess
import sys
from pathlib import Path

from p2pnode.execution.tensors import Tensor, encode

HERE = Path(__file__).parent
WIDTH, HEIGHT, TILE, SAMPLES, SEED = 256, 192, 64, 16, 7
COMPILE = (
    "clang --target=wasm32 -O3 -ffp-contract=off -nostdlib -Wall -Wl,--no-entry"
    " -Wl,-z,stack-size=65536 -Wl,--strip-all -o tracer.wasm tracer.c"
)


def tiles() -> list[tuple[int, int]]:
    """Give left and top of each tile, row by row."""
    return [(left, top) for top in range(0, HEIGHT, TILE) for left in range(0, WIDTH, TILE)]


def manifest() -> bytes:
    """Put the shader and what it takes into one artefact of the kind `wgsl`."""
    document = {
        "version": 1,
        "shader": (HERE / "tracer.wgsl").read_text(),
        "buffers": [
            {"name": "job", "role": "input", "dtype": "uint32", "shape": [8]},
            {"name": "pixels", "role": "output", "dtype": "float32", "shape": [TILE, TILE, 3]},
        ],
        "passes": [{"entry": "main", "workgroups": [TILE // 8, TILE // 8, 1]}],
    }
    return json.dumps(document, indent=1).encode()


def shader_input(left: int, top: int) -> bytes:
    """Encode what the shader reads for one tile."""
    words = struct.pack("<8I", WIDTH, HEIGHT, left, top, TILE, TILE, SAMPLES, SEED)
    return encode([Tensor("job", "uint32", (8,), words)])


def recipe(left: int, top: int) -> bytes:
    """Write the artefact of the kind `builtin` for one tile."""
    document = {
        "name": "render",
        "version": 1,
        "width": WIDTH,
        "height": HEIGHT,
        "left": left,
        "top": top,
        "tile_width": TILE,
        "tile_height": TILE,
        "samples": SAMPLES,
        "seed": SEED,
    }
    return json.dumps(document).encode()


def files() -> dict[str, bytes]:
    """Name everything that is built, but the module."""
    built = {"tracer.json": manifest()}
    for left, top in tiles():
        built[f"tiles/{left}-{top}.tensors"] = shader_input(left, top)
        built[f"tiles/{left}-{top}.json"] = recipe(left, top)
    return built


if __name__ == "__main__":
    if sys.argv[1:] == ["module"]:
        subprocess.run(COMPILE.split(), cwd=HERE, check=True)  # noqa: S603 - our own command
    (HERE / "tiles").mkdir(exist_ok=True)
    for name, content in files().items():
        (HERE / name).write_bytes(content)
