"""Somebody without a ledger checks an entry with a chain, out of a file or from a node."""

import json
from pathlib import Path

import pytest
import trio

from p2pnode.arrival.serving import Serving
from p2pnode.arrival.store import JournalStore
from p2pnode.cli.entry import main
from p2pnode.genesis import write_genesis
from p2pnode.joining import GENESIS_KIND, serve_genesis
from p2pnode.network import NetworkSettings, open_network
from p2pnode.offline.chain_file import LENGTH_BYTES, MAGIC
from p2pnode.offline.light_client import ChainBroken, Trust, _searched
from p2pnode.offline.progress import shown_progress
from p2pnode.storage import open_journal, prepare_data_folder
from protocol.encoding import content_digest
from protocol.ledger.certified import TrustedEnd
from protocol.messages import network_of
from protocol.units import Epoch
from tests.p2pnode.arrival.builders import (
    ENDS,
    MemoryStore,
    history,
    shelf_in,
    store_of,
    without_quorum,
)
from tests.support.builders import account_id, account_seed

LAST = ENDS - 1
GENESIS = history().genesis
HASH = network_of(GENESIS).hex()
ACCOUNT = account_id(0).hex()
WRONG = "00" * 32


def checkpoint(epoch: int) -> str:
    return f"{epoch}:{history().boundaries[epoch].digest.hex()}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data folder of a node that took up the last snapshot."""
    made = prepare_data_folder(tmp_path / "node")
    write_genesis(made.genesis, GENESIS)

    async def fill() -> None:
        opening = open_journal(
            made.root, network_of(GENESIS), account_id(9), hash_block=content_digest
        )
        async with opening as journal:
            store = JournalStore(journal, shelf_in(tmp_path))
            await store.keep_certificates(Epoch(0), history().certificates)
            await store.install(history().boundaries[LAST], history().pages[LAST])

    trio.run(fill)
    return tmp_path / "node"


@pytest.fixture
def files(folder: Path, tmp_path: Path) -> tuple[str, str]:
    """A proof and a chain that the node wrote."""
    proof, chain = str(tmp_path / "proof"), str(tmp_path / "chain")
    data = ["--data-dir", str(folder)]
    assert main(["ledger", "prove", ACCOUNT, "--certified", *data, "--out", proof]) == 0
    assert main(["ledger", "chain", *data, "--out", chain]) == 0
    return proof, chain


def check(capsys: pytest.CaptureFixture[str], *line: str) -> tuple[int, dict[str, object], str]:
    capsys.readouterr()
    code = main(["ledger", "verify-proof", *line, "--json"])
    printed = capsys.readouterr()
    return code, json.loads(printed.out or "{}"), printed.err


@pytest.mark.parametrize(
    ("trust", "verified"),
    [
        (("--network", HASH), ENDS),
        (("--checkpoint", checkpoint(2)), ENDS - 2),
        (("--checkpoint", checkpoint(LAST), "--network", HASH), 1),
    ],
)
def test_an_account_is_proven_by_what_the_reader_trusts_and_a_chain(
    trust: tuple[str, ...],
    verified: int,
    files: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    proof, chain = files
    code, found, _ = check(capsys, proof, "--chain", chain, *trust)
    assert (code, found["ok"], found["present"]) == (0, True, True)
    assert found["root"] == history().boundaries[LAST].state_digest.hex()
    assert (found["epoch"], found["newest_epoch"]) == (LAST, LAST)
    assert found["epochs_verified"] == verified


@pytest.mark.parametrize(
    ("trust", "code", "words"),
    [
        ((), 2, "say what you trust"),
        (("--network", WRONG), 2, "and not of 0000"),
        (("--network", HASH[:20]), 2, "write all of its 64"),
        (("--checkpoint", f"2:{WRONG}"), 1, "proves nothing"),
        (("--checkpoint", "2"), 2, "is not EPOCH:HASH"),
        (("--checkpoint", f"{LAST + 9}:{WRONG}"), 1, "reaches nowhere"),
    ],
)
def test_a_chain_that_does_not_begin_where_the_reader_trusts_proves_nothing(
    trust: tuple[str, ...],
    code: int,
    words: str,
    files: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    proof, chain = files
    found, _, complaint = check(capsys, proof, "--chain", chain, *trust)
    assert found == code
    assert words in complaint


def test_a_forged_certificate_ends_the_chain(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    proof, chain = files
    raw, forged = history().certificates[3], without_quorum(history().certificates[3])
    whole = Path(chain).read_bytes()
    old, new = (len(one).to_bytes(LENGTH_BYTES, "big") + one for one in (raw, forged))
    assert whole.count(old) == 1
    Path(chain).write_bytes(whole.replace(old, new))
    code, found, complaint = check(capsys, proof, "--chain", chain, "--network", HASH)
    assert (code, found["ok"]) == (1, False)
    assert "the certificate of epoch 3 proves nothing" in complaint


@pytest.mark.parametrize("cut", [1, 3_000])
def test_a_chain_that_is_cut_short_is_said(
    cut: int, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    proof, chain = files
    Path(chain).write_bytes(Path(chain).read_bytes()[:-cut])
    code, _, complaint = check(capsys, proof, "--chain", chain, "--network", HASH)
    assert code == 2
    assert "is damaged" in complaint


@pytest.mark.parametrize("content", [b"", b"p2pnode ledger 1\n", MAGIC, MAGIC + b"\xff" * 4])
def test_what_is_no_chain_is_said(
    content: bytes, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    proof, chain = files
    Path(chain).write_bytes(content)
    assert check(capsys, proof, "--chain", chain, "--network", HASH)[0] == 2


def test_a_chain_proves_nothing_about_states_between_ends(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    proof, chain = files
    shown = json.loads(Path(proof).read_text())
    Path(proof).write_text(json.dumps(shown | {"index": shown["index"] + 1}))
    code, _, complaint = check(capsys, proof, "--chain", chain, "--network", HASH)
    assert code == 1
    assert "at which no epoch ended" in complaint
    other = history().boundaries[LAST - 1].index
    Path(proof).write_text(json.dumps(shown | {"index": other}))
    code, found, _ = check(capsys, proof, "--chain", chain, "--network", HASH)
    assert (code, found["ok"]) == (1, False), "it has another root"


def test_a_chain_may_be_written_from_an_epoch_on(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "part"
    line = ["ledger", "chain", "--data-dir", str(folder), "--out", str(out), "--since"]
    assert main([*line, "4"]) == 0
    assert history().certificates[3] not in out.read_bytes()
    assert history().certificates[4] in out.read_bytes()
    assert main([*line, "77"]) == 2
    assert f"it keeps those of 0 to {LAST}" in capsys.readouterr().err
    assert not out.exists()
    assert main([*line, "-1"]) == 2


def test_nothing_certified_is_nothing_to_prove(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = prepare_data_folder(tmp_path / "young")
    write_genesis(made.genesis, GENESIS)

    async def open_once() -> None:
        async with open_journal(
            made.root, network_of(GENESIS), account_id(9), hash_block=content_digest
        ):
            pass

    trio.run(open_once)
    line = ["ledger", "prove", ACCOUNT, "--certified", "--data-dir", str(made.root), "--out"]
    assert main([*line, str(tmp_path / "proof")]) == 2
    assert "wait until the next epoch" in capsys.readouterr().err


async def served(store: MemoryStore, trust: Trust, index: int) -> int:
    """Asks a real node over loopback; gives the epoch that was found."""
    settings = NetworkSettings(("/ip4/127.0.0.1/tcp/0",), (), ())
    async with open_network(settings, account_seed(9), lambda *_: False) as network:

        async def answer(account: bytes, payload: bytes) -> bytes:
            return serve_genesis(GENESIS)

        network.serve(GENESIS_KIND, answer)
        Serving(store, network)
        with trio.fail_after(20), shown_progress("verifying") as progress:
            search = await _searched(network.addresses[:1], trust, index, progress)
    return search.result().epoch


async def test_a_node_is_asked_over_the_network() -> None:
    index = history().boundaries[2].index
    assert await served(store_of(history()), Trust(HASH, None), index) == 2
    end = TrustedEnd(Epoch(1), history().boundaries[1].digest)
    assert await served(store_of(history()), Trust("", end), index) == 2


async def test_a_node_that_lies_is_named_in_the_refusal() -> None:
    store = store_of(history())
    store.kept[1] = without_quorum(store.kept[1])
    with pytest.raises(ChainBroken, match=r"reaches to commit .*certificate of epoch 1 proves"):
        await served(store, Trust(HASH, None), history().boundaries[2].index)


async def test_a_node_that_pruned_the_beginning_of_the_chain_leaves_words_for_it() -> None:
    with pytest.raises(ChainBroken, match=r"reaches nowhere .*from epoch 3 on: ask an archive"):
        await served(store_of(history(), first=3), Trust(HASH, None), history().boundaries[4].index)
