"""A hall of 200 desks behind a real writer, on a clock that the test turns."""

import queue
import random
import threading
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Engine

from benchmarks.hall import large_site
from hub.metrics import Metrics
from hub.queue.adoption import adopt
from hub.queue.answers import Answer, DoneAnswer, TicketAnswer
from hub.queue.requests import Book, CheckIn, Command, Issue, Origin, SetMode, Source
from hub.site_index import SiteIndex
from hub.tasks import Task
from hub.writer import Committed, Writer
from protocol.ids import uuid7
from protocol.messages import DeskMode
from tests.checkers import Rows, read
from tests.queue.harness import MINUTE, moment, slice_of

LIMIT_S = 60
HANDS = 8


class Hall:
    """Its writer runs in a separate thread, as in the hub. Each seed has a separate site."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine = engine
        self.site = replace(large_site(), name=f"hall-{seed}")
        self.dice = random.Random(seed)
        self.now_ms = moment("2026-11-24 10:00")
        self.batches: list[int] = []
        self._ids = 0
        adopt(engine, self.site, self.now_ms)
        self.writer = Writer(
            engine=engine,
            index=SiteIndex(self.site),
            now_ms=lambda: self.now_ms,
            mean_visit_ms=lambda _: None,
            after_commit=self._committed,
            metrics=Metrics("test"),
        )
        self.writer.start()

    def _committed(self, batch: Iterable[Committed]) -> None:
        self.batches.append(len(list(batch)))

    def new_id(self) -> str:
        self._ids += 1
        return uuid7(self.now_ms, self._ids.to_bytes(10, "big"))

    def origin(self, source: Source, actor: str) -> Origin:
        return Origin(source, actor, self.new_id())

    def do_all(self, commands: Iterable[Command], *, hands: int = HANDS) -> list[Answer]:
        """Hand commands to the writer from several threads at once; returns the answers in the commands' order."""
        wanted = list(commands)
        answers: list[Any] = [None] * len(wanted)
        told: queue.SimpleQueue[int] = queue.SimpleQueue()
        gate = threading.Barrier(hands)

        def answered(place: int) -> Callable[[Any], None]:
            def note(answer: Any) -> None:
                answers[place] = answer
                told.put(place)

            return note

        def hand(number: int) -> None:
            gate.wait(LIMIT_S)
            for place in range(number, len(wanted), hands):
                self.writer.put(Task(wanted[place], answered=answered(place), failed=answered(place)))

        threads = [threading.Thread(target=hand, args=(number,)) for number in range(hands)]
        for each in threads:
            each.start()
        for _ in wanted:
            told.get(timeout=LIMIT_S)
        for each in threads:
            each.join()
        failures = [answer for answer in answers if isinstance(answer, Exception)]
        assert not failures, failures[:3]
        return answers

    def open_all(self) -> None:
        page = [
            SetMode(origin=self.origin(Source.PAGE, "agent"), desk=desk.name, shown=None, mode=DeskMode.OPEN)
            for desk in self.site.desks
        ]
        self.do_all(page)

    def count(self) -> None:
        """Run `analyze`, as PostgreSQL's daemon or the hub's outbox does now and then; neither runs here."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("analyze")

    def visitors(self, count: int) -> None:
        """Let visitors come at once: walk-ins, some with priority, and a third by appointment, early or not."""
        walk_ins = [self._walk_in() for _ in range(count - count // 3)]
        assert all(isinstance(answer, TicketAnswer) for answer in self.do_all(walk_ins))
        bookings = [self._booking() for _ in range(count // 3)]
        assert self.do_all(map(slice_of, bookings)) == [DoneAnswer(count=1)] * len(bookings)
        booked = {each.booking for each in bookings}
        tickets = [each["id"] for each in self.rows().tickets if each["booking"] in booked]
        arrive = [CheckIn(origin=self.origin(Source.PAGE, "door"), desk="", ticket=ticket) for ticket in tickets]
        assert all(isinstance(answer, TicketAnswer) for answer in self.do_all(arrive))

    def _walk_in(self) -> Issue:
        origin = self.origin(Source.DISPENSER, "dispenser-1")
        service = self.dice.choice(self.site.services).name
        return Issue(origin=origin, service=service, code=origin.request or "", priority=self.dice.random() < 0.1)

    def _booking(self) -> Book:
        number = self.new_id()
        at_ms = self.now_ms + self.dice.randrange(-4, 60) * MINUTE
        service = self.dice.choice(self.site.services).name
        return Book(
            booking=number,
            reference=number,
            service=service,
            appointment_ms=at_ms,
            confirmation=number,
            code=number,
        )

    def rows(self) -> Rows:
        return read(self.engine, self.site.name)
