"""Reads the start page: the desks and who is signed on at each, services without an open desk, local logins."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from hub.auth.people import Person
from hub.auth.roles import Role
from hub.database.tables import AgentRow, TicketEventRow
from hub.site_index import SiteIndex
from hub.web.desk.drawing import other_service
from hub.web.desk.picture import OtherService
from hub.web.desk.reading import read_counts, read_desks
from protocol.messages import DeskMode

# Local accounts are for when the directory is away, so supervisors and administrators see each use for a week.
SHOWN_MS = 7 * 24 * 3600 * 1000
WATCHERS = frozenset({Role.SUPERVISOR, Role.ADMINISTRATOR})

_agent: Any = AgentRow.__table__
_event: Any = TicketEventRow.__table__
_LOCAL: Any = literal_column("ticket_event.event = 'login_local'")


@dataclass(frozen=True, slots=True)
class StartDesk:
    """`who`: the display name of the person signed on. `is_mine`: it is the person who looks."""

    name: str
    number: str
    hall: str
    services: tuple[str, ...]
    mode: DeskMode
    who: str | None
    is_mine: bool


@dataclass(frozen=True, slots=True)
class LocalUse:
    """The last login by a local account, and how many there were in a week."""

    name: str
    at_ms: int
    times: int


def read_start_desks(connection: Connection, index: SiteIndex, person: Person) -> list[StartDesk]:
    now = read_desks(connection, index)
    accounts = [each.agent for each in now.values() if each.agent is not None]
    shown = select(_agent.c.account, _agent.c.name).where(
        _agent.c.site == index.site.name, _agent.c.account.in_(accounts)
    )
    names = {row.account: row.name for row in connection.execute(shown)}
    halls = {hall.name: hall.title for hall in index.site.halls}
    return [
        StartDesk(
            name=desk.name,
            number=desk.number,
            hall=halls.get(desk.hall, desk.hall),
            services=tuple(index.service(name).title for name in desk.serves),
            mode=now[desk.name].mode,
            who=names.get(agent, agent) if agent is not None else None,
            is_mine=agent == person.account,
        )
        for desk in index.site.desks
        for agent in [now[desk.name].agent]
    ]


def read_left_waiting(connection: Connection, index: SiteIndex) -> list[OtherService]:
    """Return the services that somebody waits for and that no open desk serves."""
    counts, desks = read_counts(connection, index.site.name), read_desks(connection, index)
    services = (other_service(service, index, counts, desks) for service in index.site.services)
    return [service for service in services if service.is_left_waiting]


def read_local_uses(connection: Connection, site: str, now_ms: int) -> list[LocalUse]:
    """Return the local accounts used in the last week, the latest first."""
    last = func.max(_event.c.at_ms)
    used = (
        select(func.coalesce(_agent.c.name, _event.c.actor), last, func.count())
        .select_from(_event.outerjoin(_agent, (_agent.c.site == _event.c.site) & (_agent.c.account == _event.c.actor)))
        .where(_event.c.site == site, _LOCAL, _event.c.at_ms > now_ms - SHOWN_MS)
        .group_by(_event.c.actor, _agent.c.name)
        .order_by(last.desc(), _event.c.actor)
    )
    return [LocalUse(name, at_ms, times) for name, at_ms, times in connection.execute(used).all()]
