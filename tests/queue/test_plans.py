"""The queries of each second, press or sync use an index and cost the same on a large day as on a small one.

The databases measure the cost: SQLite counts the steps of its virtual machine, PostgreSQL the pages it touches.
"""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from hub.appointments import rows
from hub.database.engine import open_engine
from hub.queue import booking_store, name_store, people_store, report_store, store
from hub.queue.tickets import FIELDS
from tests.databases import sqlite_url
from tests.queue.harness import DAY, HOUR, MINUTE, SECOND, Queue
from tests.queue.test_bookings import book_of

SMALL, LARGE = 200, 5_000


def fill(queue: Queue, count: int) -> Queue:
    """A site with `count` expected tickets, half of them of a service without check-in."""
    changes = tuple(
        book_of(f"b-{number}", queue.now_ms + HOUR + number * SECOND, ("civil", "taxes")[number % 2])
        for number in range(count)
    )
    for start in range(0, count, 500):
        queue.take(*changes[start : start + 500])
    report(queue, count)
    queue.open("desk-1")
    queue.issue()
    queue.called()
    analyze(queue)
    return queue


def analyze(queue: Queue) -> None:
    if queue.connection.on_postgresql:
        with queue.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("analyze")


def report(queue: Queue, count: int) -> None:
    """One report for each of `count` bookings; all but three are done."""
    told = [
        {
            **dict.fromkeys(("status_before", "error")),
            "site": queue.site.name,
            "id": number + 1,
            "booking": f"b-{number}",
            "reference": f"form/b-{number}",
            "ticket": number + 1,
            "kind": "arrived",
            "event": number + 1,
            "at_ms": queue.now_ms,
            "due_ms": queue.now_ms,
            "state": "done" if number > 2 else "waiting",
            "attempts": 1,
        }
        for number in range(count)
    ]
    with queue.engine.execution_options(write=True).begin() as connection:
        connection.execute(report_store.report.insert(), told)


def remember(queue: Queue, count: int) -> Queue:
    """A day's tickets, and `count` that ended long ago, which the hub keeps for the figures."""
    ended = [
        {
            **dict.fromkeys(FIELDS),
            "site": queue.site.name,
            "id": 1_000_000 + number,
            "day": f"2025-{number % 12 + 1:02}-{number // 12 % 28 + 1:02}",
            "service": ("civil", "taxes")[number % 2],
            "series": "old",
            "number": number,
            "state": ("served", "absent", "cancelled")[number % 3],
            "kind": "open",
            "due_ms": number,
            "priority": False,
            "code": f"old{number}",
            "request": f"old-{number}",
            "desk": f"desk-{number % 4 + 1}",
            "end_known": True,
        }
        for number in range(count)
    ]
    with queue.engine.execution_options(write=True).begin() as connection:
        connection.execute(store.ticket.insert(), ended)
    return fill(queue, 40)


def staff(queue: Queue, count: int) -> Queue:
    """`count` sessions of a week, 25 of each agent; all ended as idle, and the agents are still signed on."""
    desks = [
        {"site": queue.site.name, "name": f"d{number}", "mode": "open", "since_ms": 1, "agent": f"a{number}"}
        for number in range(count // 25)
    ]
    ended = [
        {
            "site": queue.site.name,
            "id": number + 1,
            "token_hash": f"hash-{number}",
            "account": f"a{number // 25}",
            "name": "-",
            "roles": "agent",
            "local": False,
            **dict.fromkeys(("opened_ms", "seen_ms", "checked_ms"), number),
            "ended_ms": number + HOUR,
            "end_reason": "idle",
        }
        for number in range(count)
    ]
    with queue.engine.execution_options(write=True).begin() as connection:
        connection.execute(store.desk.insert(), desks)
        connection.execute(people_store.session.insert(), ended)
    analyze(queue)
    return queue


def cost(queue: Queue, statement: Any, **params: Any) -> int:
    """Steps of SQLite's virtual machine, or pages that PostgreSQL touches."""
    params = {"site": queue.site.name, **params}
    if queue.connection.on_postgresql:
        return pages(queue, statement, params)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    queue.connection.raw.set_progress_handler(step, 1)
    queue.connection.rows(statement, params)
    queue.connection.raw.set_progress_handler(None, 0)
    return steps


def pages(queue: Queue, statement: Any, params: dict[str, Any]) -> int:
    compiled = queue.connection._compile(statement)
    with psycopg.ClientCursor(queue.connection.raw) as cursor:
        cursor.execute(f"explain (analyze, buffers, format json) {compiled.sql}", {**compiled.defaults, **params})
        plan = cursor.fetchall()[0][0][0]["Plan"]
    queue.connection.rollback()
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


ASKED: list[tuple[str, Any, Callable[[Queue], dict[str, Any]]]] = [
    ("absences", store.DUE_ABSENCES, lambda queue: {"now_ms": queue.now_ms, "limit": 64}),
    (
        "admissions",
        store.DUE_ADMISSIONS,
        lambda queue: {
            "service": "taxes",
            "after_ms": queue.now_ms - DAY,
            "until_ms": queue.now_ms + 10 * MINUTE,
            "limit": 64,
        },
    ),
    ("what a desk keeps", store.SERVICES_KEPT_BY_DESK, lambda _: {"desk": "desk-1"}),
    ("held", store.HELD, lambda _: {}),
    (
        "a slice",
        booking_store.KNOWN,
        lambda queue: {"ids": queue.connection.many(["b-1", "b-100", "new"]), "day": "", "series": "ticket"},
    ),
    ("names in a slice", name_store.NAMES, lambda queue: {"ids": queue.connection.many([1, 100])}),
    ("names of what changed", rows._NAMES_BY_ID, lambda queue: {"ids": queue.connection.many(["b-1", "b-100"])}),
    ("what is news", rows._TICKETS_BETWEEN, lambda queue: {"after": last(queue) - 3, "up_to": last(queue)}),
    ("news of bookings", rows._ANY_BOOKING_OF, lambda queue: {"tickets": queue.connection.many([1, 100])}),
    ("a code", booking_store.BY_CODE, lambda _: {"code": "B100"}),
    ("requests asked again", store.ANSWERED_REQUESTS, lambda queue: {"ids": queue.connection.many(["r-1", "r-100"])}),
    ("a request", booking_store.STANDING_OF_REQUEST, lambda _: {"reference": "form/b-100"}),
    ("a ticket's journal", booking_store.SEEN, lambda queue: {"ids": queue.connection.many([1, 100])}),
    ("who came before", report_store.CAME_BEFORE, lambda queue: {"tickets": queue.connection.many([1, 100])}),
    ("the end of the journal", report_store.JOURNAL_AFTER, lambda queue: {"after": last(queue) - 3, "limit": 200}),
    ("whose tickets", report_store.BOOKINGS_OF_TICKETS, lambda queue: {"tickets": queue.connection.many([1, 100])}),
    (
        "whose bookings were moved",
        report_store.MOVED_ON,
        lambda queue: {"tickets": queue.connection.many([1, 100]), "now_ms": queue.now_ms},
    ),
    ("whose requests moved on", rows._REPORTED, lambda queue: {"ids": queue.connection.many(["b-1", "b-100"])}),
    ("the last ticket of a booking", rows._LAST_TICKET, lambda _: {}),
    ("what is to be told", rows._DUE, lambda queue: {"now_ms": queue.now_ms}),
    ("reports", report_store.STANDING, lambda queue: {"ids": queue.connection.many(["b-1", "b-100"])}),
    (
        "past bookings",
        report_store.PAST_BOOKINGS,
        lambda _: {"day": "2026-11-24", "last_day": "2026-10-24", "limit": 200},
    ),
]


def last(queue: Queue) -> int:
    return max(row[1] for row in queue.table("ticket_event"))


# Queries about the day's tickets, whose cost must not depend on the tickets that ended before.
ASKED_OF_TODAY: list[tuple[str, Any, Callable[[Queue], dict[str, Any]]]] = [
    ("people ahead", store.PEOPLE_AHEAD, lambda queue: {"service": "civil", "due_ms": queue.now_ms + DAY, "id": 0}),
    *((f"who waits {each}", statement, lambda _: {}) for each, statement in enumerate(store.WAITING_BY_SERVICE)),
    *(
        (
            f"what the day's end ends {each}",
            statement,
            lambda queue: {"day": "2026-11-24", "before_ms": queue.now_ms + DAY, "limit": 20},
        )
        for each, statement in enumerate(store.OPEN_UP_TO_DAY)
    ),
    (
        "whether a call leaves the lists",
        store.ANY_ANNOUNCEMENT_TO_DELETE,
        lambda _: {"day": "2026-11-23", "before_ms": 0},
    ),
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def halls(request, tmp_path_factory):
    """A small and a large day, each in its own database, so that a query that reads a whole table shows."""
    yield from filled(request, tmp_path_factory, fill)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def years(request, tmp_path_factory):
    """The same day after little use and after long use."""
    yield from filled(request, tmp_path_factory, remember)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def staffs(request, tmp_path_factory):
    """Sites with 8 and with 200 agents."""
    yield from filled(request, tmp_path_factory, staff)


def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, play: Callable[[Queue, int], Queue]
) -> Iterator[list[Queue]]:
    urls = [sqlite_url(tmp_path_factory.mktemp(name)) for name in ("small", "large")]
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        urls = [server.new_database(), server.new_database()]
    engines = [open_engine(url) for url in urls]
    made = [play(Queue(engine), count) for engine, count in zip(engines, (SMALL, LARGE), strict=True)]
    yield made
    for queue, engine in zip(made, engines, strict=True):
        queue.close()
        engine.dispose()


@pytest.mark.parametrize(("_about", "statement", "params"), ASKED, ids=[each[0] for each in ASKED])
def test_a_large_day_costs_what_a_small_one_does(halls, _about, statement, params):
    small, large = (cost(queue, statement, **params(queue)) for queue in halls)
    assert large <= 1.5 * small + 20, f"{small} on a small day, {large} on a large one"


@pytest.mark.parametrize(("_about", "statement", "params"), ASKED_OF_TODAY, ids=[each[0] for each in ASKED_OF_TODAY])
def test_what_is_asked_of_today_costs_the_same_after_years(years, _about, statement, params):
    short, long = (cost(queue, statement, **params(queue)) for queue in years)
    assert long <= 1.5 * short + 20, f"{short} after a short time, {long} after a long one"


def test_who_left_a_desk_behind_is_found_in_one_pass_over_the_sessions(staffs):
    """It runs at each end of a session, and in the evening everybody's sessions end."""
    few, many = (cost(queue, people_store.LEFT_BEHIND) for queue in staffs)
    assert many <= 2 * (LARGE / SMALL) * few, f"{few} of a few, {many} of many"
