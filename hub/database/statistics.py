"""What PostgreSQL knows of its tables, kept up in a first morning."""

from hub.database.statements import Connection
from hub.database.tables import Base

# By this event there is something for a planner to count.
FIRST_AT = 64


class Statistics:
    """Renewed each time the journal has doubled: PostgreSQL's own daemon comes minutes later.

    Until then every press of a first morning would be planned as for empty tables, and read all of them.
    """

    def __init__(self) -> None:
        self._next_at = FIRST_AT

    def keep(self, connection: Connection, last_event: int) -> None:
        """`connection`: not the writer's, which people wait for. `last_event`: the journal's last row."""
        if last_event < self._next_at or not connection.on_postgresql:
            return
        self._next_at = 2 * last_event
        connection.raw.execute(f"analyze {', '.join(Base.metadata.tables)}", prepare=False)
