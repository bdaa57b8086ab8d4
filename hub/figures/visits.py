"""How long visits take: the measured mean of each service."""

import threading
from typing import Any

from sqlalchemy import Engine, func, literal_column, select

from hub.database.faults import faults_of
from hub.database.tables import TicketRow
from hub.queue.announcements import FULL_MS
from hub.queue.estimate import LEAST_VISITS, WINDOW_DAYS
from hub.site import DAY_MS

_ticket: Any = TicketRow.__table__

# If arrivals are not confirmed, a visit runs from its last announcement to its end.
_BEGAN = func.coalesce(_ticket.c.serving_ms, _ticket.c.said_ms - FULL_MS)


class Visits:
    """Keeps the means in memory and reads them anew now and then: the wait printed on a ticket needs nothing newer."""

    def __init__(self, engine: Engine, site: str) -> None:
        self._engine = engine
        self._site = site
        self._means: dict[str, int] = {}
        self._lock = threading.Lock()

    def mean_ms(self, service: str) -> int | None:
        """The mean of at least 20 visits in the last 30 days, or None."""
        with self._lock:
            return self._means.get(service)

    def read(self, now_ms: int) -> None:
        """Measures anew. Leaves out visits that the end of the day ended: their real end is unknown.

        Raises a DatabaseFault.
        """
        statement = (
            select(_ticket.c.service, func.count(), func.avg(_ticket.c.ended_ms - _BEGAN))
            .where(
                _ticket.c.site == self._site,
                literal_column("ticket.state = 'served'"),
                _ticket.c.end_known.is_(True),
                _ticket.c.ended_ms >= now_ms - WINDOW_DAYS * DAY_MS,
                _ticket.c.ended_ms > _BEGAN,
            )
            .group_by(_ticket.c.service)
        )
        with faults_of(self._engine), self._engine.connect() as connection:
            rows = connection.execute(statement).all()
        means = {service: int(mean) for service, count, mean in rows if count >= LEAST_VISITS}
        with self._lock:
            self._means = means
