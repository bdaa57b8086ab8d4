"""How many changes one command carries and when the next one follows, so that people never wait long behind it. Pure.

A slice of few holds the writer briefly, one of many costs less a change: at night and before the doors open the second
counts, while people call the first.
"""

from hub.queue.requests import BOOKINGS_A_SLICE

# Nobody has asked for anything for so long: the house is closed, or as good as.
QUIET_S = 60.0
# A slice of one would take nearly as long: what costs is its look, its write and its commit.
AMONG_PEOPLE = 2
# What a slice is to take in a quiet house, from the queue to its answer: well below what it may hold the writer, for
# machines that are suddenly slow.
AT_REST_S = 0.012
# As many times as long as a slice took, the writer is left to people before the next one: with one slice after the
# other nearly every call waits for the rest of one.
REST = 10
# What took longer waited behind people, and need not rest for that too.
REST_MOST_S = 0.05


def next_size(size: int, spent_s: float, quiet_s: float) -> int:
    """After a slice of `size` took `spent_s`; `quiet_s`: how long nobody has asked for anything."""
    if quiet_s < QUIET_S:
        return AMONG_PEOPLE
    if spent_s > 2 * AT_REST_S:
        size //= 2
    elif spent_s > AT_REST_S:
        size -= 1
    else:
        size += 1
    return max(AMONG_PEOPLE, min(size, BOOKINGS_A_SLICE))


def rest_s(spent_s: float, quiet_s: float) -> float:
    """How long to leave the writer alone after a slice that took `spent_s`, in s."""
    return 0.0 if quiet_s >= QUIET_S else min(REST * spent_s, REST_MOST_S)
