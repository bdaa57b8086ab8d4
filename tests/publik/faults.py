"""What the test Publik can be told to do badly, to the next calls of an address."""

from dataclasses import dataclass

KINDS = (
    "slow",  # answers after `seconds`
    "hang",  # takes the call and says nothing
    "drop",  # closes without a word
    "drip",  # a byte of the body every `seconds`
    "drip_headers",  # the same from the first line on
    "cut",  # half a body, and closed
    "cut_quietly",  # the same without having said how long it is
    "status",  # `status`, with JSON
    "html",  # `status`, with a page
    "err",  # HTTP 200 and err 1
    "redirect",  # to a login page
)


@dataclass
class Fault:
    """`match`: part of the addresses it is for. `times`: how often, None for always. `works`: what was asked for is
    done all the same, and only its answer is lost."""

    kind: str
    match: str = ""
    times: int | None = 1
    seconds: float = 0.0
    status: int = 500
    works: bool = False

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.kind}")


def take(faults: list[Fault], path: str) -> Fault | None:
    """The first that is for this address, once used up no more."""
    for fault in faults:
        if fault.match not in path:
            continue
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                faults.remove(fault)
        return fault
    return None
