"""Settings of all tests: no hardware, no settings of the machine, and the same examples in each run."""

import gc
import os
from collections import Counter
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from hypothesis import settings

# Set before anything that reads them is imported.
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
os.environ["SDL_VIDEODRIVER"] = os.environ["SDL_AUDIODRIVER"] = "dummy"
os.environ["GPIOZERO_PIN_FACTORY"] = "mock"
# The fixtures `database_url`, `engine` and more, on both databases; and `broker`.
pytest_plugins = ["tests.databases", "tests.broker"]

# Most objects that are left at the end of a test live until the end of the run: searching them for garbage again and
# again takes a fifth of the time.
gc.set_threshold(50_000, 10, 10)

TORTURE = os.environ.pop("SUIVANT_TORTURE", "") == "1"
for name in [name for name in os.environ if name.startswith("SUIVANT_")]:
    del os.environ[name]

settings.register_profile("suivant", deadline=None, derandomize=not TORTURE)
settings.load_profile("suivant")


# All other tests need a hashed password, not a slow hash.
REAL_HASHES = "tests.auth.test_passwords"


@pytest.fixture(scope="module", autouse=True)
def cheap_hashes(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.module.__name__ == REAL_HASHES:
        yield
        return
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hub.auth.passwords._hasher", cheap)
        patch.setattr("hub.auth.passwords.NOBODY", cheap.hash("nobody has this one"))
        yield


@pytest.fixture(scope="session")
def torture() -> bool:
    """Whether this run is `make torture`: tests that have a long form then play it."""
    return TORTURE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put browser tests last: their driver leaves an event loop running in this thread, where other tests start one.

    Among them the longest files come first, so that no process is left with one at the end while the others are idle.
    """
    tests_in = Counter(item.path for item in items if "browser" in item.path.parts)
    items.sort(key=lambda item: (item.path in tests_in, -tests_in[item.path]))
