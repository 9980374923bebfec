"""The commands of local networks: `p2pnode testnet COMMAND`."""

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from p2pnode.genesis import PRESETS
from p2pnode.lab import founding, running
from p2pnode.lab.links import Links
from p2pnode.lab.processes import Life, identify
from p2pnode.lab.readiness import NotReady, last_words, status_of, wait_for, wait_until_ready
from p2pnode.lab.testnet import (
    STATE_NAME,
    LabError,
    LabNetwork,
    Member,
    changing,
    default_folder,
    load,
    save,
)

DONE, FAILED, BAD_INPUT, TIMED_OUT, INTERRUPTED = 0, 1, 2, 4, 130
"""Exit codes, as everywhere in the command line."""
NODES = 5
READY_SECONDS = 30.0
READY_SECONDS_PER_NODE = 6.0
WATCH_SECONDS = 0.5
CUT_SECONDS = 0.2
"""After which every node has seen a change of its links."""

STATUS_FIELDS: Final = (
    "round",
    "final_index",
    "final_digest",
    "state_digest",
    "quorum",
    "connected_peers",
    "pending_operations",
)


class Misplanned(LabError):  # noqa: N818  named for what happened
    """No network can be as it was asked for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.data_dir is not None:
        arguments.data_dir = arguments.data_dir.expanduser().resolve()
    try:
        return int(arguments.handler(arguments))
    except NotReady as error:
        return _complain(error, TIMED_OUT)
    except Misplanned as error:
        return _complain(error, BAD_INPUT)
    except LabError as error:
        return _complain(error, FAILED)


def up(arguments: argparse.Namespace) -> int:
    """Run a network until interrupted, or leave it running."""
    if arguments.shape is not None:
        return _up_shape(arguments)
    begun = time.monotonic()
    folder = arguments.data_dir or default_folder(os.environ)
    # Whatever is refused here is not this command's to take down.
    testnet = prepare(folder, _plan(arguments), detach=arguments.detach)
    is_left = False
    stop_on_signals()
    try:
        testnet = launch(testnet)
        announce(testnet, begun)
        if not arguments.detach:
            _watch(testnet)
        is_left = True
    except KeyboardInterrupt:
        return INTERRUPTED if arguments.detach else DONE
    finally:
        if not is_left:
            take_down(folder)
    return DONE


def prepare(folder: Path, plan: founding.Plan, *, detach: bool) -> LabNetwork:
    """Make a network in a folder; nothing runs yet.

    Raises:
        LabError: A network runs there already, or the folder holds another one.
    """
    return occupy(folder, lambda: founding.found(folder, plan, os.cpu_count() or 1), detach=detach)


def occupy(folder: Path, make: Callable[[], LabNetwork], *, detach: bool) -> LabNetwork:
    """Take a folder for a network that is made in it, and note whose it is.

    Raises:
        LabError: A network runs there already, or the folder holds another one.
    """
    with changing(folder):
        _refuse_occupied(folder)
        testnet = make()
        owner = None if detach else identify(os.getpid())
        is_temporary = folder == default_folder(os.environ)
        testnet = replace(testnet, owner=owner, temporary=is_temporary)
        save(testnet)
    return testnet


def launch(testnet: LabNetwork) -> LabNetwork:
    """Start all processes of a network."""
    with changing(testnet.folder):
        return running.start(testnet, range(len(testnet.members)))


def announce(testnet: LabNetwork, begun: float) -> None:
    """Print a line per node as soon as all answer, and a last one when finality moves."""
    deadline = begun + READY_SECONDS + READY_SECONDS_PER_NODE * len(testnet.members)
    found = wait_for(testnet.members, lambda status: True, "answering", deadline)
    for member in testnet.members:
        print_line(_view(member) | {"addresses": found[member.node]["addresses"]})
    wait_until_ready(testnet.members, deadline)
    print_line({"ready": True, "seconds": round(time.monotonic() - begun, 1)})


def take_down(folder: Path) -> None:
    """End a network; nothing is left of a temporary one."""
    with suppress(LabError), undisturbed(), changing(folder):
        testnet = load(folder)
        running.end(testnet)
        save(replace(testnet, owner=None))
        if testnet.temporary:
            shutil.rmtree(folder, ignore_errors=True)


def stop_on_signals() -> None:
    """Treat a termination like the interrupt key, so that `finally` is reached either way."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore signals for a while: half of a network is nobody's wish."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_line(record: object) -> None:
    """Print one JSON value on a line of its own, at once."""
    print(json.dumps(record), flush=True)


def _up_shape(arguments: argparse.Namespace) -> int:
    from p2pnode.lab.real.commands import up_shape  # noqa: PLC0415  it takes the simulator along

    plain = ("liars", "colluding", "detach", "allow_artefact")
    if given := [name for name in plain if getattr(arguments, name)]:
        raise Misplanned(f"--{given[0].replace('_', '-')} does not go with --shape")
    return up_shape(arguments, arguments.data_dir or default_folder(os.environ))


def _refuse_occupied(folder: Path) -> None:
    """Refuse a folder in use, and clear the remains of a temporary network."""
    if not (folder / STATE_NAME).exists():
        if any(folder.iterdir()):
            raise LabError(f"{folder} holds something else: name an empty folder")
        return
    testnet = load(folder)
    if testnet.is_running:
        raise LabError(
            f"a local network runs in {folder}: end it with `p2pnode testnet down --data-dir "
            f"{folder}`, or name another folder with --data-dir"
        )
    if testnet.temporary:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _watch(testnet: LabNetwork) -> None:
    """Stay until interrupted, and tell of each node that ends meanwhile."""
    gone: set[int] = set()
    while True:
        time.sleep(WATCH_SECONDS)
        with suppress(LabError):
            testnet = load(testnet.folder)
        now = {member.node for member in testnet.members if member.life is Life.GONE}
        for node in sorted(now - gone):
            words = last_words(testnet.member(node))
            print(f"testnet: node {node} ended: {words}", file=sys.stderr, flush=True)
        gone = now


def _down(arguments: argparse.Namespace) -> int:
    testnet = _loaded(arguments)
    take_down(testnet.folder)
    print_line({"down": True, "nodes": len(testnet.members)})
    return DONE


def _status(arguments: argparse.Namespace) -> int:
    for member in _loaded(arguments).members:
        status = status_of(member) or {}
        seen = {name: status[name] for name in STATUS_FIELDS if name in status}
        print_line(_view(member) | {"state": member.life.value} | seen)
    return DONE


def _restart(arguments: argparse.Namespace) -> int:
    folder = _loaded(arguments).folder
    for node in arguments.nodes:
        member = running.restart(folder, node).member(node)
        wait_for([member], lambda status: True, "answering", time.monotonic() + READY_SECONDS)
        print_line(_view(member))
    return DONE


def _each(act: Callable[[LabNetwork, int], None]) -> Callable[[argparse.Namespace], int]:
    def handler(arguments: argparse.Namespace) -> int:
        testnet = _loaded(arguments)
        for node in arguments.nodes:
            act(testnet, node)
            print_line(_view(testnet.member(node)) | {"state": testnet.member(node).life.value})
        return DONE

    return handler


def _cut(arguments: argparse.Namespace) -> int:
    running.cut(_loaded(arguments), arguments.groups)
    time.sleep(CUT_SECONDS)
    print_line({"cut": arguments.groups})
    return DONE


def _heal(arguments: argparse.Namespace) -> int:
    running.heal(_loaded(arguments))
    time.sleep(CUT_SECONDS)
    print_line({"cut": []})
    return DONE


def _demo(arguments: argparse.Namespace) -> int:
    from p2pnode.lab.demo import run_demo  # noqa: PLC0415  not needed for anything else

    return run_demo(keep=arguments.keep, jobs_max=arguments.jobs)


def _loaded(arguments: argparse.Namespace) -> LabNetwork:
    return load(arguments.data_dir or default_folder(os.environ))


def _plan(arguments: argparse.Namespace) -> founding.Plan:
    nodes = NODES if arguments.nodes is None else arguments.nodes
    if not 1 <= nodes <= founding.NODES_MAX:
        raise Misplanned(f"--nodes takes 1 to {founding.NODES_MAX}")
    if not 0 <= arguments.liars < nodes:
        raise Misplanned("at least one node has to be honest")
    return founding.Plan(
        nodes=nodes,
        liars=arguments.liars,
        colluding=arguments.colluding,
        preset=arguments.preset,
        artefacts=tuple(arguments.allow_artefact),
    )


def _view(member: Member) -> dict[str, object]:
    return {
        "node": member.node,
        "peer_id": member.peer_id,
        "account": member.account,
        "addresses": [member.address],
        "api": member.api,
        "data_dir": str(member.data_dir),
        "pid": member.process.pid if member.process else None,
        "liar": member.liar,
    }


def _complain(error: Exception, code: int) -> int:
    print(f"p2pnode testnet: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="p2pnode testnet",
        description="A network of real processes on this machine.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_up(_add(commands, "up", up, "run a network until interrupted"))
    _add(commands, "down", _down, "end the network")
    _add(commands, "status", _status, "show what each node says of itself")
    for name, handler, summary in (
        ("kill", _each(running.kill), "let nodes crash"),
        ("pause", _each(running.pause), "stop nodes without ending them"),
        ("resume", _each(running.resume), "let paused nodes go on"),
        ("restart", _restart, "start nodes again, after stopping those that run"),
    ):
        command = _add(commands, name, handler, summary)
        command.add_argument("nodes", metavar="NODE", type=int, nargs="+", help="from 0")
    divide = _add(commands, "cut", _cut, "let nothing pass between groups of nodes")
    divide.add_argument("groups", metavar="A,B|C,D", type=_groups)
    _add(commands, "heal", _heal, "make all links whole")
    demo = _add(commands, "demo", _demo, "watch a real job among five nodes, one of them a liar")
    demo.add_argument("--keep", action="store_true", help="keep the folder")
    demo.add_argument("--jobs", type=int, default=10, help="offer at most so many jobs")
    return parser


def _groups(text: str) -> list[list[int]]:
    try:
        return running.parse_groups(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} does not divide the nodes: write their numbers with commas, and a bar "
            "between at least two groups, all in quotes, as in '0,1|2,3'"
        ) from error


def _add_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--nodes", type=int, help=f"how many; {NODES} by default")
    parser.add_argument("--liars", type=int, default=0, help="how many alter their results")
    parser.add_argument("--colluding", action="store_true", help="all liars tell the same lie")
    parser.add_argument("--detach", action="store_true", help="leave it running and return")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="local")
    parser.add_argument(
        "--allow-artefact",
        metavar="DIGEST",
        action="append",
        default=[],
        help="run no other on the nodes; repeatable",
    )

    shaped = parser.add_argument_group("playing a scenario instead")
    shaped.add_argument("--shape", metavar="SCENARIO", help="file, or name of a built-in one")
    shaped.add_argument("--seed", type=int, help="another one than the scenario's; 1 by default")
    shaped.add_argument("--out", metavar="DIR", type=Path, help="where the results go")
    shaped.add_argument(
        "--links",
        choices=[kind.value for kind in Links],
        default=Links.AUTO.value,
        help="namespaces of the kernel, where they can be had, or a shaper inside the nodes",
    )


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    handler: Callable[[argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=f"{summary}.", allow_abbrev=False)
    parser.add_argument("--data-dir", metavar="DIR", type=Path, help="folder of the network")
    parser.set_defaults(handler=handler)
    return parser
