"""The filter is run by an interpreter of its instructions, for machines that are not at hand."""

import struct

import pytest

from p2pnode.execution import seccomp
from p2pnode.execution import system_calls as calls
from p2pnode.execution.kernel import AARCH64, X86_64

OWN, OTHER = 4242, 4243
MACHINES = (X86_64, AARCH64)


def verdict(
    machine: str, number: int, first: int = 0, *, asked: str = "", threads: bool = False
) -> int:
    """What the kernel would answer to a call, with its first argument."""
    code = seccomp.filter_for(machine, OWN, threads=threads)
    name = seccomp.AUDIT_NAMES[asked or machine]
    data = struct.pack("<IIQQ", number, name, 0, first)
    place = accumulator = 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("=HBBI", code, 8 * place)
        place += 1
        match operation:
            case seccomp.LOAD_WORD:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case seccomp.JUMP_IF_EQUAL:
                place += if_true if accumulator == value else if_false
            case seccomp.JUMP_IF_AT_LEAST:
                place += if_true if accumulator >= value else if_false
            case seccomp.JUMP_IF_ANY_BIT:
                place += if_true if accumulator & value else if_false
            case seccomp.RETURN:
                return int(value)


def number_of(name: str, machine: str) -> int:
    everything = calls.ALLOWED | calls.SELF_ONLY | calls.OWN_LIMITS | calls.THREADS
    everything = everything | calls.ABSENT | calls.FATAL
    (number,) = calls.numbers_for({name: everything[name]}, machine)
    return number


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_gets_the_answer_of_its_list(machine: str) -> None:
    granted = set(calls.numbers_for(calls.ALLOWED, machine))
    fatal = set(calls.numbers_for(calls.FATAL, machine))
    (absent,) = calls.numbers_for(calls.ABSENT, machine)
    special = {number_of(name, machine) for name in ("tgkill", "prlimit64", "clone")}
    for number in set(range(600)) - special:
        expected = seccomp.REFUSE
        if number in granted:
            expected = seccomp.ALLOW
        elif number in fatal:
            expected = seccomp.END_PROCESS
        elif number == absent:
            expected = seccomp.NOT_IMPLEMENTED
        assert verdict(machine, number) == expected, number


@pytest.mark.parametrize("machine", MACHINES)
def test_only_the_own_process_may_be_signalled_and_limited(machine: str) -> None:
    signal, limit = number_of("tgkill", machine), number_of("prlimit64", machine)
    assert verdict(machine, signal, OWN) == seccomp.ALLOW
    assert verdict(machine, signal, OTHER) == seccomp.REFUSE
    assert verdict(machine, limit, 0) == seccomp.ALLOW
    assert verdict(machine, limit, OTHER) == seccomp.REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_threads_are_for_kinds_that_need_them_and_processes_for_none(machine: str) -> None:
    clone, as_fork = number_of("clone", machine), 17
    thread = seccomp.CLONE_THREAD | 0x3D0F00
    assert verdict(machine, clone, thread) == seccomp.REFUSE
    assert verdict(machine, clone, thread, threads=True) == seccomp.ALLOW
    assert verdict(machine, clone, as_fork, threads=True) == seccomp.REFUSE


def test_calls_of_another_instruction_set_end_the_process() -> None:
    read = number_of("read", X86_64)
    assert verdict(X86_64, read, asked=AARCH64) == seccomp.END_PROCESS
    assert verdict(X86_64, seccomp.FOREIGN_NUMBERS + read) == seccomp.END_PROCESS
    assert not seccomp.is_written_for("riscv64")
