"""Statements written in SQLAlchemy Core, compiled once, run on the driver's own connection.

The unit of work of an ORM session costs more than the durable commit itself, and even Core's execution costs as much
as the statements do (measured: docs/benchmarks.md). So the writer's statements are composed in Core, where tables and
columns are checked, and executed as text. On PostgreSQL, several writes are sent in one round trip.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Boolean, ColumnElement, Engine, Executable, Insert, bindparam
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles

from hub.database.engine import ANSWER_LIMIT_S, BoundedConnection, open_driver_connection

Params = Mapping[str, Any]
# The writes of a press fit into one statement. For the end of a day, one statement took half a second to plan, and each
# of its shapes was cached for ever.
TOGETHER_MOST = 16
SHAPES_MOST = 500
_PYFORMAT = re.compile(r"%\((\w+)\)s")


class LostUpdate(RuntimeError):
    """A guarded write did not change exactly one row: its row is not as the command read it.

    With a single writer this can't happen.
    """


class Write(msgspec.Struct, frozen=True):
    """One insert, update or delete. `guarded`: it must change exactly one row."""

    statement: Executable
    params: Params
    guarded: bool = False


class one_of(ColumnElement[bool]):  # noqa: N801 - read like SQLAlchemy's own `and_` and `not_`
    """Whether the column is one of the values in the parameter `name`, which `Connection.many` makes."""

    inherit_cache = True
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.values: Any = bindparam(name)

    def self_group(self, against: Any = None) -> "one_of":  # noqa: ARG002 - SQLAlchemy's own signature
        """Returns itself: SQLAlchemy would append `= 1` for SQLite, which would then scan the whole table."""
        return self


@compiles(one_of, "sqlite")
def _one_of_json(element: one_of, compiler: Any, **options: Any) -> str:
    column, values = compiler.process(element.column, **options), compiler.process(element.values, **options)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - a column and a parameter's place


@compiles(one_of, "postgresql")
def _one_of_array(element: one_of, compiler: Any, **options: Any) -> str:
    return f"{compiler.process(element.column, **options)} = ANY({compiler.process(element.values, **options)})"


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: str
    keys: tuple[str, ...]  # names of the positional parameters, if the driver uses positions
    defaults: Params


@dataclass(frozen=True, slots=True)
class _Part:
    """One of several parts of a round trip: a write, or with `of_rows` all inserts of one statement."""

    statement: Executable
    guarded: bool
    params: Params
    of_rows: bool = False


_Shape = tuple[tuple[Executable, bool, bool], ...]

# By dialect and statement, shared by all connections. It stays small: statements are made once, at import.
_compiled: dict[tuple[str, Executable], _Compiled] = {}


class Connection:
    """The writer's connection: one driver connection and the statements compiled for it."""

    def __init__(self, raw: Any, dialect: Dialect) -> None:
        self.raw = raw
        self._dialect = dialect
        self.on_postgresql = dialect.name == "postgresql"
        self._cursor = raw.cursor()
        self._together: dict[_Shape, str] = {}

    def compile(self, statements: Iterable[Executable]) -> None:
        """Compiles statements ahead of their first use, which would take milliseconds longer."""
        for statement in statements:
            self._compile(statement)

    def begin(self) -> None:
        """Starts a write transaction. psycopg starts one itself at the first statement."""
        if not self.on_postgresql:
            self._cursor.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.raw.commit()

    def rollback(self) -> None:
        self.raw.rollback()

    def close(self) -> None:
        with suppress(Exception):  # a broken connection can't be closed properly, and need not be
            self.raw.close()

    def rows(self, statement: Executable, params: Params) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        compiled = self._compile(statement)
        self._cursor.execute(compiled.sql, self._bind(compiled, params))
        return self._cursor.fetchall()  # type: ignore[no-any-return]

    def write(self, writes: Sequence[Write]) -> None:
        """Executes the writes; those of one statement together, in no guaranteed order.

        No two of one statement may touch the same row or key. A write that refers to a new row must come after the
        write of that row. Raises LostUpdate if a guarded write did not change exactly one row.
        """
        alike: dict[tuple[Executable, bool], list[Params]] = {}
        for write in writes:
            alike.setdefault((write.statement, write.guarded), []).append(write.params)
        if self.on_postgresql and len(writes) > 1:
            parts = [part for (statement, guarded), each in alike.items() for part in _parts(statement, guarded, each)]
            for start in range(0, len(parts), TOGETHER_MOST):
                self._write_together(parts[start : start + TOGETHER_MOST])
            written = {(part.statement, part.guarded) for part in parts}
            alike = {kind: each for kind, each in alike.items() if kind not in written}
        for (statement, guarded), each in alike.items():
            self._write_each(statement, guarded, each)

    def many(self, values: Sequence[str] | Sequence[int]) -> Any:
        """The parameter of a `one_of`: it takes any number of values, so the statement is compiled only once."""
        return list(values) if self.on_postgresql else json.dumps(list(values))

    def _write_each(self, statement: Executable, guarded: bool, each: Sequence[Params]) -> None:
        compiled = self._compile(statement)
        bound = [self._bind(compiled, params) for params in each]
        if len(bound) == 1:
            self._cursor.execute(compiled.sql, bound[0])
        else:
            self._cursor.executemany(compiled.sql, bound)
        if guarded and self._cursor.rowcount != len(each):
            raise LostUpdate(compiled.sql)

    def _write_together(self, parts: Sequence[_Part]) -> None:
        shape = tuple((part.statement, part.guarded, part.of_rows) for part in parts)
        sql = self._together.get(shape)
        if sql is None:
            if len(self._together) >= SHAPES_MOST:
                self._together.clear()
            sql = self._together[shape] = self._join(shape)
        params = {
            f"w{place}_{key}": value
            for place, part in enumerate(parts)
            for key, value in {**self._compile(part.statement).defaults, **part.params}.items()
        }
        self._cursor.execute(sql, params)
        changed = self._cursor.fetchone()
        if any(count != 1 for count in changed):
            raise LostUpdate(sql)

    def _join(self, shape: _Shape) -> str:
        parts = []
        for place, (statement, _, of_rows) in enumerate(shape):
            sql = _sql_of_rows(statement) if of_rows else self._compile(statement).sql
            renamed = _PYFORMAT.sub(rf"%(w{place}_\1)s", sql)
            parts.append(f"w{place} AS ({renamed} RETURNING 1)")
        counts = [f"(SELECT count(*) FROM w{place})" for place, (_, guarded, _) in enumerate(shape) if guarded]  # noqa: S608 - a place in the list
        return f"WITH {', '.join(parts)} SELECT {', '.join(counts) or '1'}"

    def _compile(self, statement: Executable) -> _Compiled:
        known = _compiled.get((self._dialect.name, statement))
        if known is not None:
            return known
        compiled = statement.compile(dialect=self._dialect)  # type: ignore[attr-defined]
        defaults = {key: value for key, value in compiled.params.items() if value is not None}
        made = _Compiled(str(compiled), tuple(compiled.positiontup or ()), defaults)
        _compiled[self._dialect.name, statement] = made
        return made

    def _bind(self, compiled: _Compiled, params: Params) -> Any:
        if self.on_postgresql:
            return {**compiled.defaults, **params}
        return [params[key] if key in params else compiled.defaults[key] for key in compiled.keys]


def _parts(statement: Executable, guarded: bool, each: Sequence[Params]) -> list[_Part]:
    """The parts for one statement's writes in a shared round trip.

    Inserts become one part, a few updates one part each; many updates get none and are executed separately.
    """
    if len(each) > 1 and _is_of_rows(statement):
        return [_Part(statement, guarded, {"rows": msgspec.json.encode(each).decode()}, of_rows=True)]
    return [_Part(statement, guarded, params) for params in each] if len(each) <= TOGETHER_MOST else []


def _is_of_rows(statement: Executable) -> bool:
    """Whether it inserts plain values, each from the parameter named like its column.

    Such an insert is never guarded, because it raises an error itself.
    """
    return isinstance(statement, Insert) and statement.select is None


def _sql_of_rows(statement: Any) -> str:
    """The same insert for many rows in one JSON text, which takes a tenth of the time of as many parameters."""
    table, columns = statement.table.name, ", ".join(sorted(statement.compile().params))
    return (
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %(rows)s::json)"  # noqa: S608 - names of our own tables
    )


def open_reading_connection(engine: Engine) -> Connection:
    """A connection outside the pool for a thread that only reads, without transactions. Whoever opens it closes it.

    On PostgreSQL it is lost when the server does not answer in time; the reader then opens a new one.
    """
    raw = open_driver_connection(engine)
    if isinstance(raw, BoundedConnection):
        raw.autocommit = True
        raw.answer_limit_s = ANSWER_LIMIT_S
    return Connection(raw, engine.dialect)


class Reading:
    """A reading connection for one thread, opened at its first use and again after it was lost."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: Connection | None = None

    def connection(self) -> Connection:
        if self._open is None:
            self._open = open_reading_connection(self._engine)
        return self._open

    def lose(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()
