"""A hub with a real login behind a real server, and what an attacker may hold: a browser, a cookie, a token."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import func, select, text
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from hub.auth.account_store import LocalAccount, create_account, read_account
from hub.auth.directory import Directory
from hub.auth.keeper import Keeper
from hub.auth.passwords import hash_password
from hub.auth.people import MachineToken, Person
from hub.auth.recheck import Recheck
from hub.auth.roles import Role
from hub.auth.sessions import hash_token, new_token
from hub.auth.token_store import create_token, end_token
from hub.database.engine import open_engine
from hub.metrics import Metrics
from hub.queue.answers import Answer
from hub.queue.requests import Command
from hub.site import Site
from tests.databases import sqlite_url
from tests.web.stand import ANSWER_LIMIT_S, COOKIE, NO_TLS, Served, Stand, TurnedClock, a_site, served

# The passwords of accounts in the small directory, and of local accounts.
PASSWORD = "bon mot de passe"
EMERGENCY_PASSWORD = "trois tilleuls et un banc"


@dataclass
class Town:
    server: Served
    clock: TurnedClock
    keeper: Keeper
    recheck: Recheck

    @property
    def stand(self) -> Stand:
        return self.server.stand

    @property
    def own(self) -> str:
        """The Origin of the hub's own pages."""
        return self.server.headers["Origin"]

    def look(self) -> None:
        """Do what the hub's threads do each second."""
        self.recheck.look()
        self.keeper.look()

    @contextmanager
    def browser(self, token: str = "") -> Iterator[httpx.Client]:
        """A client that sends requests as the hub's own pages do, with the session's cookie if there is a token."""
        cookies = {COOKIE: token} if token else {}
        with httpx.Client(
            base_url=self.server.address,
            headers=self.server.headers,
            cookies=cookies,
            trust_env=False,
            verify=NO_TLS,
            timeout=ANSWER_LIMIT_S,
        ) as client:
            yield client

    def ask(self, method: str, path: str, *, body: bytes | str = b"", **headers: str) -> httpx.Response:
        """Send exactly these headers: no Origin and no cookie unless they are named; `x_y` becomes `x-y`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        address = f"{self.server.address}{path}"
        with httpx.Client(verify=NO_TLS, trust_env=False, timeout=ANSWER_LIMIT_S) as client:
            return client.request(method, address, headers=named, content=body or None)

    def new_machine(self, name: str, role: Role) -> str:
        token = new_token()
        with self.stand.engine.execution_options(write=True).begin() as connection:
            made = create_token(
                connection,
                self.stand.site.name,
                MachineToken(name=name, role=role),
                hash_token(token),
                self.clock.now_ms(),
            )
        assert made
        return token

    def end_machine(self, name: str) -> None:
        with self.stand.engine.execution_options(write=True).begin() as connection:
            assert end_token(connection, self.stand.site.name, name, self.clock.now_ms())

    def add_local(self, account: str, *roles: Role) -> None:
        """Add a local account as `suivant admin create` does."""
        new = LocalAccount(
            account=account,
            name="Compte de secours",
            password=hash_password(EMERGENCY_PASSWORD),
            roles=frozenset(roles or {Role.ADMINISTRATOR}),
            created_ms=self.clock.now_ms(),
        )
        with self.stand.engine.execution_options(write=True).begin() as connection:
            assert create_account(connection, self.stand.site.name, new)

    def listen(self, token: str, path: str = "/desks/desk-3/live") -> ClientConnection:
        """Open a page's socket."""
        address = f"{self.server.address}{path}".replace("http:", "ws:")
        origin = Origin(self.own)
        cookie = {"Cookie": f"{COOKIE}={token}"}
        return connect(address, origin=origin, additional_headers=cookie, proxy=None, open_timeout=ANSWER_LIMIT_S)

    def journal(self) -> list[tuple[object, ...]]:
        """All rows of the journal: an attack without effect leaves them unchanged."""
        with self.stand.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text("select * from ticket_event order by id"))]

    def open_session_count(self) -> int:
        with self.stand.engine.connect() as connection:
            return int(
                connection.scalar(
                    select(func.count()).select_from(text("login_session")).where(text("ended_ms is null"))
                )
                or 0
            )


@contextmanager
def open_town(folder: Path, directory: Directory, site: Site | None = None) -> Iterator[Town]:
    engine = open_engine(sqlite_url(folder))
    clock = TurnedClock()
    stand = Stand(engine, site or a_site(), clock.now_ms, asked=directory)
    with served(stand) as server:
        yield Town(server, clock, *_threads_of(stand, directory))
    stand.stop()
    engine.dispose()


def _threads_of(stand: Stand, directory: Directory) -> tuple[Keeper, Recheck]:
    """The hub's threads, not started: a test makes them look when it likes."""

    def do(command: Command) -> "Future[Answer]":
        return stand.put(command)

    def local_person(account: str) -> Person | None:
        with stand.engine.connect() as connection:
            found = read_account(connection, stand.site.name, account)
        return found.person if found else None

    keeper = Keeper(stand.engine, stand.site.name, stand.gate.book, do, stand.now_ms)
    recheck = Recheck(
        directory=directory,
        local=local_person,
        book=stand.gate.book,
        do=do,
        now_ms=stand.now_ms,
        metrics=Metrics("test"),
        chance=lambda: 0.5,
    )
    return keeper, recheck


def log_in(browser: httpx.Client, account: str, password: str, to: str = "/") -> httpx.Response:
    return browser.post("/login", data={"account": account, "password": password, "to": to})
