"""Coarse chores by APScheduler, rebuilt at each start: the end of the day, measured means, bookings, what is old.

The body of each may run twice and come late; nothing that a stop or a step of the clock may lose is kept here.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

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

log = structlog.get_logger(__name__)

# The contract promises 7 days; one more, so that a request is never forgotten while it may still be repeated.
ANSWERS_KEPT_MS = 8 * DAY_MS
# As long: a complaint of last week can still be looked into.
SESSIONS_KEPT_MS = 8 * DAY_MS
# A time that is there once on every night.
FULL_PASS_AT = (3, 40)
FULL_PASS_SPREAD_S = 1200
# From one night's full pass to the next: a day, an hour more as summer ends, and the spread.
A_NIGHT_MOST = timedelta(hours=25, seconds=FULL_PASS_SPREAD_S)
# How soon a clock that was set back is noticed.
CLOCK_LOOK_S = 5.0
# Nothing the writer does takes so long, unless what keeps the database stands still.
ANSWER_LIMIT_S = 60
_JOB = Origin(Source.JOB, "chores")


class Chores:
    """`do` hands a command to the writer's queue for jobs and gives its answer in time.

    `ask_pass` says that the source of bookings is to be asked, `all_of_it=True` for all it has.
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
        # The last day that was ended, and on which day.
        self._ended = "", ""
        self._stopping = threading.Event()
        self._clock = threading.Thread(target=self._watch_clock, name="chores' clock", daemon=True)
        options = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        self._scheduler = BackgroundScheduler(job_defaults=options, timezone=site.zone)
        self._scheduler.add_job(self.end_days, "interval", seconds=20, name="end of day")
        self._scheduler.add_job(self.measure, "interval", minutes=1, name="measured means")
        self._scheduler.add_job(self.forget, "interval", hours=1, name="old answers")
        self._scheduler.add_job(self.forget_sessions, "interval", hours=1, name="old sessions")
        self._scheduler.add_job(self.forget_bookings, "interval", hours=1, name="old bookings")
        every_s = site.appointments.sync_every_s
        self._scheduler.add_job(ask_pass, "interval", seconds=every_s, name="bookings that changed")
        # Each night and not at once: one Publik has many towns.
        night = {"hour": FULL_PASS_AT[0], "minute": FULL_PASS_AT[1], "jitter": FULL_PASS_SPREAD_S}
        self._scheduler.add_job(ask_pass, "cron", kwargs={"all_of_it": True}, name="all bookings", **night)

    def start(self) -> None:
        """What was missed while the hub was off is done now, and what the site file changed meanwhile.

        Raises TimeoutError where the writer does not answer.
        """
        self._count(CloseLostDesks(origin=_JOB))
        self.end_days()
        for service in self._site.services:
            self._slices(AlignExpected(origin=_JOB, service=service.name))
        self.measure()
        self._scheduler.start()
        self._clock.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._scheduler.running:
            # First who would put off jobs of a scheduler that is no more.
            self._clock.join()
            self._scheduler.shutdown(wait=False)

    def catch_up(self) -> None:
        """What waits for longer than its interval, or beyond the next night, is due anew: the clock was set back.

        APScheduler goes by the system's clock alone; a booking made meanwhile would be seen only once it has caught up.
        """
        now = datetime.now(UTC)
        for job in self._scheduler.get_jobs():
            by_interval = isinstance(job.trigger, IntervalTrigger)
            if job.next_run_time - now > (job.trigger.interval if by_interval else A_NIGHT_MOST):
                job.modify(next_run_time=now if by_interval else job.trigger.get_next_fire_time(None, now))

    def _watch_clock(self) -> None:
        while not self._stopping.wait(CLOCK_LOOK_S):
            self.catch_up()

    def end_days(self) -> None:
        """Ends every day whose end has come, slice by slice. A day that is ended already changes nothing.

        Once more as the next day begins: who came for an appointment of the evening must not wait all night.
        """
        now_ms = self._now_ms()
        ended = last_ended_day(self._site, now_ms), local_day(now_ms, self._site.zone)
        if ended <= self._ended:
            return
        day, _ = ended
        tickets = self._slices(EndDay(origin=_JOB, day=day))
        self._ended = ended
        # At each start it is asked anew, and most days have ended by then.
        if tickets:
            log.info("day.ended", day=day, tickets=tickets)

    def measure(self) -> None:
        self._visits.read(self._now_ms())

    def forget(self) -> None:
        self._slices(ForgetRequests(origin=_JOB, before_ms=self._now_ms() - ANSWERS_KEPT_MS))

    def forget_sessions(self) -> None:
        self._slices(ForgetSessions(origin=_JOB, before_ms=self._now_ms() - SESSIONS_KEPT_MS))

    def forget_bookings(self) -> None:
        """Who once had an appointment is nobody's business any more."""
        first_kept = local_day(self._now_ms() - self._site.appointments.kept_days * DAY_MS, self._site.zone)
        self._slices(ForgetBookings(origin=_JOB, day=first_kept))

    def _slices(self, command: AlignExpected | EndDay | ForgetRequests | ForgetSessions | ForgetBookings) -> int:
        """Again and again while a whole slice was done; people's commands go between. How much was done in all."""
        done = last = self._count(command)
        while last == command.limit:
            last = self._count(command)
            done += last
        return done

    def _count(self, command: Command) -> int:
        answer = self._do(command).result(timeout=ANSWER_LIMIT_S)
        return answer.count if isinstance(answer, DoneAnswer) else 0
