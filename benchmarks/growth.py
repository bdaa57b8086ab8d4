"""Whether a call takes longer when many wait: the writer's command on a short and on a long queue in turn."""

import os
import queue
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from benchmarks.figures import Row, Run, percentile, spread
from benchmarks.hall import DESKS, desk_name, fill, large_site, more_waiting, node_name
from hub.database.engine import open_engine
from hub.metrics import Metrics
from hub.queue.answers import DeskAnswer
from hub.queue.requests import Origin, Press, Source
from hub.site_index import SiteIndex
from hub.tasks import Task
from hub.writer import Writer
from protocol.ids import uuid7
from protocol.messages import DeskOutcome

FEW, MANY = 100, 100_000
RUNS = 5
CALLS = 100
MOST = 1.2
# Between calls, on the writer's clock: the pace of calls in 20 halls.
BETWEEN_CALLS_MS = 210


class Desk:
    """A writer on a queue; `one_more` after each `call` keeps its length constant."""

    def __init__(self, engine: Engine, waiting: int) -> None:
        self._engine = engine
        self._site = large_site()
        self._number = waiting
        self._now_ms = time.time_ns() // 1_000_000
        self._place = 0
        self._told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        fill(engine, self._site, waiting=waiting, appointments_early=True)
        self._writer = Writer(
            engine=engine,
            index=SiteIndex(self._site),
            now_ms=lambda: self._now_ms,
            mean_visit_ms=lambda _: None,
            after_commit=lambda _: None,
            metrics=Metrics("bench"),
        )
        self._writer.start()

    def close(self) -> None:
        self._writer.stop()
        self._engine.dispose()

    def call(self) -> float:
        """The milliseconds from the writer's queue to the answer, including the durable commit."""
        self._now_ms += BETWEEN_CALLS_MS
        origin = Origin(Source.BUTTON, node_name(self._place), uuid7(self._now_ms, os.urandom(10)))
        press = Press(origin=origin, desk=desk_name(self._place), at_ms=self._now_ms)
        started_s = time.perf_counter()
        self._writer.put(Task(press, answered=self._told.put, failed=self._told.put))
        answer = self._told.get(timeout=20)
        spent_ms = (time.perf_counter() - started_s) * 1000
        assert isinstance(answer, DeskAnswer), answer
        assert answer.outcome is DeskOutcome.CALLED, answer
        self._place = (self._place + 1) % DESKS
        return spent_ms

    def one_more(self) -> None:
        """Add a visitor at the end of the queue, in place of the one called."""
        self._number += 1
        row = more_waiting(self._site, self._number, self._now_ms)
        with self._engine.execution_options(write=True).begin() as connection:
            connection.execute(insert(row.table), row.values)


def growth(few: Desk, many: Desk, runs: int = RUNS, calls: int = CALLS) -> list[Run]:
    """Runs whose floor is the short queue."""
    done = []
    for number in range(runs + 1):
        floor, whole = [], []
        for place in range(calls):
            pair = ((few, floor), (many, whole))
            for desk, times in pair if place % 2 else reversed(pair):
                times.append(desk.call())
                desk.one_more()
        if number:
            done.append(Run(tuple(floor), tuple(whole)))
    return done


@contextmanager
def desks(folder: Path, new_database: Any) -> Iterator[tuple[Desk, Desk]]:
    few = Desk(open_engine(new_database(folder / "few")), FEW)
    many = Desk(open_engine(new_database(folder / "many")), MANY)
    with closing(few), closing(many):
        yield few, many


def rows(name: str, runs: list[Run]) -> list[Row]:
    ratios = [run.ratio(50) for run in runs]
    middle = sorted(ratios)[len(ratios) // 2]
    times = [percentile(run.whole, 50) for run in runs]
    seen = f"{sorted(times)[len(times) // 2]:.2f} ms with {MANY:,}; runs {spread(ratios)}"
    return [
        Row(
            f"call-next, {FEW} to {MANY:,} waiting, {name}, p50", f"{middle:.2f} ×", f"≤ {MOST} ×", middle <= MOST, seen
        )
    ]
