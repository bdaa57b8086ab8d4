"""Maps every command to its function, and runs it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Executable

from hub.queue import booking_store, name_store, people_requests, people_store, report_store, store
from hub.queue import requests as q
from hub.queue.answers import Answer, RefusedAnswer
from hub.queue.commands import (
    bookings,
    calls,
    codes,
    coming_back,
    desks,
    ending,
    expected,
    jobs,
    reports,
    sessions,
    signing,
    tickets,
    transfer,
)
from hub.queue.refusals import Refusal
from hub.queue.requests import Command, DeskCommand, Source
from hub.queue.transaction import DeskView, Work

AtDesk = Callable[[Work, Any, DeskView], Answer]
Anywhere = Callable[[Work, Any], Answer]

# Commands that a desk runs …
AT_DESK: dict[type[DeskCommand], AtDesk] = {
    q.Press: calls.press,
    q.ButtonRecall: calls.button_recall,
    q.ButtonMode: desks.button_mode,
    q.Next: calls.next_,
    q.Recall: calls.recall,
    q.Start: ending.start,
    q.Withdraw: ending.withdraw,
    q.MarkAbsent: ending.mark_absent,
    q.Finish: ending.finish,
    q.Park: ending.park,
    q.Undo: ending.undo,
    q.SetMode: desks.set_mode,
    q.SignOn: signing.sign_on,
    q.SignOff: signing.sign_off,
    q.Pick: calls.pick,
    q.Resume: calls.resume,
    q.StartAbsent: coming_back.start_absent,
    q.Reopen: coming_back.reopen,
    q.FinishParked: ending.finish_parked,
    q.Readmit: coming_back.readmit,
    q.CheckIn: expected.check_in,
    q.Cancel: ending.cancel,
    q.Transfer: transfer.transfer,
}
# … and commands that need no desk.
ANYWHERE: dict[type[Command], Anywhere] = {
    q.Issue: tickets.issue,
    q.NotePrinted: tickets.note_printed,
    q.Abandon: tickets.abandon,
    q.Defer: tickets.defer,
    q.TakeBookings: bookings.take_bookings,
    q.CheckInByCode: codes.check_in_by_code,
    q.CheckIn: expected.check_in,
    q.Admit: expected.admit,
    q.AlignExpected: expected.align_expected,
    q.ExpireExpected: expected.expire_expected,
    q.ExpireCalled: jobs.expire_called,
    q.PutOffAbsences: jobs.put_off_absences,
    q.EndDay: jobs.end_day,
    q.CloseLostDesks: jobs.close_lost_desks,
    q.Refresh: jobs.refresh,
    q.ForgetRequests: jobs.forget_requests,
    q.PlanReports: reports.plan_reports,
    q.BeginReport: reports.begin_report,
    q.EndReport: reports.end_report,
    q.RetryReport: reports.retry_report,
    q.ForgetBookings: reports.forget_bookings,
    people_requests.OpenSession: sessions.open_session,
    people_requests.EndSession: sessions.end_session,
    people_requests.SignOffEnded: sessions.sign_off_ended,
    people_requests.NoteSessions: sessions.note_sessions,
    people_requests.ChangeSession: sessions.change_session,
    people_requests.ForgetSessions: sessions.forget_sessions,
}

# The statements that commands use, except the updates built for the columns that change.
STATEMENTS: tuple[Executable, ...] = tuple(
    value
    for module in (store, booking_store, name_store, people_store, report_store)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, Executable)
)


def run(work: Work, command: Command) -> Answer:
    """Run a command once. A repeat gets the first answer; a refused command writes only the record of its answer."""
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
