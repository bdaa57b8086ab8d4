"""Random days of appointments, with the hub killed between any two steps and in the middle of one."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine

from hub.absence import due
from hub.database.engine import open_driver_connection, open_engine
from hub.database.statements import Connection
from hub.queue.answers import Answer, DeskAnswer, RefusedAnswer
from hub.queue.commands.dispatch import run
from hub.queue.requests import (
    BeginReport,
    Book,
    Cancel,
    CancelBooking,
    CheckIn,
    CheckInByCode,
    Command,
    EndDay,
    EndReport,
    Finish,
    Issue,
    MarkAbsent,
    Move,
    Origin,
    PlanReports,
    Press,
    Readmit,
    Source,
    Start,
    StartAbsent,
    Withdraw,
)
from hub.queue.states import State
from hub.queue.transaction import Work
from protocol.messages import DeskOutcome
from tests.checkers import check_all, next_by_hand, read
from tests.databases import PostgresqlServer, sqlite_url
from tests.queue.harness import DESKS, MINUTE, SECOND, SERVICES, TUESDAY_AT_TEN, Queue, round_the_clock, slice_of, town

JOB = Origin(Source.JOB, "job")
NAME = "Zoé Exemple-Inventée"
IDS = st.sampled_from([f"booking-{number}" for number in range(6)])
# Includes a service that the site does not have.
SERVICE = st.sampled_from([*(service.name for service in SERVICES), "lost"])
AHEAD_MS = st.sampled_from([-20, 0, 5, 15, 60, 24 * 60]).map(lambda minutes: minutes * MINUTE)
DESK = st.sampled_from([desk.name for desk in DESKS])


class Disk:
    """Where the database is; `crash` gives an engine on what a power cut would have left."""

    def __init__(self, folder: Path, template: Path | None, engine: Engine | None) -> None:
        self._folder, self._numbers, self._shared = folder, count(1), engine
        self._file: Path | None = None
        if template is not None:
            self._file = self._new_file()
            shutil.copyfile(template, self._file)

    def open(self) -> Engine:
        return self._shared or open_engine(f"sqlite:///{self._file}")

    def crash(self, queue: Queue) -> Engine:
        """Crash with the transaction open: keep the files as on disk; on PostgreSQL the server loses its client."""
        if self._file is None:
            queue.connection.raw.close()
            return queue.engine
        left, self._file = self._file, self._new_file()
        for ending in ("", "-wal"):
            source = left.with_name(left.name + ending)
            if source.exists():
                shutil.copyfile(source, self._file.with_name(self._file.name + ending))
        queue.connection.close()
        queue.engine.dispose()
        return self.open()

    def close(self, queue: Queue) -> None:
        queue.close()
        if self._file is not None:
            queue.engine.dispose()
            shutil.rmtree(self._folder)

    def _new_file(self) -> Path:
        self._folder.mkdir(exist_ok=True)
        return self._folder / f"{next(self._numbers)}.db"


class Appointments(RuleBasedStateMachine):
    """The source, visitors, agents and jobs act in any order. `said`: what the source said last of each booking."""

    def __init__(self, disk: Disk) -> None:
        super().__init__()
        self.disk = disk
        self.queue = Queue(disk.open(), round_the_clock(town()), at_ms=TUESDAY_AT_TEN)
        self.queue.open(*(desk.name for desk in DESKS))
        self.said: dict[str, tuple[int, str, bool]] = {}
        self.codes = count(1)
        self.crash = ""
        for service in SERVICES[:2]:
            self.queue.issue(service.name)

    def teardown(self) -> None:
        self.disk.close(self.queue)

    # --- the source -----------------------------------------------------------------------------------------------

    @rule(booking=IDS, service=SERVICE, ahead_ms=AHEAD_MS)
    def book(self, booking: str, service: str, ahead_ms: int) -> None:
        self.source_says(self.book_of(booking, service, ahead_ms))

    @rule(booking=IDS, service=st.none() | SERVICE, ahead_ms=AHEAD_MS)
    def move(self, booking: str, service: str | None, ahead_ms: int) -> None:
        self.source_says(self.move_of(booking, service, ahead_ms))

    @rule(booking=IDS)
    def cancel_booking(self, booking: str) -> None:
        self.source_says(CancelBooking(booking=booking))

    @precondition(lambda self: self.said)
    @rule(data=st.data(), minutes=st.sampled_from([0, 3, 30]))
    def lose_and_find(self, data: st.DataObject, minutes: int) -> None:
        """Take a booking off the list for a while, then put it back unchanged."""
        booking = data.draw(st.sampled_from(sorted(self.said)))
        start_ms, service, _ = self.said[booking]
        self.source_says(CancelBooking(booking=booking))
        self.time_goes_by(minutes * MINUTE)
        self.source_says(self.book_of(booking, service, start_ms - self.queue.now_ms))

    @rule(booking=IDS, ahead_ms=AHEAD_MS)
    def move_one_that_was_admitted(self, booking: str, ahead_ms: int) -> None:
        self.source_says(self.book_of(booking, "taxes", 5 * MINUTE))
        self.a_second_of_the_absence_loop()
        self.source_says(self.move_of(booking, None, ahead_ms))

    @rule(data=st.data(), size=st.integers(2, 6))
    def a_sync(self, data: st.DataObject, size: int) -> None:
        made = (
            st.builds(self.book_of, IDS, SERVICE, AHEAD_MS)
            | st.builds(self.move_of, IDS, st.none() | SERVICE, AHEAD_MS)
            | st.builds(lambda booking: CancelBooking(booking=booking), IDS)
        )
        self.source_says(*data.draw(st.lists(made, min_size=size, max_size=size)))

    def book_of(self, booking: str, service: str, ahead_ms: int) -> Book:
        return Book(
            booking=booking,
            reference=f"form/{booking}",
            service=service,
            appointment_ms=self.queue.now_ms + ahead_ms,
            confirmation=booking.upper().replace("-", ""),
            code=f"{self.queue.site.name}-{next(self.codes)}",
            name=NAME,
        )

    def move_of(self, booking: str, service: str | None, ahead_ms: int) -> Move:
        return Move(booking=booking, appointment_ms=self.queue.now_ms + ahead_ms, service=service)

    def source_says(self, *changes: Any) -> None:
        for change in changes:
            self.note(change)
        self.do(slice_of(*changes))

    def note(self, change: Any) -> None:
        """Note what must be known of the booking from now on."""
        known = self.said.get(change.booking)
        lives = known is not None and not known[2]
        match change:
            case Book(appointment_ms=start_ms, service=service) if not lives and service != "lost":
                self.said[change.booking] = (start_ms, service, False)
            case Move(appointment_ms=start_ms, service=service) if known and lives and service != "lost":
                self.said[change.booking] = (start_ms, service or known[1], False)
            case CancelBooking() if known:
                self.said[change.booking] = (*known[:2], True)

    # --- people ---------------------------------------------------------------------------------------------------

    @rule(service=st.sampled_from(["civil", "papers"]))
    def walk_in(self, service: str) -> None:
        origin = self.queue.origin(Source.DISPENSER)
        self.do(Issue(origin=origin, service=service, code=f"{self.queue.site.name}-{next(self.codes)}"))

    @rule(booking=IDS, hall=st.sampled_from(["hall", "floor", None]))
    def check_in_by_code(self, booking: str, hall: str | None) -> None:
        code = booking.upper().replace("-", "")
        self.do(CheckInByCode(origin=self.queue.origin(Source.DISPENSER), confirmation=code, hall=hall))

    @rule(data=st.data(), kind=st.sampled_from([CheckIn, Readmit, StartAbsent, Cancel]), desk=DESK)
    def of_a_list(self, data: st.DataObject, kind: Any, desk: str) -> None:
        ticket = data.draw(st.sampled_from([each.id for each in self.queue.tickets()]))
        self.do(kind(origin=self.queue.origin(), desk=desk, ticket=ticket))

    @rule(desk=DESK)
    def call(self, desk: str) -> None:
        """I8: a press calls the ticket that is next by the order, found by brute force."""
        queue = self.queue
        queue.turn(4 * SECOND)
        should = next_by_hand(read(queue.engine, queue.site.name), queue.site, queue.index.desk(desk), queue.now_ms)
        answer = self.do(Press(origin=queue.origin(Source.BUTTON), desk=desk, at_ms=queue.now_ms))
        assert isinstance(answer, DeskAnswer), answer
        assert (answer.ticket if answer.outcome is DeskOutcome.CALLED else None) == should

    @rule(data=st.data(), kind=st.sampled_from([Start, Withdraw, MarkAbsent, Finish]))
    def of_the_held(self, data: st.DataObject, kind: Any) -> None:
        holding = [desk.name for desk in DESKS if self.queue.held(desk.name)]
        if holding:
            desk = data.draw(st.sampled_from(holding))
            self.do(kind(origin=self.queue.origin(), desk=desk, shown=self.queue.held(desk)))

    # --- time and jobs --------------------------------------------------------------------------------------------

    @rule(by_ms=st.sampled_from([SECOND, MINUTE, 6 * MINUTE, 70 * MINUTE]))
    def time_goes_by(self, by_ms: int) -> None:
        self.queue.turn(by_ms)

    @rule()
    def a_second_of_the_absence_loop(self) -> None:
        for command in self.due():
            self.do(command)
        assert not self.due(), "stays due for ever"

    def due(self) -> list[Command]:
        commands = due(self.queue.connection, self.queue.site, self.queue.now_ms)
        self.queue.connection.rollback()
        return commands

    @rule(limit=st.sampled_from([1, 3, 200]))
    def reports_are_planned(self, limit: int) -> None:
        self.do(PlanReports(origin=JOB, limit=limit))
        if limit == 200:
            self.nobody_here_is_still_to_be_told_absent()

    @rule(desk=DESK)
    def a_visit_is_told_step_by_step(self, desk: str) -> None:
        ticket = self.queue.held(desk)
        if ticket is None:
            return
        for kind in (Start, Finish) if self.queue.state(ticket) is State.CALLED else (Finish,):
            self.do(PlanReports(origin=JOB))
            self.do(kind(origin=self.queue.origin(), desk=desk, shown=ticket))
        self.do(PlanReports(origin=JOB))

    def nobody_here_is_still_to_be_told_absent(self) -> None:
        for each in read(self.queue.engine, self.queue.site.name).reports:
            if (each["kind"], each["state"]) == ("absent", "waiting"):
                assert self.queue.state(each["ticket"]) is State.ABSENT, each

    @rule(ends=st.sampled_from(["done", "put off", "failed", "unknown"]))
    def a_report_is_sent(self, ends: str) -> None:
        due_now = [
            each
            for each in read(self.queue.engine, self.queue.site.name).reports
            if each["due_ms"] <= self.queue.now_ms
        ]
        waiting = [each["id"] for each in due_now if each["state"] in ("waiting", "trying")]
        if not waiting:
            return
        self.do(BeginReport(origin=JOB, report=waiting[0], status_before="before"))
        if ends == "unknown":
            return
        error = None if ends == "done" else "not taken"
        again_ms = self.queue.now_ms + MINUTE if ends == "put off" else None
        self.do(EndReport(origin=JOB, report=waiting[0], error=error, again_ms=again_ms))

    @rule()
    def end_of_day(self) -> None:
        self.do(EndDay(origin=JOB, day=self.queue.tickets()[0].day, limit=50))
        self.queue.open(*(desk.name for desk in DESKS))

    @rule(when=st.sampled_from(["before the commit", "after it", "now"]))
    def the_hub_is_killed(self, when: str) -> None:
        if when == "now":
            self.restart()
        else:
            self.crash = when

    # --- what must hold -------------------------------------------------------------------------------------------

    def do(self, command: Command) -> Answer:
        """Run a command as the hub does; after a crash its sender sends it again, or the job runs again."""
        queue, crash = self.queue, self.crash
        self.crash = ""
        if crash == "before the commit":
            before = queue.snapshot()
            queue.connection.begin()
            run(Work(queue.connection, queue.index, queue.now_ms, command.origin, lambda _: None), command)
            self.restart()
            assert queue.snapshot() == before, "what was not committed is there"
        answer = queue.do(command)
        if crash == "after it":
            self.restart()
            before = queue.snapshot()
            # The sender of a request with an id sends it again; a sync compares again and finds nothing to do.
            if command.origin.request is not None:
                assert queue.do(command) == answer, "another answer to the same request"
                assert queue.snapshot() == before, "done twice"
        if not isinstance(answer, RefusedAnswer):
            self.check()
        return answer

    def restart(self) -> None:
        queue = self.queue
        queue.engine = self.disk.crash(queue)
        queue.connection = Connection(open_driver_connection(queue.engine), queue.engine.dialect)

    def check(self) -> None:
        """Check all invariants, that bookings are what the source said last, and that names stay in their table."""
        rows = read(self.queue.engine, self.queue.site.name)
        check_all(rows)
        assert NAME not in repr(rows)
        known = {each["id"]: (each["start_ms"], each["service"], bool(each["gone"])) for each in rows.bookings}
        assert known == self.said
        for ticket in rows.tickets:
            if ticket["state"] == State.EXPECTED:
                start_ms, _, gone = known[ticket["booking"]]
                assert (ticket["appointment_ms"], ticket["due_ms"], gone) == (start_ms, start_ms, False)


@pytest.fixture(params=["sqlite", "postgresql"])
def disks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """Makes a disk for each run: a separate SQLite file, or a place in one PostgreSQL database."""
    numbers = count(1)
    if request.param == "sqlite":
        template = Path(sqlite_url(tmp_path).removeprefix("sqlite:///"))
        yield "sqlite", lambda: Disk(tmp_path / f"run-{next(numbers)}", template, None)
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    engine = open_engine(server.new_database())
    yield "postgresql", lambda: Disk(tmp_path, None, engine)
    engine.dispose()


@pytest.mark.torture
def test_no_day_of_appointments_and_crashes_breaks_an_invariant(disks: tuple[str, Any], torture: bool):
    kind, new_disk = disks
    few = 12 if kind == "sqlite" else 5
    run_state_machine_as_test(
        lambda: Appointments(new_disk()),
        settings=settings(
            max_examples=2_000 if torture else few,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
            deadline=None,
        ),
    )
