"""Sessions in a real database, opened by a real writer that also runs the commands of the keeper and the like."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, select

from hub.auth.people import Person
from hub.auth.session_store import open_sessions
from hub.auth.sessions import Limits, Session, SessionBook, hash_token
from hub.database.tables import DeskRow, LoginSessionRow
from hub.metrics import Metrics
from hub.queue import requests as q
from hub.queue.adoption import adopt
from hub.queue.answers import Answer
from hub.queue.people_requests import OpenSession
from hub.site import Login
from hub.site_index import SiteIndex
from hub.tasks import Task
from hub.writer import Writer
from tests.queue.harness import TUESDAY_AT_TEN, round_the_clock, town

LIMIT_S = 60
_session: Any = LoginSessionRow.__table__
_desk: Any = DeskRow.__table__


class AtWork:
    """`book` is the hub's session book, `told` the ids whose end it reported, `asked` the commands that were put."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.site = round_the_clock(town())
        self.now_ms = TUESDAY_AT_TEN
        self.metrics = Metrics("test")
        self.book = SessionBook(Limits.of(Login()))
        self.told: list[set[int]] = []
        self.book.on_end(lambda ids: self.told.append(set(ids)))
        self.asked: list[q.Command] = []
        adopt(engine, self.site, self.now_ms)
        self.writer = Writer(
            engine=engine,
            index=SiteIndex(self.site),
            now_ms=lambda: self.now_ms,
            mean_visit_ms=lambda _: None,
            after_commit=lambda _: None,
            metrics=self.metrics,
        )
        self.writer.start()

    def put(self, command: q.Command) -> "Future[Answer]":
        self.asked.append(command)
        future: Future[Answer] = Future()
        self.writer.put_later(Task(command, answered=future.set_result, failed=future.set_exception))
        return future

    def do(self, command: q.Command) -> Any:
        return self.put(command).result(LIMIT_S)

    def log_in(self, person: Person, token: str = "token") -> int:  # noqa: S107 - made up
        """Open a session as the pages do; return its id."""
        origin = q.Origin(q.Source.PAGE, person.account)
        opened = OpenSession(
            origin=origin,
            token_hash=hash_token(token),
            account=person.account,
            name=person.name,
            roles=tuple(sorted(person.roles)),
            local=person.local,
        )
        answer = self.do(opened)
        self.book.add(self.row(answer.session))
        self.asked.clear()
        return int(answer.session)

    def sign_on(self, person: Person, desk: str) -> None:
        self.do(q.SignOn(origin=q.Origin(q.Source.PAGE, person.account), desk=desk))
        self.asked.clear()

    def signed_on(self, desk: str) -> str | None:
        with self.engine.connect() as connection:
            return connection.scalar(select(_desk.c.agent).where(_desk.c.site == self.site.name, _desk.c.name == desk))

    def rows(self) -> list[Session]:
        with self.engine.connect() as connection:
            return open_sessions(connection, self.site.name)

    def row(self, session: int) -> Session:
        return next(each for each in self.rows() if each.id == session)

    def why_ended(self, session: int) -> str | None:
        with self.engine.connect() as connection:
            return connection.scalar(
                select(_session.c.end_reason).where(_session.c.site == self.site.name, _session.c.id == session)
            )


@contextmanager
def at_work(engine: Engine) -> Iterator[AtWork]:
    made = AtWork(engine)
    try:
        yield made
    finally:
        made.writer.stop()
