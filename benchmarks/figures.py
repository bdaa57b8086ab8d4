"""Percentiles, ratios to a floor, and the table of results."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `target`: the goal as text; `met`: whether it was reached, None without a goal."""

    what: str
    value: str
    target: str = ""
    met: bool | None = None
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One interleaved run: the times in ms of the floor and of the whole job."""

    floor: tuple[float, ...]
    whole: tuple[float, ...]

    def ratio(self, percent: float) -> float:
        return percentile(self.whole, percent) / percentile(self.floor, percent)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def median_ratio(runs: Sequence[Run], percent: float) -> float:
    return median(run.ratio(percent) for run in runs)


def median_of(runs: Sequence[Run], part: str, percent: float) -> float:
    """The median over the runs of a percentile of `part` (`floor` or `whole`), in ms."""
    return median(percentile(getattr(run, part), percent) for run in runs)


def spread(values: Sequence[float], digits: int = 2) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def ratio_row(what: str, runs: Sequence[Run], percent: float, most: float) -> Row:
    """The median ratio of the runs against `most`."""
    ratio = median_ratio(runs, percent)
    times = f"{median_of(runs, 'whole', percent):.2f} ms over {median_of(runs, 'floor', percent):.2f} ms"
    return Row(
        f"{what}, p{percent:g}",
        f"{ratio:.2f} × floor",
        f"≤ {most:g} ×",
        ratio <= most,
        f"{times}; runs {spread([run.ratio(percent) for run in runs])}",
    )


def table(rows: Sequence[Row]) -> str:
    """A table for the terminal, which is also valid Markdown."""
    verdict = {True: "yes", False: "NO", None: ""}
    lines = [("measured", "figure", "target", "reached", "details")]
    lines += [(row.what, row.value, row.target, verdict[row.met], row.seen) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    drawn.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(drawn)
