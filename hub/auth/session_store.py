"""The sessions in the database. The writer's commands write them; `suivant session` can end them too."""

from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, literal_column, select, update

from hub.auth.people import Person
from hub.auth.roles import roles_of
from hub.auth.sessions import Session
from hub.database.tables import LoginSessionRow
from hub.queue import people_store
from hub.queue.people_requests import EndReason

_session: Any = LoginSessionRow.__table__
# Written as in the partial index of open sessions.
_IS_OPEN: Any = literal_column("login_session.ended_ms is null")


class EndedSession(Struct, frozen=True, kw_only=True):
    session: Session
    ended_ms: int
    reason: EndReason


def open_sessions(connection: Connection, site: str) -> list[Session]:
    """Return all sessions that have not ended, even those past a limit."""
    query = select(*_session.c).where(_session.c.site == site, _IS_OPEN).order_by(_session.c.id)
    return [_from_row(row) for row in connection.execute(query)]


def last_ended_sessions(connection: Connection, site: str, most: int) -> list[EndedSession]:
    """Return the sessions that ended last, latest first. The hub keeps each for some days."""
    query = select(*_session.c).where(_session.c.site == site, _session.c.ended_ms.is_not(None))
    rows = connection.execute(query.order_by(_session.c.ended_ms.desc(), _session.c.id.desc()).limit(most))
    return [
        EndedSession(session=_from_row(row), ended_ms=row.ended_ms, reason=EndReason(row.end_reason)) for row in rows
    ]


class EndedNow(NamedTuple):
    """How many sessions were open, and how many had ended before because they were idle."""

    open: int
    idle: int


def end_sessions(connection: Connection, site: str, account: str, now_ms: int, *, local_only: bool = False) -> EndedNow:
    """End all open sessions of an account; with `local_only`, only those of the local account.

    The hub then signs the person off their desk. Sessions that had ended by being idle are marked as ended too, so that
    their person is also signed off.
    """
    of_account = (_session.c.site == site) & (_session.c.account == account)
    if local_only:
        of_account &= _session.c.local
    idle_ones = update(_session).where(of_account, _session.c.end_reason == EndReason.IDLE)
    open_ones = update(_session).where(of_account, _session.c.ended_ms.is_(None))
    idle = connection.execute(idle_ones.values(end_reason=EndReason.ENDED)).rowcount
    return EndedNow(connection.execute(open_ones.values(ended_ms=now_ms, end_reason=EndReason.ENDED)).rowcount, idle)


def end_all_sessions(connection: Connection, now_ms: int) -> int:
    """End all open sessions of all sites and return how many. The next hub that starts signs these people off."""
    ended = update(_session).where(_session.c.ended_ms.is_(None))
    return connection.execute(ended.values(ended_ms=now_ms, end_reason=EndReason.ENDED)).rowcount


def some_left_behind(connection: Connection, site: str) -> bool:
    """Whether the command `SignOffEnded` would sign anybody off."""
    return connection.execute(people_store.LEFT_BEHIND, {"site": site}).first() is not None


def _from_row(row: Any) -> Session:
    person = Person(account=row.account, name=row.name, roles=roles_of(row.roles), local=bool(row.local))
    return Session(
        id=row.id,
        token_hash=row.token_hash,
        person=person,
        opened_ms=row.opened_ms,
        seen_ms=row.seen_ms,
        checked_ms=row.checked_ms,
    )
