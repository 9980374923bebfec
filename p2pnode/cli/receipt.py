"""A job's receipt for people: who worked and why they were drawn, what it cost, what came back.

And what a node remembers of a job or an operation, step by step.
"""

from collections.abc import Iterator, Mapping, Sequence

from p2pnode.cli.output import percent, printable
from p2pnode.money import format_credits


def receipt_lines(record: Mapping[str, object]) -> Iterator[str]:
    """Write a receipt line by line."""
    state, finality = record.get("state"), record.get("finality")
    yield f"job {printable(record.get('id'))}"
    yield f"  state       {printable(state)} ({printable(finality)})"
    if reason := record.get("reason"):
        yield f"  because     {printable(reason)}"
    if digest := record.get("result_digest"):
        yield f"  result      blake2b:{printable(digest)}"
    if isinstance(confidence := record.get("confidence"), int):
        replicas = printable(record.get("replicas", "?"))
        yield f"  confidence  {percent(confidence)} from {replicas} replicas"
    if isinstance(metered := record.get("metered"), Mapping):
        yield f"  metered     {metered_text(metered)}"
    yield from _people("executors", record.get("executors"))
    yield from _people("spares", record.get("spares"))
    for dispute in _records(record.get("disputes")):
        yield f"  dispute     {printable(dispute.get('reason'))}"
    yield from _moves("payouts", record.get("payouts"))
    delivery = record.get("delivery")
    if isinstance(delivery, Mapping) and not delivery.get("is_over"):
        yield "  delivery    payouts wait; until they leave, `p2pnode claim` doubts the output"
    yield from _moves("slashes", record.get("slashes"))
    for name in ("fee", "refund"):
        if isinstance(amount := record.get(name), int):
            yield f"  {name:<10}  {format_credits(amount)}"


def metered_text(metered: Mapping[str, object]) -> str:
    """Write what this node's own run of a job used."""
    parts = [
        f"{_scaled(metered.get('elapsed_ms'), 1_000, 's')} on {printable(metered.get('device'))}"
    ]
    parts.append(f"{_scaled(metered.get('memory_bytes'), 2**20, 'MiB')} of memory")
    if (gpu_memory := metered.get("gpu_memory_bytes")) is not None:
        parts.append(f"{_scaled(gpu_memory, 2**20, 'MiB')} of GPU memory")
    if (energy := metered.get("energy_millijoules")) is not None:
        parts.append(_scaled(energy, 1_000, "J"))
    return ", ".join(parts) + " on this node"


def phase_lines(record: Mapping[str, object]) -> list[str]:
    """Write the phases that a job has gone through, one a line."""
    return [
        f"{printable(step.get('phase'))} (round {printable(step.get('round'))})"
        for step in _records(record.get("timeline"))
    ]


def memory_lines(reasons: Mapping[str, object]) -> Iterator[str]:
    """Write what a node remembers of an identifier, oldest first, and the job's receipt last."""
    identifier = reasons.get("id")
    yield f"this node remembers of {printable(identifier)}"
    for fact in _records(reasons.get("facts")):
        at_ms = fact.get("at_ms")
        time = f"{at_ms / 1_000:9.3f} s" if isinstance(at_ms, int) else " " * 11
        rest = ", ".join(
            f"{printable(name)} {printable(value)}"
            for name, value in fact.items()
            if name not in ("fact", "at_ms") and value != identifier
        )
        yield f"  {time}  {printable(fact.get('fact'))}  {rest}".rstrip()
    job = reasons.get("job")
    if isinstance(job, Mapping):
        yield from receipt_lines(job)


def _scaled(value: object, factor: int, unit: str) -> str:
    return f"{value / factor:.1f} {unit}" if isinstance(value, int) else f"? {unit}"


def _people(title: str, value: object) -> Iterator[str]:
    rows = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    for position, row in enumerate(rows):
        account = row.get("account") if isinstance(row, Mapping) else row
        why = row.get("reason") or row.get("why") if isinstance(row, Mapping) else None
        name = title if position == 0 else ""
        yield f"  {name:<10}  {printable(account)}" + (f": {printable(why)}" if why else "")


def _moves(title: str, value: object) -> Iterator[str]:
    for position, row in enumerate(_records(value)):
        name = title if position == 0 else ""
        amount = row.get("amount")
        text = format_credits(amount) if isinstance(amount, int) else printable(amount)
        yield (
            f"  {name:<10}  {text} {printable(row.get('account'))}: {printable(row.get('reason'))}"
        )


def _records(value: object) -> list[Mapping[str, object]]:
    rows = value if isinstance(value, list | tuple) else ()
    return [row for row in rows if isinstance(row, Mapping)]
