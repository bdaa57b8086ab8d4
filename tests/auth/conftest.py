import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

import hub
from hub.auth.directory import NoDirectory
from hub.auth.ldap_directory import MunicipalDirectory, open_directory
from hub.auth.ldap_secrets import LdapSecrets
from tests.auth.at_work import AtWork, at_work
from tests.auth.slapd import Slapd, start_slapd
from tests.auth.town_directory import people


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """A slapd with the made-up town; no test changes it."""
    with start_slapd(tmp_path_factory.mktemp("slapd") / "town", people()) as running:
        yield running


@pytest.fixture
def own_slapd(tmp_path: Path) -> Iterator[Slapd]:
    """The same slapd for a single test, which may hang, stop or change it."""
    with start_slapd(tmp_path / "slapd", people()) as running:
        yield running


@dataclass
class Opened:
    """Opens directories, and closes them after the test."""

    directories: list[MunicipalDirectory | NoDirectory] = field(default_factory=list)

    def __call__(
        self, slapd: Slapd, *, secrets: LdapSecrets | None = None, whole_s: float = 5.0, **changes: Any
    ) -> MunicipalDirectory:
        directory = open_directory(slapd.described(**changes), secrets or slapd.secrets, whole_s=whole_s)
        assert isinstance(directory, MunicipalDirectory)
        self.directories.append(directory)
        return directory


@pytest.fixture
def opened() -> Iterator[Opened]:
    opened = Opened()
    yield opened
    for directory in opened.directories:
        directory.close()


@pytest.fixture
def work(engine: Engine) -> Iterator[AtWork]:
    with at_work(engine) as made:
        yield made


@pytest.fixture
def hub_engine(engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A hub's database and the example site file, which `suivant`'s commands find through environment variables."""
    shutil.copy(Path(hub.__file__).with_name("example-site.yaml"), tmp_path / "site.yaml")
    monkeypatch.setenv("SUIVANT_SITE_FILE", str(tmp_path / "site.yaml"))
    monkeypatch.setenv("SUIVANT_DATABASE_URL", database_url)
    return engine
