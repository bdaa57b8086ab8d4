from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import Broker, start_broker


@pytest.fixture(params=["plain", "tls"])
def any_broker(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker without TLS, and one with certificates for hub, observer and desk-1."""
    with start_broker(tmp_path / "broker", tls=request.param == "tls", nodes=("desk-1",)) as started:
        yield started
