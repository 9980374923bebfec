import re

import pytest

from p2pnode.execution.wgsl_rules import (
    BUFFER_BYTES_MAX,
    LOOP_TURNS_MAX,
    ShaderRefusedError,
    guarded,
    read_manifest,
    without_comments,
)
from tests.p2pnode.execution.shaders import DOUBLE, buffer, manifest

MAIN = "@compute @workgroup_size(1) fn main() { BODY }"
LAVAPIPE_TURNS = 65_535
"""After which Mesa 22.3.6 leaves a loop."""


def with_pass(**changes: object) -> bytes:
    return manifest(passes=[{"entry": "main", "workgroups": [1, 1, 1], **changes}])


def with_buffer(**changes: object) -> bytes:
    return manifest(buffers=[buffer("x", "input"), buffer("y", "output") | changes])


def in_main(body: str) -> bytes:
    return manifest(MAIN.replace("BODY", body))


def test_a_sound_manifest_is_read_whole() -> None:
    read = read_manifest(manifest())
    assert read.shader == DOUBLE
    assert [(one.name, one.role, one.size_bytes) for one in read.buffers] == [
        ("x", "input", 16),
        ("y", "output", 16),
    ]
    assert [(one.entry, one.workgroups, one.repeat) for one in read.passes] == [
        ("main", (1, 1, 1), 1)
    ]


@pytest.mark.parametrize(
    ("artefact", "complaint"),
    [
        (b"", "not a shader's manifest"),
        (b"\xff", "not a shader's manifest"),
        (b"[" * 100_000, "not a shader's manifest"),
        (b"{}", "not a shader's manifest"),
        (manifest(version=2), "not a shader's manifest"),
        (manifest(more=1), "not a shader's manifest"),
        (manifest(buffers=[]), "1 to 7 buffers"),
        (manifest(buffers=[buffer(f"b{i}", "output") for i in range(8)]), "1 to 7 buffers"),
        (manifest(buffers=[buffer("x", "output")] * 2), "same name"),
        (manifest(buffers=[buffer("x", "input")]), "role 'output'"),
        (
            manifest(buffers=[buffer("y", "output"), *(buffer(f"{i}", "step", [1]) for i in "ab")]),
            "at most one buffer",
        ),
        (with_buffer(dtype="float16"), "'float16' is not one of float32, int32, uint32"),
        (with_buffer(shape=[]), "impossible shape"),
        (with_buffer(shape=[0]), "impossible shape"),
        (with_buffer(shape=[-1, -1]), "impossible shape"),
        (with_buffer(shape=[1] * 9), "impossible shape"),
        (with_buffer(shape=[BUFFER_BYTES_MAX]), "is larger than"),
        (with_buffer(role="secret"), "not a shader's manifest"),
        (with_buffer(name=""), "the name of a buffer"),
        (manifest(buffers=[buffer("y", "output"), buffer("s", "step", [2])]), "one uint32"),
        (manifest(passes=[]), "1 to 64 passes"),
        (with_pass(workgroups=[0, 1, 1]), "1 to 65535 workgroups"),
        (with_pass(workgroups=[1, 1, 65_536]), "1 to 65535 workgroups"),
        (with_pass(workgroups=[1, 1]), "not a shader's manifest"),
        (with_pass(repeat=0), "repeated 1 to 10000 times"),
        (with_pass(repeat=10_001), "repeated 1 to 10000 times"),
        (with_pass(entry="main()"), "no name of an entry point"),
        (with_pass(entry="other"), "no entry point 'other'"),
        (manifest("// fn main() {}"), "no entry point 'main'"),
        (in_main("x" * 300_000), "longer than 262144 bytes"),
        (in_main("p2p_turns = 0u;"), "the node's own"),
        (in_main("let \u00e9 = 1;"), "characters beyond ASCII"),
        (manifest("enable f16; " + MAIN), "'enable' asks for what not every node has"),
        (in_main("let a = subgroupAdd(1u);"), "depends on the width of the device"),
        (in_main("/* /* */"), "does not end"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_the_reason(artefact: bytes, complaint: str) -> None:
    with pytest.raises(ShaderRefusedError, match=re.escape(complaint)):
        read_manifest(artefact)


@pytest.mark.parametrize("space", ["", " ", "\n", "/* */"])
def test_workgroup_memory_is_refused_because_drivers_do_not_clear_it(space: str) -> None:
    shader = f"var<{space}workgroup> shared: array<u32, 64>; " + MAIN
    with pytest.raises(ShaderRefusedError, match="workgroup memory is not cleared"):
        read_manifest(manifest(shader))


def test_the_bound_of_loops_is_below_the_one_that_drivers_keep_silently() -> None:
    assert LOOP_TURNS_MAX < LAVAPIPE_TURNS


@pytest.mark.parametrize(
    "loop",
    [
        "loop { if (x) { break; } }",
        "while x > 1 { x--; }",
        "while (x) { }",
        "for (var i = 0u; i < f(g(1u), (2u)); i++) { }",
        "for (;;) { break; }",
        "for/* ( */(;;)/* { */{ break; }",
        "loop { continuing { break if x; } }",
    ],
)
def test_every_loop_counts_its_turns(loop: str) -> None:
    text = guarded(MAIN.replace("BODY", loop))
    assert text.count("{ if (p2p_spent()) { break; }") == 1


def test_nested_loops_all_count() -> None:
    text = guarded(MAIN.replace("BODY", "for (;;) { while x { loop { break; } } }"))
    assert text.count("if (p2p_spent())") == 3


def test_words_and_comments_that_only_look_like_loops_do_not_count() -> None:
    text = guarded(
        MAIN.replace("BODY", "let forty = 1; /* loop { */ let whiles = looped; // for (")
    )
    assert "if (p2p_spent())" not in text


@pytest.mark.parametrize("body", ["for (;;", "for {", "for (a{)"])
def test_a_loop_whose_head_does_not_end_is_refused(body: str) -> None:
    with pytest.raises(ShaderRefusedError):
        guarded(f"fn main() {body}")


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("a // b\nc", "a  \nc"),
        ("a /* b */ c", "a   c"),
        ("a /* /* b */ */ c", "a   c"),
        ("a /* // */ c", "a   c"),
        ("a // /* \nc", "a  \nc"),
        ("a */ b", "a */ b"),
        ("fn/**/main", "fn main"),
    ],
)
def test_comments_become_spaces(text: str, bare: str) -> None:
    assert without_comments(text) == bare
