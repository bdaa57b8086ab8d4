"""The hub as a program: opens the database and the source of bookings, then serves pages until a signal ends it."""

import asyncio
import gc
import os
import shlex
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from socket import socket

import structlog
import uvicorn
import uvloop
from sqlalchemy import Engine

from hub.app import Hub, system_ms
from hub.appointments.file_source import FileSource
from hub.appointments.rows import has_to_come
from hub.appointments.source import BookingSource
from hub.auth.directory import Directory
from hub.config import read_site
from hub.database.engine import open_engine, sqlite_files
from hub.database.statements import open_reading_connection
from hub.listening import listen
from hub.publik.source import PublikSource
from hub.queue.answers import Answer
from hub.queue.hours import local_day
from hub.queue.requests import Command
from hub.reached import ON_THIS_MACHINE, Reached
from hub.settings import Settings, may_be_read_by_others, secret_files
from hub.site import Site
from hub.tasks import Task
from hub.web.app import create_web
from hub.web.parts import WebParts
from hub.web.serving import server_config
from hub.writer import Writer
from protocol.ids import uuid7
from protocol.systemd import Notifier

log = structlog.get_logger(__name__)

# The same as for a wrong setting, so that systemd does not restart the hub: it would serve an empty file, or apply the
# old file's write-ahead log to the new file.
FILE_REPLACED_STATUS = 2


class Ending:
    """Ends the server at a signal, even at one that comes while the hub is still starting."""

    def __init__(self) -> None:
        self._asked = False
        self._server: uvicorn.Server | None = None

    def __call__(self, _number: int, _frame: object) -> None:
        self._asked = True
        if self._server is not None:
            self._server.should_exit = True

    def of(self, server: uvicorn.Server) -> None:
        self._server = server
        server.should_exit = self._asked


class _Server(uvicorn.Server):
    """Leaves signals to Ending: uvicorn's own handler would raise them again before the rest of the hub has ended.

    Notifies systemd once it serves, then feeds its watchdog.
    """

    def __init__(self, config: uvicorn.Config, notifier: Notifier, is_alive: Callable[[], bool]) -> None:
        super().__init__(config)
        self._notifier = notifier
        self._is_alive = is_alive

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self._notifier.ready()
        self._feeding = asyncio.create_task(feed_watchdog(self._notifier, self._is_alive))


def run(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit status: 0, 1 if only a restart helps, 2 if none may follow."""
    site_file = read_site(settings.hub.site_file)
    for warning in site_file.warning_lines():
        log.warning("site_file.warning", warning=warning)
    site = site_file.site
    engine = open_engine(settings.database_url)
    for file in filter(may_be_read_by_others, [*sqlite_files(engine), *secret_files(settings)]):
        place = str(file.absolute())
        log.warning("file.others_may_read_it", file=place, mend=f"chmod o= {shlex.quote(place)}")
    listening = listen(settings.hub.http_host, settings.hub.http_port)
    status: list[str] = []
    ending, notifier = Ending(), Notifier(os.environ)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, ending)

    def give_up(reason: str) -> None:
        log.error("hub.gives_up", reason=reason)
        status.append(reason)
        os.kill(os.getpid(), signal.SIGTERM)

    hub = Hub(
        engine=engine,
        site=site,
        broker=settings.broker,
        give_up=give_up,
        source=open_source(site, settings, engine),
        secrets=settings.publik,
        directory=_open_directory(site, settings),
    )
    hub.start()
    if site.login.directory is not None:
        from hub.auth.ldap_check import warn_once

        warn_once(site.login.directory, settings.ldap, time.time)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(hub, listening, ending, settings.reached, notifier))
    finally:
        notifier.stopping()
        hub.stop()
    if hub.file_replaced:
        return FILE_REPLACED_STATUS
    return 1 if status else 0


def open_source(site: Site, settings: Settings, engine: Engine) -> BookingSource:
    """Makes the source of the site's bookings; connects to nothing yet. Raises WrongSetting without Publik's secret."""
    appointments = site.appointments
    if appointments.publik is None:
        file = settings.hub.state_dir / appointments.file
        return FileSource(file, site.zone, system_ms, partial(_has_to_come, engine, site))
    return PublikSource.open(appointments.publik, site, settings.publik, system_ms)


def _open_directory(site: Site, settings: Settings) -> Directory | None:
    """Connects to nothing yet. Raises WrongSetting."""
    if site.login.directory is None:
        return None
    # Not above: a hub without a directory starts without the time and memory that ldap3 takes.
    from hub.auth.ldap_directory import open_directory

    return open_directory(site.login.directory, settings.ldap)


def _has_to_come(engine: Engine, site: Site) -> bool:
    with closing(open_reading_connection(engine)) as connection:
        return has_to_come(connection, site.name, local_day(system_ms(), site.zone))


async def _serve(hub: Hub, listening: socket, ending: Ending, reached: Reached, notifier: Notifier) -> None:
    host, port = listening.getsockname()[:2]
    web = create_web(web_parts(hub, reached))
    hub.metrics.watch_readers(lambda: web.state.live.reader_count)
    hub.outbox.listen(lambda changed: web.state.changed(changed.desks, changed.services))
    hub.appointments.listen(web.state.list_changed)
    by = f"{reached.origin}{reached.path}/" if reached.origin else "this machine only"
    log.info("hub.serves", address=f"http://{host}:{port}/", reached_by=by)
    server = _Server(server_config(web), notifier, lambda: hub.writer.is_alive)
    ending.of(server)
    keep_what_stands()
    await server.serve(sockets=[listening])


async def feed_watchdog(notifier: Notifier, is_alive: Callable[[], bool]) -> None:
    """Notifies systemd's watchdog for as long as the event loop runs and `is_alive` returns True.

    A database, disk, broker or directory that does not answer must not stop this: a restart would not help, and the
    queued commands would be lost. A writer that works on one batch for long therefore counts as alive, since it may be
    waiting for the database.
    """
    while notifier.watchdog_ms is not None and is_alive():
        notifier.alive()
        await asyncio.sleep(notifier.watchdog_ms / 3000)


def keep_what_stands() -> None:
    """Hides all objects made so far from the garbage collector, and turns it on.

    They live until the end, and a full collection that visits them stops every thread for 70 to 110 ms (measured
    during a sync of 10,000 bookings, which is what triggers one).
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def web_parts(hub: Hub, reached: Reached = ON_THIS_MACHINE) -> WebParts:
    """What the pages get of the hub."""
    return WebParts(
        site=hub.site,
        reads=hub.engine,
        do=partial(_do, hub.writer),
        now_ms=hub.clock.now_ms,
        new_id=new_id,
        health=hub.health,
        metrics=hub.metrics.text,
        mean_visit_ms=hub.visits.mean_ms,
        request_done=hub.metrics.request,
        reader_dropped=hub.metrics.reader_dropped,
        broker_reached=lambda: hub.broker.fault is None,
        list_state=lambda: hub.appointments.list_state,
        push=hub.push,
        gate=hub.gate,
        reached=reached,
    )


def _do(writer: Writer, command: Command) -> Awaitable[Answer]:
    """Queues a command for the writer; the answer arrives in the caller's event loop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer] = loop.create_future()

    def answered(answer: Answer) -> None:
        loop.call_soon_threadsafe(_resolve, future, answer)

    def failed(error: Exception) -> None:
        loop.call_soon_threadsafe(_reject, future, error)

    writer.put(Task(command, answered=answered, failed=failed))
    return future


def _resolve(future: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _reject(future: "asyncio.Future[Answer]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def new_id() -> str:
    """A request id, for a request that came without one."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))
