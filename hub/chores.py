"""Coarse chores by APScheduler, rebuilt at each start: the end of the day, measured means, old answers.

The body of each may run twice and come late; nothing that a stop or a step of the clock may lose is kept here.
"""

from collections.abc import Callable
from concurrent.futures import Future

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from hub.figures.visits import Visits
from hub.queue.hours import last_ended_day
from hub.queue.requests import Answer, CloseLostDesks, Command, DoneAnswer, EndDay, ForgetRequests, Origin, Source
from hub.site import DAY_MS, Site

log = structlog.get_logger(__name__)

# The contract promises 7 days; one more, so that a request is never forgotten while it may still be repeated.
ANSWERS_KEPT_MS = 8 * DAY_MS
_JOB = Origin(Source.JOB, "chores")


class Chores:
    """`do` hands a command to the writer's queue for jobs and gives its answer in time."""

    def __init__(
        self,
        *,
        site: Site,
        visits: Visits,
        now_ms: Callable[[], int],
        do: Callable[[Command], Future[Answer]],
    ) -> None:
        self._site = site
        self._visits = visits
        self._now_ms = now_ms
        self._do = do
        self._ended_day = ""
        options = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        self._scheduler = BackgroundScheduler(job_defaults=options, timezone=site.zone)
        self._scheduler.add_job(self.end_days, "interval", seconds=20, name="end of day")
        self._scheduler.add_job(self.measure, "interval", minutes=1, name="measured means")
        self._scheduler.add_job(self.forget, "interval", hours=1, name="old answers")

    def start(self) -> None:
        """What was missed while the hub was off is done now, and what the site file changed meanwhile."""
        self._count(CloseLostDesks(origin=_JOB))
        self.end_days()
        self.measure()
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def end_days(self) -> None:
        """Ends every day whose end has come, slice by slice. A day that is ended already changes nothing."""
        day = last_ended_day(self._site, self._now_ms())
        if day <= self._ended_day:
            return
        self._slices(EndDay(origin=_JOB, day=day))
        self._ended_day = day
        log.info("day.ended", day=day)

    def measure(self) -> None:
        self._visits.read(self._now_ms())

    def forget(self) -> None:
        self._slices(ForgetRequests(origin=_JOB, before_ms=self._now_ms() - ANSWERS_KEPT_MS))

    def _slices(self, command: EndDay | ForgetRequests) -> None:
        """Again and again while a whole slice was done; people's commands go between."""
        while self._count(command) == command.limit:
            pass

    def _count(self, command: Command) -> int:
        answer = self._do(command).result(timeout=60)
        return answer.count if isinstance(answer, DoneAnswer) else 0
