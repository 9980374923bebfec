"""Faults of single nodes on real processes: crashes, pauses, clocks and disks.

The state file on the disk knows of restarts since a network was loaded, so it is read each time.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from p2pnode.lab import running
from p2pnode.lab.fault_file import FAULTS_NAME, NodeFaults, read_faults, write_faults
from p2pnode.lab.processes import Life
from p2pnode.lab.testnet import LabError, Member, load
from p2pnode.storage import StorageError, copy_journal, open_readonly, replace_journal
from protocol.ledger.block import stored_digest
from protocol.simulator.scenario import ClockJump, Crash, Join, Pause, StaleDisk, StoreFailure

NodeFault = Crash | Pause | ClockJump | StoreFailure | StaleDisk | Join

REFUSED = b"store_failed"
"""What a node writes into its log when its store refuses."""


@dataclass(frozen=True, slots=True)
class Strike:
    """What has to be known when a fault ends.

    Attributes:
        node: Its number.
        process: The one that ran before.
        is_down: Whether that process lived before and was gone after.
        log_bytes: How long the node's log was.
    """

    node: int
    process: str
    is_down: bool = False
    log_bytes: int = 0


def begin_on_node(fault: NodeFault, folder: Path) -> Strike:
    """Put a fault into effect.

    Raises:
        LabError: The node does not run, or its disk could not be copied.
    """
    testnet = load(folder)
    member = testnet.member(fault.node)
    strike = Strike(fault.node, str(member.process))
    match fault:
        case Crash():
            return _kill(strike, folder)
        case Join():
            return replace(strike, process="", is_down=member.process is None)
        case Pause():
            running.pause(testnet, fault.node)
        case ClockJump(skew_ns=skew_ns):
            change_faults(member, clock_error_ns=skew_ns)
        case StoreFailure():
            log_bytes = member.log.stat().st_size
            change_faults(member, store_fails=True)
            return replace(strike, log_bytes=log_bytes)
        case StaleDisk():
            copy = _copy_of(member)
            copy.unlink(missing_ok=True)
            try:
                copy_journal(member.data_dir, copy)
            except StorageError as error:
                raise LabError(f"the disk of node {fault.node} has no copy: {error}") from error
    return strike


def stop_early(strike: Strike, folder: Path) -> None:
    """Stop a node that is to come back with an old disk.

    Raises:
        LabError: It does not run.
    """
    running.kill(load(folder), strike.node)


def end_on_node(
    fault: NodeFault, strike: Strike, folder: Path, usual_error_ns: int
) -> tuple[int, str]:
    """Undo a fault.

    Returns:
        How much it did, and the process that runs now where the fault ended another one. What a
        clock did is judged by what the node said meanwhile, and is 0 here.
    """
    testnet = load(folder)
    member = testnet.member(fault.node)
    match fault:
        case Crash():
            after = _start(folder, fault.node)
            return int(strike.is_down and after not in ("", strike.process)), after
        case Join():
            after = _start(folder, fault.node)
            return int(strike.is_down and after != ""), after
        case Pause():
            was_paused = member.life is Life.PAUSED
            running.resume(testnet, fault.node)
            return int(was_paused), ""
        case ClockJump():
            change_faults(member, clock_error_ns=usual_error_ns)
            return 0, ""
        case StoreFailure():
            change_faults(member, store_fails=False)
            with member.log.open("rb") as log:
                log.seek(strike.log_bytes)
                return log.read().count(REFUSED), ""
        case StaleDisk():
            if member.life is not Life.GONE:
                running.kill(testnet, fault.node)
            forgotten = _go_back(member)
            after = _start(folder, fault.node)
            return forgotten if after not in ("", strike.process) else 0, after


def change_faults(
    member: Member, clock_error_ns: int | None = None, *, store_fails: bool | None = None
) -> None:
    """Change what is wrong with a node, and leave the rest as it is."""
    path = member.data_dir / FAULTS_NAME
    before = read_faults(path)
    error_ns = before.clock_error_ns if clock_error_ns is None else clock_error_ns
    fails = before.store_fails if store_fails is None else store_fails
    write_faults(path, NodeFaults(error_ns, fails))


def _kill(strike: Strike, folder: Path) -> Strike:
    testnet = load(folder)
    was_alive = testnet.member(strike.node).life is not Life.GONE
    running.kill(testnet, strike.node)
    is_gone = testnet.member(strike.node).life is Life.GONE
    return replace(strike, is_down=was_alive and is_gone)


def _start(folder: Path, node: int) -> str:
    """Start a node that is down; returns the process that runs now."""
    if load(folder).member(node).life is Life.GONE:
        running.restart(folder, node)
    member = load(folder).member(node)
    return "" if member.life is Life.GONE else str(member.process)


def _go_back(member: Member) -> int:
    """Put the copy in place of a journal; returns how many rounds the node forgets."""
    newest = _last_slot(member)
    replace_journal(member.data_dir, _copy_of(member))
    return newest - _last_slot(member)


def _last_slot(member: Member) -> int:
    with open_readonly(member.data_dir, stored_digest) as journal:
        return max((slot.round for slot in journal.own_slots()), default=0)


def _copy_of(member: Member) -> Path:
    return member.data_dir.with_name(f"{member.data_dir.name}.journal-copy")
