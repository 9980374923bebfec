"""Which system calls a locked worker may make, and which ones end it at once.

A call in neither list is refused with EPERM: libraries ask for many things that they can do
without, such as the number of processors, and go on. What `FATAL` names no honest runtime does
while it computes; whoever tries has taken the process over, and the kernel ends it.

Numbers are given for x86-64 and for aarch64, the latter from the kernel's generic table; None
where an instruction set has no such call.
"""

from collections.abc import Mapping

from p2pnode.execution.kernel import AARCH64, X86_64

Numbers = Mapping[str, tuple[int | None, int | None]]

ORDER = (X86_64, AARCH64)
"""Whose number stands where in a pair."""

ALLOWED: Numbers = {
    # Memory, which RLIMIT_DATA and the runner's watch bound. Runtimes compile, hence mprotect.
    "brk": (12, 214),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "madvise": (28, 233),
    # The descriptors that are open already: the pipes to the runner, and the own status.
    "read": (0, 63),
    "readv": (19, 65),
    "write": (1, 64),
    "writev": (20, 66),
    "pread64": (17, 67),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "close": (3, 57),
    # Own signals: runtimes turn faults of compiled code into traps.
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    # Locks and time.
    "futex": (202, 98),
    "membarrier": (324, 283),
    "sched_yield": (24, 124),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "restart_syscall": (219, 128),
    # What a process may know of itself.
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getcpu": (309, 168),
    "getrusage": (98, 165),
    "times": (100, 153),
    "sched_getaffinity": (204, 123),
    "getrandom": (318, 278),
    # What the C library does when a thread begins or ends.
    "rseq": (334, 293),
    "set_robust_list": (273, 99),
    "set_tid_address": (218, 96),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
"""Computing, and nothing else."""

SELF_ONLY: Numbers = {"tgkill": (234, 131)}
"""Allowed when the first argument is the own process: how `abort` ends it."""

OWN_LIMITS: Numbers = {"prlimit64": (302, 261)}
"""Allowed when the first argument is 0, the own process: limits are lowered for each task."""

THREADS: Numbers = {"clone": (56, 220)}
"""Allowed with the flag for a thread to kinds that say they need threads."""

ABSENT: Numbers = {"clone3": (435, 435)}
"""Answered as by a kernel that does not have it: its flags cannot be seen by a filter, and the C
library then uses `clone`."""

FATAL: Numbers = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "setns": (308, 268),
    "unshare": (272, 97),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "open_by_handle_at": (304, 265),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "setuid": (105, 146),
    "setgid": (106, 144),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "capset": (126, 91),
}
"""End the process: only an attack makes these calls."""

SECCOMP: Numbers = {"seccomp": (317, 277)}
"""The call that installs a filter."""


def numbers_for(calls: Numbers, machine: str) -> tuple[int, ...]:
    """Give the numbers that calls have on an instruction set, without those it lacks."""
    place = ORDER.index(machine)
    found = (pair[place] for pair in calls.values())
    return tuple(number for number in found if number is not None)
