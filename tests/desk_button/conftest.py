from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import Broker, start_broker
from tests.desk_button.hub import StandInHub, stand_in_hub


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker with certificates, as at a site."""
    with start_broker(tmp_path / "broker", tls=True, nodes=("desk-1",)) as started:
        yield started


@pytest.fixture
def hub(broker: Broker) -> Iterator[StandInHub]:
    with stand_in_hub(broker) as started:
        yield started
