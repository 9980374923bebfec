"""The chain of epoch certificates: what somebody who has no blocks can be sure of.

It begins with the committee of genesis, or with the end of an epoch that a person trusts. Each
certificate is signed by a committee that is known already and names the next one, so the newest
certified state is known from a few kilobytes an epoch, and nothing else has to be believed.
"""

from protocol.errors import Reason, Rejected
from protocol.ledger.certificate import Boundary
from protocol.ledger.certified import (
    EpochCertificate,
    TrustedEnd,
    boundary_of,
    open_certificate,
    trust_certificate,
    verify_certificate,
)
from protocol.ledger.committee import Committee
from protocol.messages import Genesis, network_of
from protocol.signing import Scheme
from protocol.units import Epoch


class CertificateChain:
    """How far the ends of epochs are proven; grows by one certificate at a time.

    Args:
        genesis: The network's, which the holder trusts.
        scheme: Signature functions.
        trusted: The end to begin with, if a person named one: nothing before it is looked at.

    Attributes:
        newest: The last proven end; None before the first.
        signers: Who signed that one; None where a person's word stands for it.
        committee: Who has to sign the next one; None before a trusted end was shown.
    """

    __slots__ = ("_is_churn", "_network", "_scheme", "_trusted", "committee", "newest", "signers")

    def __init__(self, genesis: Genesis, scheme: Scheme, trusted: TrustedEnd | None = None) -> None:
        self._network = network_of(genesis)
        self._scheme = scheme
        self._is_churn = genesis.parameters.churn_profile
        self._trusted = trusted
        self.newest: Boundary | None = None
        self.signers: Committee | None = None
        self.committee = None if trusted is not None else Committee.of_genesis(genesis)

    @property
    def next_epoch(self) -> Epoch:
        """The epoch whose certificate comes next."""
        if self.committee is not None:
            return self.committee.epoch
        assert self._trusted is not None, "a chain begins somewhere"
        return self._trusted.epoch

    def extend(self, raw: bytes) -> EpochCertificate:
        """Takes the next certificate; one that is refused changes nothing.

        Raises:
            Rejected: `TOO_LARGE`, `MALFORMED`, `NOT_CANONICAL`, `WRONG_EPOCH`, `NOT_A_MEMBER`,
                `BAD_SIGNATURE`, `NO_QUORUM`, or `UNTRUSTED_END` at the trusted one.
        """
        certificate = open_certificate(raw)
        following = self._following(certificate)
        self.signers, self.committee = self.committee, following
        self.newest = boundary_of(certificate, self._network)
        return certificate

    def contradicts(self, raw: bytes) -> bool:
        """Whether another certificate of the newest epoch is as good and tells of another end.

        More than a third of that committee's weight then signed two ends: no rule can tell which
        of them is the network's, only people can.

        Raises:
            Rejected: as for `extend`: it proves nothing.
        """
        certificate = open_certificate(raw)
        assert self.newest is not None, "there is an end to compare with"
        boundary = boundary_of(certificate, self._network)
        if certificate.epoch != self.newest.epoch:
            raise Rejected(Reason.WRONG_EPOCH)
        if boundary.digest == self.newest.digest:
            return False
        if self.signers is None:
            raise Rejected(Reason.UNTRUSTED_END)
        self._verified(certificate, self.signers)
        return True

    def _following(self, certificate: EpochCertificate) -> Committee:
        if self.committee is not None:
            return self._verified(certificate, self.committee)
        assert self._trusted is not None, "a chain begins somewhere"
        return trust_certificate(
            certificate, self._trusted, self._network, churn_profile=self._is_churn
        )

    def _verified(self, certificate: EpochCertificate, committee: Committee) -> Committee:
        return verify_certificate(
            certificate, committee, self._scheme, churn_profile=self._is_churn
        )
