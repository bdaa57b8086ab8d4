"""Every command, one function each, and the one way to run them."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Executable

from hub.queue import booking_store, people_store, report_store, store
from hub.queue.answers import Answer, RefusedAnswer
from hub.queue.commands import (
    appointments,
    arrivals,
    bookings,
    calls,
    coming_back,
    desks,
    ending,
    jobs,
    reports,
    sessions,
    signing,
    tickets,
    transfer,
)
from hub.queue.people_requests import ChangeSession, EndSession, ForgetSessions, NoteSessions, OpenSession, SignOffEnded
from hub.queue.refusals import Refusal
from hub.queue.requests import (
    Abandon,
    Admit,
    AlignExpected,
    BeginReport,
    Book,
    ButtonMode,
    ButtonRecall,
    Cancel,
    CancelBooking,
    CheckIn,
    CheckInByCode,
    CloseLostDesks,
    Command,
    Defer,
    DeskCommand,
    EndDay,
    EndReport,
    ExpireCalled,
    ExpireExpected,
    Finish,
    FinishParked,
    ForgetBookings,
    ForgetRequests,
    Issue,
    MarkAbsent,
    Move,
    Next,
    NotePrinted,
    Park,
    Pick,
    PlanReports,
    Press,
    PutOffAbsences,
    Readmit,
    Recall,
    Refresh,
    Reopen,
    Resume,
    RetryReport,
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
from hub.queue.transaction import DeskView, Work

AtDesk = Callable[[Work, Any, DeskView], Answer]
Anywhere = Callable[[Work, Any], Answer]

# By command: what a desk does …
AT_DESK: dict[type[DeskCommand], AtDesk] = {
    Press: calls.press,
    ButtonRecall: calls.button_recall,
    ButtonMode: desks.button_mode,
    Next: calls.next_,
    Recall: calls.recall,
    Start: ending.start,
    Withdraw: ending.withdraw,
    MarkAbsent: ending.mark_absent,
    Finish: ending.finish,
    Park: ending.park,
    Undo: ending.undo,
    SetMode: desks.set_mode,
    SignOn: signing.sign_on,
    SignOff: signing.sign_off,
    Pick: calls.pick,
    Resume: calls.resume,
    StartAbsent: coming_back.start_absent,
    Reopen: coming_back.reopen,
    FinishParked: ending.finish_parked,
    Readmit: coming_back.readmit,
    CheckIn: appointments.check_in,
    Cancel: ending.cancel,
    Transfer: transfer.transfer,
}
# … and what needs no desk.
ANYWHERE: dict[type[Command], Anywhere] = {
    Issue: tickets.issue,
    NotePrinted: tickets.note_printed,
    Abandon: tickets.abandon,
    Defer: tickets.defer,
    Book: bookings.book,
    Move: bookings.move,
    CancelBooking: bookings.cancel_booking,
    TakeBookings: bookings.take_bookings,
    CheckInByCode: arrivals.check_in_by_code,
    CheckIn: appointments.check_in,
    Admit: appointments.admit,
    AlignExpected: appointments.align_expected,
    ExpireExpected: appointments.expire_expected,
    ExpireCalled: jobs.expire_called,
    PutOffAbsences: jobs.put_off_absences,
    EndDay: jobs.end_day,
    CloseLostDesks: jobs.close_lost_desks,
    Refresh: jobs.refresh,
    ForgetRequests: jobs.forget_requests,
    PlanReports: reports.plan_reports,
    BeginReport: reports.begin_report,
    EndReport: reports.end_report,
    RetryReport: reports.retry_report,
    ForgetBookings: reports.forget_bookings,
    OpenSession: sessions.open_session,
    EndSession: sessions.end_session,
    SignOffEnded: sessions.sign_off_ended,
    NoteSessions: sessions.note_sessions,
    ChangeSession: sessions.change_session,
    ForgetSessions: sessions.forget_sessions,
}

# What the commands have the database do, but for updates of whichever columns change.
STATEMENTS: tuple[Executable, ...] = tuple(
    value
    for module in (store, booking_store, people_store, report_store)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, Executable)
)


def run(work: Work, command: Command) -> Answer:
    """Does a command once: a repeat gets the first answer, a refusal has written nothing but its own record."""
    try:
        return _do(work, command)
    except Refusal as refusal:
        return _refuse(work, refusal)


def _do(work: Work, command: Command) -> Answer:
    kind = type(command)
    if isinstance(command, DeskCommand) and command.desk and kind in AT_DESK:
        view, first = work.look(work.index.desk(command.desk))
        answer = first or _at_desk(work, command, view)
    else:
        first = work.first_answer() if command.origin.request is not None else None
        answer = first or ANYWHERE[kind](work, command)
    work.repeated = first is not None
    if first is None:
        work.finish(answer)
    return answer


def _at_desk(work: Work, command: DeskCommand, view: DeskView) -> Answer:
    desks.age_of_click(work)
    if work.origin.signed_on:
        signing.need_signed_on(work, view)
    if work.origin.source is Source.BUTTON and work.index.site.login.button_acts_for == "agent":
        work.actor = view.agent or work.origin.actor
    return AT_DESK[type(command)](work, command, view)


def _refuse(work: Work, refusal: Refusal) -> Answer:
    if work.has_written:
        raise RuntimeError(f"a refused command must not have written: {refusal}") from refusal
    work.forget()
    facts: dict[str, str | int | None] = {
        name: value if isinstance(value, int) else str(value) for name, value in refusal.facts().items()
    }
    answer = RefusedAnswer(code=refusal.code, detail=str(refusal), facts=facts)
    first = work.first_answer() if work.origin.request is not None else None
    if first is not None:
        work.repeated = True
        return first
    work.record(answer)
    work.flush()
    return answer
