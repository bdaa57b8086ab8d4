"""The commands of docs/operations.md that create, back up and restore a PostgreSQL database, one after the other."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from hub.__main__ import main
from hub.database.engine import first_generation, open_engine
from hub.database.migration import check, head, migrate
from tests.databases import PostgresqlServer, postgresql_server, programs_folder

ROOT = Path(__file__).parents[2]
PREFIX = "sudo -u postgres "
KEPT_IN = "/var/lib/postgresql"


# As Debian creates it if no locale is set: databases made from it take bytes of any encoding, but are not text.
_NO_ENCODING = (
    "update pg_database set datistemplate = false where datname = 'template1'",
    "drop database template1",
    "create database template1 template template0 encoding 'SQL_ASCII' locale 'C' is_template true",
)


def commands() -> list[str]:
    section = (ROOT / "docs/operations.md").read_text(encoding="utf-8").partition("\n## The database")[2]
    return re.findall(rf"^    {PREFIX}(.*)$", section.partition("\n## ")[0], re.MULTILINE)


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    """A server like an administrator's: the hub's role is not its superuser."""
    with postgresql_server() as made:
        made.execute("create role postgres superuser login")
        made.execute("create role town login")
        for statement in _NO_ENCODING:
            made.execute(statement)
        yield made


def test_a_copy_is_made_and_put_back_by_what_stands_there(
    server: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: str) -> None:
        command = command.replace(KEPT_IN, str(tmp_path)).replace("--owner=suivant", "--owner=town")
        path = f"{programs_folder()}:{os.environ['PATH']}"
        environ = {"PATH": path, "PGHOST": str(server.folder), "PGUSER": "postgres", "PGDATABASE": "postgres"}
        subprocess.run(["sh", "-c", command], env=environ, check=True, cwd=tmp_path)

    _role, first, dump, rename, create, restore = commands()
    run(first)
    url = server.url("suivant").replace("suivant@", "town@")
    engine = open_engine(url)
    migrate(engine)
    first_generation(engine, "mairie", 1)
    run(dump)
    [copy] = tmp_path.glob("suivant-*.dump")
    assert copy.stat().st_mode & 0o777 == 0o600
    with engine.begin() as connection:
        connection.execute(text("create table of_a_later_version (x int)"))
        connection.execute(text("update site set generation_ms = 5"))
    engine.dispose()
    for command in (rename, create, re.sub(r"suivant-\S+\.dump", copy.name, restore)):
        run(command)
    monkeypatch.setenv("SUIVANT_DATABASE_URL", url)
    assert check(engine) == head()
    assert first_generation(engine, "mairie", 9) == 1
    assert main(["database", "restored"]) == 0
    with engine.begin() as connection:
        assert not inspect(connection).has_table("of_a_later_version")
        assert connection.scalar(text("select tableowner from pg_tables where tablename = 'ticket'")) == "town"
    engine.dispose()
