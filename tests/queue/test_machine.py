"""Random days: random commands, with every invariant checked after each one."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from msgspec.structs import replace
from sqlalchemy import Engine

from hub.absence import due
from hub.database.engine import open_driver_connection
from hub.database.statements import Connection
from hub.mqtt.pictures import Pictures
from hub.queue.answers import Answer, DeskAnswer, DoneAnswer, RefusedAnswer
from hub.queue.requests import (
    Abandon,
    Admit,
    ButtonMode,
    ButtonRecall,
    Cancel,
    CancelBooking,
    CheckIn,
    Command,
    Defer,
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
    Reopen,
    Resume,
    SetMode,
    SignOff,
    SignOn,
    Source,
    Start,
    StartAbsent,
    TakeBookings,
    Transfer,
    Undo,
    Withdraw,
)
from hub.queue.states import State
from protocol.messages import DeskMode, DeskOutcome
from tests.checkers import check_all, check_order, next_by_hand, read
from tests.queue.harness import DESKS, MINUTE, SECOND, SERVICES, Queue, town

DESK = st.sampled_from([desk.name for desk in DESKS])
SERVICE = st.sampled_from([service.name for service in SERVICES])
HELD = st.sampled_from([Next, Recall, Start, Withdraw, MarkAbsent, Finish, Park, Undo])
OF_LIST = st.sampled_from([Pick, Resume, StartAbsent, Reopen, FinishParked, Readmit, CheckIn, Cancel])
AGENT = st.sampled_from(["anna", "boris"])
MODE = st.sampled_from([*DeskMode, DeskMode.OPEN, DeskMode.OPEN])
FITS = {
    Pick: {State.WAITING},
    Resume: {State.PARKED},
    StartAbsent: {State.ABSENT},
    Reopen: {State.SERVED},
    FinishParked: {State.PARKED},
    Readmit: {State.ABSENT},
    CheckIn: {State.EXPECTED, State.ABSENT},
    Cancel: {State.WAITING, State.EXPECTED},
}
# An act is drawn as often as it is listed: calls often, the end of a day rarely.
ACTS = [
    *["press"] * 6,
    *["something_of_the_held"] * 8,
    *["something_of_a_list"] * 6,
    *["transfer", "time_goes_by", "visitor_takes_a_ticket"] * 3,
    *["very_long_press", "mode_of_a_desk", "long_press", "source_of_bookings", "a_request_comes_again"] * 2,
    *["agent_signs_on", "agent_signs_on", "agent_signs_off"],
    *["somebody_books", "visitor_asks_for_time", "dispenser_gives_up", "a_second_of_the_absence_loop", "end_of_day"],
]


class Days(RuleBasedStateMachine):
    """Every command, on existing tickets and desks, allowed in their state or not."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.queue = Queue(engine, town())
        self.reads = Connection(open_driver_connection(engine), engine.dialect)
        self.done: list[tuple[Command, Answer]] = []
        self.waiting: Counter[str] = Counter()
        self.draw: Any = None
        self.open_and_fill()

    def open_and_fill(self) -> None:
        """Open every desk and issue tickets for every service, so that later commands have something to act on."""
        queue = self.queue
        for desk in DESKS:
            self.do(SetMode(origin=queue.origin(), desk=desk.name, mode=DeskMode.OPEN, shown=queue.held(desk.name)))
        for service in SERVICES:
            for _ in range(2):
                origin = queue.origin(Source.DISPENSER)
                self.do(Issue(origin=origin, service=service.name, code=str(origin.request)))
            booked = queue.book(queue.now_ms + 15 * MINUTE, service.name)
            if service.checks_in:
                self.do(CheckIn(origin=queue.origin(), desk="", ticket=booked))
        queue.book(queue.now_ms + 5 * MINUTE)

    def teardown(self) -> None:
        self.queue.close()
        self.reads.close()

    # --- the commands ---------------------------------------------------------------------------------------------

    @rule(data=st.data(), act=st.sampled_from(ACTS))
    def something_happens(self, data: st.DataObject, act: str) -> None:
        self.draw = data.draw
        getattr(self, act)()

    def visitor_takes_a_ticket(self) -> None:
        origin, priority = self.queue.origin(Source.DISPENSER), self.draw(st.booleans())
        self.do(Issue(origin=origin, service=self.draw(SERVICE), code=str(origin.request), priority=priority))

    def somebody_books(self) -> None:
        ahead = self.draw(st.integers(min_value=-2, max_value=8))
        self.queue.book(self.queue.now_ms + ahead * 10 * MINUTE, self.draw(SERVICE))

    def press(self) -> None:
        at_ms = self.queue.now_ms - self.draw(st.sampled_from([0, 0, 0, 5, 12])) * SECOND
        self.do(Press(origin=self.queue.origin(Source.BUTTON), desk=self.draw(DESK), at_ms=at_ms))

    def long_press(self) -> None:
        desk = self.draw(DESK)
        self.do(ButtonRecall(origin=self.queue.origin(Source.BUTTON), desk=desk, at_ms=self.queue.now_ms))

    def very_long_press(self) -> None:
        mode = self.draw(st.sampled_from([DeskMode.OPEN, DeskMode.PAUSED]))
        origin = self.queue.origin(Source.BUTTON)
        self.do(ButtonMode(origin=origin, desk=self.draw(DESK), at_ms=self.queue.now_ms, mode=mode))

    def mode_of_a_desk(self) -> None:
        desk = self.draw(DESK)
        self.do(SetMode(origin=self.queue.origin(), desk=desk, mode=self.draw(MODE), shown=self.queue.held(desk)))

    def agent_signs_on(self) -> None:
        origin = self.queue.origin(actor=self.draw(AGENT))
        self.do(SignOn(origin=origin, desk=self.draw(DESK)))

    def agent_signs_off(self) -> None:
        origin = replace(self.queue.origin(actor=self.draw(AGENT)), signed_on=self.draw(st.booleans()))
        self.do(SignOff(origin=origin, desk=self.draw(DESK)))

    def something_of_the_held(self) -> None:
        holding = [desk.name for desk in DESKS if self.queue.held(desk.name)]
        desk = self.draw(st.sampled_from(holding or [DESKS[0].name]))
        shown = None if self.draw(st.sampled_from([False] * 5 + [True])) else self.queue.held(desk)
        # Mostly without the check that the agent is signed on, so that most commands do something.
        signed_on = self.draw(st.sampled_from([False] * 5 + [True]))
        origin = replace(self.queue.origin(actor=self.draw(AGENT)), signed_on=signed_on)
        self.do(self.draw(HELD)(origin=origin, desk=desk, shown=shown))

    def something_of_a_list(self) -> None:
        """Mostly a command that the ticket's state allows, sometimes any."""
        kind = self.draw(OF_LIST)
        fitting = [each.id for each in self.queue.tickets() if each.state in FITS[kind]]
        anything = self.draw(st.sampled_from([False] * 5 + [True]))
        ticket = self.ticket() if anything or not fitting else self.draw(st.sampled_from(fitting))
        desk = self.queue.ticket(ticket).desk or self.draw(DESK)
        self.do(kind(origin=self.queue.origin(), desk=desk, ticket=ticket))

    def transfer(self) -> None:
        desk = self.draw(DESK)
        self.do(
            Transfer(
                origin=self.queue.origin(),
                desk=desk,
                ticket=self.queue.held(desk) or self.ticket(),
                service=self.draw(SERVICE),
                to_desk=self.draw(st.none() | DESK),
                confirmed=self.draw(st.booleans()),
            )
        )

    def visitor_asks_for_time(self) -> None:
        by_ms = self.draw(st.integers(min_value=1, max_value=40)) * MINUTE
        self.do(Defer(origin=self.queue.origin(), ticket=self.ticket(), by_ms=by_ms))

    def source_of_bookings(self) -> None:
        ticket = self.draw(st.sampled_from([each for each in self.queue.tickets() if each.booking]))
        origin, booking = self.queue.origin(Source.SYNC), ticket.booking or ""
        moved = Move(booking=booking, appointment_ms=self.queue.now_ms + 20 * MINUTE)
        commands = (
            TakeBookings(origin=origin, changes=(moved,)),
            TakeBookings(origin=origin, changes=(CancelBooking(booking=booking),)),
            Admit(origin=origin, ticket=ticket.id),
            CheckIn(origin=origin, desk="", ticket=ticket.id, priority=self.draw(st.booleans())),
        )
        self.do(self.draw(st.sampled_from(commands)))

    def dispenser_gives_up(self) -> None:
        issued = [each.request for each in self.queue.tickets() if each.request]
        self.do(Abandon(origin=self.queue.origin(Source.DISPENSER), of=self.draw(st.sampled_from(issued))))

    def time_goes_by(self) -> None:
        self.queue.turn(self.draw(st.sampled_from([500, SECOND, 4 * SECOND, 4 * SECOND, MINUTE, 6 * MINUTE])))

    def a_second_of_the_absence_loop(self) -> None:
        for command in self.due():
            self.do(command)
        assert not self.due(), "stays due for ever"

    def due(self) -> list[Command]:
        commands = due(self.reads, self.queue.site, self.queue.now_ms)
        self.reads.rollback()
        return commands

    def end_of_day(self) -> None:
        limit = self.draw(st.sampled_from([1, 50]))
        command = EndDay(origin=Origin(Source.JOB, "chores"), day=self.queue.tickets()[-1].day, limit=limit)
        while self.do(command).count == limit:  # type: ignore[union-attr]
            pass
        before = self.queue.snapshot()
        self.do(command)
        assert self.queue.snapshot() == before, "done twice it changes something"
        self.open_and_fill()

    def a_request_comes_again(self) -> None:
        if not self.done:
            return
        command, first = self.draw(st.sampled_from(self.done))
        before = self.queue.snapshot()
        assert self.queue.do(command) == first
        assert self.queue.repeated
        assert self.queue.snapshot() == before

    # --- the invariants -------------------------------------------------------------------------------------------

    def ticket(self) -> int:
        return self.draw(st.sampled_from(self.queue.tickets())).id

    def do(self, command: Command) -> Answer:
        queue, before = self.queue, self.queue.snapshot()
        rows, pictures = read(self.engine, queue.site.name), self.pictures()
        answer = queue.do(command)
        if command.origin.request is not None:
            self.done.append((command, answer))
        if isinstance(answer, RefusedAnswer) or (isinstance(answer, DoneAnswer) and answer.refused):
            assert queue.snapshot() == before, "what was refused wrote something"
            return answer
        after = read(self.engine, queue.site.name)
        check_all(after)
        check_order(after, queue.site)
        self.check_publication(pictures)
        if isinstance(command, Press | Next) and isinstance(answer, DeskAnswer):
            desk = queue.index.desk(command.desk)
            self.check_choice(answer, next_by_hand(rows, queue.site, desk, queue.now_ms), rows, command.desk)
        return answer

    def check_choice(self, answer: DeskAnswer, expected: int | None, rows: Any, desk: str) -> None:
        """I8: the ticket called is the one the order rule chooses; a desk calls nobody only if nobody may be called."""
        row = next(each for each in rows.desks if each["name"] == desk)
        if answer.outcome is DeskOutcome.CALLED:
            assert answer.ticket == expected
        elif answer.outcome is DeskOutcome.NOBODY and not (row["pausing"] or row["closing"]):
            assert expected is None

    def check_publication(self, before: dict[str, Any]) -> None:
        """Every picture that changed is named for publication, and the kept waiting counts equal a fresh count."""
        effects, queue = self.queue.effects, self.queue
        self.waiting.update(effects.waiting)
        fresh = Counter(each.service for each in queue.tickets() if each.state is State.WAITING)
        assert {name: count for name, count in self.waiting.items() if count} == dict(fresh)
        named = effects.desks | {desk.name for service in effects.services for desk in queue.index.desks_of(service)}
        named |= effects.halls
        changed = {name for name, picture in self.pictures().items() if picture != before[name]}
        assert changed <= named, f"nobody is told of {changed - named}"

    def pictures(self) -> dict[str, Any]:
        queue, revision = self.queue, (0, 0)
        counts = Counter(each.service for each in queue.tickets() if each.state is State.WAITING)
        pictures = Pictures(self.reads, queue.index, lambda: queue.now_ms)
        made: dict[str, Any] = {desk.name: pictures.desk(desk.name, revision, counts) for desk in queue.site.desks}
        made |= {hall.name: pictures.hall(hall.name, revision, counts) for hall in queue.site.halls}
        self.check_many_at_once(pictures, made, counts)
        self.reads.rollback()
        return made

    def check_many_at_once(self, pictures: Pictures, made: dict[str, Any], counts: Counter[str]) -> None:
        """The pictures of many desks, which other statements make, equal the pictures made one by one."""
        names = [desk.name for desk in self.queue.site.desks]
        assert pictures.desks(names, (0, 0), counts) == [made[name] for name in names]


@pytest.mark.torture
def test_no_series_of_commands_breaks_an_invariant(
    shared_engine: Engine, torture: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hub.mqtt.pictures._FEW_DESKS", 0)
    # PostgreSQL takes four times as long, and the rules are the same, so it gets fewer examples.
    few = 12 if shared_engine.dialect.name == "sqlite" else 5
    run_state_machine_as_test(
        lambda: Days(shared_engine),
        settings=settings(
            max_examples=500 if torture else few,
            stateful_step_count=80 if torture else 30,
            suppress_health_check=list(HealthCheck),
            deadline=None,
        ),
    )
