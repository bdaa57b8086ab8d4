"""One database of each kind for all tests here: every queue has a site of its own in it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from hub.database.engine import open_engine
from tests.databases import PostgresqlServer, sqlite_url
from tests.queue.harness import Queue


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("queue")
        engine = open_engine(sqlite_url(folder))
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        engine = open_engine(server.new_database())
    yield engine
    engine.dispose()


@pytest.fixture
def new_queue(shared_engine: Engine) -> Iterator[Callable[..., Queue]]:
    """Makes queues; each is closed at the end."""
    made: list[Queue] = []

    def make(*arguments: Any, **options: Any) -> Queue:
        queue = Queue(shared_engine, *arguments, **options)
        made.append(queue)
        return queue

    yield make
    for queue in made:
        queue.close()


@pytest.fixture
def queue(new_queue: Callable[..., Queue]) -> Queue:
    """A Tuesday at ten, every desk closed."""
    return new_queue()
