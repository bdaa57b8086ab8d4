"""The web side on both databases, behind a real server."""

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import Engine

from tests.web.stand import Served, Stand, TurnedClock, a_site, served


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


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
    """A browser's requests from the hub's own page."""
    with httpx.Client(base_url=server.address, headers=server.headers, trust_env=False, timeout=20) as client:
        yield client
