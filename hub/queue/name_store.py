"""The SQL of visitors' names, which are kept in no other table and only until the end of the appointment's day."""

from typing import Any

from sqlalchemy import BigInteger, Executable, bindparam, delete, insert, select, update

from hub.database.statements import one_of
from hub.database.tables import VisitorNameRow
from hub.queue.store import SITE

visitor_name: Any = VisitorNameRow.__table__

NAMES: Executable = select(visitor_name.c.ticket, visitor_name.c.name).where(
    visitor_name.c.site == SITE, one_of(visitor_name.c.ticket, "ids")
)
INSERT_NAME: Executable = insert(visitor_name).values({c.name: bindparam(c.name) for c in visitor_name.c}).inline()
# For another ticket of the same booking.
COPY_NAME: Executable = (
    insert(visitor_name)
    .from_select(
        ["site", "ticket", "name", "delete_after_ms"],
        select(
            visitor_name.c.site,
            bindparam("to_ticket", type_=BigInteger),
            visitor_name.c.name,
            bindparam("to_ms", type_=BigInteger),
        ).where(visitor_name.c.site == SITE, visitor_name.c.ticket == bindparam("of_ticket")),
    )
    .inline()
)
MOVE_NAME: Executable = (
    update(visitor_name)
    .where(visitor_name.c.site == SITE, visitor_name.c.ticket == bindparam("of_ticket"))
    .values(delete_after_ms=bindparam("to_ms"))
)
SET_NAME: Executable = (
    update(visitor_name)
    .where(visitor_name.c.site == SITE, visitor_name.c.ticket == bindparam("of_ticket"))
    .values(name=bindparam("to_name"), delete_after_ms=bindparam("to_ms"))
)
DELETE_NAME: Executable = delete(visitor_name).where(
    visitor_name.c.site == SITE, visitor_name.c.ticket == bindparam("of_ticket")
)
DELETE_NAMES: Executable = delete(visitor_name).where(
    visitor_name.c.site == SITE, visitor_name.c.delete_after_ms <= bindparam("now_ms")
)
