"""Keeps PostgreSQL's planner statistics up to date while the tables grow, above all on the first morning."""

from hub.database.engine import however_long
from hub.database.statements import Connection
from hub.database.tables import Base

# At this journal row the tables hold enough to count.
FIRST_AT = 64
# ANALYZE is worth its cost only after the tables have changed much: it reads and sorts all of them, on a core that the
# writer may share with the database, and the writer's statements are planned anew. PostgreSQL itself notices how large
# the tables are.
TIMES = 16


class Statistics:
    """Renews the statistics each time the journal is TIMES as long: PostgreSQL's own daemon comes minutes later.

    Until then, every press of a first morning would be planned for empty tables, and would read all of them.
    """

    def __init__(self) -> None:
        self._next_at = FIRST_AT

    def keep(self, connection: Connection, last_event: int) -> None:
        """Renews the statistics if it is time. `connection`: not the writer's, for which people wait.

        `last_event`: the id of the journal's last row.
        """
        if last_event < self._next_at or not connection.on_postgresql:
            return
        # In one transaction: otherwise the writer's statements would be planned anew after each table.
        with however_long(connection.raw), connection.raw.transaction():
            connection.raw.execute(f"analyze {', '.join(Base.metadata.tables)}", prepare=False)
        self._next_at = TIMES * last_event
