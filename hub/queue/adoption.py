"""Brings the database in line with the site file, before the writer starts."""

from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select

from hub.database.tables import DeskRow, DeskServiceRow, HallRow, TicketEventRow
from hub.queue.look_ups import look_ups
from hub.site import Site

_desk: Any = DeskRow.__table__
_desk_service: Any = DeskServiceRow.__table__
_hall: Any = HallRow.__table__
_event: Any = TicketEventRow.__table__


def adopt(engine: Engine, site: Site, now_ms: int) -> None:
    """Add new desks (closed) and halls, and rewrite where each desk looks for tickets. Known desks keep their mode.

    Desks that the site no longer has are closed by the command `CloseLostDesks`.
    """
    with engine.execution_options(write=True).begin() as connection:
        _add_missing(connection, _desk, site.name, [desk.name for desk in site.desks], mode="closed", since_ms=now_ms)
        _add_missing(connection, _hall, site.name, [hall.name for hall in site.halls])
        connection.execute(delete(_desk_service).where(_desk_service.c.site == site.name))
        rows = [row for desk in site.desks for row in look_ups(site, desk)]
        if rows:
            connection.execute(insert(_desk_service), rows)


def last_moment_ms(engine: Engine, site: str) -> int:
    """The time of the site's last journal row, in ms since 1970; 0 if there is none."""
    statement = select(_event.c.at_ms).where(_event.c.site == site).order_by(_event.c.id.desc()).limit(1)
    with engine.connect() as connection:
        return connection.scalar(statement) or 0


def _add_missing(connection: Connection, table: Any, site: str, names: list[str], **values: object) -> None:
    known = set(connection.scalars(select(table.c.name).where(table.c.site == site)))
    missing = [{"site": site, "name": name, **values} for name in names if name not in known]
    if missing:
        connection.execute(insert(table), missing)
