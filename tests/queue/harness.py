"""A queue without a hub: commands run one after the other on a database, with a clock that the test sets."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace
from sqlalchemy import Engine, bindparam, literal_column, select

from hub.database.engine import open_driver_connection
from hub.database.statements import Connection
from hub.database.tables import Base
from hub.queue import store
from hub.queue.adoption import adopt
from hub.queue.answers import Answer, DeskAnswer, DoneAnswer, RefusedAnswer, TicketAnswer
from hub.queue.commands.dispatch import run
from hub.queue.requests import Book, BookingChange, Command, Issue, Next, Origin, Press, SetMode, Source, TakeBookings
from hub.queue.states import State
from hub.queue.tickets import FIELDS, Ticket, from_row
from hub.queue.transaction import Effects, Work
from hub.site import EVERY_DAY, Desk, Hall, Help, Service, Site
from hub.site_index import SiteIndex
from protocol.ids import uuid7
from protocol.messages import DeskMode

ZONE = "Europe/Paris"
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

_numbers = count(1)

# Built once, because SQLAlchemy compiles each statement object anew.
_ROWS = {name: select(table).where(table.c.site == store.SITE) for name, table in Base.metadata.tables.items()}
_TICKETS = select(*(store.ticket.c[name] for name in FIELDS)).where(store.ticket.c.site == store.SITE)
_HELD = select(store.ticket.c.id).where(
    store.ticket.c.site == store.SITE,
    store.ticket.c.desk == bindparam("desk"),
    literal_column("state in ('called', 'serving')"),
)


def moment(text: str) -> int:
    """A local time such as `2026-11-24 10:00` in ms since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)


TUESDAY_AT_TEN = moment("2026-11-24 10:00")

HALLS = (Hall(name="hall", title="Hall"), Hall(name="floor", title="Étage"))
SERVICES = (
    Service(name="civil", letter="A", title="État civil", hall="hall", short="Civil"),
    Service(name="papers", letter="B", title="Papiers", hall="hall", short="Papiers"),
    Service(name="social", letter="C", title="Social", hall="floor", short="Social", strict=True),
    Service(name="taxes", letter="D", title="Impôts", hall="floor", short="Impôts", checks_in=False),
)
DESKS = (
    Desk(name="desk-1", number="1", hall="hall", serves=("civil", "papers")),
    Desk(name="desk-2", number="2", hall="hall", serves=("civil",), helps=(Help(service="papers", delay_min=10),)),
    Desk(name="desk-3", number="3", hall="floor", serves=("social", "taxes"), place="1er étage"),
    Desk(
        name="desk-4", number="4", hall="floor", serves=("civil", "social"), place="1er étage", confirms_arrivals=True
    ),
)


def town(**changes: Any) -> Site:
    """A site of four desks, four services and two halls. Its name is unique, so that tests can share a database."""
    site = Site(
        name=f"town-{next(_numbers)}", town="Ville-Test", zone=ZONE, halls=HALLS, services=SERVICES, desks=DESKS
    )
    return replace(site, **changes)


def slice_of(*changes: BookingChange) -> TakeBookings:
    """The command by which a sync hands changes to the writer, even a single one."""
    return TakeBookings(origin=Origin(Source.SYNC, "sync"), changes=changes)


def round_the_clock(site: Site) -> Site:
    """The same site with its services open day and night."""
    always = {"opens": "0:00", "last_ticket": "24:00", "closes": "24:00", "days": EVERY_DAY}
    return replace(site, services=tuple(replace(each, **always) for each in site.services))


class Queue:
    """Runs commands on a connection, each in its own transaction, and reads the rows that result."""

    def __init__(
        self,
        engine: Engine,
        site: Site | None = None,
        *,
        at_ms: int = TUESDAY_AT_TEN,
        mean_visit_ms: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self.site = site or town()
        self.index = SiteIndex(self.site)
        self.now_ms = at_ms
        self.effects = Effects()
        self.repeated = False
        self._mean_visit_ms = mean_visit_ms
        self._ids = count(1)
        self.engine = engine
        adopt(engine, self.site, at_ms)
        self.connection = Connection(open_driver_connection(engine), engine.dialect)

    def close(self) -> None:
        self.connection.close()

    def configure(self, site: Site) -> None:
        """Start again with another site file."""
        self.site, self.index = site, SiteIndex(site)
        adopt(self.engine, site, self.now_ms)

    def lose_papers(self) -> None:
        """Start again with a site file that has two desks and no longer the service `papers`."""
        services = tuple(each for each in self.site.services if each.name != "papers")
        desks = tuple(replace(desk, serves=("civil",), helps=()) for desk in self.site.desks[:2])
        self.configure(replace(self.site, services=services, desks=desks))

    # --- doing ----------------------------------------------------------------------------------------------------

    def turn(self, by_ms: int) -> None:
        """Set the clock forward."""
        self.now_ms += by_ms

    def new_id(self) -> str:
        return uuid7(self.now_ms, next(self._ids).to_bytes(10, "big"))

    def origin(self, source: Source = Source.PAGE, actor: str = "agent-1") -> Origin:
        return Origin(source, actor, self.new_id())

    def do(self, command: Command) -> Answer:
        """Run the command as the writer would; its effects are then in `effects`."""
        self.connection.begin()
        try:
            work = Work(self.connection, self.index, self.now_ms, command.origin, self._mean_visit_ms)
            answer = run(work, command)
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()
        self.effects, self.repeated = work.effects, work.repeated
        return answer

    def ask(self, kind: type[Command], **facts: Any) -> Answer:
        """Run a command that a page sends."""
        return self.do(kind(origin=self.origin(), **facts))

    def job(self, kind: type[Command], **facts: Any) -> Answer:
        return self.do(kind(origin=Origin(Source.JOB, "job"), **facts))

    def take(self, *changes: BookingChange) -> DoneAnswer:
        """Take the source's changes to its bookings, in one slice."""
        answer = self.do(slice_of(*changes))
        assert isinstance(answer, DoneAnswer), answer
        return answer

    def issue(self, service: str = "civil", *, priority: bool = False) -> int:
        """Issue a ticket to a walk-in; return its id."""
        return self.ticket_answer(service, priority=priority).ticket

    def ticket_answer(self, service: str = "civil", *, priority: bool = False) -> TicketAnswer:
        origin = self.origin(Source.DISPENSER, "printer-1")
        answer = self.do(Issue(origin=origin, service=service, code=origin.request or "", priority=priority))
        assert isinstance(answer, TicketAnswer), answer
        return answer

    def book(self, at_ms: int, service: str = "civil", *, name: str | None = None) -> int:
        """Book an appointment; return the id of its expected ticket. The booking's name is `booking-` and a counter."""
        booking = f"booking-{next(self._ids)}"
        self.take(
            Book(
                booking=booking,
                reference=f"form/{booking}",
                confirmation=booking.upper().replace("-", ""),
                service=service,
                appointment_ms=at_ms,
                code=f"code-{booking}",
                name=name,
            )
        )
        return next(each.id for each in self.tickets() if each.booking == booking)

    def open(self, *desks: str) -> None:
        for desk in desks:
            self.mode(desk, DeskMode.OPEN)

    def mode(self, desk: str, mode: DeskMode) -> Answer:
        return self.ask(SetMode, desk=desk, mode=mode, shown=self.held(desk))

    def press(self, desk: str = "desk-1", *, after_ms: int = 4 * SECOND) -> Answer:
        """A short press, `after_ms` from now, late enough by default not to be a bounce."""
        self.turn(after_ms)
        return self.do(Press(origin=self.origin(Source.BUTTON, f"button-{desk}"), desk=desk, at_ms=self.now_ms))

    def called(self, desk: str = "desk-1") -> int | None:
        """Press; return the ticket called, or None if the desk then holds nobody."""
        answer = self.press(desk)
        assert isinstance(answer, DeskAnswer), answer
        return answer.ticket if self.held(desk) is not None else None

    def next(self, desk: str = "desk-1") -> Answer:
        return self.ask(Next, desk=desk, shown=self.held(desk))

    # --- looking --------------------------------------------------------------------------------------------------

    def rows(self, statement: Any, **params: Any) -> list[tuple[Any, ...]]:
        rows = self.connection.rows(statement, {"site": self.site.name, **params})
        self.connection.rollback()
        return rows

    def table(self, name: str) -> list[tuple[Any, ...]]:
        """All rows of this site in a table."""
        return sorted(self.rows(_ROWS[name]), key=repr)

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """All tables except the answers kept for repeated requests."""
        return {name: self.table(name) for name in Base.metadata.tables if name != "request"}

    def ticket(self, ticket_id: int) -> Ticket:
        return from_row(self.rows(store.TICKET_BY_ID, id=ticket_id)[0])

    def tickets(self) -> list[Ticket]:
        return sorted((from_row(row) for row in self.rows(_TICKETS)), key=lambda each: each.id)

    def state(self, ticket_id: int) -> State:
        return self.ticket(ticket_id).state

    def held(self, desk: str) -> int | None:
        """The id of the ticket that a desk holds, or None."""
        held = [row[0] for row in self.rows(_HELD, desk=desk)]
        assert len(held) <= 1, f"{desk} holds {held}"
        return held[0] if held else None

    def desk_mode(self, desk: str) -> tuple[str, bool, bool]:
        """The desk's mode, whether it is pausing, and whether it is closing."""
        row = next(row for row in self.table("desk") if row[1] == desk)
        return row[2], bool(row[3]), bool(row[4])

    def events(self, ticket: int | None = None) -> list[str]:
        """The journal's events in order, of one ticket or of all."""
        rows = sorted(self.table("ticket_event"), key=lambda row: row[1])
        return [row[3] for row in rows if ticket is None or row[2] == ticket]

    def sayings(self, hall: str = "hall") -> list[tuple[int, int]]:
        """The hall's announcements in order, as (ticket, `play_ms`), without those that will not be said."""
        names = list(Base.metadata.tables["announcement"].c.keys())
        said = [dict(zip(names, row, strict=True)) for row in self.table("announcement")]
        queue = [each for each in said if each["hall"] == hall and each["length_ms"] > 0]
        return [(each["ticket"], each["play_ms"]) for each in sorted(queue, key=lambda each: each["play_ms"])]

    def listed(self, hall: str = "hall") -> list[int]:
        """The tickets that the hall lists as called, the latest announcement first."""
        names = list(Base.metadata.tables["announcement"].c.keys())
        rows = sorted(
            (dict(zip(names, row, strict=True)) for row in self.table("announcement")), key=lambda r: -r["id"]
        )
        return list(dict.fromkeys(row["ticket"] for row in rows if row["hall"] == hall))


def refused(answer: Answer, code: str | None = None) -> RefusedAnswer:
    """Check that the answer is a refusal, with this code if one is given; return it."""
    assert isinstance(answer, RefusedAnswer), answer
    assert code is None or answer.code == code, answer
    return answer


def named(answer: RefusedAnswer) -> tuple[object, object, object]:
    """The ticket, state and event that a refusal names."""
    facts = answer.facts
    return facts.get("ticket"), facts.get("state"), facts.get("event")


def desk_answer(answer: Answer) -> DeskAnswer:
    assert isinstance(answer, DeskAnswer), answer
    return answer


def only(values: Iterable[Any]) -> Any:
    (value,) = values
    return value
