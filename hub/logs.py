"""Structured logs on standard error: what happened, with fields, and never the name of a person.

    log.info("node.online", node="screen-1", role="display")

The standard library's loggers (uvicorn, SQLAlchemy, APScheduler) come out in the same shape.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Literal, TextIO

import structlog

Format = Literal["auto", "json", "console"]
Level = Literal["debug", "info", "warning", "error"]

# Fields that could hold a name, a secret or what a person said; one that is logged by mistake shows HIDDEN instead.
HIDDEN = "(not logged)"
NEVER_LOGGED = frozenset({"name", "visitor", "visitor_name", "first_name", "last_name", "password", "token", "secret"})

ERRORS_SHOWN = 20
# At `info`, these only repeat each request, each job and each start.
_QUIET = ("alembic", "apscheduler", "httpcore", "httpx", "uvicorn.access", "uvicorn.error")


def configure(form: Format, level: Level, stream: TextIO | None = None) -> None:
    """Sets up structlog and the standard library's logging in the same way. Called once, at the start."""
    stream = stream or sys.stderr
    console = form == "console" or (form == "auto" and stream.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_persons,
    ]
    last = _shape(console=console, colors=stream.isatty())
    structlog.configure(
        processors=[*shared, structlog.processors.StackInfoRenderer(), *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def hide_persons(_logger: object, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Replaces each field that may name a person or hold a secret, wherever the event came from."""
    for key in NEVER_LOGGED.intersection(event):
        event[key] = HIDDEN
    return event


def where_it_failed(exc_info: structlog.typing.ExcInfo) -> str:
    """An error's traceback and type, without its text: that may quote a row, or what somebody typed."""
    return "".join(_way_to(exc_info[1], ERRORS_SHOWN)).rstrip()


def _way_to(error: BaseException, most: int) -> Iterator[str]:
    """Lines for an error, after those for its causes and group members; `most` limits the depth of an endless chain."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and most > 1:
        yield from _way_to(before, most - 1)
        yield "then\n"
    for each in error.exceptions if isinstance(error, BaseExceptionGroup) and most > 1 else ():
        yield from _way_to(each, most - 1)
        yield "as one of\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}\n"


def _shape(*, console: bool, colors: bool) -> list[structlog.types.Processor]:
    last: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(colors=colors)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    return [structlog.processors.ExceptionRenderer(where_it_failed), last]


def _logger_name(logger: logging.Logger, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    record = event.get("_record")
    event["logger"] = record.name if isinstance(record, logging.LogRecord) else getattr(logger, "name", "")
    return event
