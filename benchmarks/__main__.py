"""`make bench`: every figure against the floor of its own run; a table on the terminal."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import presses
from benchmarks.figures import Row, table
from tests.databases import postgresql_server, sqlite_url


@contextmanager
def database(backend: str, folder: Path) -> Iterator[str]:
    folder.mkdir(parents=True, exist_ok=True)
    if backend == "sqlite":
        yield sqlite_url(folder)
        return
    with postgresql_server(durable=True) as server:
        yield server.new_database()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--database", choices=("sqlite", "postgresql"))
    parser.add_argument("--runs", type=int, default=presses.RUNS)
    parser.add_argument("--presses", type=int, default=presses.PRESSES)
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="suivant-bench-", dir=Path.cwd()) as made:
        for backend in [options.database] if options.database else ["sqlite", "postgresql"]:
            folder = Path(made) / backend
            with database(backend, folder) as url, presses.town(folder, url) as (_broker, hands, _port):
                runs = presses.press_to_display(hands, options.runs, options.presses)
                rows += presses.rows(backend, runs, presses.at_once(hands))
            print(table(rows), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
