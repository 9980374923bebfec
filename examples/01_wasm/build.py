"""Compiles `pi.wat` to `pi.wasm`; the compiled module is kept beside it, so nobody needs to."""

from pathlib import Path

from wasmtime import wat2wasm

HERE = Path(__file__).parent


def build() -> bytes:
    """Compile the module's text."""
    return bytes(wat2wasm((HERE / "pi.wat").read_text()))


if __name__ == "__main__":
    (HERE / "pi.wasm").write_bytes(build())
