"""Recomputes the draws of a job from its transcript, with the rules that every node applies.

A transcript is what `p2pnode job ID --json` prints. Who bid, and each bidder's stake, reputation
and price, are taken as recorded, as is the beacon: that they were so is what `ledger audit` shows.
All that follows from them is computed here again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from p2pnode.cli.endings import BadInput
from protocol.encoding import digest_of
from protocol.errors import Misuse, Reason
from protocol.job.bidding import weight_of
from protocol.job.crosscheck import MILLION, audit_chance, chosen
from protocol.job.drawing import (
    NUMBER_BYTES,
    ORDER_PER_REPLICA,
    ClassWeight,
    class_size,
    heaviest_class,
)
from protocol.job.jury import ORDER_PER_JUROR
from protocol.job.lottery import draw
from protocol.job.record import Duty
from protocol.job.stepped import is_of_one_class
from protocol.parameters import Parameters, live
from protocol.units import Credits

TRANSCRIPT_BYTES_MAX: Final = 64 * 1024 * 1024
OTHER_CLASS: Final = Reason.OTHER_CLASS.name.lower()

Hexadecimal = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Natural = Annotated[int, Meta(ge=0)]
Replicas = Annotated[int, Meta(ge=1, le=64)]


class Bid(Struct, frozen=True):
    """One bid."""

    account: Hexadecimal
    price: Annotated[int, Meta(ge=1)]
    device: str = ""


class Candidate(Struct, frozen=True):
    """A bidder that could be drawn, and what its weight comes from."""

    account: Hexadecimal
    weight: Natural
    free_stake: Natural
    reputation: Natural
    price: Annotated[int, Meta(ge=1)]


class PassedOver(Struct, frozen=True):
    """A bidder that could not be drawn, and why."""

    account: Hexadecimal
    reason: str = ""


class Draw(Struct, frozen=True):
    """One lottery."""

    beacon: Hexadecimal
    seed: Hexadecimal
    candidates: tuple[Candidate, ...]
    order: tuple[Hexadecimal, ...]
    passed_over: tuple[PassedOver, ...] = ()
    outweighed: tuple[Candidate, ...] = ()


class Audit(Struct, frozen=True):
    """Whether an auditor was sent, and whom."""

    beacon: Hexadecimal
    number: Natural
    numerator: Natural
    denominator: Annotated[int, Meta(ge=1)]
    auditors: tuple[Hexadecimal, ...]
    draw: Draw | None = None


class Executor(Struct, frozen=True):
    """Somebody who was called."""

    account: Hexadecimal
    duty: str
    checks: Natural = 0


class Transcript(Struct, frozen=True):
    """The part of a job's record that its draws follow from."""

    id: Hexadecimal
    requester: Hexadecimal
    bids: tuple[Bid, ...] = ()
    draw: Draw | None = None
    audit: Audit | None = None
    jury: Draw | None = None
    executors: tuple[Executor, ...] = ()
    price_cap: Annotated[int, Meta(ge=1)] | None = None
    replicas_min: Replicas | None = None
    replicas_max: Replicas | None = None
    tolerated_error_ppm: Annotated[int, Meta(ge=1, le=MILLION)] | None = None
    result_class: str | None = None


class Difference(Exception):  # noqa: N818  named for what was found
    """The first thing in a transcript that the rules do not give.

    Attributes:
        what: Names it.
        computed: What the rules give.
        recorded: What the transcript says.
    """

    def __init__(self, what: str, computed: object, recorded: object) -> None:
        super().__init__(f"{what}: the rules give {computed}, the transcript says {recorded}")
        self.what = what
        self.computed = computed
        self.recorded = recorded


@dataclass(frozen=True, slots=True)
class Retraced:
    """What was recomputed and found equal, and what the transcript does not tell enough for."""

    checked: tuple[str, ...]
    skipped: tuple[str, ...]


def read_transcript(raw: bytes) -> Transcript:
    """Reads a transcript.

    Raises:
        BadInput: The text is none.
    """
    try:
        return msgspec.json.decode(raw, type=Transcript)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"this is no output of `p2pnode job ID --json`: {error}") from error


def verify_transcript(transcript: Transcript, parameters: Parameters | None) -> Retraced:
    """Recomputes seeds, weights, device classes, orders, the audit's chance and the jury.

    Args:
        transcript: What a node said.
        parameters: The network's terms; None when they are not known. Weights then follow the
            terms that all presets share; what varies is left out: the choice of a device class
            and the chance of the audit.

    Raises:
        BadInput: There is no draw to verify.
        Difference: The first thing that is not as the rules have it.
    """
    drawn = transcript.draw
    if drawn is None:
        raise BadInput("the job has no draw: bidding is still open, or nobody bid")
    retrace = _Retrace(transcript, parameters)
    retrace.check_seed("seed of the draw", b"job", drawn.beacon, drawn.seed)
    retrace.check_bidders(drawn)
    retrace.check_weights("weight", (*drawn.candidates, *drawn.outweighed))
    retrace.check_class(drawn)
    count = ORDER_PER_REPLICA * transcript.replicas_max if transcript.replicas_max else None
    retrace.check_order("order of the draw", drawn, count)
    retrace.check_executors(drawn)
    if transcript.audit is not None:
        retrace.check_audit(transcript.audit)
    retrace.check_jury(transcript.jury)
    return Retraced(tuple(retrace.checked), tuple(retrace.skipped))


class _Retrace:
    def __init__(self, transcript: Transcript, parameters: Parameters | None) -> None:
        self.checked: list[str] = []
        self.skipped: list[str] = []
        self._job = bytes.fromhex(transcript.id)
        self._transcript = transcript
        self._parameters = parameters
        self._weighing = parameters if parameters is not None else live()
        self._prices = {bid.account: bid.price for bid in transcript.bids}
        self._devices = {bid.account: bid.device for bid in transcript.bids}

    def check_seed(self, what: str, tag: bytes, beacon: str, recorded: str) -> None:
        self._compare(what, digest_of(tag, bytes.fromhex(beacon), self._job).hex(), recorded)
        self.checked.append(what)

    def check_bidders(self, drawn: Draw) -> None:
        """Every bidder is a candidate or passed over, each once, and the requester is neither."""
        judged = [one.account for one in drawn.candidates]
        judged += [one.account for one in drawn.passed_over]
        if self._transcript.requester in self._prices:
            raise Difference("bidders", "no bid of the requester", self._transcript.requester)
        self._compare("bidders", sorted(self._prices), sorted(judged))
        self._check_prices(drawn)
        self.checked.append("bidders")

    def check_weights(self, what: str, candidates: Sequence[Candidate]) -> None:
        cap = self._transcript.price_cap
        if cap is None:
            self.skipped.append(f"{what}s: the transcript lacks price_cap")
            return
        for one in candidates:
            weight = weight_of(
                Credits(one.free_stake),
                one.reputation,
                Credits(one.price),
                Credits(cap),
                self._weighing,
            )
            self._compare(f"{what} of {one.account}", weight, one.weight)
        self.checked.append(f"{what}s")

    def check_class(self, drawn: Draw) -> None:
        """All candidates are of the class that the rule chooses, and the others of none such."""
        apart = [one.account for one in drawn.passed_over if one.reason == OTHER_CLASS]
        outweighed = [one.account for one in drawn.outweighed]
        self._compare("bidders of other classes", sorted(apart), sorted(outweighed))
        result_class = self._transcript.result_class
        if result_class is None:
            self.skipped.append("device class: the transcript lacks result_class")
        elif not is_of_one_class(result_class):
            self._compare("bidders of other classes", [], outweighed)
        else:
            self._check_one_class(drawn)

    def _check_one_class(self, drawn: Draw) -> None:
        classes = sorted({self._devices[one.account] for one in drawn.candidates})
        if len(classes) > 1:
            raise Difference("device class", "one of all candidates", classes)
        size = self._class_size()
        if size is None:
            return
        weighed = [
            ClassWeight(self._devices[one.account], one.weight)
            for one in (*drawn.candidates, *drawn.outweighed)
        ]
        best = heaviest_class(weighed, size)
        self._compare("device class", best, classes[0] if classes else "")
        for one in drawn.outweighed:
            if self._devices[one.account] == best:
                raise Difference(f"part of {one.account}", "candidate", "of another device class")
        self.checked.append("device class")

    def _class_size(self) -> int | None:
        told, parameters = self._transcript, self._parameters
        least, most, error_ppm = told.replicas_min, told.replicas_max, told.tolerated_error_ppm
        if parameters is None:
            self.skipped.append("choice of the device class: name the network's --genesis")
        elif least is None or most is None or error_ppm is None:
            self.skipped.append(
                "choice of the device class: the transcript lacks replicas_min, replicas_max or "
                "tolerated_error_ppm"
            )
        else:
            return class_size(least, most, error_ppm, parameters)
        return None

    def check_order(
        self,
        what: str,
        drawn: Draw,
        count: int | None,
        lack: str = "the transcript lacks replicas_max",
    ) -> None:
        """Draws again; without a count as many as are recorded, of which the rest is a prefix."""
        if count is None:
            self.skipped.append(f"length of the {what}: {lack}")
        weights: Mapping[bytes, int] = {
            bytes.fromhex(one.account): one.weight for one in drawn.candidates
        }
        seed = bytes.fromhex(drawn.seed)
        try:
            order = draw(seed, weights, count or max(1, len(drawn.order)))
        except Misuse as misuse:
            raise Difference(what, "weights from 1 to 2**64 - 1", misuse) from misuse
        recorded = list(drawn.order)
        if count is None:
            order = order[: len(recorded)]
        for place, account in enumerate(order, start=1):
            found = recorded[place - 1] if place <= len(recorded) else "nobody"
            self._compare(f"place {place} in the {what}", account.hex(), found)
        self._compare(f"length of the {what}", len(order), len(recorded))
        self.checked.append(what)

    def check_executors(self, drawn: Draw) -> None:
        """Executors were called in the drawn order; whoever could not be called is left out."""
        places = {account: place for place, account in enumerate(drawn.order)}
        called = self._called(Duty.EXECUTOR)
        for account in called:
            if account not in places:
                raise Difference("executors", "accounts of the drawn order", account)
        in_order = sorted(called, key=lambda account: places[account])
        self._compare("order of the executors", in_order, list(called))
        self.checked.append("executors")

    def check_audit(self, audit: Audit) -> None:
        seed = digest_of(b"audit", bytes.fromhex(audit.beacon), self._job)
        number = int.from_bytes(seed[:NUMBER_BYTES], "big")
        self._compare("number of the audit", number, audit.number)
        self._check_chance(audit)
        is_due = chosen(number, audit.numerator, audit.denominator)
        if not is_due and audit.auditors:
            raise Difference("auditors", "none, as the number spared the job", audit.auditors)
        self._compare("auditors", list(audit.auditors), list(self._called(Duty.AUDITOR)))
        self.checked.append("number of the audit")
        if is_due and audit.draw is None:
            self.skipped.append("draw of the auditor: the transcript lacks audit.draw")
        elif audit.draw is not None:
            self._check_auditor(audit, audit.draw, is_due)

    def _check_auditor(self, audit: Audit, drawn: Draw, is_due: bool) -> None:
        if not is_due:
            raise Difference("draw of the auditor", "none", "one")
        self._compare("beacon of the audit", audit.beacon, drawn.beacon)
        self._check_checkers(Duty.AUDITOR, "audit", drawn, 1)
        self._compare("auditors", list(drawn.order), list(audit.auditors))

    def check_jury(self, drawn: Draw | None) -> None:
        """Jurors were called in the drawn order, and nobody is one without a draw."""
        called = list(self._called(Duty.JUROR))
        if drawn is None:
            self._compare("jurors", [], called)
            return
        parameters = self._parameters
        seats = ORDER_PER_JUROR * parameters.jury_size if parameters is not None else None
        self._check_checkers(Duty.JUROR, "jury", drawn, seats)
        self._compare("order of the jurors", [one for one in drawn.order if one in called], called)

    def _check_checkers(self, duty: Duty, name: str, drawn: Draw, count: int | None) -> None:
        """Retraces a draw from everybody who does such work."""
        self.check_seed(f"seed of the {name}", name.encode(), drawn.beacon, drawn.seed)
        self._check_outsiders(duty, name, drawn)
        self.check_weights(f"weight in the {name}", drawn.candidates)
        self.check_order(f"order of the {name}", drawn, count, "name the network's --genesis")

    def _check_outsiders(self, duty: Duty, name: str, drawn: Draw) -> None:
        """Only who had no part yet can check, of the executors' class where there is one.

        Executors called later were spares at this draw, and could have been drawn.
        """
        executors = self._transcript.executors
        judged = {one.account for one in drawn.candidates}
        judged |= {one.account for one in drawn.passed_over}
        duties = [one.duty for one in executors]
        before = executors[: duties.index(duty.value) if duty.value in duties else 0]
        inside = {one.account for one in before} | {self._transcript.requester}
        if not before:
            inside |= {one.account for one in executors} - judged
        is_fixed = is_of_one_class(self._transcript.result_class or "") and bool(executors)
        fixed = self._devices.get(executors[0].account) if is_fixed else None
        for one in drawn.candidates:
            if one.account in inside:
                raise Difference(f"candidates of the {name}", "outsiders only", one.account)
            device = self._devices.get(one.account, fixed)
            if fixed is not None:
                self._compare(f"device class of {one.account} in the {name}", fixed, device)
        able = {one for one, device in self._devices.items() if fixed in (None, device)}
        if len(judged) < self._weighing.bids_max:
            left = sorted(able - inside - judged)
            self._compare(f"bidders left out of the {name}", [], left)
        self._check_prices(drawn, self._transcript.price_cap)

    def _check_chance(self, audit: Audit) -> None:
        """The chance is that of a group, or of one worker alone with its passed checks."""
        if self._parameters is None:
            self.skipped.append("chance of the audit: name the network's --genesis")
            return
        alone = [one.checks for one in self._transcript.executors]
        chances = [audit_chance(checks, self._parameters) for checks in (None, *alone)]
        recorded = (audit.numerator, audit.denominator)
        if recorded not in chances:
            raise Difference("chance of the audit", chances[0], recorded)
        self.checked.append("chance of the audit")

    def _check_prices(self, drawn: Draw, otherwise: int | None = None) -> None:
        """Everybody has the price that it bid; who bid for other jobs only, the price cap."""
        cap = self._transcript.price_cap
        for one in (*drawn.candidates, *drawn.outweighed):
            price = self._prices.get(one.account, otherwise)
            if price is not None or cap is not None:
                self._compare(f"price of {one.account}", price, one.price)
            if cap is not None and one.price > cap:
                raise Difference(f"price of {one.account}", f"at most {cap}", one.price)

    def _called(self, duty: Duty) -> Sequence[str]:
        executors = self._transcript.executors
        return [one.account for one in executors if one.duty == duty.value]

    def _compare(self, what: str, computed: object, recorded: object) -> None:
        if computed != recorded:
            raise Difference(what, computed, recorded)
