"""Runs a WebAssembly module under the import-free ABI; imported by worker processes only.

A module exports `memory`, `alloc(size: i32) -> i32` and `run(pointer: i32, length: i32) -> i64`.
All inputs arrive in one buffer that the module allocated: a little-endian u32 count, then for each
input a u32 length and its bytes. `run` answers `pointer << 32 | length` of its output. An `alloc`
that answers 0 has no memory left. A job made of steps runs a fresh instance for each, on what the
last one left (at first the first input), the number of the step as eight little-endian bytes, and
the other inputs. There is no clock, randomness, file or import of any kind, so
output and fuel are the same on every machine.
"""

import hashlib
import struct
from dataclasses import replace

from wasmtime import (
    Config,
    Engine,
    Func,
    FuncType,
    Instance,
    Memory,
    MemoryType,
    Module,
    Store,
    Trap,
    TrapCode,
    ValType,
    WasmtimeError,
)

from p2pnode.interfaces import (
    Failed,
    Finished,
    Limit,
    LimitReached,
    NoResult,
    RunOutcome,
    Stretch,
    Task,
)

BINARY_PREFIX = b"\x00asm\x01\x00\x00\x00"
"""How a binary module of version 1 begins; the text format is not accepted."""

PAGE_BYTES = 65536
"""A page of linear memory."""

MEMORY_BYTES_MAX = 2**32
"""What 32-bit addresses reach."""

STACK_BYTES = 512 * 1024
"""Of the module's call stack: the same everywhere, because frames are the compiler's."""

TABLE_ELEMENTS_MAX = 100_000
"""Entries of one table: far beyond a compiler's need for indirect calls."""

EMPTY_MODULE = BINARY_PREFIX

HAS_STEPS = True


def load() -> None:
    """Compile an empty module, so that every part of the runtime is in memory."""
    engine = Engine(_config())
    Instance(Store(engine), Module(engine, EMPTY_MODULE), [])


def run(task: Task, device: str) -> RunOutcome:
    """Run a module on its inputs; `device` is always the processor."""
    del device
    engine = Engine(_config())
    if not task.artefact.startswith(BINARY_PREFIX):
        return Failed("the artefact is not a binary WebAssembly module", 0)
    try:
        module = Module(engine, task.artefact)
    except WasmtimeError as error:
        return Failed(f"the artefact is not a valid module: {_first_line(error)}", 0)
    problem = _interface_problem(module)
    if problem is not None:
        return Failed(problem, 0)
    if task.stretch is not None:
        return _run_stretch(task, task.stretch, engine, module)
    return _call(task, engine, module)


def _call(task: Task, engine: Engine, module: Module) -> RunOutcome:
    store = Store(engine)
    store.set_fuel(task.fuel_limit)
    limit_bytes = min(task.memory_limit_bytes, MEMORY_BYTES_MAX)
    store.set_limits(limit_bytes, TABLE_ELEMENTS_MAX, instances=1, tables=16, memories=1)
    return _Call(task, module, store, limit_bytes).outcome()


def _run_stretch(task: Task, stretch: Stretch, engine: Engine, module: Module) -> RunOutcome:
    """Run the module once for each step; what one left is all that the next one knows of it."""
    first, *others = task.inputs or (b"",)
    left, fuel, trace = stretch.given if stretch.first else first, 0, bytearray()
    for number in range(stretch.first, stretch.last):
        inputs = (left, number.to_bytes(8, "little"), *others)
        step = replace(task, inputs=inputs, fuel_limit=task.fuel_limit - fuel)
        outcome = _call(step, engine, module)
        if not isinstance(outcome, Finished):
            return outcome
        left, fuel = outcome.output, fuel + outcome.fuel
        trace += left_digest(left)
    return Finished(left, 0, fuel, 0, bytes(trace))


def left_digest(left: bytes) -> bytes:
    """Name what a step left, as all content is named."""
    return hashlib.blake2b(left, digest_size=32).digest()


class _Call:
    """One instance of a module and what it used so far."""

    def __init__(self, task: Task, module: Module, store: Store, limit_bytes: int) -> None:
        self._task = task
        self._module = module
        self._store = store
        self._limit_bytes = limit_bytes
        self._memory: Memory | None = None

    def outcome(self) -> RunOutcome:
        if _initial_memory_bytes(self._module) > self._limit_bytes:
            return LimitReached(Limit.MEMORY, 0, 0)
        try:
            return self._run()
        except Trap as trap:
            return self._trapped(trap)
        except WasmtimeError as error:
            return Failed(f"the module could not be run: {_first_line(error)}", 0)

    def _run(self) -> RunOutcome:
        store = self._store
        exports = Instance(store, self._module, []).exports(store)
        memory, allocate, run_module = exports["memory"], exports["alloc"], exports["run"]
        assert isinstance(memory, Memory)
        assert isinstance(allocate, Func)
        assert isinstance(run_module, Func)
        self._memory = memory
        buffer = pack_inputs(self._task.inputs)
        pointer = allocate(store, _signed(len(buffer))) & 0xFFFFFFFF
        if pointer == 0:
            return LimitReached(Limit.MEMORY, 0, self._used_fuel())
        if pointer + len(buffer) > memory.data_len(store):
            return Failed("the module's alloc answered a place outside its memory", 0)
        memory.write(store, buffer, pointer)
        packed = run_module(store, _signed(pointer), _signed(len(buffer))) & (2**64 - 1)
        start, length = packed >> 32, packed & 0xFFFFFFFF
        if length > self._task.output_limit_bytes:
            return LimitReached(Limit.OUTPUT, 0, self._used_fuel())
        if start + length > memory.data_len(store):
            return Failed("the module's output lies outside its memory", 0)
        output = bytes(memory.read(store, start, start + length))
        return Finished(output, 0, self._used_fuel(), 0)

    def _trapped(self, trap: Trap) -> RunOutcome:
        code = trap.trap_code
        if code is TrapCode.OUT_OF_FUEL:
            return LimitReached(Limit.FUEL, 0, self._task.fuel_limit)
        if code is TrapCode.STACK_OVERFLOW:
            # How deep a module may call follows from the frames that the compiler of this
            # processor makes, so another honest node may come through.
            return NoResult("the module's calls are nested too deeply for this machine", 0)
        if self._memory_is_full():
            # Compiled code keeps the count in a register and a trap may lose the last of it.
            return LimitReached(Limit.MEMORY, 0, 0)
        return Failed(f"the module trapped: {code.name if code else _first_line(trap)}", 0)

    def _memory_is_full(self) -> bool:
        """Say whether not one more page would have been granted.

        The runtime does not tell that a growth was refused. A module that trapped with its memory
        full is taken to have trapped for want of it, which every machine decides the same way.
        """
        if self._memory is None:
            return False
        return self._memory.data_len(self._store) + PAGE_BYTES > self._limit_bytes

    def _used_fuel(self) -> int:
        return self._task.fuel_limit - self._store.get_fuel()


def pack_inputs(inputs: tuple[bytes, ...]) -> bytearray:
    """Put all inputs into the one buffer that a module reads."""
    buffer = bytearray(struct.pack("<I", len(inputs)))
    for data in inputs:
        buffer += struct.pack("<I", len(data))
        buffer += data
    return buffer


def _config() -> Config:
    config = Config()
    config.consume_fuel = True
    config.cranelift_nan_canonicalization = True
    config.wasm_simd = True
    # Should the runtime ever let one through, it is to answer the same everywhere.
    config.wasm_relaxed_simd = False
    config.wasm_relaxed_simd_deterministic = True
    config.wasm_threads = False
    config.shared_memory = False
    config.wasm_memory64 = False
    config.wasm_multi_memory = False
    config.wasm_function_references = False
    config.wasm_gc = False
    config.wasm_exceptions = False
    config.wasm_tail_call = False
    config.wasm_wide_arithmetic = False
    config.wasm_custom_page_sizes = False
    config.parallel_compilation = False
    # Images of initial memory are files in memory, and a confined worker can open none.
    config.memory_init_cow = False
    config.max_wasm_stack = STACK_BYTES
    return config


def _interface_problem(module: Module) -> str | None:
    """Say how a module fails the ABI, or None."""
    if module.imports:
        first = module.imports[0]
        return f"the module imports {first.module}.{first.name}; nothing can be imported"
    exports = {export.name: export.type for export in module.exports}
    if not isinstance(exports.get("memory"), MemoryType):
        return "the module does not export its memory as `memory`"
    number, wide = ValType.i32(), ValType.i64()
    if not _is_function(exports.get("alloc"), [number], [number]):
        return "the module does not export `alloc(i32) -> i32`"
    if not _is_function(exports.get("run"), [number, number], [wide]):
        return "the module does not export `run(i32, i32) -> i64`"
    return None


def _is_function(kind: object, parameters: list[ValType], results: list[ValType]) -> bool:
    return isinstance(kind, FuncType) and kind.params == parameters and kind.results == results


def _initial_memory_bytes(module: Module) -> int:
    for export in module.exports:
        if isinstance(export.type, MemoryType):
            return export.type.limits.min * PAGE_BYTES
    return 0


def _signed(number: int) -> int:
    return number - 2**32 if number >= 2**31 else number


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
