"""The hub as an attacker meets it: behind a real server, while somebody with valuable rights is logged in."""

from collections.abc import Iterator

import httpx
import pytest

from hub.auth.roles import Role
from tests.auth.small_directory import SmallDirectory
from tests.security.town import PASSWORD, Town, open_town


@pytest.fixture(scope="module")
def directory() -> SmallDirectory:
    made = SmallDirectory()
    made.add("b.exemple", PASSWORD, Role.AGENT, name="Basile Exemple")
    made.add("sans.role", PASSWORD, name="Sans Rôle")
    return made


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, directory: SmallDirectory) -> Iterator[Town]:
    """One town for a whole file of tests."""
    with open_town(tmp_path_factory.mktemp("security"), directory) as made:
        yield made


@pytest.fixture(scope="module")
def agent_token(town: Town) -> str:
    """The cookie of somebody who may do everything that is done at desks, and is signed on at desk 3."""
    token = town.stand.log_in(Role.AGENT, Role.SUPERVISOR, Role.RECEPTION, Role.ADMINISTRATOR)
    town.stand.open("desk-3")
    town.stand.sign_on("desk-3")
    return token


@pytest.fixture
def agent(town: Town, agent_token: str) -> Iterator[httpx.Client]:
    with town.browser(agent_token) as browser:
        yield browser


@pytest.fixture
def stranger(town: Town) -> Iterator[httpx.Client]:
    """A browser in which nobody is logged in."""
    with town.browser() as browser:
        yield browser
