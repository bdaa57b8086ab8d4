"""How many changes one command carries and when the next one follows, so that people never wait long behind it. Pure.

A small slice holds the writer briefly; a large one costs less per change. While people send commands, slices are small;
at night and before the doors open, they are large.
"""

from hub.queue.requests import BOOKINGS_A_SLICE

# If nobody has asked for anything for this long, the house is closed, or as good as closed.
QUIET_S = 60.0
# The slice's size while people send commands. One change would take nearly as long as two: the cost lies in the read,
# the write and the commit of each slice.
AMONG_PEOPLE = 2
# The target time of a slice in a quiet house, from queueing to answer. It is well below the time for which a slice may
# hold the writer, because a machine may suddenly become slow.
AT_REST_S = 0.012
# While people send commands, the pause after a slice is this many times as long as the slice took. With slices back to
# back, nearly every call would wait for one to finish.
REST = 10
# The longest pause. A slice that took long was waiting behind people's commands; that wait needs no pause of its own.
REST_MOST_S = 0.05


def next_size(size: int, spent_s: float, quiet_s: float) -> int:
    """The size of the next slice, after one of `size` took `spent_s`.

    `quiet_s`: for how long nobody has asked for anything.
    """
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
