"""Jobs made of steps: how an offer says so, and what that asks of its results.

The result class `stepped/2000` says that the run is two thousand equal steps, each a function of
what the one before it left. Results are compared to the bit, within one device class like those of
`class-exact`; where they differ, the executors find the first step that does, and a jury runs it.
"""

from typing import Final

from protocol.messages import Offer
from protocol.parameters import Parameters
from protocol.tree.trace import STEPS_MAX

CLASS_EXACT: Final = "class-exact"
"""The result class of offers whose results are only compared within one device class."""
STEPPED: Final = "stepped"
DIGITS_MAX: Final = len(str(STEPS_MAX))


def steps_of(result_class: str) -> int | None:
    """Reads how many steps a result class promises; None where it is not one of steps."""
    name, slash, count = result_class.partition("/")
    is_number = count.isascii() and count.isdecimal() and len(count) <= DIGITS_MAX
    if name != STEPPED or not slash or not is_number or str(int(count)) != count:
        return None
    return int(count) if 0 < int(count) <= STEPS_MAX else None


def is_stepped(offer: Offer) -> bool:
    """Whether a job's disputes come down to one step."""
    return steps_of(offer.result_class) is not None


def is_of_one_class(result_class: str) -> bool:
    """Whether results are only compared within one device class."""
    return result_class == CLASS_EXACT or steps_of(result_class) is not None


def seats_of(parameters: Parameters) -> int:
    """Counts the jurors that run a disputed step; at least one, also where no job has a jury."""
    return max(1, parameters.jury_size)
