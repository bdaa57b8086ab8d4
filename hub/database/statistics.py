"""What PostgreSQL knows of its tables, kept up in a first morning."""

from hub.database.engine import however_long
from hub.database.statements import Connection
from hub.database.tables import Base

# By this event there is something for a planner to count.
FIRST_AT = 64
# What a new count finds is worth its price only where the tables have become others: the whole of them is read and
# sorted on the core that a writer shares with its database, and the writer's statements are planned anew. How large
# the tables are PostgreSQL sees by itself.
TIMES = 16


class Statistics:
    """Renewed each time the journal is so many times as long: PostgreSQL's own daemon comes minutes later.

    Until then every press of a first morning would be planned as for empty tables, and read all of them.
    """

    def __init__(self) -> None:
        self._next_at = FIRST_AT

    def keep(self, connection: Connection, last_event: int) -> None:
        """`connection`: not the writer's, which people wait for. `last_event`: the journal's last row."""
        if last_event < self._next_at or not connection.on_postgresql:
            return
        # In one transaction: else the writer would plan anew after each table.
        with however_long(connection.raw), connection.raw.transaction():
            connection.raw.execute(f"analyze {', '.join(Base.metadata.tables)}", prepare=False)
        self._next_at = TIMES * last_event
