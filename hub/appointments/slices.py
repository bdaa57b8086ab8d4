"""How many changes one command carries, so that people's commands never wait long behind it. Pure.

A slice of few holds the writer briefly, one of many costs less a change: at night and before the doors open the second
counts, while people call the first.
"""

from dataclasses import dataclass

from hub.queue.requests import BOOKINGS_A_SLICE

# Nobody has asked for anything for so long: the house is closed, or as good as.
QUIET_S = 60.0


@dataclass(frozen=True, slots=True)
class Aim:
    """What a slice is to take, from the queue to its answer, and how many changes it may have."""

    spent_s: float
    least: int
    most: int


# A call that comes just then waits half of it, more than twice of it hardly ever.
AMONG_PEOPLE = Aim(0.002, 4, 8)
# Well below what a slice may hold the writer, for machines that are suddenly slow.
AT_REST = Aim(0.012, 4, BOOKINGS_A_SLICE)


def next_size(size: int, spent_s: float, quiet_s: float) -> int:
    """After a slice of `size` took `spent_s`; `quiet_s`: how long nobody has asked for anything."""
    aim = AT_REST if quiet_s >= QUIET_S else AMONG_PEOPLE
    if spent_s > 2 * aim.spent_s:
        size //= 2
    elif spent_s > aim.spent_s:
        size -= 1
    else:
        size += 1
    return max(aim.least, min(size, aim.most))
