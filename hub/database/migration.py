"""Brings the tables to this version's, by Alembic; refuses a database that a later version made."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from hub.database.engine import require_folder, sqlite_file
from hub.database.faults import DatabaseNewer, DatabaseOlder, FileMissing, faults_of, place_of

FOLDER = Path(__file__).with_name("migrations")

# Any number that no site's lock has: two hubs that start at once upgrade one after the other.
UPGRADE_LOCK = 0x5355495641


def migrate(engine: Engine) -> str:
    """Upgrades the database to this version's tables, in one transaction; returns the revision it stands at.

    An SQLite file that is not there is made. Raises a DatabaseFault: newer, locked, missing, not writable, full …
    """
    require_folder(engine)
    with faults_of(engine), engine.execution_options(write=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        _refuse_newer(engine, connection)
        command.upgrade(config(connection), "head")
        return head()


def check(engine: Engine) -> str:
    """The revision the database stands at, which is this version's; changes nothing.

    Raises DatabaseOlder, DatabaseNewer, DatabaseMissing or another DatabaseFault.
    """
    require_folder(engine)
    file = sqlite_file(engine)
    if file is not None and not file.exists():
        raise FileMissing(str(file), "there is no such file")
    with faults_of(engine), engine.connect() as connection:
        _refuse_newer(engine, connection)
        found = _revision(connection)
        if found != head():
            raise DatabaseOlder(place_of(engine.url), found or "no revision, it is empty")
        return found


def head() -> str:
    """The revision of this version's tables."""
    return _scripts().get_current_head() or ""


def config(connection: Connection) -> Config:
    """Alembic's configuration, with the connection that `migrations/env.py` is to use."""
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return made


def _refuse_newer(engine: Engine, connection: Connection) -> None:
    found = _revision(connection)
    if found is not None and found not in {script.revision for script in _scripts().walk_revisions()}:
        raise DatabaseNewer(place_of(engine.url), f"revision {found}")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(FOLDER))
