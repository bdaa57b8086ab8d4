"""Reports to the source of the bookings: planned here from the journal, sent by a thread of their own, kept here."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any

from hub.queue import name_store, report_store
from hub.queue.answers import DoneAnswer
from hub.queue.arrivals import counts_until_ms
from hub.queue.commands.bookings import take_bookings
from hub.queue.hours import day_end_for_ms
from hub.queue.refusals import Unknown
from hub.queue.report_store import REPORT_IDS, REPORTED
from hub.queue.reports import TO_SEND, UNSENT, Happened, Report, ReportKind, ReportState, Standing, is_untrue, plan
from hub.queue.requests import BeginReport, EndReport, ForgetBookings, Move, PlanReports, RetryReport, TakeBookings
from hub.queue.states import OPEN, State
from hub.queue.transaction import Work

# How long an unfinished or failed report that no agent deals with keeps its booking.
UNTOLD_KEPT_DAYS = 30


def plan_reports(work: Work, command: PlanReports) -> DoneAnswer:
    """Read the next journal rows once, plan the reports from them, and expect visitors again whose booking was moved.

    `count` of the answer: how many rows were read; after a full slice the caller asks for another.
    """
    after = work.counter_now("", REPORTED)
    rows = work.rows(report_store.JOURNAL_AFTER, after=after, limit=command.limit)
    if not rows:
        return DoneAnswer(count=0)
    journal = _of_bookings(work, rows)
    planned = plan(journal, _standing(work, journal), work.index.site.appointments.absence_final_after_min)
    for dropped in planned.dropped:
        work.write(report_store.DROP_REPORT, guarded=True, of_id=dropped)
    last_id = work.counter("", REPORT_IDS, by=len(planned.new)) if planned.new else 0
    for number, report in enumerate(planned.new, last_id - len(planned.new) + 1):
        _insert(work, number, report)
    work.counter("", REPORTED, by=rows[-1][0] - after)
    _expect_anew(work, journal)
    return DoneAnswer(count=len(rows))


def begin_report(work: Work, command: BeginReport) -> DoneAnswer:
    """Record durably that a report is about to be sent.

    The caller first makes sure that an earlier try had no effect. `count` of the answer is 0 if the report must not be
    sent any more; a report that is no longer true is dropped.
    """
    state, _ = _look(work, command.report)
    if state not in TO_SEND:
        return DoneAnswer(count=0)
    since = work.rows(report_store.SINCE_REPORT, id=command.report)
    if since and is_untrue(ReportKind(since[0][0]), ((event, to_state) for _, event, to_state in since)):
        work.write(report_store.DROP_REPORT, guarded=True, of_id=command.report)
        return DoneAnswer(count=0)
    work.write(report_store.BEGIN_REPORT, guarded=True, of_id=command.report, to_status_before=command.status_before)
    return DoneAnswer(count=1)


def end_report(work: Work, command: EndReport) -> DoneAnswer:
    """Record that a report is done, has failed for good, or is put off.

    A report put off keeps its state, or becomes `waiting` again if it certainly was not sent.
    """
    state, attempts = _look(work, command.report)
    if state not in TO_SEND:
        return DoneAnswer(count=0)
    facts = {"of_id": command.report, "to_attempts": attempts + 1, "to_error": command.error}
    if command.error is not None and command.again_ms is not None:
        state = ReportState.WAITING if command.undone else state
        work.write(report_store.PUT_OFF_REPORT, guarded=True, to_state=state, to_due_ms=command.again_ms, **facts)
    else:
        state = _end_of(command)
        work.write(report_store.END_REPORT, guarded=True, to_state=state, **facts)
    return DoneAnswer(count=1)


def _end_of(command: EndReport) -> ReportState:
    if command.dropped:
        return ReportState.DROPPED
    return ReportState.DONE if command.error is None else ReportState.FAILED


def retry_report(work: Work, command: RetryReport) -> DoneAnswer:
    """Send a failed report again at once, as if it had never been tried. `count` is 0 if it has not failed."""
    state, _ = _look(work, command.report)
    if state is not ReportState.FAILED:
        return DoneAnswer(count=0)
    work.write(report_store.RETRY_REPORT, guarded=True, of_id=command.report, to_due_ms=work.now_ms)
    return DoneAnswer(count=1)


def forget_bookings(work: Work, command: ForgetBookings) -> DoneAnswer:
    """Delete a slice of past bookings, the oldest first.

    A booking is kept while its ticket is open, and for 30 days while a report of it is unfinished or has failed.
    Expired names are deleted too: if the closing time was made earlier, the end of the day ran before they expired.
    """
    work.write(name_store.DELETE_NAMES, now_ms=work.now_ms)
    untold_day = (date.fromisoformat(work.today) - timedelta(days=UNTOLD_KEPT_DAYS)).isoformat()
    last_day = min(command.day, untold_day)
    rows = work.rows(report_store.PAST_BOOKINGS, day=command.day, last_day=last_day, limit=command.limit)
    if rows:
        ids = work.many([booking for (booking,) in rows])
        work.write(report_store.DELETE_REPORTS, ids=ids)
        work.write(report_store.DELETE_BOOKINGS, ids=ids)
    return DoneAnswer(count=len(rows))


def _of_bookings(work: Work, rows: Sequence[tuple[Any, ...]]) -> list[Happened]:
    """The journal rows that are about a booking's ticket."""
    tickets = sorted({ticket for *_, ticket in rows if ticket is not None})
    found = work.rows(report_store.BOOKINGS_OF_TICKETS, tickets=work.many(tickets)) if tickets else []
    bookings = {ticket: facts for ticket, *facts in found}
    missed = sorted({ticket for *_, to_state, _, _, ticket in rows if to_state == State.ABSENT and ticket in bookings})
    came = work.rows(report_store.CAME_BEFORE, tickets=work.many(missed)) if missed else []
    came_before = {ticket for (ticket,) in came}
    return [_happened(work, row, bookings[row[-1]], came_before) for row in rows if row[-1] in bookings]


def _happened(work: Work, row: Sequence[Any], facts: Sequence[Any], came_before: Collection[int]) -> Happened:
    number, event, from_state, to_state, at_ms, source, ticket = row
    booking, reference, day, service, appointment_ms, learned_ms = facts
    return Happened(
        id=number,
        event=event,
        from_state=from_state,
        to_state=to_state,
        at_ms=at_ms,
        source=source,
        booking=booking,
        reference=reference,
        ticket=ticket,
        day_end_ms=day_end_for_ms(work.index.site, day, appointment_ms),
        learned_ms=learned_ms,
        counts_until_ms=counts_until_ms(work.index.find_service(service), appointment_ms),
        came_before=ticket in came_before,
    )


def _expect_anew(work: Work, journal: Sequence[Happened]) -> None:
    """Expect visitors at their new time whose booking was moved while they were here, once that visit has ended.

    The source gives a new time only once, so no later sync does this. The first visit's reports are planned by now.
    """
    ended = sorted({happened.ticket for happened in journal if happened.to_state not in OPEN})
    left = work.rows(report_store.MOVED_ON, tickets=work.many(ended), now_ms=work.now_ms) if ended else []
    if left:
        moves = tuple(Move(booking=booking, appointment_ms=ms) for booking, ms in left)
        take_bookings(work, TakeBookings(origin=work.origin, changes=moves))


def _standing(work: Work, journal: Sequence[Happened]) -> dict[int, list[Standing]]:
    bookings = sorted({happened.booking for happened in journal})
    standing: dict[int, list[Standing]] = {}
    rows = work.rows(report_store.STANDING, ids=work.many(bookings)) if bookings else []
    for number, ticket, kind, state in sorted(rows):
        standing.setdefault(ticket, []).append(Standing(number, ReportKind(kind), unsent=state in UNSENT))
    return standing


def _insert(work: Work, number: int, report: Report) -> None:
    happened = report.happened
    work.write(
        report_store.INSERT_REPORT,
        id=number,
        booking=happened.booking,
        reference=happened.reference,
        ticket=happened.ticket,
        kind=report.kind,
        event=happened.id,
        at_ms=happened.at_ms,
        due_ms=report.due_ms,
        state=ReportState.WAITING,
        attempts=0,
        status_before=None,
        error=None,
    )


def _look(work: Work, report: int) -> tuple[ReportState, int]:
    rows = work.rows(report_store.STATE_OF_REPORT, id=report)
    if not rows:
        raise Unknown("report", str(report))
    state, attempts = rows[0]
    return ReportState(state), attempts
