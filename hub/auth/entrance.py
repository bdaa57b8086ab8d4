"""Wires up login: the gate that the web side uses, and the two threads that keep its sessions up to date."""

from collections.abc import Callable
from concurrent.futures import Future

from sqlalchemy import Engine

from hub.auth.account_store import LocalAccount, read_account
from hub.auth.directory import Directory
from hub.auth.gate import Gate
from hub.auth.keeper import Keeper
from hub.auth.login import Login
from hub.auth.people import MachineToken, Person
from hub.auth.recheck import Recheck
from hub.auth.sessions import Limits, SessionBook, hash_token, new_token
from hub.auth.token_store import read_token
from hub.database.faults import DatabaseFault, faults_of
from hub.metrics import Metrics
from hub.queue.answers import Answer
from hub.queue.requests import Command
from hub.site import Site


class Entrance:
    """`do` puts a command into the writer's queue for jobs and returns its future answer. `stop` closes `directory`."""

    def __init__(
        self,
        *,
        engine: Engine,
        site: Site,
        directory: Directory,
        do: Callable[[Command], "Future[Answer]"],
        now_ms: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        self._engine = engine
        self._site = site.name
        self._directory = directory
        # The programs that asked since the hub started, by the hash of their token.
        self._machines: dict[str, MachineToken] = {}
        limits = Limits.of(site.login)
        book = SessionBook(limits)
        login = Login(directory=directory, local=self._local, now_ms=now_ms, metrics=metrics)
        self.gate = Gate(
            book=book,
            log_in=login.log_in,
            admitted=login.admitted,
            refused=login.refused,
            token=self._token,
            new_token=new_token,
            limits=limits,
        )
        self._keeper = Keeper(engine, site.name, book, do, now_ms)
        self._recheck = Recheck(
            directory=directory, local=self._local_person, book=book, do=do, now_ms=now_ms, metrics=metrics
        )
        metrics.watch_sessions(lambda: book.open_count)

    def start(self) -> None:
        """Raises a database error if the sessions can't be read: without them nobody could be let in."""
        self._keeper.start()
        self._recheck.start()

    def stop(self) -> None:
        """To be called before the writer stops, since the writer still answers the threads' last commands."""
        if self._recheck.stop():
            self._directory.close()
        self._keeper.stop()

    def _local(self, account: str) -> LocalAccount | None:
        with faults_of(self._engine), self._engine.connect() as connection:
            return read_account(connection, self._site, account)

    def _local_person(self, account: str) -> Person | None:
        found = self._local(account)
        return found.person if found else None

    def _token(self, token: str) -> MachineToken | None:
        """Look a token up. While the database is away its last answer counts: /metrics must be reachable just then."""
        hashed = hash_token(token)
        try:
            with faults_of(self._engine), self._engine.connect() as connection:
                found = read_token(connection, self._site, hashed)
        except DatabaseFault:
            if hashed not in self._machines:
                raise
            return self._machines[hashed]
        if found is None:
            self._machines.pop(hashed, None)
        else:
            self._machines[hashed] = found
        return found
