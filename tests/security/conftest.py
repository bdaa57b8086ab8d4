"""The web side as whoever attacks it meets it: behind a real server."""

from collections.abc import Iterator

import pytest

from hub.database.engine import open_engine
from tests.databases import sqlite_url
from tests.web.stand import Served, Stand, TurnedClock, a_site, served


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for a whole file of tests."""
    engine = open_engine(sqlite_url(tmp_path_factory.mktemp("security")))
    stand = Stand(engine, a_site(), TurnedClock().now_ms)
    with served(stand) as running:
        yield running
    stand.stop()
    engine.dispose()
