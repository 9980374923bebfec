"""The file of a proof: written by whoever has the state, checked by anyone who has its root."""

from pathlib import Path
from typing import Final, Literal

import msgspec

from p2pnode.cli.endings import BadInput, CannotWrite
from p2pnode.facts import plain
from protocol.compact import unpack
from protocol.entries import KINDS, VALUE_BYTES_MAX
from protocol.errors import Rejected
from protocol.tree.proof import Level, Proof, verify
from protocol.units import Digest

FORMAT: Final = "p2pnode proof 1"
"""The digit is the version of the format."""
FILE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Above any entry and any proof, in hexadecimal."""


class ProofFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A proof as JSON; every byte string is in hexadecimal."""

    network: str
    index: int
    """The commit after which the state had this root."""
    root: str
    """For people: what counts is the root that the reader trusts."""
    kind: str
    identifier: str
    value: str | None
    """The entry's canonical bytes; None where the proof is of its absence."""
    levels: tuple[tuple[int, str], ...]
    """Mask and digests of the other branches, from the root on."""
    rows: str
    format: Literal["p2pnode proof 1"] = FORMAT


def plain_levels(proof: Proof) -> tuple[tuple[int, str], ...]:
    """Writes the levels of a proof as a file has them."""
    return tuple((level.mask, level.digests.hex()) for level in proof.levels)


def write_proof(path: Path, proof: ProofFile) -> None:
    """Writes a proof.

    Raises:
        CannotWrite: The file cannot be written.
    """
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(proof), indent=1) + b"\n")
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror}: choose another --out") from error


def read_proof(path: Path) -> ProofFile:
    """Reads a proof from anywhere.

    Raises:
        BadInput: The file cannot be read, or is no proof.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(
            f"{path}: {error.strerror}: name a file that `ledger prove` wrote"
        ) from error
    if len(raw) > FILE_BYTES_MAX:
        raise BadInput(f"{path}: no proof is larger than {FILE_BYTES_MAX >> 20} MiB")
    try:
        return msgspec.json.decode(raw, type=ProofFile)
    except msgspec.DecodeError as error:
        raise BadInput(f"{path} is no proof of this version: {error}") from error


def check_proof(file: ProofFile, root: Digest) -> dict[str, object]:
    """Checks a proof against a root that the reader trusts, and shows what it proves.

    Nothing that the file says of itself is believed.

    Raises:
        BadInput: The file holds what no proof can hold.
    """
    kind = next((one for one in KINDS if one.name == file.kind), None)
    if kind is None:
        raise BadInput(f"a state of this version has no entries of the kind {file.kind!r}")
    try:
        key = kind.key(bytes.fromhex(file.identifier))
        value = None if file.value is None else bytes.fromhex(file.value)
        levels = tuple(Level(mask, bytes.fromhex(digests)) for mask, digests in file.levels)
        proof = Proof(levels, bytes.fromhex(file.rows))
    except ValueError as error:
        raise BadInput(f"the proof is not written in hexadecimal: {error}") from error
    record: dict[str, object] = {"ok": True, "root": root.hex(), "kind": kind.name}
    record |= {"identifier": file.identifier, "present": value is not None}
    try:
        verify(root, key, value, proof)
        shown = None if value is None else unpack(value, kind.form, VALUE_BYTES_MAX)
    except Rejected as refusal:
        return record | {"ok": False, "reason": f"nothing is proven: {refusal}"}
    return record | {"entry": plain(msgspec.to_builtins(shown, builtin_types=(bytes,)))}
