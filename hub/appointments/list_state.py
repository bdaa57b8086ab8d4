"""How old the list of bookings is, for staff."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListState:
    """`source`: what staff call it, empty where there is none; `is_file`: whether it is one. `as_of_ms`: when the list
    was last brought up to date.

    `late`: longer ago than it should be; `reason`: why, in one English sentence for a log or a document. `behind`: of
    which services alone, by their titles; empty where it is all of them. `doubted`: of which of these there is a list
    that is not believed. `flaws`: how many bookings can't be shown. `failed`: how many reports to the source failed for
    good.
    """

    source: str = ""
    as_of_ms: int | None = None
    late: bool = False
    reason: str | None = None
    flaws: int = 0
    failed: int = 0
    behind: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()
    is_file: bool = False
