"""The page of a run: one file without outside parts, for screens, phones and paper.

Everything that comes from data is escaped; the plots are SVG that was drawn here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Final

from p2pnode.lab.reports.fault_words import measure_text, whom_text
from p2pnode.lab.reports.words import quantile_text, seconds, side_name, story
from p2pnode.lab.results.ledgers import carriage, dag_width, divergence, stale_blocks
from p2pnode.lab.results.reading import Reading
from p2pnode.lab.results.rewards import earnings, gini_of, work
from p2pnode.lab.results.survival import WaitSummary, summarise
from p2pnode.lab.results.waiting import (
    PARTS,
    availability,
    finality_waits,
    provisional_gaps,
    stability,
)
from p2pnode.lab.source import version_text
from protocol.job.record import Ending

STYLE: Final = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, sans-serif; color: #1b1f23; background: #fff;
  max-width: 54rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
.origin { color: #57606a; margin: 0 0 1.2rem; overflow-wrap: anywhere; }
.outcome { display: inline-block; padding: .15rem .6rem; border-radius: .3rem; font-weight: 600;
  color: #fff; background: #57606a; }
.outcome.pass { background: #007a59; } .outcome.safety, .outcome.crash { background: #b34700; }
.outcome.liveness { background: #8a5a00; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid #d8dee4;
  vertical-align: top; }
th { font-weight: 600; } td.number, th.number { text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1.6rem 0; break-inside: avoid; overflow-x: auto; }
figure svg { width: 100%; min-width: 30rem; height: auto; }
figcaption { color: #57606a; font-size: .9rem; }
.note { color: #57606a; font-size: .9rem; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; }
  figure svg { min-width: 0; }
  h2 { break-after: avoid; } table { break-inside: avoid; } }
"""


NOT_MEASURED: Final = "not measured"


def page(
    manifest: Mapping[str, object], reading: Reading, figures: Sequence[tuple[str, str]]
) -> str:
    """Makes the page.

    Args:
        manifest: Of the run.
        reading: Its tables.
        figures: SVG and caption of each plot.
    """
    name, outcome = str(manifest.get("name", "")), str(manifest.get("outcome", "unknown"))
    parts = [
        f"<h1>{escape(name)}</h1>",
        f'<p class="origin">{escape(origin(manifest))}</p>',
        f'<p><span class="outcome {escape(outcome, quote=True)}">{escape(outcome)}</span></p>',
        *_about(manifest),
        *(f"<p>{escape(sentence)}</p>" for sentence in story(reading, outcome)),
        _unexpected(manifest),
        _dropped(manifest),
        _violations(manifest),
        _promises(manifest),
        "<h2>Faults</h2>",
        _faults(reading, is_simulated=manifest.get("source") == "simulator"),
        "<h2>Requests</h2>",
        _requests(reading),
        "<h2>Figures</h2>",
        _measures(reading),
        *(
            f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
            for svg, caption in figures
        ),
        "<h2>Jobs</h2>",
        _jobs(reading),
        "<h2>Who was paid</h2>",
        _payments(reading, manifest),
        _circumstances(manifest),
    ]
    return document(name, parts)


def document(title: str, parts: Iterable[str]) -> str:
    """Makes a whole page of parts that are marked up already; empty ones are left out."""
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> str:
    """Makes a table of plain texts.

    Args:
        heads: Of the columns.
        rows: Cells in the order of the columns.
        numbers: Columns, from 0, that are aligned to the right.
    """
    right = set(numbers)

    def cells(tag: str, words: Sequence[str]) -> str:
        opened = (f'<{tag} class="number">' if n in right else f"<{tag}>" for n in range(99))
        return "".join(
            f"{start}{escape(word)}</{tag}>" for start, word in zip(opened, words, strict=False)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows)
    head = f"<thead><tr>{cells('th', heads)}</tr></thead>"
    return f'<div class="wide"><table>{head}<tbody>\n{body}</tbody></table></div>'


def origin(manifest: Mapping[str, object]) -> str:
    """Says where results come from: scenario, seed, source and version."""
    words = [str(manifest.get("name", ""))]
    if manifest.get("seed") is not None:
        words.append(f"seed {manifest['seed']}")
    words.append(
        {"simulator": "simulated", "processes": "real processes"}.get(
            str(manifest.get("source")), "unknown source"
        )
    )
    words.append(version_text(manifest, manifest.get("version", "")))
    if manifest.get("trace"):
        words.append(f"trace {str(manifest['trace'])[:16]}")
    return " · ".join(words)


def _about(manifest: Mapping[str, object]) -> Iterator[str]:
    """Takes over what the scenario says of itself, and of what is expected."""
    scenario = manifest.get("scenario")
    about = scenario.get("about") if isinstance(scenario, Mapping) else None
    if isinstance(about, str) and about.strip():
        yield f"<p><em>{escape(' '.join(about.split()))}</em></p>"


def _unexpected(manifest: Mapping[str, object]) -> str:
    """Says whether the outcome is what the scenario's file expects, where that was looked at."""
    as_expected, scenario = manifest.get("as_expected"), manifest.get("scenario")
    if not isinstance(as_expected, bool) or not isinstance(scenario, Mapping):
        return ""
    expect = scenario.get("expect")
    named = expect if isinstance(expect, Mapping) else {}
    expected, invariant = named.get("outcome", "pass"), named.get("invariant")
    expected = f"{expected} of {invariant}" if invariant else expected
    if as_expected:
        return f"<p>The scenario expects this outcome: {escape(str(expected))}.</p>"
    return f"<p><strong>The scenario expects another outcome: {escape(str(expected))}.</strong></p>"


def _dropped(manifest: Mapping[str, object]) -> str:
    """Warns where the tables are not whole."""
    found = manifest.get("dropped")
    if not isinstance(found, Mapping) or not found:
        return ""
    missing = ", ".join(f"{count} {kind}" for kind, count in found.items())
    return f"<p><strong>Not everything was kept.</strong> Missing: {escape(missing)}.</p>"


def _violations(manifest: Mapping[str, object]) -> str:
    found = manifest.get("violations")
    if not isinstance(found, list) or not found:
        return ""
    rows = [
        (str(one.get("invariant")), _node(one.get("node")), str(one.get("detail")))
        for one in found
        if isinstance(one, dict)
    ]
    return "<h2>What was broken</h2>" + table(("promise", "node", "what was found"), rows)


def _promises(manifest: Mapping[str, object]) -> str:
    """Says of each promise what the run says of it; those that hold need no table."""
    found = manifest.get("checks")
    if not isinstance(found, list) or not found:
        return ""
    told = [
        tuple(str(one.get(key, "")) for key in ("name", "result", "reason"))
        for one in found
        if isinstance(one, dict)
    ]
    rows = [row for row in told if row[1] != "holds"]
    held = ", ".join(name for name, result, _ in told if result == "holds") or "none"
    why = " Unknown: this run cannot tell, for the reason given." if rows else ""
    note = f'<p class="note">Held: {escape(held)}.{why}</p>'
    told_of = table(("promise", "this run", "why"), rows) if rows else ""
    return f"<h2>Promises</h2>{told_of}{note}"


def _node(number: object) -> str:
    return "several" if number == -1 else str(number)


def _faults(reading: Reading, *, is_simulated: bool) -> str:
    if not reading.faults:
        return "<p>None was planned.</p>"
    rows = []
    for fault in reading.faults:
        begin, end = fault.begin_ms, fault.end_ms
        span = "whole run" if begin is None or end is None else f"{seconds(begin)} – {seconds(end)}"
        effect = measure_text(fault) if is_simulated else f"{fault.count:,}"
        rows.append((fault.kind, whom_text(fault), span, effect))
    note = (
        '<p class="note">A fault without effect proves nothing. The effect is in the fault\'s own '
        "measure, and two kinds of fault cannot be compared by it.</p>"
    )
    return table(("fault", "whom", "when", "effect"), rows, numbers=(3,)) + note


def _requests(reading: Reading) -> str:
    rows = []
    for side in reading.sides:
        for part in PARTS if reading.window is not None else ("",):
            answered = availability(reading, side, part)
            waits = summarise(finality_waits(reading, side, part))
            rows.append(
                (
                    side_name(reading, side),
                    part or "whole run",
                    str(answered.attempted),
                    str(answered.seen),
                    str(answered.in_block) if reading.saw_acceptance else "–",
                    str(answered.final),
                    *_quantiles(waits),
                )
            )
    heads = ("asked", "seen", "in a block", "final", "p50", "p95", "p99")
    note = (
        '<p class="note">Seen, in a block and final: within two seconds, at the node that was '
        "asked. Quantiles are of the time to finality, for all that was accepted; “&gt; t” means "
        "not final when the run ended, t after the request.</p>"
    )
    return table(("side", "faults", *heads), rows, numbers=range(2, 9)) + note


def _quantiles(waits: WaitSummary) -> tuple[str, str, str]:
    return quantile_text(waits.p50), quantile_text(waits.p95), quantile_text(waits.p99)


def _measures(reading: Reading) -> str:
    gaps, stable = summarise(provisional_gaps(reading)), stability(reading)
    stale, apart, carried = stale_blocks(reading), divergence(reading), carriage(reading)
    done, width = work(reading), dag_width(reading)
    known = summarise(stable.stable)
    rows = [
        ("in a block to final, p50 / p95", f"{_pair(gaps)}"),
        ("final anywhere to final everywhere, p50 / p95", _pair(known)),
        ("final somewhere, missing elsewhere at the end", str(stable.lost)),
        ("blocks that never became final", f"{stale.never_final} of {stale.settled}"),
        (
            "greatest divergence D; blocks apart",
            f"{apart.highest:.3f}; {apart.most_blocks_apart}" if apart else NOT_MEASURED,
        ),
        (
            "blocks in a round, mean / most",
            f"{width.mean:.2f} / {width.most}" if width else NOT_MEASURED,
        ),
        ("bytes for each block delivered", _number(carried.bytes_per_delivery)),
        ("gossip copies for each block delivered", _number(carried.copies_per_delivery)),
        ("runs of jobs; double ones", f"{_number(done.executions)}; {_number(done.doubles)}"),
        (
            "device time; without an accepted result",
            f"{_number(done.device_seconds, ' s')}; {_number(done.wasted_device_seconds, ' s')}",
        ),
    ]
    return table(("figure", "value"), rows, numbers=(1,))


def _pair(waits: WaitSummary) -> str:
    return f"{quantile_text(waits.p50)} / {quantile_text(waits.p95)}"


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return NOT_MEASURED
    return (f"{value:,}" if isinstance(value, int) else f"{value:,.2f}") + unit


def _jobs(reading: Reading) -> str:
    if not reading.jobs:
        return "<p>None was asked for.</p>"
    rows = []
    for job in reading.jobs:
        opened = job.phases_ms.get("bidding")
        ends = [
            job.phases_ms[one]
            for one in ("settled", "inconclusive", "refunded")
            if one in job.phases_ms
        ]
        took = seconds(ends[0] - opened) if ends and opened is not None else "not ended"
        drawn = ", ".join(map(str, job.executors)) or "–"
        rows.append((job.identifier[:12], job.phase, _why(job.ending), drawn, took))
    heads = ("job", "phase at the end", "why", "nodes drawn", "opened to ended")
    return table(heads, rows, numbers=(4,))


def _why(ending: str) -> str:
    """Says why a job ended, by the protocol's own sentence."""
    known = Ending.__members__.get(ending.upper())
    return known.value if known is not None else ending or "–"


def _payments(reading: Reading, manifest: Mapping[str, object]) -> str:
    earned = earnings(reading)
    without = _without_faults(manifest)
    heads = ["node", "credits earned"] + (["without the faults"] if without else [])
    rows = []
    for node, amount in earned.items():
        row = [str(node), f"{amount / 1_000_000:.6f}"]
        if without:
            row.append(f"{without.get(str(node), 0) / 1_000_000:.6f}")
        rows.append(tuple(row))
    gini = gini_of(list(earned.values()))
    note = "Nobody was paid." if gini is None else f"Gini coefficient {gini:.3f}."
    if without:
        note += " The right column is a run of the same seed without the faults."
    return table(heads, rows, numbers=(1, 2)) + f'<p class="note">{escape(note)}</p>'


def _circumstances(manifest: Mapping[str, object]) -> str:
    """Says how processes were joined and paced, and what is different on them; else nothing."""
    told = manifest.get("processes")
    if not isinstance(told, Mapping):
        return ""
    found = told.get("notes")
    notes = found if isinstance(found, list) else []
    stores = told.get("stores")
    agree = stores.get("agree") if isinstance(stores, Mapping) else None
    missed = f"{told.get('facts_missed')}; {told.get('streams_broken')}"
    rows = [
        ("links between the nodes", f"{told.get('wires')} ({told.get('links_reason')})"),
        ("a round, as asked for and as played", _round(told)),
        ("processor cores for all nodes", str(told.get("cores"))),
        ("the nodes' stores", "agree" if agree else "do not agree, or were not compared"),
        ("facts that a watcher missed; streams that broke", missed),
    ]
    told_of = table(("circumstance", "value"), rows)
    items = "".join(f"<li>{escape(str(note))}</li>" for note in notes)
    return f"<h2>How it was played</h2>{told_of}" + (f"<ul>{items}</ul>" if items else "")


def _round(told: Mapping[str, object]) -> str:
    return f"{told.get('asked_round_ms')} ms; {told.get('round_ms')} ms"


def _without_faults(summary: Mapping[str, object]) -> dict[str, int]:
    found: object = summary
    for key in ("rewards", "without_faults", "earned_microcredits"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return (
        {str(node): amount for node, amount in found.items() if type(amount) is int}
        if isinstance(found, Mapping)
        else {}
    )
