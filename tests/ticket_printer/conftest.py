from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.broker import Broker, start_broker
from tests.ticket_printer.dispenser import Dispenser
from tests.ticket_printer.hub import NODE, ScriptedHub
from tests.ticket_printer.program import Program


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with start_broker(tmp_path_factory.mktemp("broker"), nodes=(NODE,)) as running:
        yield running


@pytest.fixture
def hub(broker: Broker) -> Iterator[ScriptedHub]:
    scripted = ScriptedHub(broker)
    yield scripted
    scripted.close()


@pytest.fixture
def start(broker: Broker, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts the program on the same folder each time; programs still running are ended with the test."""
    started: list[Program] = []

    def start(**settings: str) -> Program:
        started.append(Program(broker, tmp_path / "node", **settings))
        return started[-1]

    yield start
    for program in started:
        program.stop()


@pytest.fixture
def dispenser() -> Dispenser:
    return Dispenser()
