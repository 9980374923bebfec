"""The commands of simulations: `p2pnode sim COMMAND`."""

import argparse
import errno
import importlib
import math
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from p2pnode.cli.endings import Ending
from p2pnode.cli.output import complain, print_json, print_record, print_table, printable
from p2pnode.lab.results import BadFolder, MissingExtra, checks_to_json
from p2pnode.lab.simulation import saying
from p2pnode.lab.simulation.checks import warnings
from p2pnode.lab.simulation.cluster import joined
from p2pnode.lab.simulation.comparison import comparison
from p2pnode.lab.simulation.folder import check_new_file, described_in, read_json
from p2pnode.lab.simulation.library import (
    DRAWN,
    ScenarioError,
    copy_shipped,
    load_scenario,
    shipped_scenarios,
)
from p2pnode.lab.simulation.playing import Manner, is_as_expected, run_into, run_scenario
from p2pnode.lab.simulation.replaying import replay
from p2pnode.lab.simulation.rows import SWEEP, read_rows
from p2pnode.lab.simulation.scenario_file import Described, Expectation, document_of
from p2pnode.lab.simulation.showing import shown_run, shown_shrinking, shown_sweep, size_of
from p2pnode.lab.simulation.shrinking import NothingBroken, shrink
from p2pnode.lab.simulation.sweep_file import read_sweep
from p2pnode.lab.simulation.sweeping import HOURS_MAX, Means, run_sweep
from p2pnode.lab.simulation.toml_writer import write_toml
from protocol.simulator.report import options, outcome_lines
from protocol.simulator.run import Outcome, Verdict, play
from protocol.simulator.scheme import CACHED, FAKE

SWARM: Final = "protocol.simulator.__main__"
"""Draws whole networks from seeds, and has a command line of its own."""
SHRINK_SECONDS: Final = 300.0
PROCESSES_MAX: Final = 1_000
SEVERITY: Final = (Verdict.CRASH, Verdict.SAFETY, Verdict.LIVENESS)

EXIT_CODES: Final = """exit codes:
  0 passed    10 safety broken    11 liveness broken    12 a planned fault never bit
  13 a core crashed    2 bad input    130 interrupted
  1 a replay differs, there is nothing to do, or a file cannot be written"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    line = list(sys.argv[1:] if argv is None else argv)
    if line[:1] == ["swarm"]:
        return int(importlib.import_module(SWARM).main(line[1:]))
    arguments = _parser().parse_args(line)
    try:
        with _interruptible():
            return int(arguments.handler(arguments))
    except (ScenarioError, MissingExtra) as error:
        complain(str(error))
        return Ending.BAD_INPUT
    except BrokenPipeError:
        raise
    except (NothingBroken, OSError) as error:
        complain(_reason(error))
        return Ending.FAILED
    except BrokenProcessPool:
        complain("a process of the sweep was killed: the same command goes on with what is left")
        return Verdict.CRASH
    except KeyboardInterrupt:
        complain("interrupted: the same command goes on, or starts a single run again")
        return Ending.INTERRUPTED


def _reason(error: NothingBroken | OSError) -> str:
    if isinstance(error, NothingBroken):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    advice = "; make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return f"{where}{error.strerror or error}: not everything could be written{advice}"


def _scenarios(arguments: argparse.Namespace) -> int:
    if arguments.copy is not None:
        for path in copy_shipped(arguments.copy):
            print(printable(path))
        return Ending.DONE
    records = [
        {
            "name": one.scenario.name,
            "expected": one.expectation.outcome.name.lower(),
            "about": " ".join(one.about.split()),
        }
        for one in shipped_scenarios()
    ]
    if arguments.json:
        print_json(records)
        return Ending.DONE
    for record in records:
        print(f"{record['name']} ({record['expected']})\n    {record['about']}")
    print(f"{DRAWN}\n    A small network, what it is asked for and what goes wrong, all drawn.")
    return Ending.DONE


def _run(arguments: argparse.Namespace) -> int:
    described = load_scenario(arguments.scenario, arguments.seed)
    if arguments.trace and arguments.out is None:
        raise ScenarioError("--trace needs a folder: name one with --out")
    _warn(described)
    if not arguments.json:
        _say(options(described.scenario))
    with shown_run(described.scenario) as progress:
        manner = Manner(arguments.real_signatures, arguments.trace, progress)
        if arguments.out is None:
            outcome, metrics = run_scenario(described, manner)
        else:
            outcome, metrics = run_into(arguments.out, described, manner)
    as_expected = is_as_expected(described, outcome)
    report: Path | None = arguments.out
    ending: int = outcome.verdict
    if arguments.out is not None and not arguments.no_report:
        report, ending = _write_report_or_say(arguments.out, ending)
    if ending == Ending.INTERRUPTED:
        return ending
    if arguments.json:
        print_json(_outcome_record(outcome) | {"as_expected": as_expected, "metrics": metrics})
        return ending
    _say(outcome_lines(outcome, _again(arguments, described)))
    print(saying.expectation_line(described, as_expected))
    print_record(saying.metrics(metrics))
    if report is not None:
        _say([f"results are in {report}"])
    return ending


def _sweep(arguments: argparse.Namespace) -> int:
    sweep = read_sweep(arguments.file)
    _warn(sweep.cells[0].describe(sweep.seeds[0]))
    with ExitStack() as stack:
        cluster = stack.enter_context(joined(arguments.dask)) if arguments.dask else None
        means = Means(
            processes=cluster.slots if cluster else arguments.processes,
            executor=cluster.executor if cluster else None,
            real_signatures=arguments.real_signatures,
            hours_max=arguments.hours,
            told=stack.enter_context(shown_sweep(sweep.name)),
        )
        rows = run_sweep(sweep, arguments.out, means)
    ending: int = _worst([row["outcome"] for row in rows if not row["as_expected"]], len(rows))
    report: Path = arguments.out
    if not arguments.no_report:
        report, ending = _write_report_or_say(arguments.out, ending)
    if arguments.json:
        print_json(rows)
    else:
        print_table(list(saying.sweep_table(rows)), "nothing was run")
        _say([*saying.sweep_lines(rows, arguments.out), f"results are in {report}"])
    return ending


def _replay(arguments: argparse.Namespace) -> int:
    described = described_in(arguments.folder)
    with shown_run(described.scenario) as progress:
        replayed = replay(arguments.folder, progress)
    if arguments.json:
        difference = replayed.difference
        print_json(
            {
                "equal": replayed.is_equal,
                "before": replayed.before,
                "now": replayed.outcome.trace,
                "version": replayed.version,
                "difference": asdict(difference) if difference is not None else None,
            }
        )
    else:
        _say(saying.replay_lines(replayed, arguments.folder))
    return Ending.DONE if replayed.is_equal else Ending.FAILED


def _shrink(arguments: argparse.Namespace) -> int:
    source = Path(arguments.source)
    if source.is_dir():
        if arguments.seed is not None:
            raise ScenarioError("the run in a folder has its seed: leave --seed out")
        described = described_in(source)
    else:
        described = load_scenario(arguments.source, arguments.seed)
    if arguments.out is not None:
        check_new_file(arguments.out)
    scheme = CACHED if arguments.real_signatures else FAKE
    with shown_shrinking(described.scenario.name, arguments.seconds) as told:
        shrunk = shrink(described.scenario, lambda one: play(one, scheme), arguments.seconds, told)
    text = write_toml(
        document_of(_failing(described, shrunk.outcome, shrunk.invariant), full=False)
    )
    if arguments.out is not None:
        arguments.out.write_text(text, encoding="utf-8")
    if arguments.json:
        extra = {"invariant": shrunk.invariant, "runs": shrunk.runs, "is_least": shrunk.is_least}
        print_json(_outcome_record(shrunk.outcome) | extra | {"toml": text})
        return shrunk.outcome.verdict
    end = "nothing smaller fails" if shrunk.is_least else "time is up"
    complain(
        f"{shrunk.invariant} is broken with {size_of(shrunk.outcome.scenario)} "
        f"(before: {size_of(described.scenario)}); {shrunk.runs} runs, {end}"
    )
    print(text if arguments.out is None else printable(f"written to {arguments.out}"))
    return shrunk.outcome.verdict


def _report(arguments: argparse.Namespace) -> int:
    try:
        print(printable(_write_report(arguments.folder)))
    except BadFolder as error:
        raise ScenarioError(str(error)) from error
    return Ending.DONE


def _write_report(folder: Path) -> Path:
    """Imports what draws only where something is drawn."""
    reports = importlib.import_module("p2pnode.lab.reports")
    if not (folder / SWEEP).exists():
        return Path(reports.write_report(folder))
    rows = sorted(read_rows(folder), key=lambda row: (row["cell"], row["seed"]))
    manifest = read_json(folder / SWEEP, "a sweep's folder")
    cells, notes = list(saying.sweep_table(rows)), list(saying.sweep_lines(rows, folder))
    return Path(reports.write_sweep_report(folder, manifest, rows, cells, notes))


def _write_report_or_say(folder: Path, ending: int) -> tuple[Path, int]:
    """Writes the report of a run; says in a sentence, and by another ending, when it cannot."""
    try:
        return _write_report(folder), ending
    except KeyboardInterrupt:
        complain(f"interrupted: the results are whole; `sim report {folder}` makes its page")
        return folder, Ending.INTERRUPTED
    except OSError as error:
        complain(f"{error}: the results are whole; `sim report {folder}` makes its page")
        return folder, ending or Ending.FAILED


def _failing(described: Described, outcome: Outcome, invariant: str) -> Described:
    about = f"Shrunk from {described.scenario.name}: {invariant} is broken."
    return Described(
        outcome.scenario, about, Expectation(outcome.verdict, invariant), overlaps=True
    )


def _outcome_record(outcome: Outcome) -> dict[str, Any]:
    return {
        "scenario": outcome.scenario.name,
        "seed": outcome.scenario.seed,
        "outcome": outcome.verdict.name.lower(),
        "trace": outcome.trace,
        "checks": checks_to_json(outcome.checks),
        "violations": [asdict(one) for one in outcome.violations],
        "bites": [asdict(one) for one in outcome.bites],
    }


def _worst(unexpected: Sequence[str], count: int) -> Verdict:
    """Sums up what did not come as expected; some faults may miss, but not in most runs."""
    for verdict in SEVERITY:
        if verdict.name.lower() in unexpected:
            return verdict
    return Verdict.UNKNOWN if 2 * len(unexpected) > count else Verdict.PASS


def _again(arguments: argparse.Namespace, described: Described) -> str:
    words = ["p2pnode sim run", str(arguments.scenario), f"--seed {described.scenario.seed}"]
    return " ".join(words + ["--real-signatures"] * arguments.real_signatures)


def _warn(described: Described) -> None:
    for sentence in warnings(described):
        complain(f"warning: {sentence}")


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(printable(line), flush=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Treats a termination like the interrupt key, so that folders say what happened."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="p2pnode sim",
        description="The protocol in virtual time: one seed is one history.",
        epilog=f"{EXIT_CODES}\n\n`p2pnode sim swarm --help`: networks drawn from seeds alone",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    listing = _add(commands, "scenarios", _scenarios, "list the scenarios that are shipped")
    listing.add_argument("--copy", metavar="DIR", type=Path, help="copy their files to change them")
    one = _add(commands, "run", _run, "run one scenario")
    one.add_argument("scenario", metavar="NAME|FILE", help="a shipped scenario, or a TOML file")
    one.add_argument("--out", metavar="DIR", type=Path, help="keep the results in a new folder")
    one.add_argument("--trace", action="store_true", help="keep everything that happens")
    many = _add(commands, "sweep", _sweep, "run a scenario under many conditions")
    many.add_argument("file", metavar="SWEEP.toml", type=Path)
    many.add_argument("--out", metavar="DIR", type=Path, required=True, help="new, or to go on in")
    many.add_argument("--processes", type=_count, default=os.cpu_count() or 1, help="all cores")
    many.add_argument(
        "--dask", metavar="ADDRESS", help="of a scheduler, whose workers play instead"
    )
    many.add_argument("--hours", type=_span, default=HOURS_MAX, help="refuse to take longer")
    both = _add(commands, "compare", comparison, "compare two runs, or two sweeps, pair by pair")
    both.add_argument("a", metavar="A", type=Path)
    both.add_argument("b", metavar="B", type=Path)
    both.add_argument("--out", metavar="DIR", type=Path, help="keep page, plots and figures there")
    again = _add(commands, "replay", _replay, "run again, and compare to the bit")
    again.add_argument("folder", metavar="DIR", type=Path)
    less = _add(commands, "shrink", _shrink, "make a failing run smaller")
    less.add_argument("source", metavar="DIR|NAME|FILE", help="a run's folder, or a scenario")
    less.add_argument("--out", metavar="FILE", type=Path, help="write the smaller scenario there")
    less.add_argument("--seconds", type=_span, default=SHRINK_SECONDS, help="stop after so long")
    page = _add(commands, "report", _report, "make the report of a results folder")
    page.add_argument("folder", metavar="DIR", type=Path)
    for command in (one, less):
        command.add_argument("--seed", metavar="N", type=int, help="of every draw; the file's own")
    for command in (one, many):
        command.add_argument("--no-report", action="store_true", help="without page and plots")
    for command in (one, many, less):
        command.add_argument(
            "--real-signatures", action="store_true", help="a hundred times slower"
        )
    for command in (listing, one, many, both, again, less):
        command.add_argument("--json", action="store_true", help="print JSON for programs")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= PROCESSES_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {PROCESSES_MAX}")
    return int(text)


def _span(text: str) -> float:
    """Reads a time, which may be endless; compared with a NaN, nothing would ever be late."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time")
    return value


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    handler: Callable[[argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=f"{summary}.", allow_abbrev=False)
    parser.set_defaults(handler=handler)
    return parser
