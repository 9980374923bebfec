"""Which compute shaders may run at all: the manifest around them, and the text itself.

An artefact of the kind `wgsl` is a JSON document with the shader and everything about it that has
a size, so that a node knows before it runs what a task will take. The text is changed in one way:
every loop counts, because some drivers cut long ones short without a word.
"""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from p2pnode.execution.tensors import ITEM_BYTES, NAME_BYTES_MAX, RANK_MAX

SHADER_BYTES_MAX = 256 * 1024
"""UTF-8 bytes of a shader."""

BUFFERS_MAX = 7
"""Storage buffers of a shader; every WebGPU device has 8, and the last one is the guard's."""

BUFFER_BYTES_MAX = 128 * 2**20
"""Of one buffer: what every WebGPU device can bind."""

PASSES_MAX = 64
REPEAT_MAX = 10_000
"""Dispatches of one pass."""

WORKGROUPS_MAX = 65_535
"""Workgroups of one dispatch in each direction: the limit of every WebGPU device."""

LOOP_TURNS_MAX = 60_000
"""Turns of all loops together that one invocation may make in one dispatch.

Mesa's software driver (22.3.6) leaves every loop after 65,535 of them and goes on as if it had
ended; the same bound holds everywhere, so that all nodes agree on who exceeded it.
"""

ELEMENTS = ("float32", "int32", "uint32")
"""What a storage buffer can be made of."""

PREFIX = "p2p_"
"""How the names of the guard begin."""

Role = Literal["input", "output", "scratch", "step"]


class ShaderRefusedError(ValueError):
    """The artefact is no shader that may run; the text says why and what to do."""


class Buffer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One storage buffer of group 0; its place in the list is its binding."""

    name: str
    role: Role
    """`step` holds the number of the current repetition, from 0, in its only element."""
    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        size = ITEM_BYTES[self.dtype]
        for length in self.shape:
            size *= length
        return size


class Pass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Dispatches of one entry point, one after the other."""

    entry: str
    workgroups: tuple[int, int, int]
    repeat: int = 1


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An artefact of the kind `wgsl`."""

    version: Literal[1]
    shader: str
    buffers: tuple[Buffer, ...]
    passes: tuple[Pass, ...]


def read_manifest(artefact: bytes) -> Manifest:
    """Read an artefact and check everything that needs no compiler.

    Raises:
        ShaderRefusedError: if it breaks a rule.
    """
    try:
        manifest = msgspec.json.decode(artefact, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ShaderRefusedError(f"the artefact is not a shader's manifest: {error}") from None
    for problem in (*_buffer_problems(manifest.buffers), *_pass_problems(manifest.passes)):
        raise ShaderRefusedError(problem)
    text = without_comments(manifest.shader)
    for problem in _text_problems(manifest.shader, text):
        raise ShaderRefusedError(problem)
    for one in manifest.passes:
        if not re.search(rf"\bfn\s+{one.entry}\b", text):
            raise ShaderRefusedError(f"the shader has no entry point {one.entry!r}")
    return manifest


def guarded(shader: str) -> str:
    """Make every loop of a shader count its turns and leave at the limit, saying so.

    Raises:
        ShaderRefusedError: if the end of a loop's head is not to be found.
    """
    text = without_comments(shader)
    parts, done = [], 0
    for place in _loop_bodies(text):
        parts += [text[done:place], " if (p2p_spent()) { break; } "]
        done = place
    return "".join((*parts, text[done:], _GUARD))


_GUARD = f"""
@group(0) @binding({BUFFERS_MAX}) var<storage, read_write> p2p_over: atomic<u32>;
var<private> p2p_turns: u32;
fn p2p_spent() -> bool {{
  p2p_turns += 1u;
  if (p2p_turns <= {LOOP_TURNS_MAX}u) {{ return false; }}
  atomicStore(&p2p_over, 1u);
  return true;
}}
"""


def without_comments(shader: str) -> str:
    """Replace comments, which nest, by spaces; the language has no strings.

    Raises:
        ShaderRefusedError: if one does not end.
    """
    parts, depth, place = [], 0, 0
    while mark := (_INSIDE if depth else _OUTSIDE).search(shader, place):
        if depth == 0:
            parts += [shader[place : mark.start()], " "]
        place = mark.end()
        depth += {"/*": 1, "*/": -1}.get(mark[0], 0)
    if depth:
        raise ShaderRefusedError("a comment of the shader does not end")
    return "".join((*parts, shader[place:]))


_OUTSIDE = re.compile(r"/\*|//[^\n\v\f\r\x85\u2028\u2029]*")
_INSIDE = re.compile(r"/\*|\*/")


def _loop_bodies(text: str) -> Iterator[int]:
    """Find the place behind the brace that opens each loop's body."""
    for word in re.finditer(r"\b(?:for|while|loop)\b", text):
        start = _behind_parentheses(text, word.end()) if word[0] == "for" else word.end()
        # The condition of a loop is an expression, and no expression has braces.
        brace = text.find("{", start)
        if brace < 0:
            raise ShaderRefusedError(f"a {word[0]!r} of the shader has no body")
        yield brace + 1


def _behind_parentheses(text: str, start: int) -> int:
    depth = 0
    for mark in re.finditer(r"[(){]", text[start:]):
        if mark[0] == "{":
            break
        depth += 1 if mark[0] == "(" else -1
        if depth <= 0:
            return start + mark.end()
    raise ShaderRefusedError("the head of a 'for' of the shader does not end")


def _text_problems(shader: str, text: str) -> Iterator[str]:
    """Say what a shader may not contain."""
    if len(shader.encode(errors="surrogatepass")) > SHADER_BYTES_MAX:
        yield f"the shader is longer than {SHADER_BYTES_MAX} bytes"
    if not text.isascii():
        yield "the shader has characters beyond ASCII outside its comments"
    if re.search(rf"\b{PREFIX}", text):
        yield f"names that begin with {PREFIX!r} are the node's own"
    if re.search(r"<\s*workgroup\b", text):
        yield (
            "workgroup memory is not cleared by every driver and may show what was there before: "
            "keep values in variables of the function or in a scratch buffer"
        )
    if found := re.search(r"\b(?:enable|requires)\b", text):
        yield f"{found[0]!r} asks for what not every node has"
    if found := re.search(r"\b(?:subgroup|quad)[A-Z]\w*", text):
        yield f"{found[0]!r} depends on the width of the device"


def _buffer_problems(buffers: tuple[Buffer, ...]) -> Iterator[str]:
    if not 1 <= len(buffers) <= BUFFERS_MAX:
        yield f"a shader has 1 to {BUFFERS_MAX} buffers"
    if len({one.name for one in buffers}) != len(buffers):
        yield "two buffers have the same name"
    if not any(one.role == "output" for one in buffers):
        yield "a shader needs a buffer with the role 'output'"
    if sum(one.role == "step" for one in buffers) > 1:
        yield "at most one buffer has the role 'step'"
    for one in buffers:
        if not 0 < len(one.name.encode(errors="surrogatepass")) <= NAME_BYTES_MAX:
            yield f"the name of a buffer has 1 to {NAME_BYTES_MAX} bytes"
        if one.dtype not in ELEMENTS:
            yield f"buffer {one.name!r}: {one.dtype!r} is not one of {', '.join(ELEMENTS)}"
        elif not 1 <= len(one.shape) <= RANK_MAX or any(length < 1 for length in one.shape):
            yield f"buffer {one.name!r} has an impossible shape {list(one.shape)}"
        elif one.size_bytes > BUFFER_BYTES_MAX:
            yield f"buffer {one.name!r} is larger than {BUFFER_BYTES_MAX} bytes"
        elif one.role == "step" and (one.dtype, one.shape) != ("uint32", (1,)):
            yield f"buffer {one.name!r} is the step: it is one uint32"


def _pass_problems(passes: tuple[Pass, ...]) -> Iterator[str]:
    if not 1 <= len(passes) <= PASSES_MAX:
        yield f"a shader has 1 to {PASSES_MAX} passes"
    for one in passes:
        if not re.fullmatch(r"[A-Za-z_]\w{0,63}", one.entry, re.ASCII):
            yield f"{one.entry!r} is no name of an entry point"
        if not all(1 <= count <= WORKGROUPS_MAX for count in one.workgroups):
            yield f"pass {one.entry!r}: 1 to {WORKGROUPS_MAX} workgroups in each direction"
        if not 1 <= one.repeat <= REPEAT_MAX:
            yield f"pass {one.entry!r} can be repeated 1 to {REPEAT_MAX} times"
