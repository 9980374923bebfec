"""What a newcomer and a light client pay for the chain of epoch certificates.

The certificates are made here, by members whose keys are known; a committee of 32 stays the same,
and as many of it sign as a quorum needs. Verifying takes the time that is measured, and no more is
kept of a chain than of its last link.
"""

import time
from collections.abc import Iterator
from itertools import islice

from protocol.ledger.certificate_chain import CertificateChain
from protocol.ledger.certified import encode_certificate
from protocol.signing import REAL
from tests.benchmarks.figures import Effort, Figure, at_most
from tests.support.certificates import Notary

MEMBERS = 32
EPOCHS = 1_000
RUNS = 3
YEAR = 52_560
"""Epochs of ten minutes in 365 days."""
BATCH = 500
ALONE = "one process, processor time"


def measure(effort: Effort) -> Iterator[Figure]:
    """Yield the figures of this group."""
    notary = Notary(MEMBERS)
    count = effort.of(EPOCHS, EPOCHS // 10)
    raws = [encode_certificate(one) for one in notary.certificates(count)]
    sizes = tuple(len(raw) / 1_000 for raw in raws)
    yield Figure("chain: a certificate", "kB", sizes, f"committee {MEMBERS}, a quorum signed")
    runs = tuple(_verified(notary, raws) for _ in range(effort.of(RUNS, 1)))
    conditions = f"{ALONE}; committee {MEMBERS}"
    yield Figure(f"chain: verify {count:,} epochs", "s", runs, conditions)
    yield _year(effort.of(YEAR, 10 * BATCH))


def _year(epochs: int) -> Figure:
    """Verify a year; where there is no time for all of it, a part that says so."""
    notary = Notary(MEMBERS)
    chain = CertificateChain(notary.genesis, REAL)
    made = notary.certificates(epochs)
    elapsed = 0.0
    while batch := [encode_certificate(one) for one in islice(made, BATCH)]:
        begun = time.process_time()
        for raw in batch:
            chain.extend(raw)
        elapsed += time.process_time() - begun
    assert chain.next_epoch == epochs, "every epoch was proven"
    return Figure(
        "chain: verify a year of ten-minute epochs",
        "s",
        (elapsed * YEAR / epochs,),
        f"{ALONE}; committee {MEMBERS}; {epochs:,} of {YEAR:,} epochs measured"
        + ("" if epochs == YEAR else ", the rest by proportion"),
        target=at_most(300),
    )


def _verified(notary: Notary, raws: list[bytes]) -> float:
    chain = CertificateChain(notary.genesis, REAL)
    begun = time.process_time()
    for raw in raws:
        chain.extend(raw)
    elapsed = time.process_time() - begun
    assert chain.next_epoch == len(raws), "every epoch was proven"
    return elapsed
