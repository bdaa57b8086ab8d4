"""Fixtures of queues: all tests here share one database of each kind, and every queue has its own site in it."""

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
    """Makes queues, and closes them at the end of the test."""
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
    """A queue on a Tuesday at ten, with every desk closed."""
    return new_queue()
