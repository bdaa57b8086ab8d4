"""The morning's script: who comes when, how long a visit lasts, what an agent does. Pure except for its dice.

Times are the script's own seconds, divided by SPEED. They are shorter than in real life, so that nine desks are worth
watching.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

# Mean seconds between two walk-ins once the first ones are in, and how many people are at the door at opening. A call
# fills the display for 8 s: with one call in 15 s, appointments included, the list of calls is seen half of the time.
BETWEEN_VISITORS_S = 17.5
AT_THE_DOOR = 18
BETWEEN_FIRST_S = 2.0
# The share of visitors and the mean length of a visit, by the service's letter.
SHARES = {"A": 0.30, "C": 0.34, "F": 0.16, "M": 0.20}
VISIT_S = {"A": 100.0, "C": 122.0, "F": 110.0, "M": 68.0}
SHORTEST_VISIT_S = 20.0
OTHER_SHARE, OTHER_VISIT_S = 0.2, 100.0

PAUSE_S = 45.0
WALK_S = 6.0


class Ending(StrEnum):
    """What an agent does at the end of a visit."""

    BUTTON = "button"  # a short press: finish and call the next
    PAGE = "page"  # the same on the page
    TRANSFER = "transfer"
    PARK = "park"
    PAUSE = "pause"  # by a very long press: finish, then nobody


_ENDINGS = {Ending.BUTTON: 0.76, Ending.PAGE: 0.12, Ending.TRANSFER: 0.04, Ending.PARK: 0.04, Ending.PAUSE: 0.04}
_RECALLED, _NEVER_CAME = 0.12, 0.35


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit. `walk_s`: from the call to the desk. `recall`: called a second time. `comes`: came at all."""

    walk_s: float
    length_s: float
    recall: bool
    comes: bool
    ending: Ending


def gaps(dice: Random) -> Iterator[float]:
    """The seconds until each next visitor, endlessly: a Poisson process after those at the door."""
    for _ in range(AT_THE_DOOR):
        yield dice.expovariate(1 / BETWEEN_FIRST_S)
    while True:
        yield dice.expovariate(1 / BETWEEN_VISITORS_S)


def pick_letter(dice: Random, letters: list[str]) -> str:
    """Pick the service for which a visitor comes."""
    return dice.choices(letters, [SHARES.get(letter, OTHER_SHARE) for letter in letters])[0]


def plan_visit(dice: Random, letter: str) -> Visit:
    """Plan a visit to a service. Its length has a long tail, as in reality."""
    mean_s = VISIT_S.get(letter, OTHER_VISIT_S)
    recall = dice.random() < _RECALLED
    return Visit(
        walk_s=dice.uniform(0.5, 1.5) * WALK_S,
        length_s=max(SHORTEST_VISIT_S, dice.gammavariate(3.0, mean_s / 3.0)),
        recall=recall,
        comes=not (recall and dice.random() < _NEVER_CAME),
        ending=dice.choices(list(_ENDINGS), list(_ENDINGS.values()))[0],
    )
