"""Ten thousand bookings synced while desks call; no-shows marked in time; the look each second; a push to the page."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select

from benchmarks.figures import Row, Run, percentile, ratio_row, spread
from benchmarks.growth import Desk
from benchmarks.hall import SERVICES, large_site
from hub.absence import Absence, due
from hub.appointments.nowhere import Nowhere
from hub.appointments.rows import failed_count, has_news, next_due
from hub.appointments.source import Booking, Listing
from hub.appointments.worker import PLAN_LIMIT, Worker
from hub.database.engine import open_engine
from hub.database.statements import open_reading_connection
from hub.database.statistics import Statistics
from hub.database.tables import BookingRow, TicketEventRow, TicketRow
from hub.follow_codes import follow_code
from hub.metrics import Metrics, Outcome
from hub.queue.adoption import adopt
from hub.queue.answers import Answer
from hub.queue.hours import local_day
from hub.queue.order import Kind
from hub.queue.requests import Command, TakeBookings
from hub.queue.states import State
from hub.queue.tickets import FIELDS, Ticket
from hub.serve import keep_what_stands
from hub.site import MINUTE_MS, Site
from hub.site_index import SiteIndex
from hub.tasks import Task
from hub.writer import Writer
from tests.appointments.office import FORM
from tests.appointments.test_program import PUBLIK, TownHall
from tests.broker import start_broker
from tests.hub.test_program import SITE
from tests.publik.server import CLIENT, TestPublik
from tests.publik.town import Town

_ticket: Any = TicketRow.__table__
_booking: Any = BookingRow.__table__
_event: Any = TicketEventRow.__table__

# How long a command held the writer, in seconds, and the command.
Held = tuple[float, str]

BOOKINGS = 10_000
WAITING = 9_000
RUNS = 5
# As many calls a second as a town hall has in an hour, for enough of them during a sync to take a p99.
BETWEEN_CALLS_S = 0.01
CALLS = 2_000
# A sync beside calls takes longer than the waiting tickets last; this many calls are enough.
CALLS_DURING = 4_000
EXPECTED = 5_000
# AT_ONCE appointments are due at one moment, in each of MOMENTS seconds.
AT_ONCE, MOMENTS = 200, 3
FEW, MANY = 100, 100_000
# A PostgreSQL connection runs at one of two speeds, a factor of two apart, most likely depending on the core where its
# server process runs. So the median over this many pairs of connections counts.
PAIRS, LOOKS, WARM_UP = 15, 100, 10
PUSHES = 10
LIMIT_S = 120
SYNC_MOST_S = {"SQLite": 5.0, "PostgreSQL": 3.0}
CALL_MOST, HOLD_MOST_MS, MARK_MOST_S, LOOK_MOST, PUSH_MOST_S = 1.5, 20.0, 2.0, 1.2, 2.0


class InMemory(Nowhere):
    """A source with its list in memory, so that only the hub's part is measured."""

    title = "bench"

    def __init__(self, bookings: tuple[Booking, ...]) -> None:
        self._bookings = bookings

    def list_all(self, _first_day: str, _last_day: str) -> Listing:
        return Listing(self._bookings, complete=True, as_of_ms=1)


class Holds(Metrics):
    """Records how long the sync's transactions held the writer."""

    def __init__(self) -> None:
        super().__init__("bench")
        self.held: list[Held] = []
        self.outcomes: list[str] = []
        self.passed = threading.Event()
        self._last_s = 0.0

    def batch(self, commands: int, seconds: float) -> None:
        super().batch(commands, seconds)
        self._last_s = seconds

    def command(self, kind: str, outcome: Outcome, waited_s: float | None) -> None:
        """Called after its batch; a background command is alone in its batch."""
        super().command(kind, outcome, waited_s)
        if kind != "Press":
            self.held.append((self._last_s, kind))

    def listed(self, asked: str, outcome: str, seconds: float) -> None:
        super().listed(asked, outcome, seconds)
        self.outcomes.append(outcome)
        self.passed.set()


def bookings(count: int, now_ms: int) -> tuple[Booking, ...]:
    """Bookings over the coming days, each with a name."""
    return tuple(
        Booking(
            id=f"b{place}",
            reference=f"rdv/{place}",
            service=f"service-{place % SERVICES}",
            start_ms=now_ms + 30 * MINUTE_MS + place * 6 * 24 * 60 * MINUTE_MS // count,
            code=f"C{place:05}",
            name=f"Zoé Exemple-Inventée {place}",
        )
        for place in range(count)
    )


# --- a full sync --------------------------------------------------------------------------------------------------


class House:
    """Desks that call, and a sync on the same writer."""

    def __init__(self, url: str) -> None:
        self.desk = Desk(open_engine(url), WAITING)
        self.holds = Holds()
        self._journal, self._statistics = 0, Statistics()
        self._outbox, self._renewals = ThreadPoolExecutor(1), list[Future[None]]()
        self._reading = self._outbox.submit(open_reading_connection, self.desk._engine).result()  # noqa: SLF001
        self._writer = self.desk._writer  # noqa: SLF001 - the same hall, with one more thread
        self._writer._metrics = self.holds  # noqa: SLF001
        now_ms = time.time_ns() // 1_000_000
        self.worker = Worker(
            source=InMemory(bookings(BOOKINGS, now_ms)),
            site=self.desk._site,  # noqa: SLF001
            engine=self.desk._engine,  # noqa: SLF001
            do=self._do,
            quiet_s=lambda: self._writer.quiet_s,
            now_ms=lambda: now_ms,
            new_code=follow_code,
            metrics=self.holds,
        )
        keep_what_stands()

    def _do(self, command: Command) -> Future[Answer]:
        self._keep_statistics(len(command.changes) if isinstance(command, TakeBookings) else 0)
        future: Future[Answer] = Future()
        self._writer.put_later(Task(command, answered=future.set_result, failed=future.set_exception))
        return future

    def _keep_statistics(self, rows: int) -> None:
        """Keep the statistics on another thread than the writer's, as the hub's outbox does."""
        self._journal += rows
        self._renewals.append(self._outbox.submit(self._statistics.keep, self._reading, self._journal))

    def close(self) -> None:
        self.worker.stop()
        self._outbox.submit(self._reading.close)
        self._outbox.shutdown()
        self.desk.close()
        for renewal in self._renewals:
            renewal.result()

    def calls(self, more: Callable[[int], bool]) -> list[float]:
        """Call at a steady pace while `more(count)` is true; returns each call's ms."""
        times: list[float] = []
        pause = threading.Event()
        while more(len(times)):
            times.append(self.desk.call())
            self._keep_statistics(2)
            pause.wait(BETWEEN_CALLS_S)
        return times

    def require_sound(self) -> None:
        """Raises AssertionError if a sync failed or did not bring all bookings, however fast it was."""
        assert set(self.holds.outcomes) <= {"done"}, self.holds.outcomes
        if self.holds.passed.is_set():
            with self.desk._engine.connect() as connection:  # noqa: SLF001
                assert connection.scalar(select(func.count()).select_from(_booking)) == BOOKINGS


def sync_alone(url: str) -> tuple[float, list[Held]]:
    """The seconds that a full sync takes the hub while nobody calls, and its holds of the writer."""
    with closing(House(url)) as house:
        started_s = time.monotonic()
        house.worker.start()
        assert house.holds.passed.wait(LIMIT_S)
        spent_s = time.monotonic() - started_s
        house.require_sound()
        return spent_s, house.holds.held


def calls_during_sync(url: str) -> tuple[Run, list[Held]]:
    """Calls without and with a concurrent full sync, and the sync's holds of the writer."""
    with closing(House(url)) as house:
        house.calls(lambda done: done < CALLS // 4)
        floor = house.calls(lambda done: done < CALLS)
        house.worker.start()
        whole = house.calls(lambda done: done < CALLS_DURING and (not house.holds.passed.is_set() or done < CALLS // 4))
        house.require_sound()
        return Run(tuple(floor), tuple(whole)), house.holds.held


# --- no-shows -----------------------------------------------------------------------------------------------------


def marks(url: str) -> list[float]:
    """Seconds from each due time to its mark in the journal, for AT_ONCE in each of MOMENTS seconds of a large day."""
    engine, site = open_engine(url), large_site()
    now_ms = time.time_ns() // 1_000_000
    adopt(engine, site, now_ms)
    due_ms = [now_ms + 3_000 + place // AT_ONCE * 1_000 for place in range(AT_ONCE * MOMENTS)]
    due_ms += [now_ms + 60 * MINUTE_MS + place * 100 for place in range(EXPECTED - len(due_ms))]
    with engine.execution_options(write=True).begin() as connection:
        connection.execute(insert(_ticket), [_row(site, place, at_ms) for place, at_ms in enumerate(due_ms, 1)])
    writer = Writer(
        engine=engine,
        index=SiteIndex(site),
        now_ms=lambda: time.time_ns() // 1_000_000,
        mean_visit_ms=lambda _: None,
        after_commit=lambda _: None,
        metrics=Metrics("bench"),
    )
    absence = Absence(engine, site, lambda: time.time_ns() // 1_000_000, writer.put_later)
    writer.start()
    absence.start()
    marked = select(_event.c.at_ms, _ticket.c.ended_ms).where(
        _event.c.ticket == _ticket.c.id, _event.c.event == "absent"
    )
    late_s: list[float] = []
    end_s = time.monotonic() + LIMIT_S
    while len(late_s) < AT_ONCE * MOMENTS and time.monotonic() < end_s:
        time.sleep(0.5)
        with engine.connect() as connection:
            late_s = [(at_ms - was_due_ms) / 1000 for at_ms, was_due_ms in connection.execute(marked)]
    absence.stop()
    writer.stop()
    engine.dispose()
    return late_s


# --- a look each second -------------------------------------------------------------------------------------------


def looks(url: Callable[[int], str]) -> list[Run]:
    """The ms of the queries that the hub makes each second, with few bookings and with many in turn."""
    few, many = _Days(url(FEW), FEW), _Days(url(MANY), MANY)
    runs = []
    with closing(few), closing(many):
        for _ in range(PAIRS):
            few.connect()
            many.connect()
            pairs = [(few.look(), many.look()) for _ in range(WARM_UP + LOOKS)][WARM_UP:]
            runs.append(Run(*(tuple(each) for each in zip(*pairs, strict=True))))
    return runs


class _Days:
    """A database with `count` bookings for the coming days."""

    def __init__(self, url: str, count: int) -> None:
        self._engine, self._site = open_engine(url), large_site()
        self._now_ms = time.time_ns() // 1_000_000
        adopt(self._engine, self._site, self._now_ms)
        starts = [self._now_ms + 60 * MINUTE_MS + place * 6_000 for place in range(count)]
        with self._engine.execution_options(write=True).begin() as connection:
            for first in range(0, count, 5_000):
                part = range(first, min(first + 5_000, count))
                connection.execute(insert(_ticket), [_row(self._site, each + 1, starts[each]) for each in part])
                connection.execute(
                    insert(_booking), [_booking_row(self._site, each + 1, starts[each]) for each in part]
                )
        if self._engine.dialect.name == "postgresql":
            # Otherwise autovacuum would run while the looks are measured.
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
        self._reading = open_reading_connection(self._engine)

    def connect(self) -> None:
        """Reconnect."""
        self._reading.close()
        self._reading = open_reading_connection(self._engine)

    def look(self) -> float:
        started_s = time.perf_counter()
        assert due(self._reading, self._site, self._now_ms) == []
        assert not has_news(self._reading, self._site.name, PLAN_LIMIT)
        assert next_due(self._reading, self._site.name, self._now_ms) is None
        assert failed_count(self._reading, self._site.name) == 0
        return (time.perf_counter() - started_s) * 1000

    def close(self) -> None:
        self._reading.close()
        self._engine.dispose()


def _row(site: Site, place: int, start_ms: int) -> dict[str, Any]:
    ticket = Ticket(
        id=place,
        day=local_day(start_ms, site.zone),
        service=f"service-{place % SERVICES}",
        state=State.EXPECTED,
        kind=Kind.TIMED,
        due_ms=start_ms,
        code=f"e{place:09}",
        appointment_ms=start_ms,
        booking=f"b{place}",
        absent_at_ms=start_ms,
    )
    return {"site": site.name} | {name: getattr(ticket, name) for name in FIELDS}


def _booking_row(site: Site, place: int, start_ms: int) -> dict[str, Any]:
    return {
        "site": site.name,
        "id": f"b{place}",
        "ticket": place,
        "reference": f"rdv/{place}",
        "service": f"service-{place % SERVICES}",
        "start_ms": start_ms,
        "day": local_day(start_ms, site.zone),
        "code": f"C{place}",
        "gone": False,
    }


# --- a push -------------------------------------------------------------------------------------------------------


def pushes(url: str, folder: Path) -> list[float]:
    """Seconds from a booking in Publik, which then pushes to the hub, until it is on the desk's page."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Town()  # type: ignore[no-untyped-call]
    made.add_form(FORM)  # type: ignore[no-untyped-call]
    times = []
    with (
        start_broker(folder / "broker", site=SITE) as broker,
        TestPublik(town=made) as publik,
        closing(TownHall(folder, broker, url)) as town,
    ):
        site_file = PUBLIK.format(address=publik.address, client=CLIENT, form=FORM)
        town.site_file(site_file.replace("sync_every_s: 10", "sync_every_s: 3600"))
        program = town.start()
        town.until(lambda: 'asked="all",outcome="done"} 1.0' in program.get("/metrics"))
        publik.pushing.to = program.wait_for("hub.serves")["address"].rstrip("/") + "/api/v1/publik/push"
        for number in range(PUSHES):
            name = f"Exemple-Inventée-{number:02}"
            started_s = time.monotonic()
            made.book(FORM, f"{datetime.now(ZoneInfo('Europe/Paris')):%Y-%m-%d %H:%M}", last_name=name)
            town.until(lambda name=name: name in program.get("/desks/desk-1"))
            times.append(time.monotonic() - started_s)
    return times


# --- the table ----------------------------------------------------------------------------------------------------


def measure(name: str, folder: Path, new_database: Callable[[Path], str]) -> Iterator[list[Row]]:
    """Yields the rows of each part."""
    alone = [sync_alone(new_database(folder / f"sync-{number}")) for number in range(RUNS)]
    during = [calls_during_sync(new_database(folder / f"calls-{number}")) for number in range(RUNS)]
    yield _sync_rows(name, alone, during)
    yield [marks_row(name, marks(new_database(folder / "marks")))]
    looked = looks(lambda count: new_database(folder / f"looks-{count}"))
    yield [ratio_row(f"a look each second, {MANY:,} bookings over {FEW}, {name}", looked, 50, LOOK_MOST)]
    times = pushes(new_database(folder / "push-database"), folder / "push")
    yield [
        Row(
            f"push of Publik to the desk's page, {name}",
            f"{max(times):.2f} s",
            f"≤ {PUSH_MOST_S:g} s",
            max(times) <= PUSH_MOST_S,
            f"the longest of {len(times)}; {spread(times)}",
        )
    ]


def marks_row(name: str, late_s: list[float]) -> Row:
    """`late_s`: how late each mark was that came."""
    what, target = f"no-show marked, {EXPECTED:,} expected, {name}", f"≤ {MARK_MOST_S:g} s"
    if not late_s:
        return Row(what, "none", target, met=False, seen=f"within {LIMIT_S} s")
    seen = f"{len(late_s)} of {AT_ONCE * MOMENTS} marks, {AT_ONCE} at once; p50 {percentile(late_s, 50):.2f} s"
    whole = len(late_s) == AT_ONCE * MOMENTS and max(late_s) <= MARK_MOST_S
    return Row(what, f"{max(late_s):.2f} s", target, whole, seen)


def _sync_rows(name: str, alone: list[tuple[float, list[Held]]], during: list[tuple[Run, list[Held]]]) -> list[Row]:
    seconds = [spent_s for spent_s, _ in alone]
    holds = [hold for _, held in [*alone, *during] for hold in held]
    held_s, kind = max(holds)
    runs = [run for run, _ in during]
    most_s = SYNC_MOST_S[name]
    what = f"full sync of {BOOKINGS:,} bookings, {name}"
    return [
        Row(what, f"{median(seconds):.2f} s", f"≤ {most_s:g} s", median(seconds) <= most_s, f"runs {spread(seconds)}"),
        ratio_row(f"call during a sync over one without, {name}", runs, 99, CALL_MOST),
        Row(
            f"longest hold of the writer, {name}",
            f"{held_s * 1000:.1f} ms",
            f"≤ {HOLD_MOST_MS:g} ms",
            held_s * 1000 <= HOLD_MOST_MS,
            f"by {kind}, the longest of {len(holds):,}",
        ),
    ]
