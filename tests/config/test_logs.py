import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from hub.logs import HIDDEN, configure


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def refuse_row_of(name: str) -> None:
    """Raise an error that quotes the name, as PostgreSQL does; its cause and its group quote the name too."""
    try:
        int(name)
    except ValueError as wrong:
        row = ValueError(f"duplicate key\nDETAIL:  Failing row contains (mairie, 1, {name}).")
        raise ExceptionGroup(f"of {name}", [row, KeyError(name)]) from wrong


def test_what_happened_is_logged_with_its_fields() -> None:
    stream = io.StringIO()
    configure("json", "info", stream)
    structlog.get_logger().info("ticket.called", number="A012", desk="desk-3", wait_s=12)
    structlog.get_logger().debug("not.asked.for")
    (line,) = lines(stream)
    assert line.pop("timestamp")
    assert line == {"event": "ticket.called", "level": "info", "number": "A012", "desk": "desk-3", "wait_s": 12}


def test_other_programs_loggers_come_out_in_the_same_shape() -> None:
    stream = io.StringIO()
    configure("json", "info", stream)
    logging.getLogger("uvicorn.error").warning("%s is slow", "somebody")
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("somebody is slow", "warning", "uvicorn.error")


def test_a_visitors_name_is_never_logged_even_by_mistake() -> None:
    for form in ("json", "console"):
        stream = io.StringIO()
        configure(form, "info", stream)
        structlog.get_logger().info("ticket.booked", visitor_name="Ada Example", password="open")
        assert HIDDEN in stream.getvalue()
        assert "Ada" not in stream.getvalue()
        assert "open" not in stream.getvalue()


def test_a_traceback_leads_to_the_error_and_shows_no_value_and_no_row() -> None:
    for form in ("json", "console"):
        stream = io.StringIO()
        configure(form, "info", stream)
        visitor = "Ada Example"
        try:
            refuse_row_of(visitor)
        except ExceptionGroup:
            structlog.get_logger().exception("command.failed")
            logging.getLogger("apscheduler").exception("job failed")
        said = stream.getvalue()
        assert visitor not in said
        kinds = ("builtins.ValueError", "builtins.KeyError", "builtins.ExceptionGroup")
        assert [said.count(kind) for kind in kinds] == [4, 2, 2]
        assert said.count("in refuse_row_of") == 4


def test_the_console_is_for_a_terminal_and_json_for_all_else() -> None:
    stream = io.StringIO()
    configure("auto", "info", stream)
    structlog.get_logger().info("hub.started")
    assert lines(stream)[0]["event"] == "hub.started"
