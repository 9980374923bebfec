"""How the demonstration tells a job's life: a sentence per phase, and the receipt with names."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from p2pnode.money import format_credits

Record = Mapping[str, Any]
Names = Mapping[str, str]
"""What to call an account, such as `node 2`."""

WEIGHT_PERCENT = 100


def phase_sentence(record: Record, position: int, names: Names) -> str:
    """Say what a job has come to with one of the steps in its timeline."""
    phases: list[str] = [step["phase"] for step in record["timeline"][: position + 1]]
    called = ", ".join(_name(one, names) for one in record.get("executors", ()))
    audit: Record = record.get("audit") or {}
    auditors = ", ".join(names.get(one, one[:16]) for one in audit.get("auditors", ()))
    if phases[-1] in phases[:-1]:
        return {
            "executing": f"too little agrees, one more is called: {called}",
            "comparing": "fingerprints: the later result is compared, too",
            "revealing": "reveals: the later results are opened, too",
        }.get(phases[-1], phases[-1])
    return {
        "bidding": "offer: final in the ledger; workers bid",
        "drawing": f"close: {len(record.get('bids', ()))} bids; a later beacon will draw",
        "executing": f"lottery: drawn are {called}; execution runs",
        "sampling": "commitments: every result is fixed; a later beacon samples for an audit",
        "auditing": f"audit sampling: {auditors} runs it again",
        "comparing": f"audit sampling: {_sampled(audit)}; fingerprints: {_fingerprints(record)}",
        "summoning": "contradiction: a still later beacon draws a jury",
        "judging": "jury: workers from outside the job run it again",
        "disputing": "dispute: both sides look for the first step that they differ in",
        "revealing": "reveals: everybody opens what it committed to",
        "settled": f"cross-check: {_cross_check(record)}; settlement",
    }.get(phases[-1], f"{phases[-1]}: {record.get('reason')}")


def receipt(record: Record, names: Names) -> Iterator[str]:
    """Say who was drawn and why, who agreed, who was paid and who lost stake."""
    yield f"receipt of job {record['id']}: {record.get('reason')}"
    drawn = {one["account"]: one for one in record.get("executors", ())}
    candidates = (record.get("draw") or {}).get("candidates", ())
    total = sum(one["weight"] for one in candidates) or 1
    for one in candidates:
        share = one["weight"] * WEIGHT_PERCENT / total
        fate = drawn.get(one["account"])
        role = f"{fate['duty']}, {fate['status']}" if fate else "spare"
        yield (
            f"  {_name(one, names):<16} {role:<19} weight {share:4.1f} % = free stake "
            f"{format_credits(one['free_stake'])}, reputation {one['reputation']}"
        )
    for group in record.get("groups", ()):
        members = ", ".join(names.get(one, one[:16]) for one in group["members"])
        confidence = group["confidence_bp"] / 100
        yield f"  result {group['output'][:16]} by {members}: confidence {confidence:.2f} %"
    for title, rows in (
        ("paid", record.get("payouts", ())),
        ("slashed", record.get("slashes", ())),
    ):
        for row in rows:
            amount = format_credits(row["amount"])
            yield f"  {title:<8} {_name(row, names):<16} {amount} ({row['reason']})"
    fee, refund = format_credits(record.get("fee", 0)), format_credits(record.get("refund", 0))
    yield f"  burned as fee {fee}, back to the requester {refund}"


def caught(record: Record, account: str) -> bool:
    """Whether an account was drawn, outvoted, convicted and slashed in a settled job."""
    revealed = [
        one["output"]
        for one in record.get("executors", ())
        if one["account"] == account and one["output"] is not None
    ]
    outvoted = any(output != record.get("result_digest") for output in revealed)
    slashed = any(
        one["account"] == account and one["amount"] > 0 and one["reason"] == "wrong_result"
        for one in record.get("slashes", ())
    )
    return record.get("state") == "settled" and outvoted and slashed


def _sampled(audit: Record) -> str:
    if not audit:
        return "none is needed"
    chance = audit["numerator"] * WEIGHT_PERCENT / max(1, audit["denominator"])
    fate = "an auditor was drawn" if audit["auditors"] else "spared"
    return f"{fate} at a chance of {chance:.0f} %"


def _fingerprints(record: Record) -> str:
    """Says how far the results agree, which are all secret until enough of them do."""
    seen = [one["fingerprint"] for one in record.get("executors", ()) if one.get("fingerprint")]
    if not seen:
        return "none was sent"
    agree = Counter(seen).most_common(1)[0][1]
    return f"{agree} of {len(seen)} secret results agree"


def _cross_check(record: Record) -> str:
    groups: Sequence[Record] = record.get("groups", ())
    if not groups:
        return "nothing to compare"
    agree = len(groups[0]["members"])
    differ = sum(len(group["members"]) for group in groups[1:])
    return f"{agree} agree, {differ} differ, confidence {groups[0]['confidence_bp'] / 100:.2f} %"


def _name(row: Record, names: Names) -> str:
    return names.get(row["account"], row["account"][:16])
