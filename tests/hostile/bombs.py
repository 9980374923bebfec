"""The hostile corpus: what each bomb does, how it shows that it bites, and how that it is held.

Every bomb bounds itself: at most 256 processes, 1 GiB of memory, 256 MiB on disk, 20 seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from onnx import TensorProto, helper

from p2pnode.interfaces import Task
from tests.p2pnode.execution import builders

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Seen:
    """What a stage saw of one run."""

    outcome: str
    """The type of the outcome, and which limit where one was reached."""
    answer: object
    """What the bomb says of itself, or the detail of a failure."""
    elapsed_ms: int
    level: int
    survivors: int
    """Processes that were there after the runner had ended the worker."""
    most_processes: int
    most_memory_mib: int
    """Of the worker, as seen from outside."""
    disk_mib: int
    connections: int


@dataclass(frozen=True, slots=True)
class Bomb:
    """One hostile artefact."""

    name: str
    task: Task
    bites: Callable[[Seen], bool]
    """Whether it did its harm, when nothing held it."""
    holds: Callable[[Seen], bool]
    """Whether it was held."""
    bare: Task
    """The same without walls, rules or narrow limits."""


def bombs() -> tuple[Bomb, ...]:
    """All of them, those in native code first."""
    return (*_native(), *_wasm(), *_onnx())


def _native() -> tuple[Bomb, ...]:
    done = "done"
    return (
        _program("fork bomb", FORK, lambda s: s.answer == 200 and s.most_processes > 200,
                 lambda s: s.answer == 0 and s.most_processes < 10),
        _program("thread bomb", THREADS, lambda s: s.answer == 200, lambda s: s.answer == 0),
        _program("daemon that ignores SIGTERM", DAEMON, lambda s: s.survivors >= 1, _is_gone),
        _program("loop that ignores signals", LOOP, lambda s: s.elapsed_ms >= 1000,
                 lambda s: s.outcome == "LimitReached time" and s.elapsed_ms < 5000),
        _program("memory bomb", MEMORY, lambda s: s.most_memory_mib > 900, _is_out_of_memory),
        _program("memory bomb in shared pages", SHARED, lambda s: s.most_memory_mib > 900,
                 lambda s: _is_out_of_memory(s) and s.most_memory_mib < 700),
        _program("disk bomb", DISK, lambda s: s.disk_mib == 256, lambda s: s.disk_mib == 0),
        _program("giant answer", OUTPUT, lambda s: s.outcome == "Finished",
                 lambda s: s.outcome == "LimitReached output"),
        _program("announces a terabyte", ANNOUNCE, lambda s: s.outcome == "LimitReached output",
                 lambda s: s.outcome == "LimitReached output" and s.elapsed_ms < 5000),
        _program("reads and writes files", FILES, lambda s: s.answer == [done] * 4,
                 lambda s: _all_refused(s, 4)),
        _program("opens sockets", SOCKETS,
                 lambda s: s.answer == [done] * 4 and s.connections == 1,
                 lambda s: _all_refused(s, 4) and s.connections == 0),
        _program("signals and reads its parent", PARENT, lambda s: s.answer == [done] * 3,
                 lambda s: _all_refused(s, 3)),
        _program("starts a program", EXECUTE, lambda s: s.outcome == "Failed", _was_ended),
        _program("traces", TRACE, lambda s: s.answer == 0, _was_ended),
        _program("recursion to the end of the stack", RECURSION, _has_crashed, _has_crashed),
    )  # fmt: skip


def _program(
    name: str, code: str, bites: Callable[[Seen], bool], holds: Callable[[Seen], bool]
) -> Bomb:
    task = builders.task(code.encode(), kind="native", inputs=(), time_limit_ms=15_000)
    if name.startswith("loop"):
        task = replace(task, time_limit_ms=300)
    wide = replace(task, time_limit_ms=20_000, memory_limit_bytes=2**31)
    wide = replace(wide, output_limit_bytes=128 * MIB, kind="native-bare")
    return Bomb(name, replace(task, output_limit_bytes=2**16), bites, holds, wide)


def _wasm() -> tuple[Bomb, ...]:
    return (
        _artefact("wasm: endless loop", builders.module(builders.FOREVER), _ran_on, _is_timed_out),
        _artefact("wasm: memory bomb", builders.module(GROW_AND_TOUCH, pages=256),
                  lambda s: s.most_memory_mib > 500, _is_out_of_memory),
        _artefact("wasm: imports", builders.module(extra=IMPORT), _is_refused, _is_refused),
        _artefact("wasm: deep recursion", builders.module("(call 1 (local.get 0) (local.get 1))"),
                  _is_no_result, _is_no_result),
        _artefact("wasm: giant output", builders.module(GIANT, pages=1500),
                  lambda s: s.outcome == "Finished", lambda s: s.outcome == "LimitReached output"),
    )  # fmt: skip


def _onnx() -> tuple[Bomb, ...]:
    given = (builders.tensor(),)
    return (
        _artefact("onnx: endless loop", builders.endless_model(), _ran_on, _is_timed_out, given),
        _artefact("onnx: asks for 16 GiB", builders.hungry_model(),
                  _is_out_of_memory, _is_out_of_memory, given),
        _artefact("onnx: the same with 768 MiB", builders.hungry_model(192 * MIB),
                  lambda s: s.most_memory_mib > 700, _is_out_of_memory, given),
        _artefact("onnx: folds constants while it loads", folding_model(200 * MIB),
                  lambda s: s.most_memory_mib > 700, _is_out_of_memory, given),
        _artefact("onnx: weights in another file", external_model(),
                  lambda s: s.outcome == "Finished", _is_refused, given),
        _artefact("onnx: graphs nested 2,000 deep", nested_model(2_000),
                  _is_refused, _is_refused, given),
        _artefact("onnx: giant output", wide_model(24 * MIB),
                  lambda s: s.outcome == "Finished",
                  lambda s: s.outcome == "LimitReached output", given),
    )  # fmt: skip


def _artefact(
    name: str,
    artefact: bytes,
    bites: Callable[[Seen], bool],
    holds: Callable[[Seen], bool],
    inputs: tuple[bytes, ...] = (b"x",),
) -> Bomb:
    kind = name.partition(":")[0]
    limits = {"time_limit_ms": 300, "fuel_limit": 2**62, "output_limit_bytes": 2**16}
    task = builders.task(artefact, kind=kind, inputs=inputs, **limits)  # type: ignore[arg-type]
    wide = replace(task, time_limit_ms=1_500, memory_limit_bytes=2**29, kind=f"{kind}-bare")
    if "giant" in name:
        task = replace(task, memory_limit_bytes=2**29)
    if "loop" not in name:
        task, wide = (replace(one, time_limit_ms=15_000) for one in (task, wide))
    return Bomb(name, task, bites, holds, replace(wide, output_limit_bytes=128 * MIB))


def external_model() -> bytes:
    """A model whose weights lie in a file beside it."""
    secret = helper.make_tensor("secret", TensorProto.FLOAT, [3], b"\0" * 12, raw=True)
    secret.ClearField("raw_data")
    secret.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", "12")):
        entry = secret.external_data.add()
        entry.key, entry.value = key, value
    return builders.model([helper.make_node("Add", ["x", "secret"], ["y"])], initializers=[secret])


def folding_model(elements: int) -> bytes:
    """A model of some hundred bytes whose large constant the runtime computes when it loads."""
    return builders.hungry_model(elements).replace(b"ReduceSum", b"ReduceMax")


def nested_model(depth: int) -> bytes:
    """A model of conditions in conditions."""
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node("Identity", ["x"], ["y"])
    raw = helper.make_graph([node], "g", [], [result]).SerializeToString()
    for _ in range(depth):
        # Built of bytes, since the library itself refuses to serialise what is nested so deeply.
        raw = _field(1, _field(2, b"y") + _field(4, b"If") + _field(5, _branch(raw))) + _field(
            2, b"g"
        )
    return _field(7, raw) + b"\x08\x08" + _field(8, b"\x10\x11")


def wide_model(elements: int) -> bytes:
    """A small model with a large output."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [elements])
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    fill = helper.make_node("ConstantOfShape", ["shape"], ["y"], value=one)
    return builders.model([fill], initializers=[shape])


def _branch(graph: bytes) -> bytes:
    return _field(1, b"then_branch") + _field(6, graph) + b"\xa0\x01\x05"


def _field(number: int, data: bytes) -> bytes:
    """Write a field of a protocol buffer that holds bytes."""
    length, size = len(data), bytearray()
    while length >= 128:
        size.append(length & 127 | 128)
        length >>= 7
    size.append(length)
    return bytes([number << 3 | 2]) + bytes(size) + data


def _is_gone(seen: Seen) -> bool:
    return seen.survivors == 0 and str(seen.answer).startswith("refused")


def _all_refused(seen: Seen, count: int) -> bool:
    answers = seen.answer if isinstance(seen.answer, list) else []
    return len(answers) == count and all(str(one).startswith("refused") for one in answers)


def _is_out_of_memory(seen: Seen) -> bool:
    return seen.outcome == "LimitReached memory"


def _is_timed_out(seen: Seen) -> bool:
    return seen.outcome == "LimitReached time" and 300 <= seen.elapsed_ms < 5000


def _ran_on(seen: Seen) -> bool:
    return seen.elapsed_ms >= 1500


def _is_refused(seen: Seen) -> bool:
    return seen.outcome == "Failed"


def _is_no_result(seen: Seen) -> bool:
    return seen.outcome == "NoResult"


def _was_ended(seen: Seen) -> bool:
    return seen.outcome == "NoResult" and "the sandbox ended the worker" in str(seen.answer)


def _has_crashed(seen: Seen) -> bool:
    return seen.outcome == "Failed" and "SIGSEGV" in str(seen.answer)


FORK = """
answer = 0
try:
    while answer < 200:
        if os.fork() == 0:
            time.sleep(15)
            os._exit(0)
        answer += 1
    time.sleep(0.3)
except OSError:
    pass
"""
THREADS = """
answer = 0
try:
    while answer < 200:
        threading.Thread(target=time.sleep, args=(0.5,), daemon=True).start()
        answer += 1
except RuntimeError:
    pass
"""
DAEMON = """
def leave():
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            os.closerange(0, 64)
            time.sleep(10)
        os._exit(0)
    os.wait()
answer = attempt(leave)
"""
LOOP = """
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
begun = time.monotonic()
while time.monotonic() < begun + 1:
    pass
"""
MEMORY = """
hoard = []
for _ in range(64):
    hoard.append(b"x" * 2**24)
    time.sleep(0.005)
time.sleep(0.1)
answer = len(hoard)
"""
SHARED = """
hoard = []
for _ in range(64):
    pages = mmap.mmap(-1, 2**24)
    pages[:] = b"x" * 2**24
    hoard.append(pages)
    time.sleep(0.005)
time.sleep(0.1)
answer = len(hoard)
"""
DISK = """
answer = 0
try:
    descriptor = os.open(stage["folder"] + "/bomb", os.O_CREAT | os.O_WRONLY)
    for _ in range(256):
        answer += os.write(descriptor, b"x" * 2**20) >> 20
except OSError:
    pass
"""
OUTPUT = "answer = b'x' * (64 * 2**20)"
ANNOUNCE = """
os.write(result, (2**40).to_bytes(8, "little"))
for _ in range(4096):
    os.write(result, b"x" * 65536)
"""
FILES = """
secret = stage["folder"] + "/secret"
answer = [
    attempt(lambda: os.read(os.open(secret, os.O_RDONLY), 9)),
    attempt(lambda: os.open(stage["folder"] + "/new", os.O_CREAT | os.O_WRONLY)),
    attempt(lambda: os.listdir("/")),
    attempt(lambda: os.chmod(secret, 0o600)),
]
"""
SOCKETS = """
answer = [
    attempt(lambda: socket.create_connection(("127.0.0.1", stage["port"]))),
    attempt(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)),
    attempt(lambda: socket.socket(socket.AF_UNIX).bind(chr(0) + "bomb")),
    attempt(lambda: socket.socketpair()),
]
"""
PARENT = """
answer = [
    attempt(lambda: os.kill(os.getppid(), signal.SIGCONT)),
    attempt(lambda: os.open("/proc/%d/environ" % os.getppid(), os.O_RDONLY)),
    attempt(lambda: os.getpriority(os.PRIO_PROCESS, os.getppid())),
]
"""
EXECUTE = """os.execv("/bin/sh", ["sh", "-c", "exit 3"])"""
TRACE = """answer = ctypes.CDLL(None).ptrace(0, 0, 0, 0)"""
RECURSION = """
import sys
sys.setrecursionlimit(2**30)
class Endless:
    def __repr__(self):
        return repr([self])
repr(Endless())
"""
GROW_AND_TOUCH = (
    "(local $page i32) (loop $more"
    " (local.set $page (memory.grow (i32.const 256)))"
    " (if (i32.lt_s (local.get $page) (i32.const 0)) (then unreachable))"
    " (memory.fill (i32.mul (local.get $page) (i32.const 65536)) (i32.const 7)"
    "  (i32.const 16777216))"
    " (br $more)) (i64.const 0)"
)
IMPORT = '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))'
GIANT = "(i64.const 90000000)"
"""An output of 90 million bytes from the beginning of the memory."""
