"""Faults that the test Publik can be told to show in its next answers to an address."""

from dataclasses import dataclass

KINDS = (
    "slow",  # answers after `seconds`
    "hang",  # takes the call and never answers
    "drop",  # closes without an answer
    "drip",  # a byte of the body every `seconds`
    "drip_headers",  # the same, from the first line of the headers
    "cut",  # half a body, then closes
    "cut_quietly",  # the same without a Content-Length
    "status",  # `status`, with JSON
    "html",  # `status`, with a page
    "err",  # HTTP 200 and err 1
    "redirect",  # to a login page
)


@dataclass
class Fault:
    """A fault for addresses that contain `match`, shown `times` times (None: always). If `works`, the request is done
    and only its answer is lost."""

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
    """The first fault for this address, or None. A fault that has been used up is removed."""
    for fault in faults:
        if fault.match not in path:
            continue
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                faults.remove(fault)
        return fault
    return None
