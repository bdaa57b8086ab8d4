"""Coarse chores, run by APScheduler: the end of the day, measured means, bookings, deletion of old rows.

Each chore may run late or twice. The schedule is rebuilt at each start and holds no state that a stop or a clock step
could lose.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from hub.database.faults import DatabaseFault
from hub.failures import HubFault
from hub.figures.visits import Visits
from hub.queue.answers import Answer, DoneAnswer
from hub.queue.hours import last_ended_day, local_day
from hub.queue.people_requests import ForgetSessions
from hub.queue.requests import (
    AlignExpected,
    CloseLostDesks,
    Command,
    EndDay,
    ForgetBookings,
    ForgetRequests,
    Origin,
    Source,
)
from hub.site import DAY_MS, Site
from hub.tasks import Busy

log = structlog.get_logger(__name__)

# The contract promises 7 days; one more, so that a request is never forgotten while it may still be repeated.
ANSWERS_KEPT_MS = 8 * DAY_MS
# As long, so that a complaint about last week can still be looked into.
SESSIONS_KEPT_MS = 8 * DAY_MS
# A local time that occurs exactly once every night, clock changes included.
FULL_PASS_AT = (3, 40)
FULL_PASS_SPREAD_S = 1200
# The longest time from one nightly full pass to the next: a day, one hour more when summer time ends, and the spread.
A_NIGHT_MOST = timedelta(hours=25, seconds=FULL_PASS_SPREAD_S)
HOUR_S = 3600
# How soon a clock that was set back is noticed.
CLOCK_LOOK_S = 5.0
# APScheduler ends within milliseconds unless something holds its lock.
STOP_LIMIT_S = 5.0
# No command takes the writer this long unless the database does not answer.
ANSWER_LIMIT_S = 60
_JOB = Origin(Source.JOB, "chores")


class _Every(IntervalTrigger):  # type: ignore[misc] # APScheduler has no types
    """Fires at an interval. Runs that were missed count as one.

    APScheduler lists all of them before it merges them. After a clock without a battery was set by months, that is a
    million runs, and the hub could not stop meanwhile.
    """

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        following: datetime = super().get_next_fire_time(previous_fire_time, now)
        return following if following > now else now + self.interval


class Chores:
    """Schedules and runs the chores. `do` queues a command as a job for the writer and returns its answer's future.

    `ask_pass` requests a pass over the bookings that changed in their source, `all_of_it=True` over all of them.
    """

    def __init__(
        self,
        *,
        site: Site,
        visits: Visits,
        now_ms: Callable[[], int],
        do: Callable[[Command], Future[Answer]],
        ask_pass: Callable[..., None],
    ) -> None:
        self._site = site
        self._visits = visits
        self._now_ms = now_ms
        self._do = do
        # The last day that was ended, and the local day on which that was done.
        self._ended = "", ""
        self._stopping = threading.Event()
        self._clock = threading.Thread(target=self._watch_clock, name="chores' clock", daemon=True)
        options = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        self._scheduler = BackgroundScheduler(job_defaults=options, timezone=UTC)
        self._every(20, self.end_days, "end of day")
        self._every(60, self.measure, "measured means")
        self._every(HOUR_S, self.forget, "old answers")
        self._every(HOUR_S, self.forget_sessions, "old sessions")
        self._every(HOUR_S, self.forget_bookings, "old bookings")
        self._every(site.appointments.sync_every_s, ask_pass, "bookings that changed")
        # Each night, with a random delay: many towns share one Publik.
        hour, minute = FULL_PASS_AT
        night = CronTrigger(hour=hour, minute=minute, jitter=FULL_PASS_SPREAD_S, timezone=site.zone)
        self._scheduler.add_job(ask_pass, night, kwargs={"all_of_it": True}, name="all bookings")

    def _every(self, interval_s: int, chore: Callable[[], None], name: str) -> None:
        # In UTC: Python adds to a local time without regard to its zone, an hour too much or too little in October.
        trigger = _Every(seconds=interval_s, timezone=UTC)
        self._scheduler.add_job(_report, trigger, args=(name, chore), name=name)

    def start(self) -> None:
        """Catches up on what the hub missed while it was off, applies changes of the site file, starts the schedule.

        Raises TimeoutError if the writer does not answer.
        """
        self._count(CloseLostDesks(origin=_JOB))
        self.end_days()
        for service in self._site.services:
            self._slices(AlignExpected(origin=_JOB, service=service.name))
        self.measure()
        self._scheduler.start()
        self._clock.start()

    def stop(self) -> None:
        """Ends the schedule, or leaves it behind if APScheduler does not end within STOP_LIMIT_S."""
        self._stopping.set()
        if self._clock.is_alive():
            self._clock.join(STOP_LIMIT_S)
        if self._clock.is_alive():
            log.warning("chores.left_behind")

    def catch_up(self) -> None:
        """Reschedules jobs that are due later than their interval, or than the next night: the clock was set back.

        APScheduler goes by the system's clock alone; it would not look for new bookings until the clock has caught up.
        """
        now = datetime.now(UTC)
        for job in self._scheduler.get_jobs():
            by_interval = isinstance(job.trigger, IntervalTrigger)
            if job.next_run_time - now > (job.trigger.interval if by_interval else A_NIGHT_MOST):
                job.modify(next_run_time=now if by_interval else job.trigger.get_next_fire_time(None, now))

    def _watch_clock(self) -> None:
        while not self._stopping.wait(CLOCK_LOOK_S):
            self.catch_up()
        # On this thread: it must not reschedule jobs after the end, and it may wait for as long as APScheduler takes.
        self._scheduler.shutdown(wait=False)

    def end_days(self) -> None:
        """Ends every day whose end has come, slice by slice. Ending a day again changes nothing.

        A day is ended once more when the next one begins: visitors of late appointments, whom the first run spares,
        must not stay in the queue all night.
        """
        now_ms = self._now_ms()
        ended = last_ended_day(self._site, now_ms), local_day(now_ms, self._site.zone)
        if ended <= self._ended:
            return
        day, _ = ended
        tickets = self._slices(EndDay(origin=_JOB, day=day))
        self._ended = ended
        # Each start ends the last day again, usually without any effect.
        if tickets:
            log.info("day.ended", day=day, tickets=tickets)

    def measure(self) -> None:
        self._visits.read(self._now_ms())

    def forget(self) -> None:
        self._slices(ForgetRequests(origin=_JOB, before_ms=self._now_ms() - ANSWERS_KEPT_MS))

    def forget_sessions(self) -> None:
        self._slices(ForgetSessions(origin=_JOB, before_ms=self._now_ms() - SESSIONS_KEPT_MS))

    def forget_bookings(self) -> None:
        """Deletes old bookings: who once had an appointment is nobody's business any more."""
        first_kept = local_day(self._now_ms() - self._site.appointments.kept_days * DAY_MS, self._site.zone)
        self._slices(ForgetBookings(origin=_JOB, day=first_kept))

    def _slices(self, command: AlignExpected | EndDay | ForgetRequests | ForgetSessions | ForgetBookings) -> int:
        """Repeats the command until a slice is not full; people's commands run in between. Returns the total count."""
        done = last = self._count(command)
        while last == command.limit:
            last = self._count(command)
            done += last
        return done

    def _count(self, command: Command) -> int:
        answer = self._do(command).result(timeout=ANSWER_LIMIT_S)
        return answer.count if isinstance(answer, DoneAnswer) else 0


def _report(name: str, chore: Callable[[], None]) -> None:
    """Does a chore. Logs in one sentence what it cannot help: APScheduler would log a long traceback each time."""
    try:
        chore()
    except (DatabaseFault, HubFault, Busy) as error:
        log.error("chore.failed", chore=name, error=str(error))  # noqa: TRY400 - one sentence says it
    except TimeoutError:
        log.error("chore.failed", chore=name, error=f"the writer gave no answer within {ANSWER_LIMIT_S} s")  # noqa: TRY400
