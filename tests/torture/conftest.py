from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from tests.torture.hall import Hall


@pytest.fixture
def new_hall(engine: Engine) -> Iterator[Callable[[int], Hall]]:
    """Makes a hall from a seed, with every desk open; on SQLite and on PostgreSQL."""
    made: list[Hall] = []

    def make(seed: int) -> Hall:
        hall = Hall(engine, seed)
        made.append(hall)
        hall.open_all()
        return hall

    yield make
    for hall in made:
        hall.writer.stop()
