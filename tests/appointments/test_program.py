"""`suivant hub` as a program, with a Publik or a file: killed, suspended for a while, called by Publik, or alone."""

import json
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from hub.database.engine import open_engine
from tests.appointments.office import FORM
from tests.broker import Broker, start_broker
from tests.databases import sqlite_url
from tests.hub.test_program import LIMIT_S, SITE, SITE_FILE, Program
from tests.publik.faults import Fault
from tests.publik.server import CLIENT, KEY, TestPublik
from tests.publik.town import Town

PARIS = ZoneInfo("Europe/Paris")
TRIGGER = "/jump/trigger/"
PUBLIK = """\
appointments:
  sync_every_s: 10
  publik:
    address: {address}
    client: {client}
    forms:
      - service: civil
        form: {form}
        booking: workflow.data.rdv_response.booking_id
        start: fields.rdv_raw
        code: fields.code_rdv
        names: [fields.prenom, fields.nom]
        cancelled_statuses: ["5"]
    triggers: {{arrived: suivant-arrive, served: suivant-servi, absent: suivant-absent, cancelled: suivant-annule}}
"""


class TownHall:
    """A hub's folder and database, and the programs started on it one after the other."""

    def __init__(self, folder: Path, broker: Broker, url: str) -> None:
        self.folder, self.broker, self.url = folder, broker, url
        self.engine = open_engine(url)
        self.programs: list[Any] = []
        self.site_file("")

    def site_file(self, appointments: str, **changes: str) -> None:
        said = SITE_FILE + appointments
        for old, new in changes.items():
            said = said.replace(old, new)
        (self.folder / "site.yaml").write_text(said, encoding="utf-8")
        (self.folder / "key").write_text(KEY, encoding="utf-8")
        (self.folder / "key").chmod(0o600)

    def start(self) -> Any:
        settings = {"SUIVANT_PUBLIK_KEY_FILE": str(self.folder / "key"), "SUIVANT_STATE_DIR": str(self.folder)}
        program = Program(self.broker, self.url, self.folder, **settings)
        self.programs.append(program)
        program.wait_for("hub.serves")
        return program

    def rows(self, statement: str) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement)).all())

    def until(self, holds: Callable[[], Any]) -> Any:
        end, pause = time.monotonic() + LIMIT_S, threading.Event()
        while not (found := holds()):
            assert time.monotonic() < end, self.programs[-1].log[-20:]
            pause.wait(0.05)
        return found

    def ticket(self, booking: str) -> int:
        """Wait for the booking's ticket; return its id."""
        return self.until(lambda: self.rows(f"select ticket from booking where id = '{booking}'"))[0][0]  # noqa: S608

    def close(self) -> None:
        for program in self.programs:
            program.close()
        self.engine.dispose()


@pytest.fixture
def town(tmp_path):
    with start_broker(tmp_path / "broker", site=SITE) as broker:
        made = TownHall(tmp_path, broker, sqlite_url(tmp_path))
        yield made
        made.close()


@pytest.fixture(autouse=True)
def one_day():
    """Skip just before midnight: a booking of today must still be of today when it is checked."""
    now = datetime.now(PARIS)
    if (now + timedelta(minutes=3)).date() != now.date():
        pytest.skip("an appointment of this minute would soon be yesterday's")


@pytest.fixture
def publik(town):
    made = Town()
    made.add_form(FORM)
    with TestPublik(town=made) as publik:
        town.site_file(PUBLIK.format(address=publik.address, client=CLIENT, form=FORM))
        yield publik


def book(publik):
    """Book an appointment for the current minute: it is always today's, and not late yet."""
    form = publik.town.book(FORM, f"{datetime.now(PARIS):%Y-%m-%d %H:%M}")
    return form, str(form.data["rdv_response"]["booking_id"]), form.fields["code_rdv"]


def check_in(program, ticket):
    program.post(f"/api/v1/desks/desk-1/tickets/{ticket}/check-in")


def test_a_change_in_publik_stands_on_the_staff_page_after_the_next_pass_and_names_nobody_in_the_log(town, publik):
    program = town.start()
    assert "Exemple-Inventée" not in program.get("/desks/desk-1")
    book(publik)
    town.until(lambda: "Exemple-Inventée" in program.get("/desks/desk-1"))
    assert program.end() == 0
    assert "Exemple" not in "".join(program.log)


def test_a_push_of_publik_stands_on_the_staff_page_without_a_pass(town, publik):
    town.site_file(
        PUBLIK.format(address=publik.address, client=CLIENT, form=FORM), **{"sync_every_s: 10": "sync_every_s: 3600"}
    )
    program = town.start()
    town.until(lambda: publik.calls)
    publik.pushing.to = program.wait_for("hub.serves")["address"].rstrip("/") + "/api/v1/publik/push"
    book(publik)
    assert publik.pushing.answered.get(timeout=LIMIT_S) == 200
    town.until(lambda: "Exemple-Inventée" in program.get("/desks/desk-1"))
    publik.pushing.key = publik.pushing._key = "another-key"
    book(publik)
    assert publik.pushing.answered.get(timeout=LIMIT_S) == 403


@pytest.mark.parametrize("works", [True, False], ids=["the trigger was taken", "it was not"])
def test_killed_between_the_try_and_its_end_the_next_run_tells_it_once(town, publik, works):
    form, booking, _ = book(publik)
    program = town.start()
    ticket = town.ticket(booking)
    publik.faults.append(Fault("hang", match=TRIGGER, works=works))
    check_in(program, ticket)
    town.until(lambda: any(TRIGGER in path for _, path, _ in publik.calls))
    town.until(lambda: bool(publik.town.told) is works)
    assert [state for (state,) in town.rows("select state from report")] == ["trying"]
    program.end(signal.SIGKILL)
    publik.faults.clear()
    town.start()
    town.until(lambda: [state for (state,) in town.rows("select state from report")] == ["done"])
    assert [told["name"] for told in publik.town.told] == ["suivant-arrive"]
    assert form.status == "2"


def test_without_publik_it_starts_calls_visitors_and_ends_in_order(town, publik):
    publik.faults.append(Fault("hang", times=None))
    program = town.start()
    program.post("/api/v1/desks/desk-1/open")
    assert json.loads(program.get("/healthz"))
    town.until(lambda: publik.calls)
    assert program.end() == 0
    assert "Traceback" not in "".join(program.log)


def test_without_publik_and_without_a_file_nothing_frightening_is_said(town):
    program = town.start()
    town.until(lambda: 'suivant_listings_total{asked="all",outcome="done"} 1.0' in program.get("/metrics"))
    said = "".join(line for line in program.log if "site_file" not in line)
    assert "appointments" not in said
    assert '"level": "error"' not in said
    assert '"level": "warning"' not in said
    assert program.end() == 0


def csv_line(number, at):
    return f"{number};civil;{at:%Y-%m-%dT%H:%M:%S};R{number};Zoé Exemple-Inventée\n"


def test_a_file_in_the_state_folder_is_enough(town):
    (town.folder / "appointments.csv").write_text(f"id;service;start;code;name\n{csv_line(1, datetime.now(PARIS))}")
    program = town.start()
    town.ticket("1")
    assert "Exemple-Inventée" in program.get("/desks/desk-1")


def test_a_file_that_is_missing_at_the_next_start_is_said_and_its_bookings_stay(town):
    file = town.folder / "appointments.csv"
    file.write_text(f"id;service;start;code;name\n{csv_line(1, datetime.now(PARIS) + timedelta(days=1))}")
    program = town.start()
    ticket = town.ticket("1")
    assert program.end() == 0
    file.unlink()
    program = town.start()
    assert "appointments.csv no longer exists" in program.wait_for("appointments.not_listed")["reason"]
    town.until(lambda: "appointments.csv n’est pas lisible" in program.get("/desks/desk-1"))
    assert town.rows(f"select state from ticket where id = {ticket}") == [("expected",)]  # noqa: S608
    assert program.end() == 0


def stopped_before_its_time(town):
    """The program, suspended before the time of its booking. A busy machine may need a second or third try."""
    for number, wait_s in enumerate((6, 20, 60), start=1):
        due = datetime.now(PARIS).replace(microsecond=0) + timedelta(seconds=wait_s)
        (town.folder / "appointments.csv").write_text(f"id;service;start;code;name\n{csv_line(number, due)}")
        program = town.start()
        ticket = town.ticket(str(number))
        program.process.send_signal(signal.SIGSTOP)
        stopped = datetime.now(PARIS)
        if stopped < due:
            return program, ticket, due, (due - stopped).total_seconds()
        program.process.send_signal(signal.SIGCONT)
        assert program.end() == 0
    pytest.fail("the machine is too slow to begin")


def test_stopped_over_the_moment_of_an_absence_it_marks_it_once_with_the_true_times(town):
    town.site_file("", **{"    hall: hall\n": "    hall: hall\n    absence_delay_min: 0\n"})
    program, ticket, due, left_s = stopped_before_its_time(town)
    state = f"select state from ticket where id = {ticket}"  # noqa: S608
    # Nothing but the time itself can be waited for.
    threading.Event().wait(left_s + 1.5)
    assert town.rows(state) == [("expected",)]
    program.process.send_signal(signal.SIGCONT)
    town.until(lambda: town.rows(state) == [("absent",)])
    program.wait_for("hub.serves")
    assert program.end() == 0
    marks = town.rows(f"select at_ms from ticket_event where ticket = {ticket} and event = 'absent'")  # noqa: S608
    due_ms = int(due.timestamp() * 1000)
    assert len(marks) == 1
    assert marks[0][0] > due_ms + 1_000, "when it was found"
    ended = town.rows(f"select ended_ms from ticket where id = {ticket}")  # noqa: S608
    assert ended == [(due_ms,)], "when it was due"
