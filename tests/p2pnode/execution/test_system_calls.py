import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from p2pnode.execution import system_calls as calls

HEADERS = {
    calls.X86_64: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    calls.AARCH64: "/usr/include/asm-generic/unistd.h",
}
LISTS = {
    name: getattr(calls, name)
    for name in ("ALLOWED", "SELF_ONLY", "OWN_LIMITS", "THREADS", "ABSENT", "FATAL", "SECCOMP")
}


@pytest.mark.parametrize("machine", calls.ORDER)
def test_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    header = Path(HEADERS[machine])
    if not header.exists():
        pytest.skip(f"for want of {header}")
    pattern = re.compile(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$", re.MULTILINE)
    known = {name: int(number) for name, number in pattern.findall(header.read_text())}
    place = calls.ORDER.index(machine)
    assert len(known) > 300
    for listed in LISTS.values():
        for name, pair in listed.items():
            if name == "open_by_handle_at" and machine == calls.AARCH64:
                continue  # behind a condition of this header, as 265 there
            assert pair[place] == known.get(name), name


def test_no_call_is_in_two_lists() -> None:
    names = [name for listed in LISTS.values() for name in listed]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "name",
    ["open", "openat", "openat2", "socket", "connect", "fork", "vfork", "kill", "newfstatat"],
)
def test_files_sockets_and_processes_are_not_allowed(name: str) -> None:
    granted: Mapping[str, object] = calls.ALLOWED | calls.SELF_ONLY | calls.OWN_LIMITS
    assert name not in granted


def test_a_call_that_a_machine_lacks_has_no_number() -> None:
    assert calls.numbers_for({"time": (201, None)}, calls.AARCH64) == ()
    assert calls.numbers_for({"time": (201, None)}, calls.X86_64) == (201,)
