"""A light client: finds the certified root that a proof is about, without blocks and without trust.

What is trusted is the hash of the network, or the end of one epoch. From there a chain of
certificates, out of a file or from any node, leads to every later end.
"""

import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from p2pnode.arrival.asking import Asking
from p2pnode.arrival.chain import ChainFetch, HistoryForked
from p2pnode.arrival.company import Company
from p2pnode.cli.endings import BadInput
from p2pnode.joining import JoinRequest, join
from p2pnode.network import NetworkSettings, open_network, parse_address
from p2pnode.offline.chain_file import opened_chain
from p2pnode.offline.progress import Progress, shown_progress
from p2pnode.world import BLOCKS_TOPIC, topic_of
from protocol.errors import Rejected
from protocol.ledger.certificate import Boundary
from protocol.ledger.certificate_chain import CertificateChain
from protocol.ledger.certified import TrustedEnd, boundary_of, open_certificate
from protocol.messages import Genesis, network_of
from protocol.signing import REAL
from protocol.units import Digest, Epoch

ANY_NUMBER = 2**53
"""A node is asked once, by somebody who waits: it may claim as many epochs as there can be."""


class ChainBroken(Exception):  # noqa: N818  what was found
    """The certificates do not prove what they have to."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the reader knows by other ways: one of the two."""

    network: str
    """All hexadecimal digits of its hash; may be empty with a trusted end, which names it too."""
    end: TrustedEnd | None


@dataclass(slots=True)
class Search:
    """Looks for one end among certificates that were proven."""

    network: Digest
    index: int
    """Of the commit that the end has to be."""
    found: Boundary | None = None
    newest: Boundary | None = None
    epochs: int = 0
    trouble: str = ""
    """Why there may be less than there could: what a node lied about."""

    def take(self, raw: bytes) -> None:
        """Looks at the next proven certificate."""
        self.newest = boundary_of(open_certificate(raw), self.network)
        self.epochs += 1
        if self.newest.index == self.index:
            self.found = self.newest

    def result(self) -> Boundary:
        """The end that was looked for.

        Raises:
            ChainBroken: No proven certificate is of it.
        """
        if self.found is not None:
            return self.found
        reach = "nowhere" if self.newest is None else f"to commit {self.newest.index}"
        trouble = f" ({self.trouble})" if self.trouble else ""
        raise ChainBroken(
            f"the proof is of the state after commit {self.index}, at which no epoch ended that "
            f"the chain proves; it reaches {reach}{trouble}. A proof is of an epoch's end when it "
            "was made with `ledger prove --certified`"
        )


def search_file(path: Path, trust: Trust, index: int) -> Search:
    """Proves a chain out of a file.

    Raises:
        BadInput: The file is none, or of another network than the reader trusts.
        ChainBroken: A certificate in it proves nothing.
    """
    with opened_chain(path) as (genesis, raws), shown_progress("verifying", unit="epochs") as shown:
        _check_network(genesis, trust)
        chain = CertificateChain(genesis, REAL, trust.end)
        search = Search(network_of(genesis), index)
        for raw in raws:
            if _is_before(raw, chain):
                continue
            try:
                chain.extend(raw)
            except Rejected as refusal:
                raise ChainBroken(
                    f"the certificate of epoch {chain.next_epoch} proves nothing: {refusal}"
                ) from refusal
            search.take(raw)
            shown.show(search.epochs, 0)
    return search


def _is_before(raw: bytes, chain: CertificateChain) -> bool:
    """Whether a certificate lies before the trusted end; one that is none is judged later."""
    if chain.committee is not None:
        return False
    try:
        return open_certificate(raw).epoch < chain.next_epoch
    except Rejected:
        return False


def search_node(bootstrap: Sequence[str], trust: Trust, index: int) -> Search:
    """Proves the chain that nodes have, asking them over the network.

    Raises:
        JoinRefused: Nobody answers, or only nodes of another network.
        ChainBroken: They show no chain that proves anything.
    """
    with shown_progress("verifying", unit="epochs") as progress:
        return trio.run(_searched, tuple(bootstrap), trust, index, progress)


async def _searched(
    bootstrap: tuple[str, ...], trust: Trust, index: int, progress: Progress
) -> Search:
    seed = secrets.token_bytes(32)
    with tempfile.TemporaryDirectory() as folder:
        request = JoinRequest(Path(folder) / "genesis", trust.network, bootstrap, seed, seed)
        joined = await join(request)
    search = Search(joined.network, index)

    async def keep(first: Epoch, raws: Sequence[bytes]) -> None:
        for raw in raws:
            search.take(raw)

    topics = (topic_of(BLOCKS_TOPIC, joined.network),)  # a link without one would be dropped
    settings = NetworkSettings(listen=(), bootstrap=bootstrap, topics=topics)
    async with open_network(settings, seed, lambda *_: False) as network:
        known = [parse_address(address).account for address in bootstrap]
        company = Company(Asking(network), lambda: known, ANY_NUMBER)
        chain = CertificateChain(joined.genesis, REAL, trust.end)
        try:
            standings = await ChainFetch(company, chain, keep, _Shown(progress)).run()
        except HistoryForked as forked:
            raise ChainBroken(str(forked)) from forked
    told = list(company.liars.values())
    firsts = [one.first_certificate for one in standings.values()]
    if search.newest is None and firsts and min(firsts) > chain.next_epoch:
        told.append(
            f"the nodes keep certificates from epoch {min(firsts)} on: ask an archive node, or "
            "give the end of a later epoch with --checkpoint"
        )
    search.trouble = "; ".join(told)
    return search


@dataclass(frozen=True, slots=True)
class _Shown:
    """Shows a chain's progress on the terminal."""

    progress: Progress

    def chain(self, epoch: int, newest: int) -> None:
        self.progress.show(epoch + 1, epoch + 1)

    def pages(self, epoch: int, done: int, total: int) -> None:
        raise AssertionError("a light client fetches no snapshot")


def _check_network(genesis: Genesis, trust: Trust) -> None:
    found = network_of(genesis).hex()
    if trust.network not in ("", found):
        raise BadInput(f"the chain is of the network {found}, and not of {trust.network}")
