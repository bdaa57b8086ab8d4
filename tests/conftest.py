"""What holds for every test: no hardware, no setting of the machine, and the same examples in each run."""

import os

import pytest
from hypothesis import settings

# Before anything is imported that looks at them.
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
os.environ["SDL_VIDEODRIVER"] = os.environ["SDL_AUDIODRIVER"] = "dummy"
os.environ["GPIOZERO_PIN_FACTORY"] = "mock"
# `database_url`, `engine` and more, on both databases.
pytest_plugins = ["tests.databases"]

TORTURE = os.environ.pop("SUIVANT_TORTURE", "") == "1"
for name in [name for name in os.environ if name.startswith("SUIVANT_")]:
    del os.environ[name]

settings.register_profile("suivant", deadline=None, derandomize=not TORTURE)
settings.load_profile("suivant")


@pytest.fixture(scope="session")
def torture() -> bool:
    """Whether this run is `make torture`: a test marked so then plays its long form."""
    return TORTURE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: their driver leaves an event loop running in this thread, where others start one."""
    items.sort(key=lambda item: "browser" in item.path.parts)
