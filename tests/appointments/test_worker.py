"""The appointments' thread survives every failure, delays nobody, and ends when it is told to."""

import threading
from concurrent.futures import Future
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from benchmarks import appointments
from hub.appointments.file_source import FileSource
from hub.appointments.nowhere import Nowhere
from hub.appointments.rows import has_news, known_to, next_due
from hub.appointments.slices import AMONG_PEOPLE
from hub.appointments.source import Booking, Flaw, Listing, SourceAway
from hub.database.faults import DatabaseFault
from hub.database.statements import open_reading_connection
from hub.failures import HubFault
from hub.queue.answers import RefusedAnswer
from hub.queue.reports import ReportKind
from hub.queue.requests import (
    BeginReport,
    Cancel,
    CheckIn,
    EndReport,
    Move,
    PlanReports,
    TakeBookings,
)
from hub.tasks import Busy
from tests.appointments.office import LIMIT_S, Clock, Office
from tests.databases import sqlite_url
from tests.queue.harness import DAY, HOUR, TUESDAY_AT_TEN, town

NAME = "Zoé Exemple-Inventée"


class Scripted(Nowhere):
    """A source scripted by the test: it lists `bookings`, but first raises each of `errors` once."""

    title = "Essai"
    is_file = False

    def __init__(self, *bookings):
        self.bookings = list(bookings)
        self.errors = []
        self.told = []
        self.closed = threading.Event()

    def list_all(self, _first_day, _last_day):
        if self.errors:
            raise self.errors.pop(0)
        return Listing(tuple(self.bookings), complete=True, as_of_ms=1)

    def list_changed(self, _since_ms):
        return None

    def tells(self, kind):
        return kind is not ReportKind.CANCELLED

    def status_of(self, _reference, _booking, _kind):
        return "booked"

    def tell(self, reference, booking, kind):
        self.told.append((reference, booking, kind))

    def close(self):
        self.closed.set()


def booking(number, **facts):
    told = {"service": "civil", "start_ms": TUESDAY_AT_TEN + HOUR, "code": f"R{number}", "name": NAME}
    return Booking(id=f"b{number}", reference=f"rdv/{number}", **told | facts)


@pytest.fixture
def source():
    return Scripted(booking(1), booking(2), booking(3))


@pytest.fixture
def office(quick, shared_engine, source):
    made = Office(shared_engine, town(), Clock(), lambda: source)
    yield made
    made.close()


# --- failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [ValueError(f"invalid literal: {NAME!r}"), SourceAway("no connection is taken there"), RecursionError(NAME)],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_a_source_is_one_sentence_that_names_nobody_and_the_next_pass_comes(office, source, error):
    source.errors = [error, error]
    with capture_logs() as logs:
        office.start()
        office.eventually(lambda: len(office.expected()) == 3)
        office.eventually(lambda: office.worker.list_state.reason is None)
    said = [entry for entry in logs if entry["log_level"] in {"warning", "error"}]
    assert len([entry for entry in said if entry["event"] == "appointments.not_listed"]) == 1, "once a reason"
    assert NAME not in str(logs)
    assert {entry["event"] for entry in logs} >= {"appointments.source_back"}


def test_a_page_that_fails_to_draw_is_logged_and_stops_no_pass(office):
    def fail():
        raise ValueError(NAME)

    office.worker.listen(fail)
    with capture_logs() as logs:
        office.start()
        office.eventually(lambda: len(office.expected()) == 3)
        office.eventually(lambda: office.worker.list_state.as_of_ms is not None)
    assert "appointments.not_shown" in {entry["event"] for entry in logs}
    assert NAME not in str(logs)


def test_a_source_that_does_not_close_is_logged_and_the_thread_ends(quick, shared_engine, source):
    def fail():
        raise ValueError(NAME)

    source.close = fail
    made = Office(shared_engine, town(), Clock(), lambda: source)
    made.start()
    with capture_logs() as logs:
        made.close()
    assert "appointments.not_closed" in {entry["event"] for entry in logs}
    assert "appointments.left_behind" not in {entry["event"] for entry in logs}
    assert NAME not in str(logs)


def test_a_full_queue_of_the_writer_is_waited_for(office):
    full = [Busy("the hub has too much to do: ask again")] * 3

    def do(command):
        if full:
            raise full.pop()
        return office.do_later(command)

    office.worker._do = do
    office.start()
    office.eventually(lambda: len(office.expected()) == 3)


def test_a_booking_that_the_database_can_t_take_leaves_the_others_alone(office):
    def do(command):
        if isinstance(command, TakeBookings) and any(change.booking == "b2" for change in command.changes):
            failed = Future()
            failed.set_exception(DatabaseFault("suivant.db", "it does not like b2"))
            return failed
        return office.do_later(command)

    office.worker._do = do
    office.start()
    office.eventually(lambda: office.worker.list_state.flaws == 1)
    assert {each.booking for each in office.expected()} == {"b1", "b3"}
    office.worker._do = office.do_later
    office.worker.ask_pass()
    office.eventually(lambda: len(office.expected()) == 3)
    assert len(office.tickets()) == 3


def test_a_database_that_takes_nothing_for_a_while_is_tried_again(office):
    # In the first pass the slice fails, then each of its bookings alone; in the second, the slice and one booking.
    failures = [DatabaseFault("suivant.db", "the disk is full")] * (1 + AMONG_PEOPLE + 1 + 1)

    def do(command):
        if isinstance(command, TakeBookings) and failures:
            failed = Future()
            failed.set_exception(failures.pop())
            return failed
        return office.do_later(command)

    office.worker._do = do
    office.start()
    office.eventually(lambda: office.worker.list_state.flaws == 1)
    assert len(office.expected()) == 2
    office.pass_over()
    office.eventually(lambda: office.worker.list_state.flaws == 0)
    assert len(office.expected()) == 3


def test_a_slice_that_is_refused_as_a_whole_is_not_taken_for_done(office):
    def do(command):
        if not isinstance(command, TakeBookings):
            return office.do_later(command)
        refused = Future()
        refused.set_result(RefusedAnswer(code="unknown", detail="this site has no service 'civil'"))
        return refused

    office.worker._do = do
    office.start()
    office.eventually(lambda: "TypeError in sync.py" in (office.worker.list_state.reason or ""))
    office.worker._do = office.do_later
    office.eventually(lambda: len(office.expected()) == 3)


def test_a_lost_reading_connection_is_opened_anew(office, source):
    office.start()
    office.eventually(lambda: office.passes() == 1)
    # Replace it by a closed one: closing the connection that the thread is using would crash Python.
    used, lost = office.worker._reading.connection(), open_reading_connection(office.engine)
    lost.close()
    office.worker._reading._open = lost
    source.bookings.append(booking(4))
    office.worker.ask_pass()
    office.eventually(lambda: len(office.expected()) == 4)
    used.close()


def test_a_booking_that_the_queue_refuses_is_a_flaw(office, source):
    source.bookings.append(booking(4, code="R\0"))
    office.start()
    office.eventually(lambda: office.worker.list_state.flaws == 1)
    assert len(office.expected()) == 3


def test_a_file_with_an_id_that_is_no_text_and_a_broken_line_keeps_no_other_booking_out(quick, shared_engine, tmp_path):
    lines = ("id;service;start;code", "1;civil;2026-11-24 11:00;A1", "2\0;civil;2026-11-24 11:00;A2", "3;civil")
    path, clock = tmp_path / "appointments.csv", Clock()
    path.write_text("\n".join((*lines, "")), encoding="utf-8")
    made = Office(shared_engine, town(), clock, lambda: FileSource(path, "Europe/Paris", clock.now_ms))
    with closing(made.start()):
        made.eventually(lambda: made.worker.list_state.flaws == 2)
        assert [each.booking for each in made.expected()] == ["1"]


def test_a_file_is_called_one_before_its_first_pass_is_over(quick, shared_engine, tmp_path):
    """The pass may take long, and meanwhile staff are told that there is no list."""
    path, clock = tmp_path / "appointments.csv", Clock()
    path.touch()
    made = Office(shared_engine, town(), clock, lambda: FileSource(path, "Europe/Paris", clock.now_ms))
    with closing(made):
        clock.turn(DAY)
        state = made.worker.list_state
    assert (state.source, state.is_file, state.late) == (path.name, True, True)


def test_a_page_that_fails_to_be_told_does_not_end_the_thread(office):
    def fail():
        raise RuntimeError("the loop is closed")

    office.worker.listen(fail)
    office.start()
    office.eventually(lambda: len(office.expected()) == 3)


# --- telling ------------------------------------------------------------------------------------------------------


def test_an_answer_that_nobody_foresaw_is_put_off_and_the_others_are_told(office, source):
    def tell(reference, booking, kind):
        if booking == "b1":
            raise ValueError(f"no address: {NAME}")
        source.told.append((reference, booking, kind))

    source.tell = tell
    office.start()
    office.eventually(lambda: len(office.expected()) == 3)
    tickets = {each.booking: each.id for each in office.expected()}
    with capture_logs() as logs:
        for booking in ("b1", "b2", "b3"):
            office.ask(CheckIn, desk="", ticket=tickets[booking])
        office.eventually(lambda: [booking for _, booking, _ in source.told] == ["b2", "b3"])
    assert next((booking, state) for booking, _, state in office.reports()) == ("b1", "trying")
    assert NAME not in str(logs)


@pytest.mark.parametrize("fault", [HubFault(ValueError(NAME)), DatabaseFault("suivant.db", "no text")], ids=repr)
@pytest.mark.parametrize("of", [BeginReport, EndReport])
def test_a_report_that_can_t_be_kept_is_put_off_and_the_others_are_told(office, source, fault, of):
    failing = set[int]()

    def do(command):
        is_put_off = isinstance(command, EndReport) and command.again_ms is not None
        if isinstance(command, of) and not is_put_off and (not failing or command.report in failing):
            failing.add(command.report)
            failed = Future()
            failed.set_exception(fault)
            return failed
        return office.do_later(command)

    office.worker._do = do
    office.start()
    office.eventually(lambda: len(office.expected()) == 3)
    with capture_logs() as logs:
        for each in office.expected():
            office.ask(CheckIn, desk="", ticket=each.id)
        office.eventually(lambda: [state for _, _, state in office.reports()].count("done") == 2)
    assert {entry["report"] for entry in logs if entry["event"] == "report.not_kept"} == failing
    assert NAME not in str(logs)
    office.worker._do = office.do_later
    office.eventually(lambda: [state for _, _, state in office.reports()] == ["done"] * 3)


def test_what_a_source_refuses_for_now_does_not_hold_up_what_was_never_tried(office):
    office.start()
    office.eventually(lambda: len(office.expected()) == 3)
    office.worker.stop()
    for each in office.expected():
        office.ask(CheckIn, desk="", ticket=each.id)
    office.do_later(PlanReports(origin=office.queue.origin(), limit=100)).result(20)
    with closing(open_reading_connection(office.engine)) as reading:
        first = next_due(reading, office.site.name, office.clock.now_ms())
        put_off = EndReport(origin=office.queue.origin(), report=first.id, error="403", again_ms=1, undone=True)
        office.do_later(put_off).result(20)
        assert next_due(reading, office.site.name, office.clock.now_ms()).id != first.id


# --- ending -------------------------------------------------------------------------------------------------------


def test_it_ends_while_the_writer_gives_no_answer(office):
    asked = threading.Event()

    def do(_command):
        asked.set()
        return Future()

    office.worker._do = do
    office.start()
    assert asked.wait(20)
    office.worker.stop()
    assert not office.worker._thread.is_alive()


def test_it_does_not_wait_for_a_source_that_never_answers(office, source, monkeypatch):
    monkeypatch.setattr("hub.appointments.worker.STOP_S", 0.05)
    asked, go_on = threading.Event(), threading.Event()

    def hang(_first_day, _last_day):
        asked.set()
        go_on.wait(60)
        raise SourceAway("at last")

    source.list_all = hang
    office.start()
    assert asked.wait(20)
    office.stop()
    assert source.closed.is_set()
    assert office.worker._thread.is_alive(), "it waited until the source gave up"
    go_on.set()
    office.worker._thread.join(20)
    assert not office.worker._thread.is_alive()


def test_a_list_gets_late_while_a_pass_over_it_lasts_and_pages_are_told(office, source):
    go_on, listed = threading.Event(), source.list_all
    office.start()
    office.eventually(lambda: office.worker.list_state.as_of_ms is not None)
    source.list_all = lambda *days: listed(*days) if go_on.wait(20) else None
    office.worker.ask_pass()
    office.eventually(lambda: not office.worker._pace.changed)
    assert not office.worker.list_state.late
    seen = office.seen
    office.clock.turn(HOUR)
    assert office.worker.list_state.late
    office.worker.ask_pass()
    assert office.seen > seen
    go_on.set()
    office.eventually(lambda: not office.worker.list_state.late)


def test_a_list_is_as_late_as_what_is_told_of_it_while_a_pass_ends(office, monkeypatch):
    counted, go_on = threading.Event(), threading.Event()
    office.start()
    office.eventually(lambda: office.worker.list_state.as_of_ms is not None)
    before = office.worker.list_state
    monkeypatch.setattr(office.metrics, "booking_changes", lambda _: (counted.set(), go_on.wait(LIMIT_S)))
    office.clock.turn(HOUR)
    office.worker.ask_pass()
    assert counted.wait(LIMIT_S)
    state = office.worker.list_state
    assert (state.as_of_ms, state.late) == (before.as_of_ms, True)
    go_on.set()
    office.eventually(lambda: not office.worker.list_state.late)


# --- what it reads from the database ------------------------------------------------------------------------------


def test_what_the_source_does_not_want_to_know_is_dropped_and_said_once(office, source):
    office.start()
    office.eventually(lambda: len(office.expected()) == 3)
    first, second, third = office.expected()
    with capture_logs() as lines:
        for each in (first, third):
            office.ask(Cancel, desk="desk-1", ticket=each.id)
        office.ask(CheckIn, desk="", ticket=second.id)
        office.eventually(lambda: [state for _, _, state in office.reports()] == ["dropped", "dropped", "done"])
    assert [each["kind"] for each in lines if each["event"] == "report.not_wanted"] == ["cancelled"]
    assert [kind for _, _, kind in source.told] == [ReportKind.ARRIVED]


def test_visitors_without_an_appointment_are_no_news(queue):
    def news():
        found = has_news(queue.connection, queue.site.name, 10)
        queue.connection.rollback()
        return found

    assert not news()
    for _ in range(5):
        queue.issue()
    assert not news()
    booked = queue.book(queue.now_ms + HOUR)
    assert news()
    queue.job(PlanReports, limit=10)
    assert not news()
    queue.ask(CheckIn, desk="", ticket=booked)
    assert news()
    queue.job(PlanReports, limit=10)
    for _ in range(10):
        assert not news()
        queue.issue()
    assert news(), "so that they need not be looked through again and again"


def test_reports_of_one_booking_come_in_their_order_and_a_failed_one_holds_them_back(queue):
    def due():
        found = next_due(queue.connection, queue.site.name, queue.now_ms)
        queue.connection.rollback()
        return found

    queue.open("desk-1")
    tickets = [queue.book(queue.now_ms), queue.book(queue.now_ms)]
    queue.ask(CheckIn, desk="", ticket=tickets[0])
    called = queue.called()
    assert called == tickets[0]
    queue.press()
    queue.turn(1000)
    queue.ask(CheckIn, desk="", ticket=tickets[1])
    queue.job(PlanReports)
    first = due()
    assert (first.kind, first.state) == (ReportKind.ARRIVED, "waiting")
    queue.job(BeginReport, report=first.id, status_before="1")
    assert (due().id, due().state, due().status_before) == (first.id, "trying", "1")
    queue.job(EndReport, report=first.id, error="away", again_ms=queue.now_ms + HOUR)
    second = due()
    assert second.booking != first.booking, "the served one waits behind the arrived one"
    queue.job(EndReport, report=second.id)
    assert due() is None
    queue.turn(HOUR)
    assert due().id == first.id
    queue.job(EndReport, report=first.id, error="no such step")
    assert due() is None


def test_while_one_report_of_a_request_is_in_doubt_no_other_booking_of_it_is_told(queue):
    def due():
        found = next_due(queue.connection, queue.site.name, queue.now_ms)
        queue.connection.rollback()
        return found and found.booking

    first, second, alone = (queue.ticket(queue.book(queue.now_ms)) for _ in range(3))
    for each in (first, second):
        queue.take(Move(booking=each.booking, appointment_ms=each.appointment_ms, reference="form/7"))
    for each in (first, second, alone):
        queue.ask(CheckIn, desk="", ticket=each.id)
    queue.job(PlanReports)
    queue.job(BeginReport, report=1, status_before="1")
    queue.job(EndReport, report=1, error="no whole answer in time", again_ms=queue.now_ms + HOUR)
    assert due() == alone.booking, "the status is of both, and would say that it was done"
    queue.job(EndReport, report=3)
    assert due() is None
    queue.turn(HOUR)
    assert due() == first.booking
    queue.job(EndReport, report=1)
    assert due() == second.booking


def test_a_report_goes_to_the_request_that_has_the_booking_by_now(queue):
    def due():
        found = next_due(queue.connection, queue.site.name, queue.now_ms)
        queue.connection.rollback()
        return found

    ticket = queue.book(queue.now_ms)
    booked = queue.ticket(ticket).booking
    queue.ask(CheckIn, desk="", ticket=ticket)
    queue.job(PlanReports)
    assert due().reference == f"form/{booked}"
    queue.take(Move(booking=booked, appointment_ms=queue.ticket(ticket).appointment_ms, reference="form/7"))
    assert due().reference == "form/7"
    queue.job(BeginReport, report=due().id, status_before="1")
    assert (due().state, due().status_before) == ("trying", "1")
    queue.take(Move(booking=booked, appointment_ms=queue.ticket(ticket).appointment_ms, reference="form/8"))
    assert (due().reference, due().status_before) == ("form/8", None), "the status of another request says nothing"


def test_what_is_known_of_a_listing_is_read_by_id_and_by_request(queue):
    for _ in range(3):
        queue.book(queue.now_ms + HOUR)
    rows = sorted(queue.table("booking"), key=lambda row: row[1])
    ids, references = [row[1] for row in rows], [row[3] for row in rows]

    def known(listing):
        found = known_to(queue.connection, queue.site.name, listing)
        queue.connection.rollback()
        return sorted(each.id for each in found)

    told = [booking(1), booking(2)]
    of_both = [
        Booking(ids[0], "other", told[0].service, 0, "R"),
        Booking("new", references[1], told[1].service, 0, "R"),
    ]
    assert known(Listing(tuple(of_both))) == ids[:2]
    assert (
        known(Listing((), (Flaw("a request", "it shows no status", references[2]), Flaw("another", "no id"))))
        == ids[2:]
    )
    assert known(Listing(())) == []
    assert known(Listing((), complete=True)) == ids


def test_a_sync_that_failed_is_not_measured_as_a_fast_one(tmp_path, monkeypatch):
    def busy(_house, _command):
        raise Busy("the hub has too much to do: ask again")

    for name, value in (("BOOKINGS", 10), ("WAITING", 10), ("keep_what_stands", lambda: None)):
        monkeypatch.setattr(appointments, name, value)
    assert appointments.sync_alone(sqlite_url(tmp_path))[0] > 0
    folder = tmp_path / "busy"
    folder.mkdir()
    monkeypatch.setattr(appointments.House, "_do", busy)
    with pytest.raises(AssertionError, match="failed"):
        appointments.sync_alone(sqlite_url(folder))
