"""How long to wait before a source or directory that failed is asked again. Pure: chance is handed in."""

FIRST_S = 10.0
MOST_S = 15 * 60.0


def wait_s(failures: int, chance: float) -> float:
    """Seconds to wait after `failures` failures in a row (at least 1): doubled each time, up to a quarter of an hour.

    `chance`, from 0 to 1, spreads the wait over its upper half, so that many hubs do not come back at the same moment.
    """
    # From 2^7 on the limit applies anyway; the exponent is capped so that a day of failures makes no huge number.
    whole_s = min(FIRST_S * 2.0 ** min(failures - 1, 7), MOST_S)
    return whole_s * (0.5 + chance / 2)
