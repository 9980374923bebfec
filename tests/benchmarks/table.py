"""Figures as lines for people and as values for programs."""

import platform
from collections.abc import Iterator
from importlib.metadata import version
from os import cpu_count, getloadavg
from pathlib import Path

from tests.benchmarks.figures import Figure

HEADER = (
    f"{'figure':<46} {'value':>10} {'unit':<9} {'ratio':>7} {'runs':>4} "
    f"{'min / median / max':<26} {'target':<16} verdict"
)


def machine() -> str:
    """Describe where and in what company this runs."""
    load = " ".join(f"{one:.2f}" for one in getloadavg())
    memory = _proc_field(Path("/proc/meminfo"), "MemTotal")
    libraries = " ".join(f"{name} {version(name)}" for name in ("libp2p", "trio", "pynacl"))
    return (
        f"{_proc_field(Path('/proc/cpuinfo'), 'model name')}, {cpu_count()} cores, "
        f"memory {memory}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {libraries}, load at start {load}"
    )


def lines_of(figure: Figure) -> Iterator[str]:
    """Write one figure."""
    target = f"{figure.target.sense} {_short(figure.target.limit)}" if figure.target else ""
    ratio = f"{figure.ratio:.2f}x" if figure.ratio is not None else ""
    low, high = min(figure.samples), max(figure.samples)
    spread = f"{_short(low)} / {_short(figure.value)} / {_short(high)}"
    yield (
        f"{figure.name:<46} {_short(figure.value):>10} {figure.unit:<9} {ratio:>7} "
        f"{len(figure.samples):>4} {spread:<26} {target:<16} {figure.verdict}"
    )
    if figure.floor:
        yield f"    next to {_short(figure.floor.value)} {figure.unit}: {figure.floor.name}"
    yield f"    {figure.conditions}"


def record_of(figure: Figure) -> dict[str, object]:
    """Make one figure ready for JSON."""
    floor, target = figure.floor, figure.target
    return {
        "name": figure.name,
        "value": figure.value,
        "unit": figure.unit,
        "floor": floor.name if floor else None,
        "floor_value": floor.value if floor else None,
        "ratio": figure.ratio,
        "runs": len(figure.samples),
        "spread": [min(figure.samples), figure.value, max(figure.samples)],
        "target": f"{target.sense} {target.limit:g}" if target else None,
        "met": target.is_met(figure.value) if target else None,
        "conditions": figure.conditions,
    }


def _short(value: float) -> str:
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def _proc_field(path: Path, name: str) -> str:
    """Read a field of a file of the kernel; its own name where there is no such file."""
    text = path.read_text() if path.exists() else ""
    for line in text.splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return f"unknown {name}"
