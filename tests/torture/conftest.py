from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from tests.torture.hall import LIMIT_S, Hall


@pytest.fixture
def new_hall(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Hall]]:
    """Makes a hall from a seed, with every desk open; on SQLite and on PostgreSQL.

    Its people wait as long as the test does, so that a busy machine drops none of a thousand commands put at once.
    """
    monkeypatch.setattr("hub.tasks.WANTED_S", LIMIT_S)
    monkeypatch.setattr("hub.tasks.PRESS_WANTED_S", LIMIT_S)
    made: list[Hall] = []

    def make(seed: int) -> Hall:
        hall = Hall(engine, seed)
        made.append(hall)
        hall.open_all()
        return hall

    yield make
    for hall in made:
        hall.writer.stop()
