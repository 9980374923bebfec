"""Tells what kind of files some files are, with the model inside the `magika` package.

`prepare.py prepare FOLDER FILE...` writes the model, the input tensor and the job into a folder;
`prepare.py explain OUTPUT FILE...` reads the job's output and prints one line per file. Neither
runs the model: that is the network's work. No numpy is needed.
"""

import json
import shutil
import struct
import sys
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from p2pnode.execution.tensors import Tensor, TensorError, decode, encode

MODEL = "standard_v3_3"
"""The model of magika 1.0.3."""

INPUT_NAME = "bytes"
"""What the model calls its input: for each file, the byte values of its beginning and its end."""

ELEMENTS_MAX = 1_000_000
"""Byte values in one job: about 500 files."""


def prepare(paths: Sequence[Path]) -> tuple[bytes, bytes]:
    """Give the model and the encoded input tensor for some files.

    Raises:
        ValueError: if a file is too short for the model, or there are too many.
    """
    config = _config()
    rows = [value for path in paths for value in _features(path, config)]
    if not rows or len(rows) > ELEMENTS_MAX:
        raise ValueError(f"between 1 and {ELEMENTS_MAX // _width(config)} files make a job")
    data = struct.pack(f"<{len(rows)}i", *rows)
    tensor = Tensor(INPUT_NAME, "int32", (len(paths), _width(config)), data)
    return _model_folder().joinpath("model.onnx").read_bytes(), encode([tensor])


def explain(output: bytes) -> list[tuple[str, float]]:
    """Give the most likely label of each file and the model's confidence in it.

    Raises:
        ValueError: if the bytes are not the model's output.
    """
    labels: list[str] = _config()["target_labels_space"]
    tensors = decode(output)
    match tensors:
        case (Tensor(dtype="float32", shape=(_, width), data=data),) if width == len(labels):
            rows = struct.iter_unpack(f"<{width}f", data)
        case _:
            raise TensorError("these are not the scores of the model's labels")
    return [_best(labels, scores) for scores in rows]


def _best(labels: list[str], scores: tuple[float, ...]) -> tuple[str, float]:
    index = max(range(len(scores)), key=scores.__getitem__)
    return labels[index], scores[index]


def _features(path: Path, config: dict[str, Any]) -> list[int]:
    """Take the first and last bytes of a file, without the white space around its content."""
    block, padding = config["block_size"], config["padding_token"]
    with path.open("rb") as source:
        head = source.read(block).lstrip()[: config["beg_size"]]
        source.seek(max(0, path.stat().st_size - block))
        tail = source.read(block).rstrip()[-config["end_size"] :]
    if len(head) < config["min_file_size_for_dl"]:
        raise ValueError(f"{path.name} is too short to be recognised")
    after = [padding] * (config["beg_size"] - len(head))
    before = [padding] * (config["end_size"] - len(tail))
    return [*head, *after, *before, *tail]


def _width(config: dict[str, Any]) -> int:
    return int(config["beg_size"] + config["end_size"])


def _model_folder() -> Traversable:
    return resources.files("magika").joinpath("models", MODEL)


def _config() -> dict[str, Any]:
    config: dict[str, Any] = json.loads(_model_folder().joinpath("config.min.json").read_text())
    return config


def main(arguments: list[str]) -> None:
    """Prepare a job, or explain its output."""
    match arguments:
        case ["prepare", folder, *names] if names:
            model, encoded = prepare([Path(name) for name in names])
            target = Path(folder)
            target.mkdir(parents=True, exist_ok=True)
            (target / "model.onnx").write_bytes(model)
            (target / "input.tensors").write_bytes(encoded)
            shutil.copy(Path(__file__).with_name("job.toml"), target / "job.toml")
            print(target / "job.toml")
        case ["explain", output, *names]:
            answers = explain(Path(output).read_bytes())
            for name, (label, score) in zip(names, answers, strict=True):
                print(f"{Path(name).name}\t{label}\t{score:.3f}")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
