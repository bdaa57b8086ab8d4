"""The writer: what it does with a batch, with a broken database, and at its end."""

import queue as queues
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from hub.database.engine import open_driver_connection, open_engine
from hub.database.faults import DatabaseBusy, DatabaseFault, DatabaseLocked, DiskFull
from hub.database.statements import Connection
from hub.failures import HubFault
from hub.metrics import Metrics
from hub.mqtt.outbox import Outbox
from hub.queue.adoption import adopt
from hub.queue.answers import Answer, DoneAnswer, TicketAnswer
from hub.queue.commands.dispatch import ANYWHERE
from hub.queue.requests import (
    Command,
    ExpireCalled,
    ForgetRequests,
    Issue,
    Origin,
    Press,
    Refresh,
    Source,
)
from hub.site_index import SiteIndex
from hub.tasks import BATCH_MOST, QUEUE_MOST, Busy, Task
from hub.writer import FAILED_LINES_MOST, Committed, Writer
from protocol.ids import uuid7
from protocol.topics import Topics
from tests.checkers import check_all, read
from tests.databases import sqlite_url
from tests.hub.standing import eventually
from tests.queue.harness import TUESDAY_AT_TEN, round_the_clock, slice_of, town
from tests.queue.test_bookings import book_of

LIMIT_S = 30
HOUR_S = 3_600.0


@dataclass
class Asked:
    """A command and the queue that receives its answer."""

    command: Command
    told: "queues.SimpleQueue[Answer | Exception]" = field(default_factory=queues.SimpleQueue)

    def task(self) -> Task:
        return Task(self.command, answered=self.told.put, failed=self.told.put)

    def outcome(self) -> Answer | Exception:
        return self.told.get(timeout=LIMIT_S)

    @property
    def is_told(self) -> bool:
        return not self.told.empty()


class Stand:
    """A writer alone, with a record of what it reports."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.site = round_the_clock(town())
        self.batches: list[int] = []
        self.losses = 0
        self.order: list[str] = []
        self._numbers = iter(range(1, 1_000_000))
        self.metrics = Metrics("test")
        adopt(engine, self.site, TUESDAY_AT_TEN)
        self.writer = Writer(
            engine=engine,
            index=SiteIndex(self.site),
            now_ms=lambda: TUESDAY_AT_TEN,
            mean_visit_ms=lambda _: None,
            after_commit=self._committed,
            metrics=self.metrics,
            after_loss=self._lost,
        )

    def _committed(self, batch: object) -> None:
        self.batches.append(len(batch))  # type: ignore[arg-type]

    def _lost(self, _connection: object) -> None:
        self.losses += 1

    def new_id(self) -> str:
        return uuid7(TUESDAY_AT_TEN, next(self._numbers).to_bytes(10, "big"))

    def issue(self, code: str | None = None) -> Asked:
        request = self.new_id()
        return Asked(Issue(origin=Origin(Source.DISPENSER, "p", request), service="civil", code=code or request))

    def put(self, *asked: Asked) -> None:
        for each in asked:
            self.writer.put(each.task())

    def do(self, asked: Asked) -> Answer | Exception:
        self.put(asked)
        return asked.outcome()

    def start(self) -> "Stand":
        self.writer.start()
        return self

    def execute(self, *statements: str) -> None:
        with self.engine.execution_options(write=True).begin() as connection:
            for each in statements:
                connection.execute(text(each))

    def codes(self) -> list[str]:
        return [each["code"] for each in read(self.engine, self.site.name).tickets]


@pytest.fixture
def stand(engine: Engine) -> Iterator[Stand]:
    """Not started, so that everything put before the start is one batch."""
    made = Stand(engine)
    yield made
    made.writer.stop()


def told(all_asked: list[Asked]) -> list[str]:
    return ["ticket" if isinstance(each.outcome(), TicketAnswer) else "failed" for each in all_asked]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_it_is_alive_until_its_thread_ends_be_it_by_a_bug(stand):
    assert not stand.writer.is_alive

    def bug(_answer: Answer) -> None:
        raise SystemExit

    stand.start()
    assert isinstance(stand.do(stand.issue()), TicketAnswer)
    assert stand.writer.is_alive
    stand.writer.put(Task(stand.issue().command, answered=bug, failed=print))
    stand.writer._thread.join(LIMIT_S)
    assert not stand.writer.is_alive


def test_what_stands_in_the_queue_is_done_in_one_transaction_64_at_most_and_in_order(stand):
    asked = [stand.issue() for _ in range(74)]
    stand.put(*asked)
    stand.start()
    assert told(asked) == ["ticket"] * len(asked)
    assert stand.batches == [64, 10]
    assert stand.codes() == [each.command.code for each in asked]


def test_of_a_batch_with_two_bad_commands_only_those_two_fail(stand):
    asked = [stand.issue() for _ in range(BATCH_MOST)]
    asked[10], asked[40] = stand.issue(asked[3].command.code), stand.issue(asked[5].command.code)
    stand.put(*asked)
    stand.start()
    assert [place for place, one in enumerate(told(asked)) if one == "failed"] == [10, 40]
    assert len(stand.codes()) == BATCH_MOST - 2
    rows = read(stand.engine, stand.site.name)
    check_all(rows)
    assert [each["number"] for each in rows.tickets] == list(range(1, BATCH_MOST - 1)), "no number was lost"


def test_a_commit_that_fails_answers_nobody_with_yes(stand):
    doom_commits(stand)
    doomed = [stand.issue(), stand.issue("doomed"), stand.issue()]
    stand.put(*doomed)
    stand.start()
    assert told(doomed) == ["ticket", "failed", "ticket"]
    assert sorted(stand.codes()) == sorted([doomed[0].command.code, doomed[2].command.code])
    assert isinstance(stand.do(stand.issue("doomed-too")), DatabaseFault)
    assert len(stand.codes()) == 2


def doom_commits(stand: Stand) -> None:
    """Let a ticket whose code begins with `doomed` be inserted, but its transaction fail at the commit."""
    stand.execute("create table doom (ref text references site(site) deferrable initially deferred)")
    if stand.engine.dialect.name == "sqlite":
        stand.execute(
            "create trigger doom after insert on ticket when new.code like 'doomed%' "
            "begin insert into doom values ('nowhere'); end"
        )
        return
    stand.execute(
        "create function doom() returns trigger language plpgsql as "
        "$$ begin insert into doom values ('nowhere'); return null; end $$",
        "create trigger doom after insert on ticket for each row when (new.code like 'doomed%') "
        "execute function doom()",
    )


def test_a_refused_command_does_not_disturb_its_batch(stand):
    asked = [stand.issue(), Asked(Issue(origin=stand.issue().command.origin, service="none", code="x")), stand.issue()]
    stand.put(*asked)
    stand.start()
    assert [type(each.outcome()).__name__ for each in asked] == ["TicketAnswer", "RefusedAnswer", "TicketAnswer"]
    assert stand.batches == [3]


def lose_answer_of_next_commit(stand) -> None:
    """The next commit is durable, but the connection breaks before the writer learns of it."""
    connection, commit = stand.writer._connection, stand.writer._connection.commit

    def commit_and_lose() -> None:
        commit()
        connection.raw.close()
        raise psycopg.OperationalError("the connection was lost")

    connection.commit = commit_and_lose


def test_a_commit_whose_answer_was_lost_with_the_connection_is_answered_from_what_was_written(stand):
    stand.start()
    stand.do(stand.issue())
    lose_answer_of_next_commit(stand)
    asked = stand.issue()
    answer = stand.do(asked)
    assert isinstance(answer, TicketAnswer), "nobody is told that nothing changed, and asks for a second one"
    assert stand.do(Asked(asked.command)) == answer
    assert stand.losses == 1
    assert stand.codes().count(asked.command.code) == 1


def test_a_connection_that_is_lost_again_and_again_fails_the_command_and_ends(stand, monkeypatch):
    stand.start()
    stand.do(stand.issue())
    tries = 0

    def lose(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        connection.raw.close()
        raise psycopg.OperationalError("the connection was lost")

    with monkeypatch.context() as broken:
        broken.setattr(Connection, "commit", lose)
        asked = stand.issue()
        assert isinstance(stand.do(asked), DatabaseFault)
    assert tries == 2
    assert isinstance(stand.do(Asked(asked.command)), TicketAnswer)


def test_a_job_that_lost_its_connection_is_not_done_twice(stand):
    """A job has no request id by which a repeat would be recognised."""
    stand.start()
    stand.do(stand.issue())
    lose_answer_of_next_commit(stand)
    job = Asked(ForgetRequests(origin=Origin(Source.JOB, "chores"), before_ms=1))
    assert isinstance(stand.do(job), DatabaseFault)
    assert stand.batches == [1]


def test_a_whole_batch_whose_commit_was_lost_is_answered_from_what_was_written(stand):
    stand.start()
    stand.do(stand.issue())
    lose_answer_of_next_commit(stand)
    with stopped(stand.writer):
        asked = [stand.issue() for _ in range(5)]
        stand.put(*asked)
    assert told(asked) == ["ticket"] * 5
    assert stand.losses == 1
    check_all(read(stand.engine, stand.site.name))
    assert len(stand.codes()) == 6


class stopped:  # noqa: N801 - reads as a phrase
    """Block the writer with an entry, so that what is put meanwhile forms one batch."""

    def __init__(self, writer: Writer) -> None:
        self.writer, self.go, self.held = writer, threading.Event(), threading.Event()

    def __enter__(self) -> None:
        def hold() -> None:
            self.held.set()
            self.go.wait(LIMIT_S)

        self.writer.put(hold)
        self.held.wait(LIMIT_S)

    def __exit__(self, *_: object) -> None:
        self.go.set()


def test_a_postgresql_that_ends_the_connection_is_found_again_by_itself(postgresql_url):
    engine = open_engine(postgresql_url)
    stand = Stand(engine).start()
    assert isinstance(stand.do(stand.issue()), TicketAnswer)
    for _ in range(2):
        pid = stand.writer._connection.raw.info.backend_pid
        with engine.connect() as connection:
            connection.execute(text(f"select pg_terminate_backend({pid})"))
        assert isinstance(stand.do(stand.issue()), TicketAnswer)
    assert stand.losses == 2
    assert len(stand.codes()) == 3
    stand.writer.stop()
    engine.dispose()


def test_a_batch_that_meets_a_lost_connection_is_done_on_a_new_one(postgresql_url):
    engine = open_engine(postgresql_url)
    stand = Stand(engine).start()
    stand.do(stand.issue())
    with stopped(stand.writer):
        with engine.connect() as connection:
            connection.execute(text(f"select pg_terminate_backend({stand.writer._connection.raw.info.backend_pid})"))
        asked = [stand.issue() for _ in range(5)]
        stand.put(*asked)
    assert told(asked) == ["ticket"] * 5
    stand.writer.stop()
    engine.dispose()


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Stand]:
    """On SQLite, with a time-out of 0.1 s for a lock."""
    engine = open_engine(sqlite_url(tmp_path), busy_timeout_s=0.1)
    made = Stand(engine).start()
    yield made
    made.writer.stop()
    engine.dispose()


def tries_of(writer: Writer) -> list[None]:
    """A list that gets an entry for each transaction begun from now on."""
    tries: list[None] = []
    begin = writer._connection.begin

    def counted() -> None:
        tries.append(None)
        begin()

    writer._connection.begin = counted
    return tries


def test_a_locked_file_fails_the_whole_batch_and_who_stands_behind_it_at_once_and_not_one_after_the_other(impatient):
    impatient.do(impatient.issue())
    other = open_driver_connection(impatient.engine)
    other.execute("begin immediate")
    tries = tries_of(impatient.writer)
    with stopped(impatient.writer):
        asked = [impatient.issue() for _ in range(BATCH_MOST + 20)]
        impatient.put(*asked)
    outcomes = [each.outcome() for each in asked]
    assert all(isinstance(each, DatabaseLocked) for each in outcomes)
    assert len(tries) == 1
    other.execute("rollback")
    other.close()
    assert isinstance(impatient.do(Asked(asked[0].command)), TicketAnswer)


def test_who_waits_behind_a_job_that_finds_the_file_locked_does_not_wait_as_long_again(impatient):
    impatient.do(impatient.issue())
    other = open_driver_connection(impatient.engine)
    other.execute("begin immediate")
    begin, person = impatient.writer._connection.begin, impatient.issue()
    tries = []

    def begin_as_somebody_comes() -> None:
        tries.append(None)
        if len(tries) == 1:
            impatient.put(person)
        begin()

    impatient.writer._connection.begin = begin_as_somebody_comes
    impatient.writer.put_later(forget(impatient, print, "job"))
    assert isinstance(person.outcome(), DatabaseLocked)
    assert len(tries) == 1
    other.close()


def test_a_table_that_another_program_holds_fails_the_whole_batch_and_not_one_after_the_other(postgresql_url):
    engine = open_engine(postgresql_url, busy_timeout_s=0.05)
    stand = Stand(engine).start()
    stand.do(stand.issue())
    other = open_driver_connection(engine)
    other.execute("lock table ticket_event in exclusive mode")
    tries = tries_of(stand.writer)
    with stopped(stand.writer):
        asked = [stand.issue() for _ in range(20)]
        stand.put(*asked)
    outcomes = [each.outcome() for each in asked]
    other.rollback()
    other.close()
    assert all(isinstance(each, DatabaseLocked) for each in outcomes)
    assert len(tries) == 1
    assert stand.codes() == [stand.codes()[0]], "none of them was done"
    assert isinstance(stand.do(Asked(asked[0].command)), TicketAnswer)
    assert stand.losses == 0
    stand.writer.stop()
    engine.dispose()


def test_how_long_the_writer_is_at_work_is_known(stand):
    assert stand.writer.at_work_s == 0
    stand.start()
    other = open_driver_connection(stand.engine)
    other.execute("begin immediate" if stand.engine.dialect.name == "sqlite" else "lock table ticket_event")
    asked = stand.issue()
    stand.put(asked)
    eventually(lambda: stand.writer.at_work_s > 0.1)
    other.rollback()
    other.close()
    asked.outcome()
    eventually(lambda: stand.writer.at_work_s == 0)


def stand_still_while_it_runs(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_clock() -> int:
        monkeypatch.setattr("hub.tasks.WANTED_S", 0.0)
        return TUESDAY_AT_TEN

    stand.writer._now_ms = read_clock


def test_what_the_database_held_up_for_long_is_not_done_at_its_end(stand, monkeypatch):
    """A press that met a server stalled for half a minute used to call somebody afterwards, and nobody heard it."""
    stand_still_while_it_runs(stand, monkeypatch)
    stand.start()
    assert isinstance(stand.do(stand.issue()), DatabaseBusy)
    assert stand.codes() == []


def test_a_job_that_the_database_held_up_for_long_is_done(stand, monkeypatch):
    stand_still_while_it_runs(stand, monkeypatch)
    stand.start()
    assert isinstance(stand.do(Asked(ForgetRequests(origin=Origin(Source.JOB, "t"), before_ms=0))), DoneAnswer)


def test_of_a_batch_that_was_held_up_what_somebody_still_waits_for_is_done(stand, monkeypatch):
    """Two desks that pressed at once while the server stalled used to call somebody after it recovered."""

    def read_clock() -> int:
        monkeypatch.setattr("hub.tasks.WANTED_S", HOUR_S / 2)
        return TUESDAY_AT_TEN

    monkeypatch.setattr("hub.tasks.WANTED_S", HOUR_S)
    stand.writer._now_ms = read_clock
    early, late = stand.issue(), [stand.issue(), stand.issue()]
    stand.writer.put(replace(early.task(), since_s=time.monotonic() - HOUR_S * 3 / 4))
    stand.put(*late)
    stand.start()
    assert isinstance(early.outcome(), DatabaseBusy)
    assert told(late) == ["ticket", "ticket"]
    assert stand.codes() == [each.command.code for each in late]
    assert stand.batches == [2], "one by one they would be late as well where the database is slow"


def test_a_press_of_a_button_is_wanted_for_as_long_as_it_lives(stand, monkeypatch):
    monkeypatch.setattr("hub.tasks.WANTED_S", HOUR_S)
    monkeypatch.setattr("hub.tasks.PRESS_WANTED_S", 3 * HOUR_S)
    press = Press(origin=Origin(Source.BUTTON, "b", stand.new_id()), desk="desk-1", at_ms=TUESDAY_AT_TEN)
    for command, is_late in ((press, False), (stand.issue().command, True)):
        task = Task(command, answered=print, failed=print, since_s=time.monotonic() - 2 * HOUR_S)
        assert task.is_late is is_late


def test_what_stood_in_the_queue_until_nobody_waits_for_it_is_not_begun(stand):
    early, late = stand.issue(), stand.issue()
    stand.writer.put(replace(early.task(), since_s=time.monotonic() - HOUR_S))
    stand.put(late)
    stand.start()
    outcome = early.outcome()
    assert isinstance(outcome, Busy)
    assert str(outcome) == "the hub did not get to this command within 3600 s: ask again"
    assert isinstance(late.outcome(), TicketAnswer)
    assert stand.codes() == [late.command.code]


def test_a_long_queue_is_no_fault_of_the_database(stand):
    asked = stand.issue()
    stand.writer.put(late(asked))
    with capture_logs() as lines:
        stand.start()
        assert isinstance(asked.outcome(), Busy)
        stand.writer.stop()
    assert stand.writer.fault is None
    assert ["database" in line["error"] for line in lines] == [False]
    assert 'suivant_database_errors_total{fault="DatabaseBusy"} 0.0' in stand.metrics.text().decode()


def test_of_commands_that_fail_one_after_the_other_a_few_are_logged_and_all_counted(stand):
    asked = [stand.issue() for _ in range(3 * FAILED_LINES_MOST)]
    for each in asked:
        stand.writer.put(late(each))
    with capture_logs() as lines:
        stand.start()
        assert all(isinstance(each.outcome(), Busy) for each in asked)
        stand.writer.stop()
    assert [line["event"] for line in lines] == ["command.failed"] * FAILED_LINES_MOST
    counted = f'suivant_commands_total{{kind="Issue",outcome="failed"}} {len(asked)}.0'
    assert counted in stand.metrics.text().decode()


def test_a_repeat_that_stood_for_long_is_told_the_first_answer(stand):
    stand.start()
    first = stand.issue()
    answer = stand.do(first)
    again = Asked(first.command)
    stand.writer.put(late(again))
    assert again.outcome() == answer
    assert stand.codes() == [first.command.code]


def test_a_repeat_beside_what_came_too_late_is_told_the_first_answer(stand, monkeypatch):
    stand.start()
    first = stand.issue()
    answer = stand.do(first)
    stand_still_while_it_runs(stand, monkeypatch)
    again, new = Asked(first.command), stand.issue()
    with stopped(stand.writer):
        stand.put(again, new)
    assert again.outcome() == answer
    assert isinstance(new.outcome(), DatabaseBusy)
    assert stand.codes() == [first.command.code]


def test_what_is_late_costs_the_database_one_read_for_all_that_was_taken_together(stand):
    stand.start()
    first = stand.issue()
    stand.do(first)
    tries, reads = tries_of(stand.writer), reads_of(stand.writer)
    with stopped(stand.writer):
        # The entry that holds the writer up is one of the first 64.
        asked = [stand.issue() for _ in range(3 * BATCH_MOST - 1)]
        for each in asked:
            stand.writer.put(late(each))
    assert all(isinstance(each.outcome(), Busy) for each in asked)
    assert (len(tries), len(reads)) == (0, 3)


def test_what_is_late_does_not_wait_for_a_locked_file(impatient):
    first = impatient.issue()
    impatient.do(first)
    other = open_driver_connection(impatient.engine)
    other.execute("begin immediate")
    tries, asked = tries_of(impatient.writer), impatient.issue()
    impatient.writer.put(late(asked))
    assert isinstance(asked.outcome(), Busy)
    assert tries == []
    other.close()


def test_what_is_late_waits_once_for_a_locked_table_and_whoever_stands_behind_it_no_longer(postgresql_url):
    engine = open_engine(postgresql_url, busy_timeout_s=0.05)
    stand = Stand(engine).start()
    stand.do(stand.issue())
    other = open_driver_connection(engine)
    other.execute("lock table request")
    reads = reads_of(stand.writer)
    with stopped(stand.writer):
        asked = [stand.issue() for _ in range(5 * BATCH_MOST)]
        for each in asked:
            stand.writer.put(late(each))
        person = stand.issue()
        stand.put(person)
    assert all(isinstance(each.outcome(), DatabaseLocked) for each in [*asked, person])
    assert len(reads) == 1
    other.rollback()
    other.close()
    assert isinstance(stand.do(Asked(person.command)), TicketAnswer)
    stand.writer.stop()
    engine.dispose()


def late(asked: Asked) -> Task:
    return replace(asked.task(), since_s=time.monotonic() - HOUR_S)


def reads_of(writer: Writer) -> list[None]:
    """One for each statement that is read from now on."""
    reads: list[None] = []
    rows = writer._connection.rows

    def counted(*arguments: Any) -> list[tuple[Any, ...]]:
        reads.append(None)
        return rows(*arguments)

    writer._connection.rows = counted
    return reads


def test_a_commit_that_took_long_and_lost_its_answer_is_answered_from_what_was_written(stand, monkeypatch):
    stand.start()
    stand.do(stand.issue())
    lose_answer_of_next_commit(stand)
    commit_and_lose = stand.writer._connection.commit

    def commit_slowly() -> None:
        monkeypatch.setattr("hub.tasks.WANTED_S", 0.0)
        commit_and_lose()

    stand.writer._connection.commit = commit_slowly
    asked = stand.issue()
    assert isinstance(stand.do(asked), TicketAnswer)
    assert stand.codes().count(asked.command.code) == 1


def test_a_commit_that_was_lost_after_long_is_not_done_anew(stand, monkeypatch):
    stand.start()
    stand.do(stand.issue())
    connection, asked = stand.writer._connection, stand.issue()

    def lose_slowly() -> None:
        monkeypatch.setattr("hub.tasks.WANTED_S", 0.0)
        connection.raw.close()
        raise psycopg.OperationalError("the connection was lost")

    connection.commit = lose_slowly
    assert isinstance(stand.do(asked), DatabaseBusy)
    assert asked.command.code not in stand.codes()


def test_a_full_disk_fails_commands_and_the_hub_goes_on_when_there_is_room(impatient):
    impatient.do(impatient.issue())
    raw = impatient.writer._connection.raw
    pages = raw.execute("pragma page_count").fetchone()[0]
    raw.execute(f"pragma max_page_count={pages}").fetchone()
    failed = None
    for _ in range(200):
        asked = impatient.issue()
        if isinstance(impatient.do(asked), DiskFull):
            failed = asked
            break
    assert failed is not None
    assert failed.command.code not in impatient.codes()
    raw.execute("pragma max_page_count=1000000").fetchone()
    assert isinstance(impatient.do(Asked(failed.command)), TicketAnswer)
    check_all(read(impatient.engine, impatient.site.name))


# --- the two queues -----------------------------------------------------------------------------------------------


def forget(stand: Stand, done: Callable[[str], None], name: str) -> Task:
    command = ForgetRequests(origin=Origin(Source.JOB, "t"), before_ms=0)
    return Task(command, answered=lambda _: done(name), failed=lambda _: done(name))


def test_people_go_before_jobs(stand):
    order: list[str] = []
    asked = [stand.issue() for _ in range(3)]
    for number in range(3):
        stand.writer.put_later(forget(stand, order.append, f"job {number}"))
    for number, each in enumerate(asked):
        stand.writer.put(
            Task(
                each.command,
                answered=lambda answer, number=number, each=each: (
                    order.append(f"person {number}"),
                    each.told.put(answer),
                ),
                failed=each.told.put,
            )
        )
    stand.start()
    told(asked)
    stand.writer.stop()
    assert order == ["person 0", "person 1", "person 2", "job 0", "job 1", "job 2"]


def test_what_is_due_by_its_own_time_shares_a_commit_with_seven_others_at_most(stand):
    marks = [Asked(ExpireCalled(origin=Origin(Source.JOB, "t"), ticket=ticket, call=1)) for ticket in range(20)]
    for each in marks:
        stand.writer.put_later(each.task())
    stand.start()
    for each in marks:
        each.outcome()
    assert stand.batches == [8, 8, 4]


def test_a_job_that_has_waited_a_second_is_done_though_people_keep_coming(stand, monkeypatch):
    monkeypatch.setattr("hub.tasks.LATER_WAITS_S", 0.0)
    order: list[str] = []
    stand.writer.put_later(forget(stand, order.append, "job"))
    people = [stand.issue() for _ in range(BATCH_MOST + 1)]
    for each in people:
        stand.writer.put(
            Task(each.command, answered=lambda a, e=each: (order.append("p"), e.told.put(a)), failed=print)
        )
    stand.start()
    told(people)
    stand.writer.stop()
    assert order.index("job") == BATCH_MOST


class Interrupted(Stand):
    """A visitor asks for a ticket while a slice of bookings reads the database."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.person = self.issue()
        self.slice = Asked(slice_of(book_of("b-1", TUESDAY_AT_TEN)))
        self.writer._now_ms = self._look
        self._looked = False

    def _look(self) -> int:
        """Called as the writer's clock, which it reads when it begins a command."""
        if not self._looked:
            self._looked = True
            self.put(self.person)
        return TUESDAY_AT_TEN

    def sources(self) -> list[str]:
        return [each["source"] for each in read(self.engine, self.site.name).events if each["ticket"]]


@pytest.fixture
def interrupted(engine: Engine) -> Iterator[Interrupted]:
    made = Interrupted(engine)
    yield made
    made.writer.stop()


def test_a_slice_that_has_only_looked_lets_a_person_go_first(interrupted):
    interrupted.writer.put_later(interrupted.slice.task())
    interrupted.start()
    assert interrupted.slice.outcome() == DoneAnswer(count=1)
    assert told([interrupted.person]) == ["ticket"]
    assert interrupted.sources() == [Source.DISPENSER, Source.SYNC]
    check_all(read(interrupted.engine, interrupted.site.name))


def test_a_slice_gives_no_way_to_a_job_that_is_put_behind_it(stand):
    looks, order = [], []

    def look() -> int:
        looks.append(len(looks))
        if len(looks) == 1:
            stand.writer.put_later(forget(stand, order.append, "job"))
        return TUESDAY_AT_TEN

    stand.writer._now_ms = look
    slice_ = Asked(slice_of(book_of("b-1", TUESDAY_AT_TEN)))
    stand.start()
    stand.writer.put_later(slice_.task())
    assert slice_.outcome() == DoneAnswer(count=1)
    stand.writer.stop()
    assert order == ["job"]
    assert len(looks) == 2, "each was begun once"


def test_a_slice_that_has_waited_a_second_lets_nobody_go_first(interrupted, monkeypatch):
    monkeypatch.setattr("hub.tasks.LATER_WAITS_S", 0.0)
    interrupted.writer.put_later(interrupted.slice.task())
    interrupted.start()
    assert told([interrupted.person]) == ["ticket"]
    assert interrupted.sources() == [Source.SYNC, Source.DISPENSER]


def test_a_queue_that_is_full_says_busy_and_does_nothing(stand):
    for _ in range(QUEUE_MOST):
        stand.writer.put(lambda: None)
    with pytest.raises(Busy):
        stand.put(stand.issue())
    stand.start()
    with stopped_when_empty(stand.writer):
        pass
    assert isinstance(stand.do(stand.issue()), TicketAnswer)


class stopped_when_empty(stopped):  # noqa: N801 - reads as a phrase
    def __enter__(self) -> None:
        while True:
            try:
                super().__enter__()
            except Busy:
                continue
            return


def test_an_end_does_what_stands_in_both_queues_and_takes_nothing_more(stand):
    order: list[str] = []
    asked = [stand.issue() for _ in range(150)]
    stand.put(*asked)
    stand.writer.put_later(forget(stand, order.append, "job"))
    stand.start()
    stand.writer.stop()
    assert all(each.is_told for each in asked)
    assert told(asked) == ["ticket"] * 150
    assert order == ["job"]
    with pytest.raises(Busy):
        stand.put(stand.issue())
    with pytest.raises(Busy):
        stand.writer.put_later(forget(stand, order.append, "late"))


def test_a_message_that_can_t_be_read_and_an_asker_who_is_gone_do_not_end_the_writer(stand):
    stand.start()

    def unreadable() -> Task | None:
        raise RecursionError("too deep")

    def gone(_: object) -> None:
        raise RuntimeError("Event loop is closed")

    # On a slow machine the writer takes seconds to format a traceback for a terminal: the last command would time out.
    with capture_logs():
        stand.writer.put(unreadable)
        stand.writer.put(Task(stand.issue().command, answered=gone, failed=gone))
        stand.writer.put(Task(stand.issue("same").command, answered=gone, failed=gone))
        stand.writer.put(Task(stand.issue("same").command, answered=gone, failed=gone))
        assert isinstance(stand.do(stand.issue()), TicketAnswer)
    assert len(stand.codes()) == 3


def test_a_flood_of_messages_that_ask_for_nothing_keeps_nobody_from_an_answer(stand):
    asked, flood = stand.issue(), 0

    def nonsense() -> Task | None:
        # Each entry puts the next one, so that the queue is never empty while somebody waits.
        nonlocal flood
        flood += 1
        if not asked.is_told and flood < 100_000:
            stand.writer.put(nonsense)
        return None

    stand.writer.put(nonsense)
    stand.put(asked)
    stand.start()
    assert isinstance(asked.outcome(), TicketAnswer)
    assert flood < 100_000


def test_how_long_a_job_waited_is_not_among_what_people_wait(stand):
    stand.start()
    stand.do(stand.issue())
    stand.do(Asked(ForgetRequests(origin=Origin(Source.JOB, "chores"), before_ms=0)))
    # The writer counts a command after it has answered.
    stand.writer.stop()
    counted = stand.metrics.text().decode()
    assert "suivant_command_seconds_count 1.0" in counted
    assert 'suivant_commands_total{kind="ForgetRequests",outcome="done"} 1.0' in counted


def test_what_a_commit_changed_is_told_though_its_answer_was_lost(engine):
    stand = Stand(engine)
    sent: list[str] = []
    outbox = Outbox(
        engine=engine,
        index=SiteIndex(stand.site),
        topics=Topics(stand.site.name),
        publish=lambda topic, *_, **__: sent.append(topic) is None,
        now_ms=lambda: TUESDAY_AT_TEN,
        put_later=stand.writer.put_later,
        metrics=Metrics("test"),
    )
    stand.writer._after_commit, stand.writer._after_loss = outbox.committed, outbox.recount
    stand.start()
    outbox._count(outbox._reading.connection())
    stand.do(stand.issue())
    # The first round reviews all pictures; the next one publishes only those that a commit names.
    outbox._go_round(0.0)
    sent.clear()
    lose_answer_of_next_commit(stand)
    stand.do(stand.issue())
    assert outbox.waiting["civil"] == 2
    stand.writer.stop()
    outbox._go_round(0.0)
    outbox._reading.lose()
    assert Topics(stand.site.name).hall_state("hall") in sent


def test_no_personal_data_is_logged_when_a_name_can_t_be_stored(engine, capsys):
    stand = Stand(engine)
    stand.execute("drop table visitor_name")
    stand.execute(
        "create table visitor_name "
        "(site text, ticket bigint, name text check (length(name) < 3), delete_after_ms bigint)"
    )
    stand.start()
    outcome = stand.do(Asked(slice_of(book_of(at_ms=TUESDAY_AT_TEN, name="Zoé Exemple-Inventée"))))
    stand.writer.stop()
    said = capsys.readouterr()
    assert isinstance(outcome, DatabaseFault)
    assert "Inventée" not in said.out + said.err + str(outcome)
    assert "command.failed" in said.out + said.err


def test_an_error_of_the_hub_is_no_fault_of_the_database_and_what_it_quotes_is_told_nobody(stand, monkeypatch):
    name = "Zoé Exemple-Inventée"

    def fails(*_: object) -> None:
        raise KeyError(name)

    stand.start()
    monkeypatch.setitem(ANYWHERE, Issue, fails)
    with capture_logs() as logs:
        outcome = stand.do(stand.issue())
    assert isinstance(outcome, HubFault)
    assert str(outcome).startswith("KeyError in test_writer.py:")
    assert [each["error"] for each in logs if each["event"] == "command.failed"] == [str(outcome)]
    assert name not in str(outcome)
    told = re.findall(r"^suivant_database_errors_total\{.*} (.*)$", stand.metrics.text().decode(), re.MULTILINE)
    assert set(told) == {"0.0"}


def test_what_is_committed_is_published_before_anybody_is_answered(stand):
    order: list[str] = []
    stand.writer._after_commit = lambda batch: order.append(f"{len(batch)} published")
    stand.writer.put(Task(stand.issue().command, answered=lambda _: order.append("answered"), failed=print))
    stand.writer.put(Task(stand.issue().command, answered=lambda _: order.append("answered"), failed=print))
    stand.start()
    stand.writer.stop()
    assert order == ["2 published", "answered", "answered"]


def test_committed_is_what_the_publisher_gets(stand):
    got: list[Committed] = []
    stand.writer._after_commit = got.extend
    stand.start()
    answer = stand.do(stand.issue())
    stand.do(Asked(Refresh(origin=Origin(Source.JOB), halls=("hall",))))
    stand.writer.stop()
    assert got[0].answer == answer
    assert got[0].effects.waiting == {"civil": 1}
    assert got[1].effects.halls == {"hall"}
