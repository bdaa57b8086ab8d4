"""The range of waiting times that a ticket may promise, or None. Pure."""

# With fewer measured visits of a service in the window than this, nothing is promised.
LEAST_VISITS = 20
WINDOW_DAYS = 30
# The range around the plain product, in tenths. It is wide enough to be honest until a calibrated model replaces it.
LOW_TENTHS, HIGH_TENTHS = 6, 16
STEP_MIN = 5
_MINUTE_MS = 60_000


def wait_range_min(people_ahead: int, mean_visit_ms: int | None, open_desks: int) -> tuple[int, int] | None:
    """Least and most minutes, rounded outward to 5; None if too little was measured or no desk is open."""
    if mean_visit_ms is None or open_desks == 0:
        return None
    wait_ms = people_ahead * mean_visit_ms / open_desks
    step_ms = STEP_MIN * _MINUTE_MS
    low = int(wait_ms * LOW_TENTHS / 10 // step_ms) * STEP_MIN
    high = -int(-wait_ms * HIGH_TENTHS / 10 // step_ms) * STEP_MIN
    return low, max(high, low + STEP_MIN)
