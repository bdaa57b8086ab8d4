"""The appointments' thread with a real writer and database, a test Publik, and a clock that the test sets."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Engine

from hub.appointments.source import BookingSource
from hub.appointments.worker import Worker
from hub.follow_codes import follow_code
from hub.metrics import Metrics
from hub.publik.client import Limits
from hub.publik.secrets import Secrets
from hub.publik.source import PublikSource
from hub.queue.answers import Answer
from hub.queue.requests import Command
from hub.queue.states import State
from hub.queue.tickets import Ticket
from hub.site import Appointments, BookingForm, Publik, Site, Triggers
from hub.site_index import SiteIndex
from hub.tasks import Task
from hub.writer import Writer
from tests.publik.server import CLIENT, KEY, TestPublik
from tests.publik.town import CANCELLED, Town
from tests.queue.harness import TUESDAY_AT_TEN, Queue, town

LIMIT_S = 30
FORM = "rendez-vous"
# Short time-outs for calls that get no answer.
QUICK = Limits(connect_s=2.0, read_s=0.5, whole_s=2.0)


class Clock:
    """Runs from a given moment, and can be set forward; it is also Publik's clock."""

    def __init__(self, now_ms: int = TUESDAY_AT_TEN) -> None:
        self._turned_ms = now_ms
        self._since_s = time.monotonic()

    def now_ms(self) -> int:
        return self._turned_ms + int((time.monotonic() - self._since_s) * 1000)

    def turn(self, by_ms: int) -> None:
        self._turned_ms += by_ms


def with_publik(site: Site, address: str, *, statuses: tuple[str, ...] = (), **settings: Any) -> Site:
    """The site with the bookings of its civil service in a form of that Publik. Empty `statuses`: all count."""
    form = BookingForm(
        service="civil",
        form=FORM,
        booking="workflow.data.rdv_response.booking_id",
        start="fields.rdv_raw",
        code="fields.code_rdv",
        names=("fields.prenom", "fields.nom"),
        statuses=statuses,
        cancelled_statuses=(CANCELLED,),
    )
    triggers = Triggers(
        arrived="suivant-arrive", served="suivant-servi", absent="suivant-absent", cancelled="suivant-annule"
    )
    publik = Publik(address=address, client=CLIENT, forms=(form,), triggers=triggers)
    return replace(site, appointments=Appointments(publik=publik, **settings))


@contextmanager
def publik_of(clock: Clock) -> Iterator[TestPublik]:
    made = Town(now_ms=clock.now_ms)
    made.add_form(FORM)
    with TestPublik(town=made) as publik:
        yield publik


class Office:
    """A hub's writer and appointments' thread, with access to the resulting rows."""

    def __init__(self, engine: Engine, site: Site, clock: Clock, new_source: Callable[[], BookingSource]) -> None:
        self.engine, self.site, self.clock = engine, site, clock
        self._new_source = new_source
        self.queue = Queue(engine, site, at_ms=clock.now_ms())
        self.seen = 0
        self._begin()

    def _begin(self) -> None:
        self.metrics = Metrics("test")
        self.writer = Writer(
            engine=self.engine,
            index=SiteIndex(self.site),
            now_ms=self.clock.now_ms,
            mean_visit_ms=lambda _: None,
            after_commit=lambda _: None,
            metrics=self.metrics,
        )
        self.source = self._new_source()
        self.worker = Worker(
            source=self.source,
            site=self.site,
            engine=self.engine,
            do=self.do_later,
            quiet_s=lambda: self.writer.quiet_s,
            now_ms=self.clock.now_ms,
            new_code=follow_code,
            metrics=self.metrics,
            chance=lambda: 0.5,
        )
        self.worker.listen(self._note)

    def _note(self) -> None:
        self.seen += 1

    def start(self) -> "Office":
        self.writer.start()
        self.worker.start()
        return self

    def stop(self) -> None:
        self.worker.stop()
        self.writer.stop()

    def restart(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.stop()
        meanwhile()
        self._begin()
        self.start()

    def close(self) -> None:
        self.stop()
        self.queue.close()

    # --- doing ----------------------------------------------------------------------------------------------------

    def do_later(self, command: Command) -> "Future[Answer]":
        future: Future[Answer] = Future()
        self.writer.put_later(Task(command, answered=future.set_result, failed=future.set_exception))
        return future

    def ask(self, kind: type[Command], **facts: Any) -> Answer:
        """Run a page's command in the queue for people."""
        told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.writer.put(Task(kind(origin=self.queue.origin(), **facts), answered=told.put, failed=told.put))
        answer = told.get(timeout=LIMIT_S)
        assert not isinstance(answer, Exception), answer
        return answer  # type: ignore[no-any-return]

    # --- looking --------------------------------------------------------------------------------------------------

    def tickets(self, *states: State) -> list[Ticket]:
        """The tickets of bookings, in these states or in any."""
        return [each for each in self.queue.tickets() if each.booking and (not states or each.state in states)]

    def expected(self) -> list[Ticket]:
        return self.tickets(State.EXPECTED)

    def reports(self) -> list[tuple[str, str, str]]:
        """Booking, kind and state of each report, in order."""
        rows = sorted(self.queue.table("report"), key=lambda row: row[1])
        return [(row[2], row[5], row[9]) for row in rows]

    def eventually(self, holds: Callable[[], bool]) -> None:
        """Poll until `holds` is true, for at most `LIMIT_S`."""
        end, pause = time.monotonic() + LIMIT_S, threading.Event()
        while not holds():
            assert time.monotonic() < end, (self.worker.list_state, self.tickets(), self.reports())
            pause.wait(0.01)

    def passes(self, outcome: str = "done") -> float:
        """How many listings ended with this outcome."""
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in self.metrics.text().decode().splitlines()
            if line.startswith("suivant_listings_total{") and f'outcome="{outcome}"' in line
        )

    def changes(self) -> float:
        """How many changes the passes have found in total."""
        lines = self.metrics.text().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("suivant_booking_changes_total"))

    def pass_over(self, *, all_of_it: bool = False) -> None:
        """Ask for a pass and wait until it ends."""
        before = self.passes()
        self.worker.ask_pass(all_of_it=all_of_it)
        self.eventually(lambda: self.passes() > before)


def publik_source(site: Site, clock: Clock, limits: Limits = QUICK) -> PublikSource:
    assert site.appointments.publik
    return PublikSource.open(site.appointments.publik, site, Secrets(key=KEY.encode()), clock.now_ms, limits)


def a_town(address: str, **settings: Any) -> Site:
    return with_publik(town(), address, **settings)


def with_forms(site: Site, *others: dict[str, Any], **otherwise: Any) -> Site:
    """The site with its form changed by `otherwise`, and a further copy of that form changed by each of `others`."""
    publik = site.appointments.publik
    assert publik
    form = replace(publik.forms[0], **otherwise)
    forms = (form, *(replace(form, **other) for other in others))
    return replace(site, appointments=replace(site.appointments, publik=replace(publik, forms=forms)))
