"""`make bench`: every figure against the floor of its own run; a table on the terminal and a plot in docs/."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import appointments, calls_by_http, directory_away, growth, login, nodes, presses
from benchmarks.figures import Row, Run, table
from benchmarks.plot import draw
from tests.databases import PostgresqlServer, postgresql_server, sqlite_url

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
PARTS = ("presses", "http", "growth", "appointments", "nodes", "login")
# Parts that do not depend on the database.
ON_SQLITE_ALONE = ("nodes", "login")
# The WAL files that PostgreSQL keeps for recycling by default (min_wal_size).
LOG_FILES = 5
PLOT = Path(__file__).parents[1] / "docs" / "benchmarks.png"

NewDatabase = Callable[[Path], str]


@contextmanager
def databases(backend: str) -> Iterator[NewDatabase]:
    """Yields a function that makes a fresh database in a folder; each commit waits for the disk."""
    if backend == "sqlite":
        yield _new_sqlite
        return
    with postgresql_server(durable=True) as server:
        yield lambda _folder: _new_postgresql(server)


def _new_postgresql(server: PostgresqlServer) -> str:
    """A database on a server with WAL files to recycle, as after some hours: creating one costs a commit 16 ms."""
    for _ in range(LOG_FILES):
        # PostgreSQL does not switch from an empty WAL file.
        server.execute("select pg_logical_emit_message(false, 'benchmark', '')")
        server.execute("select pg_switch_wal()")
    server.execute("checkpoint")
    return server.new_database()


def _new_sqlite(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return sqlite_url(folder)


def measure(
    backend: str, folder: Path, options: argparse.Namespace
) -> Iterator[tuple[list[Row], dict[str, list[Run]]]]:
    """Yields each part's rows, and its runs for the plot."""
    name = NAMES[backend]
    with databases(backend) as new_database:
        if {"presses", "http"} & options.parts:
            with presses.town(folder / "town", new_database(folder / "town")) as (hands, port):
                if "presses" in options.parts:
                    runs = presses.press_to_display(hands, options.runs)
                    times = presses.at_once(hands)
                    yield presses.rows(backend, name, runs, times), {f"press to display, {name}": runs}
                if "http" in options.parts:
                    runs = calls_by_http.call_next(port, options.runs)
                    yield calls_by_http.rows(name, runs), {f"call-next by HTTP, {name}": runs}
                    yield calls_by_http.door_rows(name, calls_by_http.call_past_the_door(port, options.runs)), {}
        if "growth" in options.parts:
            with growth.desks(folder / "growth", new_database) as (few, many):
                yield growth.rows(name, growth.growth(few, many, options.runs)), {}
        if "appointments" in options.parts:
            for rows in appointments.measure(name, folder / "appointments", new_database):
                yield rows, {}
        if backend == "sqlite":
            yield from ((rows, {}) for rows in _on_sqlite_alone(folder, options, new_database))


def _on_sqlite_alone(folder: Path, options: argparse.Namespace, new_database: NewDatabase) -> Iterator[list[Row]]:
    if "nodes" in options.parts:
        yield nodes.measure(folder / "nodes", new_database(folder / "nodes-database"))
    if "login" in options.parts:
        yield from login.measure(folder / "login", options.runs)
        yield directory_away.measure(folder / "away", new_database(folder / "away"), options.runs)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--database", choices=tuple(NAMES), help="measure on this database only")
    parser.add_argument("--only", choices=PARTS, help="measure this part only")
    parser.add_argument("--runs", type=int, default=presses.RUNS, help="number of interleaved runs; the median counts")
    options = parser.parse_args()
    if options.only in ON_SQLITE_ALONE and options.database == "postgresql":
        parser.error(f"{options.only} is measured only on SQLite: leave out --database")
    options.parts = {options.only} if options.only else set(PARTS)
    rows: list[Row] = []
    drawn: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as made:
        for backend in [options.database] if options.database else list(NAMES):
            for new_rows, new_drawn in measure(backend, Path(made) / backend, options):
                rows += new_rows
                drawn |= new_drawn
                print(table(new_rows), flush=True)
    if len(options.parts) > 1 and not options.database:
        print(f"\n{table(rows)}")
        draw(drawn, PLOT)
        print(f"\nplot: {PLOT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
