"""What holds for every test: no hardware, no setting of the machine, and the same examples in each run."""

import gc
import os
from collections import Counter
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from hypothesis import settings

# Before anything is imported that looks at them.
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
os.environ["SDL_VIDEODRIVER"] = os.environ["SDL_AUDIODRIVER"] = "dummy"
os.environ["GPIOZERO_PIN_FACTORY"] = "mock"
# `database_url`, `engine` and more, on both databases; `broker`.
pytest_plugins = ["tests.databases", "tests.broker"]

# Most of what stands at the end of a test stands until the run's: looking through it all for garbage again and again
# takes a fifth of the time.
gc.set_threshold(50_000, 10, 10)

TORTURE = os.environ.pop("SUIVANT_TORTURE", "") == "1"
for name in [name for name in os.environ if name.startswith("SUIVANT_")]:
    del os.environ[name]

settings.register_profile("suivant", deadline=None, derandomize=not TORTURE)
settings.load_profile("suivant")


# What is tried elsewhere is whether a password is hashed, not how long that takes.
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
    """Whether this run is `make torture`: a test marked so then plays its long form."""
    return TORTURE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: their driver leaves an event loop running in this thread, where others start one.

    Of those the longest files first, so that no process is left with one at the end while the others have nothing.
    """
    tests_in = Counter(item.path for item in items if "browser" in item.path.parts)
    items.sort(key=lambda item: (item.path in tests_in, -tests_in[item.path]))
