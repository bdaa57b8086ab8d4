"""How long to wait before what failed, a source or a directory, is asked again. Pure: chance is handed in."""

FIRST_S = 10.0
MOST_S = 15 * 60.0


def wait_s(failures: int, chance: float) -> float:
    """After so many failures one after the other, 1 at least: twice as long each time, a quarter hour at most.

    `chance`, from 0 to 1, spreads it over its upper half, so that many hubs do not come back in one moment.
    """
    # Beyond 2^7 it is the most anyway; a day of failures must not raise 2 to the hundredth.
    whole_s = min(FIRST_S * 2.0 ** min(failures - 1, 7), MOST_S)
    return whole_s * (0.5 + chance / 2)
