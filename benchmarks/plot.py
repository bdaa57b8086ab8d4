"""Plots the runs: the distribution of each measurement's times, and of its floor."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

from benchmarks.figures import Run, median_ratio

mpl.use("Agg")
from matplotlib import pyplot as plt

FLOOR, WHOLE = "#9aa5b1", "#0a5fb4"


def draw(measured: Mapping[str, Sequence[Run]], path: Path) -> None:
    """One panel for each measurement: the share of messages, by the time that they took at most."""
    figure, panels = plt.subplots(1, len(measured), figsize=(4.2 * len(measured), 3.6), squeeze=False)
    for panel, (name, runs) in zip(panels[0], measured.items(), strict=True):
        for part, colour in (("floor", FLOOR), ("whole", WHOLE)):
            for run in runs:
                times = sorted(getattr(run, part))
                shares = [(place + 1) / len(times) * 100 for place in range(len(times))]
                panel.plot(times, shares, color=colour, linewidth=1, label=part if run is runs[0] else None)
        panel.set_title(f"{name}\np50 {median_ratio(runs, 50):.2f} ×", fontsize=10)
        panel.set_xscale("log")
        panel.set_xlabel("ms")
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("% of messages")
    panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
