"""The one place that wires the hub together."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from importlib.metadata import version
from typing import Any

import structlog
from sqlalchemy import Engine

from hub.absence import Absence
from hub.appointments.nowhere import Nowhere
from hub.appointments.source import BookingSource
from hub.appointments.worker import Worker
from hub.auth.directory import Directory, NoDirectory
from hub.auth.entrance import Entrance
from hub.chores import ANSWER_LIMIT_S, Chores
from hub.clock import Clock
from hub.database.engine import first_generation, require_folder, try_to_store
from hub.database.faults import DatabaseBusy, DatabaseReplaced, SiteTaken, faults_of, place_of
from hub.database.lock import SiteLock, hold_site
from hub.database.migration import upgrade
from hub.failures import failure_of
from hub.figures.visits import Visits
from hub.follow_codes import follow_code
from hub.metrics import Metrics
from hub.mqtt.broker import Broker, new_boot
from hub.mqtt.outbox import Outbox
from hub.publik.push import PushDoor
from hub.publik.secrets import Secrets
from hub.queue.adoption import adopt, last_moment_ms
from hub.queue.answers import Answer
from hub.queue.requests import Command
from hub.site import Site
from hub.site_index import SiteIndex
from hub.tasks import Task
from hub.web.parts import Health
from hub.writer import Writer
from protocol.link import BrokerSettings
from protocol.topics import Topics

log = structlog.get_logger(__name__)

LOCK_CHECK_S, LOCK_STOP_S = 1.0, 2.0
# Far longer than a batch takes on a slow disk, and shorter than the time-out for another program's lock.
SLOW_S = 2.0
# A clock that is corrected now and then never differs by this much.
AHEAD_MS = 60_000


class Hub:
    """All of the hub except the pages. `give_up` is called, from any thread, when only a restart can help.

    `source`: where bookings come from; without it there are none. `secrets`: authenticate Publik's calls.
    `directory`: knows the staff; without it only local accounts can log in.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        site: Site,
        broker: BrokerSettings,
        give_up: Callable[[str], None],
        clock: Clock | None = None,
        source: BookingSource | None = None,
        secrets: Secrets | None = None,
        directory: Directory | None = None,
    ) -> None:
        self.engine = engine
        self.site = site
        self.version = version("suivant")
        self.clock = clock or Clock()
        self.metrics = Metrics(self.version)
        index = SiteIndex(site)
        self.visits = Visits(engine, site.name)
        self.writer = Writer(
            engine=engine,
            index=index,
            now_ms=self.clock.now_ms,
            mean_visit_ms=self.visits.mean_ms,
            after_commit=lambda batch: self.outbox.committed(batch),  # noqa: PLW0108 - the outbox is made below
            metrics=self.metrics,
            after_loss=lambda connection: self.outbox.recount(connection),  # noqa: PLW0108
        )
        self.broker = Broker(
            settings=broker,
            index=index,
            version=self.version,
            boot=new_boot(),
            now_ms=self.clock.now_ms,
            new_code=follow_code,
            put=self.writer.put,
            connected=lambda: self.outbox.republish(),  # noqa: PLW0108
            give_up=give_up,
            metrics=self.metrics,
        )
        self.outbox = Outbox(
            engine=engine,
            index=index,
            topics=Topics(site.name),
            publish=self.broker.publish,
            now_ms=self.clock.now_ms,
            put_later=self.writer.put_later,
            metrics=self.metrics,
        )
        self.absence = Absence(engine, site, self.clock.now_ms, self.writer.put_later)
        self.appointments = Worker(
            source=source or Nowhere(),
            site=site,
            engine=engine,
            do=self.do_later,
            quiet_s=lambda: self.writer.quiet_s,
            now_ms=self.clock.now_ms,
            new_code=follow_code,
            metrics=self.metrics,
        )
        self._door = _door(site, secrets or Secrets(), self.appointments)
        self.entrance = Entrance(
            engine=engine,
            site=site,
            directory=directory or NoDirectory(),
            do=self.do_later,
            now_ms=self.clock.now_ms,
            metrics=self.metrics,
        )
        self.gate = self.entrance.gate
        self.chores = Chores(
            site=site,
            visits=self.visits,
            now_ms=self.clock.now_ms,
            do=self.do_later,
            ask_pass=self.appointments.ask_pass,
        )
        self.metrics.watch_clock(lambda: self.clock.ahead_ms() / 1000)
        self._give_up = give_up
        self.file_replaced = False
        self._lock: SiteLock | None = None
        # Why this hub no longer holds its site.
        self._lost: str | None = None
        self._trying = threading.Lock()
        self._stopping = threading.Event()
        self._guard = threading.Thread(target=self._keep_lock, name="lock", daemon=True)

    def start(self) -> None:
        """Starts all parts. Raises a DatabaseFault: the site is taken, the database is newer, locked, missing …"""
        with faults_of(self.engine):
            self._start()
        log.info("hub.started", site=self.site.name, version=self.version)

    def _start(self) -> None:
        require_folder(self.engine)
        # Before the upgrade: a hub of a later version, started by mistake, must not change the tables of a running hub.
        self._lock = hold_site(self.engine, self.site.name)
        upgrade(self.engine, held=self.site.name)
        # The database file exists now: from here on the lock notices if another file takes its place.
        self._lock.check()
        self.clock.not_before(last_moment_ms(self.engine, self.site.name))
        if self.clock.ahead_ms() > AHEAD_MS:
            log.warning("clock.ahead", by_s=self.clock.ahead_ms() // 1000)
        now_ms = self.clock.now_ms()
        generation = first_generation(self.engine, self.site.name, now_ms)
        adopt(self.engine, self.site, now_ms)
        self.writer.start()
        self.outbox.start(generation)
        # Ends the days that are over before anybody can press: otherwise a press could call a visitor of yesterday.
        self._start_chores()
        self.broker.start(generation)
        self.absence.start()
        self.appointments.start()
        self.entrance.start()
        self._guard.start()

    def _start_chores(self) -> None:
        try:
            self.chores.start()
        except TimeoutError as error:
            cause = f"the hub's first writes did not finish within {ANSWER_LIMIT_S} s"
            raise DatabaseBusy(place_of(self.engine.url), cause) from error

    def stop(self) -> None:
        self._stopping.set()
        self.entrance.stop()
        self.chores.stop()
        self.appointments.stop()
        self.absence.stop()
        self.writer.stop()
        self.outbox.stop()
        self.broker.stop()
        if self._lock is not None:
            # A check that is still running would take the released lock again.
            if self._guard.is_alive():
                self._guard.join(LOCK_STOP_S)
            # If the database does not answer, the check still runs: then the lock ends with the process.
            if not self._guard.is_alive():
                self._lock.release()
        self.engine.dispose()
        log.info("hub.stopped", site=self.site.name)

    def do_later(self, command: Command) -> "Future[Answer]":
        """Queues a job's command; people's commands go first."""
        future: Future[Answer] = Future()
        self.writer.put_later(Task(command, answered=future.set_result, failed=future.set_exception))
        return future

    def push(self, query: bytes, body: bytes) -> tuple[int, dict[str, Any]]:
        """Takes a call that says a booking changed; returns the HTTP status and the document to answer with.

        Must be called by one thread at a time.
        """
        if self._door is None:
            return 404, {"err": 1, "err_desc": "this site does not take its bookings from Publik"}
        return self._door.take(query, body, system_ms())

    def health(self) -> Health:
        return Health(
            database=self._database_fault(),
            broker=self.broker.fault,
            beat=self.broker.silence,
        )

    def _database_fault(self) -> str | None:
        if self._lost is not None:
            return self._lost
        try:
            with self.engine.connect() as connection:
                connection.exec_driver_sql("select 1")
            self._try_to_store()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            return str(failure_of(error, self.engine))
        at_work_s = self.writer.at_work_s
        if at_work_s < SLOW_S:
            return None
        return f"nothing is stored: the writer has worked on one batch for {at_work_s:.0f} s"

    def _try_to_store(self) -> None:
        """Tests a write if the last one failed: nobody may press for hours, and recovery must show before that."""
        fault = self.writer.fault
        if fault is None:
            return
        # One test at a time: while another program holds the database, each waits as long as a press.
        if not self._trying.acquire(blocking=False):
            # The writer keeps this exception: with a traceback it would keep the frames of every caller alive.
            raise fault.with_traceback(None)
        try:
            try_to_store(self.engine, self.site.name)
        finally:
            self._trying.release()
        if self.writer.fault is fault:
            self.writer.fault = None

    def _keep_lock(self) -> None:
        """Gives up when another hub has taken the site over, or when the database file was replaced or moved away."""
        while not self._stopping.wait(LOCK_CHECK_S):
            try:
                if self._lock is not None and not self._lock.check():
                    log.warning("site.lock_taken_anew", site=self.site.name)
            except (SiteTaken, DatabaseReplaced) as lost:
                self.file_replaced = isinstance(lost, DatabaseReplaced)
                self._lost = str(lost)
                self._give_up(self._lost)
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the next check is a second later
                log.warning("site.lock_not_checked", error=str(failure_of(error, self.engine)))


def _door(site: Site, secrets: Secrets, appointments: Worker) -> PushDoor | None:
    publik = site.appointments.publik
    return PushDoor(publik, secrets, appointments.hint) if publik else None


def system_ms() -> int:
    """The system's time in ms since 1970, to compare with other machines and files; the hub's clock may be ahead."""
    return time.time_ns() // 1_000_000
