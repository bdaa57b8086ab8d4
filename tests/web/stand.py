"""The hub's web side with the real writer, outbox, database and pages; only the broker is missing."""

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, func, insert, select
from sqlalchemy.pool import QueuePool

from hub.appointments.list_state import ListState
from hub.auth.account_store import LocalAccount, read_account
from hub.auth.directory import Directory
from hub.auth.gate import Gate
from hub.auth.login import Login
from hub.auth.people import MachineToken, Person
from hub.auth.roles import Role
from hub.auth.session_store import open_sessions
from hub.auth.sessions import Limits, Session, SessionBook, hash_token, new_token
from hub.auth.token_store import create_token, read_token
from hub.database.engine import first_generation
from hub.database.tables import BookingRow, ReportRow, TicketRow, VisitorNameRow
from hub.metrics import Metrics
from hub.mqtt.outbox import Outbox
from hub.queue import requests as q
from hub.queue.adoption import adopt
from hub.queue.answers import Answer, DeskAnswer, DoneAnswer, TicketAnswer
from hub.queue.people_requests import OpenSession
from hub.queue.requests import Command, Origin, Source
from hub.reached import ON_THIS_MACHINE, Reached
from hub.site import (
    EVERY_DAY,
    Appointments,
    BookingForm,
    Desk,
    Hall,
    Help,
    LdapDirectory,
    Publik,
    RoleGroups,
    Service,
    Site,
)
from hub.site import Login as LoginRules
from hub.site_index import SiteIndex
from hub.tasks import Task
from hub.web.app import create_web
from hub.web.parts import Health, WebParts
from hub.web.serving import server_config
from hub.writer import Committed, Writer
from protocol.ids import uuid7
from protocol.instants import from_wire
from protocol.messages import DeskMode
from protocol.topics import Topics
from tests.auth.small_directory import SmallDirectory
from tests.queue.harness import slice_of

_ticket: Any = TicketRow.__table__
_booking: Any = BookingRow.__table__
_name: Any = VisitorNameRow.__table__
_report: Any = ReportRow.__table__

ANSWER_LIMIT_S = 20
# For HTTP on loopback, so that clients need not each read the machine's certificates.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
COOKIE = "suivant"
# A Tuesday, 8:30 in Paris.
MORNING_MS = int(from_wire("2026-11-24T07:30:00.000Z"))


def a_site() -> Site:
    """A town hall like the one in the pictures of the pages: desk 3 confirms arrivals, the others do not.

    Its appointments would come from a Publik that is never asked.
    """

    def service(name: str, letter: str, title: str) -> Service:
        hours = {"days": EVERY_DAY, "opens": "0:00", "last_ticket": "24:00", "closes": "24:00"}
        return Service(name=name, letter=letter, title=title, short=title, hall="hall", **hours)

    def desk(number: int, *serves: str, helps: tuple[str, ...] = (), confirms: bool = False) -> Desk:
        return Desk(
            name=f"desk-{number}",
            number=str(number),
            hall="hall",
            serves=serves,
            helps=tuple(Help(service=name, delay_min=20) for name in helps),
            confirms_arrivals=confirms,
        )

    return Site(
        name="town-hall",
        # Tests turn the clock by hours between two clicks.
        login=LoginRules(
            directory=LdapDirectory(
                servers=("ldaps://annuaire.invalid",),
                base="dc=invalid",
                groups=RoleGroups(agent=("cn=agents,dc=invalid",)),
                service_account="cn=suivant,dc=invalid",
            ),
            idle_min=1440,
            absolute_h=24,
        ),
        town="Ville de Trois-Tilleuls",
        zone="Europe/Paris",
        halls=(Hall(name="hall", title="Hall principal"),),
        services=(
            service("civil", "A", "État civil"),
            service("identity", "C", "Identité"),
            service("family", "F", "Famille"),
            service("welcome", "M", "Accueil"),
        ),
        desks=(
            desk(1, "civil", "welcome"),
            desk(2, "identity", "civil"),
            desk(3, "civil", helps=("identity",), confirms=True),
            desk(4, "identity", "civil"),
            desk(5, "identity", "civil"),
            desk(6, "family"),
            desk(7, "identity", "civil"),
            desk(8, "civil"),
            desk(9, "family"),
        ),
        appointments=Appointments(
            publik=Publik(
                address="https://publik.invalid",
                client="suivant",
                forms=(BookingForm(service="civil", form="rendez-vous", booking="id", start="start"),),
            )
        ),
    )


@dataclass
class TurnedClock:
    """The hub's time, which a test turns."""

    at_ms: int = MORNING_MS

    def now_ms(self) -> int:
        return self.at_ms

    def turn(self, *, minutes: float = 0, seconds: float = 0, ms: int = 0) -> None:
        self.at_ms += int(minutes * 60_000 + seconds * 1000) + ms

    def set(self, clock_time: str) -> None:
        """To a local time of the day, `10:42` or `10:42:07`; Paris is one hour ahead in November."""
        hours, minutes, *seconds = map(int, clock_time.split(":"))
        self.at_ms = MORNING_MS + ((hours * 60 + minutes - 510) * 60 + sum(seconds)) * 1000


@dataclass
class RealClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class Stand:
    """Everything behind the pages. `do` runs a command and returns its answer; `web` is the application.

    `directory`: who may log in, nobody at first; `asked` replaces it. `tried_from`: the addresses of login attempts.
    """

    def __init__(
        self,
        engine: Engine,
        site: Site,
        now_ms: Callable[[], int],
        reached: Reached = ON_THIS_MACHINE,
        asked: Directory | None = None,
    ) -> None:
        self.engine, self.site, self.now_ms = engine, site, now_ms
        self.port = 0
        self.unwell: dict[str, str] = {}
        index, metrics = SiteIndex(site), Metrics("test")
        adopt(engine, site, now_ms())
        self.means: dict[str, int] = {}
        # What a source of bookings would report about itself, and what was pushed to the hub.
        self.list_state = ListState()
        self.pushed: list[tuple[bytes, bytes]] = []
        self.push_answer: tuple[int, dict[str, Any]] = (200, {"err": 0})
        self.reached = reached
        self.directory = SmallDirectory()
        self.tried_from: list[str] = []
        self._login = Login(directory=asked or self.directory, local=self._local, now_ms=now_ms, metrics=metrics)
        limits = Limits.of(site.login)
        self.gate = Gate(
            book=SessionBook(limits),
            log_in=self._let_in,
            admitted=self._login.admitted,
            refused=self._login.refused,
            token=self._machine,
            new_token=new_token,
            limits=limits,
        )
        self.writer = Writer(
            engine=engine,
            index=index,
            now_ms=now_ms,
            mean_visit_ms=self.means.get,
            after_commit=self._committed,
            metrics=metrics,
        )
        # Whether screens and buttons would hear the hub: this stand has no broker.
        self.hears_the_hub = True
        self.outbox = Outbox(
            engine=engine,
            index=index,
            topics=Topics(site.name),
            publish=lambda *_args, **_options: True,
            now_ms=now_ms,
            put_later=self.writer.put_later,
            metrics=metrics,
        )
        self.web: FastAPI = create_web(self._parts(metrics))
        self.outbox.listen(lambda changed: self.web.state.changed(changed.desks, changed.services))
        generation = first_generation(engine, site.name, now_ms())
        self.writer.start()
        self.outbox.start(generation)

    def _parts(self, metrics: Metrics) -> WebParts:
        return WebParts(
            site=self.site,
            reads=self.engine,
            do=self._do,
            now_ms=self.now_ms,
            new_id=new_id,
            health=lambda: Health(**self.unwell),
            metrics=metrics.text,
            mean_visit_ms=self.means.get,
            request_done=metrics.request,
            reader_dropped=metrics.reader_dropped,
            broker_reached=lambda: self.hears_the_hub,
            list_state=lambda: self.list_state,
            push=self._push,
            gate=self.gate,
            reached=self.reached,
        )

    def stop(self) -> None:
        self.writer.stop()
        self.outbox.stop()
        self._wait_for_readers()

    def _wait_for_readers(self) -> None:
        """Wait for threads that still read for somebody who has left: they would leave their connection open."""
        pool = self.engine.pool
        until_s = time.monotonic() + ANSWER_LIMIT_S
        while isinstance(pool, QueuePool) and pool.checkedout():
            assert time.monotonic() < until_s, "a connection was never given back"
            time.sleep(0.01)

    def _do(self, command: Command) -> Awaitable[Answer]:
        return asyncio.wrap_future(self.put(command))

    def _committed(self, batch: Sequence[Committed]) -> None:
        self.outbox.committed(batch)

    def _push(self, query: bytes, body: bytes) -> tuple[int, dict[str, Any]]:
        self.pushed.append((query, body))
        return self.push_answer

    def put(self, command: Command) -> "Future[Answer]":
        future: Future[Answer] = Future()
        self.writer.put(Task(command, answered=future.set_result, failed=future.set_exception))
        return future

    def do(self, command: Command) -> Any:
        return self.put(command).result(ANSWER_LIMIT_S)

    # --- what people do, one method each ----------------------------------------------------------------------------

    def origin(self, source: Source = Source.PAGE) -> Origin:
        return Origin(source, "", new_id())

    def open(self, *desks: str) -> None:
        for desk in desks:
            self.do(q.SetMode(origin=self.origin(), desk=desk, shown=None, mode=DeskMode.OPEN))

    def issue(self, service: str, *, priority: bool = False) -> TicketAnswer:
        answer = self.do(q.Issue(origin=self.origin(), service=service, code=new_code(), priority=priority))
        assert isinstance(answer, TicketAnswer), answer
        return answer

    def take(self, *changes: q.BookingChange) -> None:
        """Take the source's changes of bookings in one slice; asserts that none is refused."""
        answer = self.do(slice_of(*changes))
        assert isinstance(answer, DoneAnswer), answer
        assert not answer.refused, answer

    def book(self, service: str, at_ms: int, *, name: str | None = None, confirmation: str | None = None) -> int:
        """Book an appointment; returns the id of its expected ticket."""
        booking = new_id()
        code = new_code()
        self.take(
            q.Book(
                booking=booking,
                reference=f"form/{booking}",
                confirmation=confirmation or new_confirmation(),
                service=service,
                appointment_ms=at_ms,
                code=code,
                name=name,
            )
        )
        with self.engine.connect() as connection:
            found = connection.exec_driver_sql("select id from ticket where code = '%s'" % code)  # noqa: UP031 S608
            return int(found.scalar_one())

    def booking_of(self, ticket: int) -> str:
        """The source's id of the booking that a ticket was made for."""
        with self.engine.connect() as connection:
            return str(connection.scalar(select(_ticket.c.booking).where(_ticket.c.id == ticket)))

    def code_of(self, ticket: int) -> str:
        """The code on the confirmation of a ticket's appointment."""
        with self.engine.connect() as connection:
            return str(connection.scalar(select(_booking.c.code).where(_booking.c.ticket == ticket)))

    def name_of(self, ticket: int) -> str:
        """The visitor's name as the hub keeps it."""
        with self.engine.connect() as connection:
            return str(connection.scalar(select(_name.c.name).where(_name.c.ticket == ticket)))

    def fail_report(self, ticket: int, kind: str, error: str) -> int:
        """Add a report that the source has refused for good."""
        with self.engine.execution_options(write=True).begin() as connection:
            last = connection.scalar(select(func.max(_report.c.id))) or 0
            row = {
                "site": self.site.name,
                "id": last + 1,
                "booking": self.booking_of(ticket),
                "reference": f"form/{ticket}",
                "ticket": ticket,
                "kind": kind,
                "event": 1,
                "at_ms": self.now_ms(),
                "due_ms": self.now_ms(),
                "state": "failed",
                "attempts": 3,
                "status_before": None,
                "error": error,
            }
            connection.execute(insert(_report), [row])
        return last + 1

    def check_in(self, ticket: int, desk: str = "") -> TicketAnswer:
        answer = self.do(q.CheckIn(origin=self.origin(), desk=desk, ticket=ticket))
        assert isinstance(answer, TicketAnswer), answer
        return answer

    def next(self, desk: str, shown: int | None = None) -> DeskAnswer:
        answer = self.do(q.Next(origin=self.origin(), desk=desk, shown=shown))
        assert isinstance(answer, DeskAnswer), answer
        return answer

    def log_in(self, *roles: Role, account: str = "m.exemple", name: str = "Maude Exemple") -> str:
        """Open a session for somebody with these roles, as after a login; returns its token."""
        token = self.gate.new_token()
        person = Person(account=account, name=name, roles=frozenset(roles))
        opened = OpenSession(
            origin=Origin(Source.PAGE, account, new_id()),
            token_hash=hash_token(token),
            account=account,
            name=name,
            roles=tuple(sorted(roles)),
        )
        now_ms = self.now_ms()
        session = Session(
            id=self.do(opened).session,
            token_hash=opened.token_hash,
            person=person,
            opened_ms=now_ms,
            seen_ms=now_ms,
            checked_ms=now_ms,
        )
        self.gate.book.add(session)
        return token

    def new_machine(self, role: Role) -> str:
        """Make a program's token, as `suivant token create` does."""
        token = new_token()
        new = MachineToken(name=f"{role}-{new_code()}", role=role)
        with self.engine.execution_options(write=True).begin() as connection:
            assert create_token(connection, self.site.name, new, hash_token(token), self.now_ms())
        return token

    def look_at_sessions(self) -> None:
        """Read from the database who is logged in, as the hub does each second."""

        def read() -> list[Session]:
            with self.engine.connect() as connection:
                return open_sessions(connection, self.site.name)

        self.gate.book.keep(read)

    def _let_in(self, account: str, password: str, address: str) -> Person:
        self.tried_from.append(address)
        return self._login.log_in(account, password, address)

    def _local(self, account: str) -> LocalAccount | None:
        with self.engine.connect() as connection:
            return read_account(connection, self.site.name, account)

    def _machine(self, token: str) -> MachineToken | None:
        with self.engine.connect() as connection:
            return read_token(connection, self.site.name, hash_token(token))

    def sign_on(self, *desks: str, account: str = "m.exemple") -> None:
        """Sign on at these desks in turn; only the last sign-on lasts, since nobody works at two desks."""
        for desk in desks:
            self.do(q.SignOn(origin=Origin(Source.PAGE, account, new_id()), desk=desk))

    def press(self, desk: str) -> Any:
        origin = Origin(Source.BUTTON, f"button-{desk}", new_id())
        return self.do(q.Press(origin=origin, desk=desk, at_ms=self.now_ms()))


@dataclass
class Served:
    """A stand behind a real server. `headers`: what a program other than a browser must send with a POST."""

    stand: Stand
    port: int
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def served(stand: Stand, port: int = 0) -> Iterator[Served]:
    """The stand's pages behind a real uvicorn on loopback, on a free port or on one that was free just now."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(64)
        port = listening.getsockname()[1]
        server = uvicorn.Server(server_config(stand.web))
        is_up = threading.Event()
        startup = server.startup

        async def tell(sockets: list[socket.socket] | None = None) -> None:
            await startup(sockets)
            is_up.set()

        server.startup = tell  # type: ignore[method-assign]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        assert is_up.wait(ANSWER_LIMIT_S)
        try:
            yield Served(stand, port, {"Origin": f"http://127.0.0.1:{port}"})
        finally:
            server.should_exit = True
            thread.join(ANSWER_LIMIT_S)


@contextmanager
def client_of(server: Served, *roles: Role, account: str = "m.exemple") -> Iterator[httpx.Client]:
    """A client that sends a browser's requests from the hub's own page; logged in if roles are given."""
    cookies = {COOKIE: server.stand.log_in(*roles, account=account)} if roles else {}
    with httpx.Client(
        base_url=server.address,
        headers=server.headers,
        cookies=cookies,
        verify=NO_TLS,
        trust_env=False,
        timeout=ANSWER_LIMIT_S,
    ) as client:
        yield client


def new_id() -> str:
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def new_confirmation() -> str:
    """Eight letters, like the tracking codes of w.c.s.; different for each booking."""
    return "".join("BCDFGHJKLMNPQRSTVWXZ"[byte % 20] for byte in os.urandom(8))


def new_code() -> str:
    return os.urandom(6).hex()
