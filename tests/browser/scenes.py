"""The mornings that the desk page's pictures show, played through real commands on a turned clock."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import insert

from hub.appointments.list_state import ListState
from hub.appointments.source_refusal import SourceRefusal, Why, written
from hub.database.tables import CounterRow
from hub.queue import requests as q
from hub.queue.answers import TicketAnswer
from hub.queue.requests import Origin, Source
from protocol.messages import DeskMode
from tests.web.stand import Stand, TurnedClock

DESK = "desk-3"
DAY = "2026-11-24"
_counter: Any = CounterRow.__table__


def morning(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """Until 10:41: tickets wait, are set aside and are absent. Returns the tickets' ids by number."""
    _start_numbers_at(stand, A=8, C=31, M=40)
    ids: dict[str, int] = {}

    def note(answer: TicketAnswer) -> None:
        ids[answer.number] = answer.ticket

    def at(moment: str, do: Callable[[], None]) -> None:
        clock.set(moment)
        do()

    clock.set("9:00")
    for number in range(1, 10):
        stand.open(f"desk-{number}")
    stand.means["civil"] = 11 * 60_000
    stand.means["identity"], stand.means["welcome"], stand.means["family"] = 15 * 60_000, 3 * 60_000, 9 * 60_000
    booked = {each: stand.book("civil", _at(clock, each), name=name) for each, name in _BOOKED.items()}
    late = stand.book("identity", _at(clock, "10:24"))
    stand.book("civil", _at(clock, "11:15"))
    at("9:56", lambda: note(stand.issue("identity")))
    at("10:03", lambda: note(stand.issue("civil")))
    at("10:04", lambda: note(stand.issue("civil")))
    at("10:06", lambda: note(stand.issue("civil")))
    at("10:20", lambda: note(stand.check_in(late)))
    at("10:21", lambda: note(stand.issue("identity")))
    clock.set("10:22")
    note(stand.check_in(booked["10:25"]))
    at("10:25", lambda: note(stand.issue("civil")))
    at("10:27", lambda: note(stand.issue("civil")))
    clock.set("10:31")
    note(stand.check_in(booked["10:35"]))
    clock.set("10:32")
    stand.do(q.Pick(origin=stand.origin(), desk=DESK, ticket=ids["A010"]))
    clock.set("10:33")
    stand.do(q.MarkAbsent(origin=stand.origin(), desk=DESK, shown=ids["A010"]))
    stand.do(q.Pick(origin=stand.origin(), desk=DESK, ticket=ids["A009"]))
    clock.set("10:34")
    stand.do(q.Park(origin=stand.origin(), desk=DESK, shown=ids["A009"]))
    stand.do(q.Pick(origin=stand.origin(), desk=DESK, ticket=ids["A011"]))
    clock.set("10:36")
    note(stand.check_in(booked["10:50"]))
    at("10:38", lambda: note(stand.issue("civil")))
    for _ in range(12):
        note(stand.issue("welcome"))
    stand.do(q.Finish(origin=stand.origin(), desk=DESK, shown=ids["A011"]))
    at("10:39", lambda: note(stand.issue("identity")))
    clock.set("10:41")
    return ids


_BOOKED: dict[str, str | None] = {"10:25": "Jeanne Exemple", "10:35": None, "10:50": None}


def called(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """`guichet-appel`: A 012 was called by the button, 38 s ago."""
    ids = morning(stand, clock)
    clock.set("10:41:20")
    stand.press(DESK)
    clock.turn(seconds=38 + 8.3)
    return ids


def serving(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """`guichet-entretien`: the visit has lasted 6:12."""
    ids = morning(stand, clock)
    clock.set("10:36")
    stand.press(DESK)
    clock.turn(seconds=20)
    stand.do(q.Start(origin=stand.origin(), desk=DESK, shown=ids["A012"]))
    clock.turn(minutes=6, seconds=12)
    _fill_desks(stand)
    return ids


def free(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """`guichet-vide`: nobody is called, A 015 is next."""
    ids = called(stand, clock)
    stand.do(q.Finish(origin=stand.origin(), desk=DESK, shown=ids["A012"]))
    clock.set("10:42")
    return ids


def nobody(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """`guichet-personne`: the queue is empty, an appointment is expected at 11:15."""
    ids = morning(stand, clock)
    for number, ticket in ids.items():
        if number not in {"A009", "A010", "A011"} and number[0] in "AC":
            stand.do(q.Cancel(origin=stand.origin(), desk=DESK, ticket=ticket))
    clock.set("10:42")
    return ids


def waiting_for_end(mode: DeskMode) -> Callable[[Stand, TurnedClock], dict[str, int]]:
    """Paused or closed in the middle of a visit, with effect at the visit's end."""

    def scene(stand: Stand, clock: TurnedClock) -> dict[str, int]:
        ids = serving(stand, clock)
        stand.do(q.SetMode(origin=stand.origin(), desk=DESK, shown=ids["A012"], mode=mode))
        return ids

    return scene


def away(mode: DeskMode) -> Callable[[Stand, TurnedClock], dict[str, int]]:
    """Paused or closed for six minutes."""

    def scene(stand: Stand, clock: TurnedClock) -> dict[str, int]:
        ids = morning(stand, clock)
        clock.set("10:42")
        stand.do(q.SetMode(origin=stand.origin(), desk=DESK, shown=None, mode=mode))
        clock.turn(minutes=6)
        return ids

    return scene


def absent(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """Nobody marked A 012 as present, so it became absent after five minutes."""
    ids = called(stand, clock)
    clock.turn(minutes=5)
    with stand.engine.connect() as connection:
        call = connection.exec_driver_sql(f"select call from ticket where id = {ids['A012']}").scalar_one()  # noqa: S608
    stand.do(q.ExpireCalled(origin=Origin(Source.JOB), ticket=ids["A012"], call=call))
    return ids


def left(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """Four visitors are set aside and four are absent."""
    ids = morning(stand, clock)
    for command, numbers in ((q.Park, ("A012", "A013", "A014")), (q.MarkAbsent, ("A015", "A016", "A017"))):
        for number in numbers:
            stand.do(q.Pick(origin=stand.origin(), desk=DESK, ticket=ids[number]))
            clock.turn(seconds=20)
            stand.do(command(origin=stand.origin(), desk=DESK, shown=ids[number]))
    return ids


def crowded(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """More tickets than a list shows, and the widest of everything."""
    ids = called(stand, clock)
    for count in range(60):
        stand.issue("civil", priority=count % 7 == 0)
    return ids


def unconfirmed(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """At a desk that does not confirm arrivals: neither Présent nor the bar."""
    ids = morning(stand, clock)
    stand.press("desk-4")
    clock.turn(seconds=30)
    return ids


PEOPLE = (
    ("11:05", "civil", "Zoé Exemple-Inventée"),
    ("11:15", "civil", "Jean-Baptiste d’Œuvre-Factice"),
    ("11:20", "identity", "Łukasz Przykładowy"),
    ("11:25", "family", "Ange Exemple"),
    ("11:30", "civil", "مثال تجريبي"),
    ("11:35", "identity", None),
)


def appointments(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """A morning with bookings from Publik: some to come, two that never came, one moved and one cancelled since."""
    clock.set("9:00")
    missed = [
        stand.book("civil", _at(clock, "10:05"), name="Camille Exemple"),
        stand.book("identity", _at(clock, "10:15")),
    ]
    stand.list_state = ListState(source="Publik", as_of_ms=clock.now_ms())
    ids = called(stand, clock)
    for moment, service, name in PEOPLE:
        ids[moment] = stand.book(service, _at(clock, moment), name=name)
    ids["10:05"], ids["10:15"] = missed
    for ticket in missed:
        stand.do(q.ExpireExpected(origin=Origin(Source.JOB), ticket=ticket))
    stand.take(q.CancelBooking(booking=stand.booking_of(ids["A012"])))
    stand.take(q.Move(booking=stand.booking_of(ids["A015"]), appointment_ms=_at(clock, "14:00")))
    return ids


def away_source(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """Publik has not answered for a while, and refused two reports before."""
    ids = appointments(stand, clock)
    stand.list_state = ListState(source="Publik", as_of_ms=_at(clock, "10:31"), late=True, flaws=1, failed=2)
    refused = {
        "10:05": ("absent", SourceRefusal(Why.NO_STEP, "HTTP 404")),
        "A012": ("arrived", SourceRefusal(Why.SAYS_NO, "HTTP 400", "Requête invalide")),
    }
    for ticket, (kind, refusal) in refused.items():
        stand.fail_report(ids[ticket], kind, written(refusal))
    return ids


def unreached_source(stand: Stand, clock: TurnedClock) -> dict[str, int]:
    """The queue is empty, and the source has never answered."""
    ids = nobody(stand, clock)
    stand.list_state = ListState(source="Publik", late=True)
    return ids


def _fill_desks(stand: Stand) -> None:
    """Give the other desks what they do in `guichet-transfert`."""
    for desk, service in (("desk-1", "civil"), ("desk-2", "identity"), ("desk-4", "identity"), ("desk-7", "identity")):
        ticket = stand.issue(service).ticket
        stand.do(q.Pick(origin=stand.origin(), desk=desk, ticket=ticket))
    ticket = stand.issue("family").ticket
    stand.do(q.Pick(origin=stand.origin(), desk="desk-9", ticket=ticket))
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-5", shown=None, mode=DeskMode.PAUSED))
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-8", shown=None, mode=DeskMode.CLOSED))


def _start_numbers_at(stand: Stand, **last: int) -> None:
    """Set the counters as if tickets up to these numbers were issued before the scene begins."""
    rows = [{"site": stand.site.name, "day": DAY, "series": series, "last": count} for series, count in last.items()]
    with stand.engine.execution_options(write=True).begin() as connection:
        connection.execute(insert(_counter), rows)


def _at(clock: TurnedClock, moment: str) -> int:
    other = TurnedClock()
    other.set(moment)
    return other.at_ms
