"""Statements written in SQLAlchemy Core, compiled once, run on the driver's own connection.

The unit of work of an ORM session costs more than the durable commit itself, and even Core's execution costs as much
as the statements do (measured: docs/benchmarks.md). So the writer's statements are composed in Core, where tables and
columns are checked, and executed as text. On PostgreSQL several writes whose rows nobody reads go in one round trip.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Boolean, ColumnElement, Engine, Executable, bindparam
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles

from hub.database.engine import open_writer_connection

Params = Mapping[str, Any]
# A press is one statement; the end of a day in one was planned for half a second, and each of its shapes kept for ever.
TOGETHER_MOST = 16
SHAPES_MOST = 500
_PYFORMAT = re.compile(r"%\((\w+)\)s")


class LostUpdate(RuntimeError):
    """A guarded write changed no row: the row is not as the command read it, which one writer rules out."""


@dataclass(frozen=True, slots=True)
class Write:
    """One insert, update or delete. `guarded`: it must change exactly one row."""

    statement: Executable
    params: Params
    guarded: bool = False


class one_of(ColumnElement[bool]):  # noqa: N801 - read like SQLAlchemy's own `and_` and `not_`
    """Whether the column is one of the values given as the parameter `name`, which is made by `Connection.many`."""

    inherit_cache = True
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.values: Any = bindparam(name)

    def self_group(self, against: Any = None) -> "one_of":  # noqa: ARG002 - SQLAlchemy's own signature
        """As it is: SQLAlchemy would write `= 1` behind it for SQLite, which then sees no index and reads it all."""
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
    keys: tuple[str, ...]  # of the positional parameters, where the driver takes positions
    defaults: Params


class Connection:
    """The writer's connection: one driver connection and the statements compiled for it."""

    def __init__(self, raw: Any, dialect: Dialect) -> None:
        self.raw = raw
        self._dialect = dialect
        self.on_postgresql = dialect.name == "postgresql"
        self._cursor = raw.cursor()
        self._compiled: dict[Executable, _Compiled] = {}
        self._together: dict[tuple[tuple[Executable, bool], ...], str] = {}

    def begin(self) -> None:
        """Starts a writing transaction. psycopg begins one by itself with the first statement."""
        if not self.on_postgresql:
            self._cursor.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.raw.commit()

    def rollback(self) -> None:
        self.raw.rollback()

    def close(self) -> None:
        with suppress(Exception):  # a connection that is broken can't be closed in order, and need not be
            self.raw.close()

    def rows(self, statement: Executable, params: Params) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        compiled = self._compile(statement)
        self._cursor.execute(compiled.sql, self._bind(compiled, params))
        return self._cursor.fetchall()  # type: ignore[no-any-return]

    def write(self, writes: Sequence[Write]) -> None:
        """Does the writes; their order is not promised on PostgreSQL, so no two may touch the same row or key.

        Raises LostUpdate where a guarded one did not change exactly one row.
        """
        if self.on_postgresql and len(writes) > 1:
            for start in range(0, len(writes), TOGETHER_MOST):
                self._write_together(writes[start : start + TOGETHER_MOST])
            return
        for write in writes:
            compiled = self._compile(write.statement)
            self._cursor.execute(compiled.sql, self._bind(compiled, write.params))
            if write.guarded and self._cursor.rowcount != 1:
                raise LostUpdate(compiled.sql)

    def write_many(self, writes: Sequence[Write]) -> None:
        """The same for a whole slice: all writes of one statement at once, the statements in their first order.

        No two may touch the same row or key here either. Raises LostUpdate as `write` does.
        """
        alike: dict[tuple[Executable, bool], list[Params]] = {}
        for write in writes:
            alike.setdefault((write.statement, write.guarded), []).append(write.params)
        for (statement, guarded), each in alike.items():
            compiled = self._compile(statement)
            self._cursor.executemany(compiled.sql, [self._bind(compiled, params) for params in each])
            if guarded and self._cursor.rowcount != len(each):
                raise LostUpdate(compiled.sql)

    def many(self, values: Sequence[str] | Sequence[int]) -> Any:
        """The parameter of a `one_of`: as many values as there are, in one statement that is compiled once."""
        return list(values) if self.on_postgresql else json.dumps(list(values))

    def _write_together(self, writes: Sequence[Write]) -> None:
        shape = tuple((write.statement, write.guarded) for write in writes)
        sql = self._together.get(shape)
        if sql is None:
            if len(self._together) >= SHAPES_MOST:
                self._together.clear()
            sql = self._together[shape] = self._join(shape)
        params = {
            f"w{place}_{key}": value
            for place, write in enumerate(writes)
            for key, value in {**self._compile(write.statement).defaults, **write.params}.items()
        }
        self._cursor.execute(sql, params)
        changed = self._cursor.fetchone()
        if any(count != 1 for count in changed):
            raise LostUpdate(sql)

    def _join(self, shape: Sequence[tuple[Executable, bool]]) -> str:
        parts = []
        for place, (statement, _) in enumerate(shape):
            renamed = _PYFORMAT.sub(rf"%(w{place}_\1)s", self._compile(statement).sql)
            parts.append(f"w{place} AS ({renamed} RETURNING 1)")
        counts = [f"(SELECT count(*) FROM w{place})" for place, (_, guarded) in enumerate(shape) if guarded]  # noqa: S608 - a place in the list
        return f"WITH {', '.join(parts)} SELECT {', '.join(counts) or '1'}"

    def _compile(self, statement: Executable) -> _Compiled:
        known = self._compiled.get(statement)
        if known is not None:
            return known
        compiled = statement.compile(dialect=self._dialect)  # type: ignore[attr-defined]
        defaults = {key: value for key, value in compiled.params.items() if value is not None}
        made = _Compiled(str(compiled), tuple(compiled.positiontup or ()), defaults)
        self._compiled[statement] = made
        return made

    def _bind(self, compiled: _Compiled, params: Params) -> Any:
        if self.on_postgresql:
            return {**compiled.defaults, **params}
        return [params[key] if key in params else compiled.defaults[key] for key in compiled.keys]


def open_reading_connection(engine: Engine) -> Connection:
    """A connection of its own for a thread that only reads, each statement by itself. Whoever opens it closes it."""
    raw = open_writer_connection(engine)
    if isinstance(raw, psycopg.Connection):
        raw.autocommit = True
    return Connection(raw, engine.dialect)
