"""Upgrades the tables to this version's, by Alembic; refuses a database that a later version made."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from hub.database.engine import however_long, require_folder, sqlite_file
from hub.database.faults import DatabaseNewer, DatabaseOlder, FileMissing, SiteTaken, UpgradeWaits, faults_of, place_of
from hub.database.lock import hold_all_sites

# Imported only when needed: Alembic takes a third of a command's start, and the tables are nearly always up to date.
if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).with_name("migrations")

# Makes two hubs that start at once upgrade one after the other. Any number that is no site's lock key will do.
UPGRADE_LOCK = 0x5355495641


def migrate(engine: Engine) -> str:
    """Upgrades the database to this version's tables, in one transaction; returns the revision it stands at.

    Creates a missing SQLite file. Raises a DatabaseFault: newer, locked, missing, not writable, full …
    """
    require_folder(engine)
    with (
        faults_of(engine),
        engine.execution_options(write=True).connect() as connection,
        however_long(connection.connection.driver_connection),
        connection.begin(),
    ):
        if connection.dialect.name == "postgresql":
            _wait_for_other_upgrades(connection)
        if _known_revision(engine, connection) != head():
            _upgrade(connection)
        return head()


def upgrade(engine: Engine, *, held: str = "") -> str:
    """Like `migrate`, but upgrades older tables only while no hub uses them. Returns the revision.

    The tables must not change under a hub of an earlier version. `held`: the site that the caller holds. Raises
    UpgradeWaits too.
    """
    try:
        return check(engine)
    except DatabaseOlder:
        return _upgrade_alone(engine, held)
    except FileMissing:
        return migrate(engine)


def check(engine: Engine) -> str:
    """Returns the database's revision if it is this version's; changes nothing.

    Raises DatabaseOlder, DatabaseNewer, DatabaseMissing or another DatabaseFault.
    """
    require_folder(engine)
    file = sqlite_file(engine)
    if file is not None and not file.exists():
        raise FileMissing(str(file), "there is no such file")
    with faults_of(engine), engine.connect() as connection:
        found = _known_revision(engine, connection)
        if found != head():
            raise DatabaseOlder(place_of(engine.url), f"it is at revision {found}" if found else "it is empty")
        return found


def head() -> str:
    """The revision of this version's tables."""
    return revisions()[-1]


def revisions() -> list[str]:
    """All revisions that this version knows, the first one first. A migration's file name begins with its revision."""
    return sorted(file.name.partition("_")[0] for file in FOLDER.glob("versions/[0-9]*.py"))


def config(connection: Connection) -> "Config":
    """Alembic's configuration, with the connection that `migrations/env.py` is to use."""
    from alembic.config import Config

    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return made


def _wait_for_other_upgrades(connection: Connection) -> None:
    """Waits without a time-out: only upgrades take this lock, and one may take long on large tables."""
    connection.execute(text("set local lock_timeout = 0"))
    connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
    connection.execute(text("set local lock_timeout to default"))


def _upgrade_alone(engine: Engine, held: str) -> str:
    try:
        with hold_all_sites(engine, but=held):
            return migrate(engine)
    except SiteTaken as taken:
        raise UpgradeWaits(place_of(engine.url), taken.cause) from taken


def _upgrade(connection: Connection) -> None:
    from alembic import command

    command.upgrade(config(connection), "head")


def _known_revision(engine: Engine, connection: Connection) -> str | None:
    """The database's revision; None if it is empty. Raises DatabaseNewer."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("select version_num from alembic_version")).scalar_one_or_none()
    if found is not None and found not in revisions():
        raise DatabaseNewer(place_of(engine.url), f"revision {found}")
    return found
