"""The web side behind a real server, on both databases; on SQLite alone if the database makes no difference."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from sqlalchemy import Engine

from hub.auth.roles import Role
from hub.database.engine import open_engine
from tests.databases import sqlite_url
from tests.web.stand import Served, Stand, TurnedClock, a_site, client_of, served


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for a whole file of tests."""
    engine = open_engine(sqlite_url(tmp_path_factory.mktemp("web")))
    stand = Stand(engine, a_site(), TurnedClock().now_ms)
    with served(stand) as running:
        yield running
    stand.stop()
    engine.dispose()


@pytest.fixture
def stand(engine: Engine, clock: TurnedClock) -> Iterator[Stand]:
    made = Stand(engine, a_site(), clock.now_ms)
    yield made
    made.stop()


@pytest.fixture
def server(stand: Stand) -> Iterator[Served]:
    with served(stand) as running:
        yield running


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    """A client that sends a browser's requests from the hub's own page, for an agent who is signed on at desk 3."""
    with client_of(server, Role.AGENT, Role.SUPERVISOR) as client:
        server.stand.sign_on("desk-3")
        yield client


@pytest.fixture
def client_as(server: Served) -> Iterator[Callable[..., httpx.Client]]:
    """Opens a browser of somebody with these roles; without roles nobody is logged in."""
    with ExitStack() as opened:
        yield lambda *roles: opened.enter_context(client_of(server, *roles))
