"""A large town hall for the benchmarks, and a morning's queue in its database."""

import random
import time
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Engine, insert, update

from hub.auth.roles import Role as StaffRole
from hub.auth.sessions import hash_token
from hub.database.migration import migrate
from hub.database.tables import AgentRow, CounterRow, DeskRow, LoginSessionRow, TicketRow
from hub.queue.adoption import adopt
from hub.queue.hours import local_day
from hub.queue.order import Kind
from hub.queue.states import State
from hub.queue.tickets import FIELDS, Ticket
from hub.site import EVERY_DAY, MINUTE_MS, Desk, Hall, Node, Service, Site
from protocol.messages import DeskMode, Role

NAME = "bench"
DESKS = 200
SERVICES = 20
SERVED_BY_DESK = 5
LETTERS = "ABCDEFGHJKLMNPRSTUVW"
EARLY_PERCENT = 40
# Above the ids that `fill` gives.
MORE_FROM = 1_000_000

_ticket: Any = TicketRow.__table__
_desk: Any = DeskRow.__table__
_counter: Any = CounterRow.__table__
_agent: Any = AgentRow.__table__
_session: Any = LoginSessionRow.__table__


def large_site(desks: int = DESKS) -> Site:
    """A site with 20 services, each with its own hall so that calls do not wait for each other's announcement;
    each desk serves 5 services."""
    return Site(
        name=NAME,
        town="Ville d’essai",
        zone="UTC",
        halls=tuple(Hall(name=f"hall-{place}", title=f"Salle {place}") for place in range(SERVICES)),
        services=tuple(
            Service(
                name=f"service-{place}",
                letter=LETTERS[place],
                title=f"Service {place}",
                short=f"Service {place}",
                hall=f"hall-{place}",
                days=EVERY_DAY,
                opens="0:00",
                last_ticket="24:00",
                closes="24:00",
            )
            for place in range(SERVICES)
        ),
        desks=tuple(
            Desk(
                name=desk_name(place),
                number=str(place + 1),
                hall=f"hall-{_first_service(place)}",
                serves=tuple(f"service-{_first_service(place) + more}" for more in range(SERVED_BY_DESK)),
            )
            for place in range(desks)
        ),
        nodes=tuple(
            Node(name=node_name(place), role=Role.DESK_BUTTON, desk=desk_name(place)) for place in range(desks)
        ),
    )


def desk_name(place: int) -> str:
    return f"desk-{place + 1}"


def node_name(place: int) -> str:
    return f"button-{place + 1}"


def fill(engine: Engine, site: Site, *, waiting: int, appointments_early: bool = False) -> None:
    """Open all desks, each holding a called ticket, and add `waiting` tickets, due in turn over the services.

    40 % of them are appointments. `appointments_early`: their time has not come, so that no desk may take them yet.
    """
    now_ms = time.time_ns() // 1_000_000
    migrate(engine)
    adopt(engine, site, now_ms)
    tickets = [_waiting(place, waiting, site, now_ms, appointments_early) for place in range(waiting)]
    tickets += [_held(place, waiting, site, now_ms) for place in range(len(site.desks))]
    rows = [_row(site, ticket) for ticket in tickets]
    with engine.execution_options(write=True).begin() as connection:
        connection.execute(update(_desk).values(mode=DeskMode.OPEN))
        for first in range(0, len(rows), 1_000):
            connection.execute(insert(_ticket), rows[first : first + 1_000])
        connection.execute(insert(_counter), {"site": site.name, "day": "", "series": "ticket", "last": len(tickets)})
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
            connection.commit()


def sign_everybody_on(engine: Engine, site: Site) -> None:
    """Sign an agent on at each desk, as after a login; `token(place)` is the value of their cookie."""
    now_ms = time.time_ns() // 1_000_000
    places = range(len(site.desks))
    agents = [{"site": site.name, "account": agent_name(place), "name": f"Exemple {place + 1}"} for place in places]
    sessions = [
        agent
        | {"id": place + 1, "token_hash": hash_token(token(place)), "roles": StaffRole.AGENT, "local": True}
        | {"opened_ms": now_ms, "seen_ms": now_ms, "checked_ms": now_ms, "ended_ms": None, "end_reason": None}
        for place, agent in enumerate(agents)
    ]
    with engine.execution_options(write=True).begin() as connection:
        connection.execute(insert(_agent), agents)
        connection.execute(insert(_session), sessions)
        for place in places:
            connection.execute(update(_desk).where(_desk.c.name == desk_name(place)).values(agent=agent_name(place)))


def agent_name(place: int) -> str:
    return f"agent-{place + 1}"


def token(place: int) -> str:
    return f"bench-{place + 1}"


@dataclass(frozen=True, slots=True)
class NewRow:
    table: Any
    values: dict[str, Any]


def more_waiting(site: Site, number: int, now_ms: int) -> NewRow:
    """One more walk-in at the end of the queue; `number` counts those before it."""
    ticket = _waiting(number + MORE_FROM, 1, site, now_ms, appointments_early=False)
    ticket = replace(ticket, kind=Kind.OPEN, appointment_ms=None, due_ms=now_ms, issued_ms=now_ms)
    return NewRow(_ticket, _row(site, ticket))


def _row(site: Site, ticket: Ticket) -> dict[str, Any]:
    return {"site": site.name} | {name: getattr(ticket, name) for name in FIELDS}


def _waiting(place: int, of: int, site: Site, now_ms: int, appointments_early: bool) -> Ticket:
    service = site.services[place % SERVICES]
    early = random.Random(place).random() * 100 < EARLY_PERCENT
    # Due one after the other over the last three hours, so that the next call is always the next service's.
    due_ms = now_ms - 180 * MINUTE_MS + place * 175 * MINUTE_MS // max(of, 1)
    if early and appointments_early:
        due_ms += 240 * MINUTE_MS
    return Ticket(
        id=place + 1,
        day=local_day(now_ms, site.zone),
        service=service.name,
        series=service.letter,
        number=place // SERVICES + 1,
        state=State.WAITING,
        kind=Kind.TIMED if early else Kind.OPEN,
        due_ms=due_ms,
        code=f"w{place:09}",
        issued_ms=due_ms - 20 * MINUTE_MS,
        appointment_ms=due_ms if early else None,
    )


def _held(place: int, waiting: int, site: Site, now_ms: int) -> Ticket:
    service = site.services[_first_service(place)]
    return Ticket(
        id=waiting + place + 1,
        day=local_day(now_ms, site.zone),
        service=service.name,
        series=service.letter,
        number=waiting + place + 1,
        state=State.CALLED,
        kind=Kind.OPEN,
        due_ms=now_ms - 180 * MINUTE_MS,
        code=f"h{place:09}",
        issued_ms=now_ms - 180 * MINUTE_MS,
        desk=desk_name(place),
        call=0,
        called_ms=now_ms - 10 * MINUTE_MS,
        said_ms=now_ms - 9 * MINUTE_MS,
    )


def _first_service(place: int) -> int:
    return place % (SERVICES // SERVED_BY_DESK) * SERVED_BY_DESK
