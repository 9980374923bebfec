"""The system call filter: a program that the kernel runs before each call of a locked worker.

Written as plain numbers, so that no further library is trusted. Source: the kernel's
`Documentation/userspace-api/seccomp_filter.rst`.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

from p2pnode.execution import kernel
from p2pnode.execution import system_calls as calls
from p2pnode.execution.kernel import AARCH64, X86_64

SET_MODE_FILTER = 1
ALL_THREADS = 1
"""Binds the threads that the runtimes have started too."""

LOAD_WORD = 0x20
JUMP_IF_EQUAL = 0x15
JUMP_IF_AT_LEAST = 0x35
JUMP_IF_ANY_BIT = 0x45
RETURN = 0x06
"""Codes of the filter's little machine."""

NUMBER_OFFSET = 0
MACHINE_OFFSET = 4
FIRST_ARGUMENT_OFFSET = 16
"""Where the kernel puts what is asked; an argument's low half comes first on both machines."""

ALLOW = 0x7FFF0000
END_PROCESS = 0x80000000
REFUSE = 0x00050000 | errno.EPERM
NOT_IMPLEMENTED = 0x00050000 | errno.ENOSYS

AUDIT_NAMES = {X86_64: 0xC000003E, AARCH64: 0xC00000B7}
"""How the kernel names the instruction set of a call."""

FOREIGN_NUMBERS = 0x40000000
"""From here on, x86-64 takes numbers of its 32-bit interface, which no list here speaks of."""

CLONE_THREAD = 0x00010000


class Program(ctypes.Structure):
    """A filter as the kernel takes it."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def is_written_for(machine: str) -> bool:
    """Say whether there are lists of calls for an instruction set."""
    return machine in AUDIT_NAMES


def install(*, threads: bool) -> None:
    """Bind all threads of this process to the filter, for good.

    Args:
        threads: whether the kind's runtime may start more threads.

    Raises:
        OSError: if the kernel refuses.
    """
    machine = kernel.architecture()
    instructions = filter_for(machine, os.getpid(), threads=threads)
    program = Program(len(instructions) // 8, instructions)
    (number,) = calls.numbers_for(calls.SECCOMP, machine)
    answer = kernel.system_call(number, SET_MODE_FILTER, ALL_THREADS, ctypes.byref(program))
    if answer:
        raise OSError(errno.ESRCH, f"thread {answer} could not be bound to the filter")


def filter_for(machine: str, own_pid: int, *, threads: bool) -> bytes:
    """Write the program: eight bytes for each instruction, from cheap checks to dear ones."""
    code = [
        _instruction(LOAD_WORD, MACHINE_OFFSET),
        _instruction(JUMP_IF_EQUAL, AUDIT_NAMES[machine], 1, 0),
        _instruction(RETURN, END_PROCESS),
        _instruction(LOAD_WORD, NUMBER_OFFSET),
        _instruction(JUMP_IF_AT_LEAST, FOREIGN_NUMBERS, 0, 1),
        _instruction(RETURN, END_PROCESS),
    ]
    for number in calls.numbers_for(calls.ALLOWED, machine):
        code += _answer(number, ALLOW)
    for number in calls.numbers_for(calls.FATAL, machine):
        code += _answer(number, END_PROCESS)
    for number in calls.numbers_for(calls.ABSENT, machine):
        code += _answer(number, NOT_IMPLEMENTED)
    for number in calls.numbers_for(calls.SELF_ONLY, machine):
        code += _allow_if(number, JUMP_IF_EQUAL, own_pid)
    for number in calls.numbers_for(calls.OWN_LIMITS, machine):
        code += _allow_if(number, JUMP_IF_EQUAL, 0)
    if threads:
        for number in calls.numbers_for(calls.THREADS, machine):
            code += _allow_if(number, JUMP_IF_ANY_BIT, CLONE_THREAD)
    code.append(_instruction(RETURN, REFUSE))
    return b"".join(code)


def _answer(number: int, verdict: int) -> Iterable[bytes]:
    return _instruction(JUMP_IF_EQUAL, number, 0, 1), _instruction(RETURN, verdict)


def _allow_if(number: int, comparison: int, value: int) -> Iterable[bytes]:
    """Allow a call when its first argument compares well; refuse it else."""
    return (
        _instruction(JUMP_IF_EQUAL, number, 0, 4),
        _instruction(LOAD_WORD, FIRST_ARGUMENT_OFFSET),
        _instruction(comparison, value, 0, 1),
        _instruction(RETURN, ALLOW),
        _instruction(RETURN, REFUSE),
    )


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
