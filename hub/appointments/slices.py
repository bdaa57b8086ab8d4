"""How many changes one command carries, so that people's commands never wait long behind it. Pure."""

from hub.queue.requests import BOOKINGS_A_SLICE

# A call that comes just then waits so much longer, at most twice that. On a slow disk a slice holds fewer.
AIM_S = 0.005
FIRST = 8
MOST = BOOKINGS_A_SLICE


def next_size(size: int, spent_s: float) -> int:
    """After a slice of `size` took `spent_s` from the queue to its answer."""
    if spent_s > 2 * AIM_S:
        return max(size // 2, 1)
    if spent_s > AIM_S:
        return max(size - 1, 1)
    return min(size + 1, MOST)
