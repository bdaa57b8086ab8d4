"""How up to date the list of bookings is, for staff."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListState:
    """The state of the list of bookings.

    - `source`: the source's name for staff, empty if there is none; `is_file`: whether it is a file.
    - `as_of_ms`: when the list was last brought up to date; None if it never was.
    - `late`: whether that is longer ago than it should be; `reason`: why, in one English sentence for a log or a
      document.
    - `behind`: titles of the services whose list is not up to date; empty if that concerns all. `doubted`: those of
      them whose list arrived but is not believed.
    - `flaws`: number of bookings that can't be shown. `failed`: number of reports to the source that failed for good.
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
