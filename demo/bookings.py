"""The script of the morning's appointments: who booked for when, and what each does. Pure except for its dice.

Appointment times, lateness and absence follow the real clock, whatever SPEED is. SPEED shortens only the time until
visitors at the door come in, and the time between bookings.

Minutes and seconds count from the whole minute in which the morning begins, since appointments are at whole minutes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from random import Random

# The services with appointments; the others have only walk-ins.
BOOKED_LETTERS = ("A", "C", "F")
# Each booking is made this long before its time, since the demo has no use for the afternoon's bookings.
BOOKED_BEFORE_MIN = 20
BETWEEN_BOOKINGS_S, BETWEEN_BOOKINGS_LEAST_S = 80.0, 20.0
# Citizens whose appointment is soon or just over come in within this time, with the visitors at the door.
DOOR_S = 80.0
# Nobody scans a code before this, so that the hub has heard of the first bookings.
HEARD_S = 4.0
EARLY_MOST_S = 12 * 60.0
# Up to 5 min after the time a visitor is late, then absent. Publik is told 2 min later, and nobody comes after that.
LATE_S = (40.0, 250.0)
MISSED_S = (310.0, 380.0)
CHANGED_BEFORE_S = (240.0, 900.0)
LATER_MIN = (5, 10, 15)
A_DAY_MIN = 1440
# Without letters and digits that are easily confused.
CODE_SIGNS, CODE_LENGTH = "ABCDEFGHJKLMNPRSTUVWXYZ23456789", 6
STRAY_CODE, STRAY_S = "PAGE2", 90.0

# Eleven and seven, so that 77 names in a row are different.
FIRST_NAMES = ("Zoé", "Amadou", "Léa", "Nguyên", "Inès", "Bartłomiej", "Chloé", "Youssef", "Maëlle", "Tomáš", "Björn")
LAST_NAMES = ("Exemple-Inventée", "de l’Exemple", "Fictif", "D’Imaginaire", "Personne", "Inventé", "Modèle-Exemple")


class Fate(StrEnum):
    """What becomes of an appointment."""

    COMES = "comes"
    TWICE = "twice"  # scans once more, to be sure
    LATE = "late"
    MISSED = "missed"  # so late that the appointment is lost: waits like a walk-in
    NEVER = "never"
    MOVES = "moves"
    CANCELS = "cancels"
    WRONG_DAY = "wrong_day"


_SHARES = {
    Fate.COMES: 0.62,
    Fate.TWICE: 0.03,
    Fate.LATE: 0.12,
    Fate.MISSED: 0.05,
    Fate.NEVER: 0.09,
    Fate.MOVES: 0.04,
    Fate.CANCELS: 0.05,
}


class Doing(StrEnum):
    """What a citizen does: at the dispenser, or in Publik."""

    SCAN = "scan"
    MOVE = "move"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a citizen. `to_min`: the new time of a move."""

    at_s: float
    doing: Doing
    to_min: int = 0


@dataclass(frozen=True, slots=True)
class Citizen:
    """A citizen who booked at `booked_s` for `start_min`. `code` is on the confirmation. All of it is made up."""

    first_name: str
    last_name: str
    code: str
    letter: str
    start_min: int
    booked_s: float
    fate: Fate
    steps: tuple[Step, ...]


# What a newcomer should see in the first minutes: the time, in minutes from the one in which the hub hears of it; the
# service's letter; the fate; and the script's seconds until it shows.
_OPENING = (
    (-5, "C", Fate.MISSED, 24.0),
    (-4, "A", Fate.NEVER, 0.0),
    (-2, "A", Fate.LATE, 14.0),
    (-1, "F", Fate.LATE, 50.0),
    (2, "C", Fate.COMES, 6.0),
    (3, "A", Fate.TWICE, 32.0),
    (5, "F", Fate.MOVES, 42.0),
    (6, "C", Fate.COMES, 64.0),
    (7, "A", Fate.CANCELS, 56.0),
    (A_DAY_MIN + 5, "C", Fate.WRONG_DAY, 72.0),
)
_FIRST_OF_DICE_MIN = 7


def citizens(dice: Random, speed: int, begins_s: float) -> Iterator[Citizen]:
    """Citizens in the order in which they book, endlessly. The morning begins `begins_s` after its whole minute."""
    names = zip(cycle(FIRST_NAMES), cycle(LAST_NAMES), strict=True)
    heard_s = begins_s + HEARD_S
    heard_min = int(heard_s // 60)
    for in_min, letter, fate, script_s in _OPENING:
        start_min = heard_min + in_min
        steps = _opening_steps(fate, heard_s + script_s / speed, start_min)
        yield Citizen(*next(names), _code(dice), letter, start_min, 0.0, fate, steps)
    at_s = _FIRST_OF_DICE_MIN * 60.0
    while True:
        at_s += dice.uniform(0.6, 1.4) * max(BETWEEN_BOOKINGS_S / speed, BETWEEN_BOOKINGS_LEAST_S)
        start_min = round(at_s / 60)
        booked_s = max(0.0, (start_min - BOOKED_BEFORE_MIN) * 60.0)
        fate = dice.choices(list(_SHARES), list(_SHARES.values()))[0]
        door_s = heard_s + dice.uniform(0.0, DOOR_S) / speed
        steps = _steps(dice, fate, start_min * 60.0, max(booked_s, door_s))
        letter = dice.choice(BOOKED_LETTERS)
        yield Citizen(*next(names), _code(dice), letter, start_min, booked_s, fate, steps)


def _code(dice: Random) -> str:
    return "".join(dice.choices(CODE_SIGNS, k=CODE_LENGTH))


def _opening_steps(fate: Fate, at_s: float, start_min: int) -> tuple[Step, ...]:
    match fate:
        case Fate.NEVER:
            return ()
        case Fate.CANCELS:
            return (Step(at_s, Doing.CANCEL),)
        case Fate.MOVES:
            return (Step(at_s, Doing.MOVE, start_min + 10), Step(start_min * 60.0, Doing.SCAN))
        case Fate.TWICE:
            return (Step(at_s, Doing.SCAN), Step(at_s + 8.0, Doing.SCAN))
        case _:
            return (Step(at_s, Doing.SCAN),)


def _steps(dice: Random, fate: Fate, start_s: float, not_before_s: float) -> tuple[Step, ...]:
    """A citizen's steps; none is before `not_before_s`."""
    comes_s = max(not_before_s, start_s - dice.uniform(0.0, EARLY_MOST_S))
    changes_s = max(not_before_s, start_s - dice.uniform(*CHANGED_BEFORE_S))
    match fate:
        case Fate.NEVER:
            return ()
        case Fate.CANCELS:
            return (Step(changes_s, Doing.CANCEL),)
        case Fate.MOVES:
            to_s = start_s + dice.choice(LATER_MIN) * 60.0
            return (Step(changes_s, Doing.MOVE, round(to_s / 60)), Step(to_s - dice.uniform(0.0, 200.0), Doing.SCAN))
        case Fate.TWICE:
            return (Step(comes_s, Doing.SCAN), Step(comes_s + dice.uniform(8.0, 20.0), Doing.SCAN))
        case Fate.LATE:
            comes_s = start_s + dice.uniform(*LATE_S)
        case Fate.MISSED:
            comes_s = start_s + dice.uniform(*MISSED_S)
    return (Step(comes_s, Doing.SCAN),)
