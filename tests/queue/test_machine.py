"""Days that nobody would think of: random commands, and after each one all that must never happen."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine

from hub.database.engine import open_writer_connection
from hub.database.statements import Connection
from hub.pictures import Pictures
from hub.queue.requests import (
    Abandon,
    Admit,
    Answer,
    ButtonMode,
    ButtonRecall,
    Cancel,
    CancelBooking,
    CheckIn,
    Command,
    Defer,
    DeskAnswer,
    EndDay,
    Finish,
    FinishParked,
    Issue,
    MarkAbsent,
    Move,
    Next,
    Origin,
    Park,
    Pick,
    Press,
    Readmit,
    Recall,
    RefusedAnswer,
    Reopen,
    Resume,
    SetMode,
    Source,
    Start,
    StartAbsent,
    Transfer,
    Undo,
    Withdraw,
)
from hub.queue.states import State
from hub.absence import due
from protocol.messages import DeskMode, DeskOutcome
from tests.checkers import check_all, next_by_hand, read
from tests.queue.harness import DESKS, HOUR, MINUTE, SECOND, SERVICES, Queue, town

DESK = st.sampled_from([desk.name for desk in DESKS])
SERVICE = st.sampled_from([service.name for service in SERVICES])
WHICH = st.integers(min_value=0, max_value=30)
HELD = st.sampled_from([Next, Recall, Start, Withdraw, MarkAbsent, Finish, Park, Undo])
OF_LIST = st.sampled_from([Pick, Resume, StartAbsent, Reopen, FinishParked, Readmit, CheckIn, Cancel])
MODE = st.sampled_from([*DeskMode, DeskMode.OPEN, DeskMode.OPEN])


class Days(RuleBasedStateMachine):
    """Every command, aimed at tickets and desks that are there, in and out of turn."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.queue = Queue(engine, town())
        self.reads = Connection(open_writer_connection(engine), engine.dialect)
        self.done: list[tuple[Command, Answer]] = []
        self.waiting: Counter[str] = Counter()
        self.queue.open("desk-1", "desk-2")

    def teardown(self) -> None:
        self.queue.close()
        self.reads.close()

    # --- what is asked --------------------------------------------------------------------------------------------

    @rule(service=SERVICE, priority=st.booleans())
    def visitor_takes_a_ticket(self, service: str, priority: bool) -> None:
        origin = self.queue.origin(Source.DISPENSER)
        self.do(Issue(origin=origin, service=service, code=str(origin.request), priority=priority))

    @rule(service=SERVICE, ahead=st.integers(min_value=-2, max_value=8))
    def somebody_books(self, service: str, ahead: int) -> None:
        self.queue.book(self.queue.now_ms + ahead * 10 * MINUTE, service)

    @rule(desk=DESK, old=st.sampled_from([0, 0, 0, 5, 12]))
    def press(self, desk: str, old: int) -> None:
        at_ms = self.queue.now_ms - old * SECOND
        self.do(Press(origin=self.queue.origin(Source.BUTTON), desk=desk, at_ms=at_ms))

    @rule(desk=DESK)
    def long_press(self, desk: str) -> None:
        self.do(ButtonRecall(origin=self.queue.origin(Source.BUTTON), desk=desk, at_ms=self.queue.now_ms))

    @rule(desk=DESK, mode=st.sampled_from([DeskMode.OPEN, DeskMode.PAUSED]))
    def very_long_press(self, desk: str, mode: DeskMode) -> None:
        self.do(ButtonMode(origin=self.queue.origin(Source.BUTTON), desk=desk, at_ms=self.queue.now_ms, mode=mode))

    @rule(desk=DESK, mode=MODE)
    def mode_of_a_desk(self, desk: str, mode: DeskMode) -> None:
        self.do(SetMode(origin=self.queue.origin(), desk=desk, mode=mode, shown=self.queue.held(desk)))

    @rule(desk=DESK, kind=HELD, outdated=st.sampled_from([False, False, False, True]))
    def something_of_the_held(self, desk: str, kind: Any, outdated: bool) -> None:
        shown = None if outdated else self.queue.held(desk)
        self.do(kind(origin=self.queue.origin(), desk=desk, shown=shown))

    @precondition(lambda self: self.queue.tickets())
    @rule(desk=DESK, kind=OF_LIST, which=WHICH)
    def something_of_a_list(self, desk: str, kind: Any, which: int) -> None:
        self.do(kind(origin=self.queue.origin(), desk=desk, ticket=self.ticket(which)))

    @precondition(lambda self: self.queue.tickets())
    @rule(desk=DESK, which=WHICH, service=SERVICE, to_desk=st.none() | DESK, confirmed=st.booleans())
    def transfer(self, desk: str, which: int, service: str, to_desk: str | None, confirmed: bool) -> None:
        self.do(
            Transfer(
                origin=self.queue.origin(),
                desk=desk,
                ticket=self.queue.held(desk) or self.ticket(which),
                service=service,
                to_desk=to_desk,
                confirmed=confirmed,
            )
        )

    @precondition(lambda self: self.queue.tickets())
    @rule(which=WHICH, minutes=st.integers(min_value=1, max_value=40))
    def visitor_asks_for_time(self, which: int, minutes: int) -> None:
        self.do(Defer(origin=self.queue.origin(), ticket=self.ticket(which), by_ms=minutes * MINUTE))

    @precondition(lambda self: any(ticket.booking for ticket in self.queue.tickets()))
    @rule(which=WHICH, kind=st.sampled_from(["move", "cancel", "admit", "check in"]))
    def source_of_bookings(self, which: int, kind: str) -> None:
        booked = [ticket for ticket in self.queue.tickets() if ticket.booking]
        ticket, origin = booked[which % len(booked)], self.queue.origin(Source.SYNC)
        booking = ticket.booking or ""
        if kind == "move":
            self.do(Move(origin=origin, booking=booking, appointment_ms=self.queue.now_ms + 20 * MINUTE))
        elif kind == "cancel":
            self.do(CancelBooking(origin=origin, booking=booking))
        elif kind == "admit":
            self.do(Admit(origin=origin, ticket=ticket.id))
        else:
            self.do(CheckIn(origin=origin, desk="", ticket=ticket.id))

    @precondition(lambda self: any(ticket.request for ticket in self.queue.tickets()))
    @rule(which=WHICH)
    def dispenser_gives_up(self, which: int) -> None:
        issued = [ticket for ticket in self.queue.tickets() if ticket.request]
        of = issued[which % len(issued)].request or ""
        self.do(Abandon(origin=self.queue.origin(Source.DISPENSER), of=of))

    @rule(by=st.sampled_from([500, SECOND, 4 * SECOND, 4 * SECOND, MINUTE, 6 * MINUTE]))
    def time_goes_by(self, by: int) -> None:
        self.queue.turn(by)

    @rule()
    def a_second_of_the_absence_loop(self) -> None:
        commands = due(self.reads, self.queue.site.name, self.queue.now_ms)
        self.reads.rollback()
        for command in commands:
            self.do(command)
        left = due(self.reads, self.queue.site.name, self.queue.now_ms)
        self.reads.rollback()
        assert not left, f"stays due for ever: {left}"

    @precondition(lambda self: len(self.queue.tickets()) > 3)
    @rule(limit=st.sampled_from([1, 50]), later=st.sampled_from([0, 0, 9 * HOUR]))
    def end_of_day(self, limit: int, later: int) -> None:
        day = self.queue.tickets()[-1].day
        command = EndDay(origin=Origin(Source.JOB, "chores"), day=day, limit=limit)
        while self.do(command).count == limit:  # type: ignore[union-attr]
            pass
        before = self.queue.snapshot()
        self.do(command)
        assert self.queue.snapshot() == before, "done twice it changes something"
        self.queue.turn(later)

    @precondition(lambda self: self.done)
    @rule(which=WHICH)
    def a_request_comes_again(self, which: int) -> None:
        command, first = self.done[-1 - which % len(self.done)]
        before = self.queue.snapshot()
        assert self.queue.do(command) == first
        assert self.queue.repeated
        assert self.queue.snapshot() == before

    # --- what must hold -------------------------------------------------------------------------------------------

    def ticket(self, which: int) -> int:
        tickets = self.queue.tickets()
        return tickets[-1 - which % len(tickets)].id

    def do(self, command: Command) -> Answer:
        queue, before = self.queue, self.queue.snapshot()
        rows, pictures = read(self.engine, queue.site.name), self.pictures()
        answer = queue.do(command)
        if command.origin.request is not None:
            self.done.append((command, answer))
        if isinstance(answer, RefusedAnswer):
            assert queue.snapshot() == before, "a refused command wrote something"
            return answer
        check_all(read(self.engine, queue.site.name))
        self.check_publication(pictures)
        if isinstance(command, Press | Next) and isinstance(answer, DeskAnswer):
            desk = queue.index.desk(command.desk)
            self.check_choice(answer, next_by_hand(rows, queue.site, desk, queue.now_ms), rows, command.desk)
        return answer

    def check_choice(self, answer: DeskAnswer, expected: int | None, rows: Any, desk: str) -> None:
        """I8: a call is of whom the order says; nobody is left waiting by a desk that found nobody."""
        row = next(each for each in rows.desks if each["name"] == desk)
        if answer.outcome is DeskOutcome.CALLED:
            assert answer.ticket == expected
        elif answer.outcome is DeskOutcome.NOBODY and not (row["pausing"] or row["closing"]):
            assert expected is None

    def check_publication(self, before: dict[str, Any]) -> None:
        """Whatever looks otherwise now is named to be published; the counts kept are those of a fresh count."""
        effects, queue = self.queue.effects, self.queue
        self.waiting.update(effects.waiting)
        fresh = Counter(each.service for each in queue.tickets() if each.state is State.WAITING)
        assert {name: count for name, count in self.waiting.items() if count} == dict(fresh)
        named = effects.desks | {desk.name for service in effects.waiting for desk in queue.index.desks_of(service)}
        named |= effects.halls
        changed = {name for name, picture in self.pictures().items() if picture != before[name]}
        assert changed <= named, f"nobody is told of {changed - named}"

    def pictures(self) -> dict[str, Any]:
        queue, revision = self.queue, (0, 0)
        counts = Counter(each.service for each in queue.tickets() if each.state is State.WAITING)
        pictures = Pictures(self.reads, queue.index, lambda: queue.now_ms)
        made: dict[str, Any] = {desk.name: pictures.desk(desk.name, revision, counts) for desk in queue.site.desks}
        made |= {hall.name: pictures.hall(hall.name, revision, counts) for hall in queue.site.halls}
        self.reads.rollback()
        return made


@pytest.mark.torture
def test_no_series_of_commands_breaks_an_invariant(shared_engine: Engine, torture: bool):
    run_state_machine_as_test(
        lambda: Days(shared_engine),
        settings=settings(
            max_examples=500 if torture else 15,
            stateful_step_count=80 if torture else 40,
            suppress_health_check=list(HealthCheck),
            deadline=None,
        ),
    )
