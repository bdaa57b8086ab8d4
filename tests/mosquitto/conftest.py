from collections.abc import Iterator

import pytest

from tests.broker import Broker, start_broker


@pytest.fixture(scope="session")
def tls_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with certificates for hub, observer, desk-1 and desk-2."""
    folder = tmp_path_factory.mktemp("tls-broker")
    with start_broker(folder, tls=True, nodes=("desk-1", "desk-2")) as started:
        yield started
