"""Reports to Publik of its bookings: each is sent once and in order, whatever fails in between."""

import json
import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from hub.appointments.source_refusal import Why, read_refusal
from hub.queue.requests import (
    Cancel,
    CheckIn,
    CheckInByCode,
    ExpireExpected,
    Next,
    Reopen,
    RetryReport,
    SetMode,
)
from hub.queue.states import State
from protocol.messages import DeskMode
from tests.appointments.office import FORM, Office, a_town, publik_source, with_forms
from tests.publik import wcs_side
from tests.publik.faults import Fault
from tests.publik.replies import Reply
from tests.publik.town import WORKFLOW, Status
from tests.queue.harness import HOUR, MINUTE, only

TODAY = "2026-11-24"
TRIGGER = "/jump/trigger/"


class Visit:
    """A booking at eleven, and the actions of its visitor."""

    def __init__(self, office, publik, **facts):
        self.office, self.publik = office, publik
        self.form = publik.town.book(FORM, f"{TODAY} 11:00", **facts)
        office.pass_over()
        office.eventually(lambda: any(each.booking == self.booking for each in office.tickets()))

    @property
    def booking(self):
        return str(self.form.data["rdv_response"]["booking_id"])

    @property
    def ticket(self):
        return next(each for each in self.office.tickets() if each.booking == self.booking)

    def check_in(self):
        self.office.ask(CheckIn, desk="", ticket=self.ticket.id)

    def open_desk(self):
        self.office.ask(SetMode, desk="desk-1", shown=None, mode=DeskMode.OPEN)

    def called(self):
        self.office.clock.turn(HOUR)
        self.office.ask(Next, desk="desk-1", shown=None)
        assert self.ticket.state is State.CALLED

    def finish(self):
        self.office.ask(Next, desk="desk-1", shown=self.ticket.id)

    def told(self):
        """The triggers that Publik was sent for it, in order, without their common prefix."""
        with self.publik.town.lock:
            return [
                each["name"].removeprefix("suivant-") for each in self.publik.town.told if each["id"] == self.form.id
            ]

    def reports(self):
        return [(kind, state) for booking, kind, state in self.office.reports() if booking == self.booking]

    def wait_told(self, *names):
        self.office.eventually(lambda: self.told() == list(names))
        self.office.eventually(lambda: all(state in {"done", "dropped"} for _, state in self.reports()))
        assert self.told() == list(names)


@pytest.fixture
def visit(office, publik):
    return Visit(office, publik)


def test_arrived_and_served_are_told_in_their_order(office, visit):
    visit.check_in()
    visit.wait_told("arrive")
    visit.open_desk()
    visit.called()
    visit.finish()
    visit.wait_told("arrive", "servi")
    assert visit.form.status == "3"


def cancelled_there(office, publik, visit):
    publik.town.cancel(FORM, visit.form.id)
    office.pass_over()
    assert visit.ticket.booking_note == "cancelled"


def wait_dropped(office, visit, *kinds):
    office.eventually(lambda: visit.reports() == [(kind, "dropped") for kind in kinds])
    assert (visit.told(), visit.form.status, office.worker.list_state.failed) == ([], "5", 0)


@pytest.fixture
def acting(quick, shared_engine, clock, publik):
    """An office that reports by global actions, which every status offers."""
    site = a_town(publik.address)
    settings = site.appointments.publik
    triggers = replace(settings.triggers, how="action")
    site = replace(site, appointments=replace(site.appointments, publik=replace(settings, triggers=triggers)))
    made = Office(shared_engine, site, clock, lambda: publik_source(site, clock)).start()
    made.eventually(lambda: made.passes() == 1)
    yield made
    made.close()


def test_who_checks_in_before_the_hub_knows_that_the_booking_is_cancelled_brings_it_back_by_no_action(acting, publik):
    visit = Visit(acting, publik)
    publik.town.cancel(FORM, visit.form.id)
    visit.check_in()
    wait_dropped(acting, visit, "arrived")
    cancelled_there(acting, publik, visit)
    assert visit.ticket.state is State.WAITING


def test_a_ticket_of_a_cancelled_booking_is_cancelled_without_a_report_that_fails(office, publik, visit):
    publik.town.cancel(FORM, visit.form.id)
    visit.check_in()
    wait_dropped(office, visit, "arrived")
    cancelled_there(office, publik, visit)
    office.ask(Cancel, desk="desk-1", ticket=visit.ticket.id)
    wait_dropped(office, visit, "arrived", "cancelled")


def test_an_absence_found_while_the_list_that_says_cancelled_is_under_way_is_not_told(acting, publik):
    visit = Visit(acting, publik)
    publik.town.cancel(FORM, visit.form.id)
    miss(acting, visit)
    acting.clock.turn(HOUR)
    wait_dropped(acting, visit, "absent")


@pytest.fixture
def choosy(quick, shared_engine, clock, publik):
    """An office whose bookings count in a single status only."""
    site = a_town(publik.address, statuses=("Réservé",))
    made = Office(shared_engine, site, clock, lambda: publik_source(site, clock)).start()
    made.eventually(lambda: made.passes() == 1)
    yield made
    made.close()


def test_a_form_that_moves_on_as_it_is_told_of_an_arrival_is_not_taken_for_cancelled(choosy, publik):
    here, away = Visit(choosy, publik), Visit(choosy, publik)
    here.check_in()
    here.wait_told("arrive")
    publik.town.set_status(FORM, away.form.id, "3")
    choosy.pass_over()
    choosy.pass_over(all_of_it=True)
    assert (here.form.status, here.ticket.state, here.ticket.booking_note) == ("2", State.WAITING, None)
    # A visitor who is not here yet is no longer expected once the form has moved on.
    assert away.ticket.state is State.CANCELLED
    publik.town.cancel(FORM, here.form.id)
    choosy.pass_over()
    assert (here.ticket.state, here.ticket.booking_note) == (State.WAITING, "cancelled")


def test_a_pass_asks_nothing_of_bookings_that_lapsed_and_whose_visitors_are_here(choosy, publik):
    checked_in, called_in_vain, away = (Visit(choosy, publik) for _ in range(3))
    checked_in.check_in()
    miss(choosy, called_in_vain)
    choosy.clock.turn(HOUR)
    for visit, name in ((checked_in, "arrive"), (called_in_vain, "absent")):
        visit.wait_told(name)
    before = choosy.changes()
    choosy.pass_over(all_of_it=True)
    choosy.pass_over()
    assert choosy.changes() == before
    publik.town.set_status(FORM, away.form.id, "3")
    choosy.pass_over()
    assert (choosy.changes() - before, away.ticket.state) == (1, State.CANCELLED)


def test_who_cancels_one_of_two_bookings_at_the_desk_keeps_the_other(new_office, publik):
    office = new_office(
        {"booking": "workflow.data.retrait_response.booking_id", "start": "fields.retrait_raw", "code": ""}
    )
    form = publik.town.book(FORM, f"{TODAY} 11:00")
    form.data["retrait_response"], form.fields["retrait_raw"] = {"err": 0, "booking_id": 7001}, f"{TODAY} 12:00"
    office.pass_over()
    first = str(form.data["rdv_response"]["booking_id"])
    tickets = {each.booking: each.id for each in office.tickets()}
    with capture_logs() as lines:
        office.ask(Cancel, desk="desk-1", ticket=tickets["7001"])
        office.eventually(lambda: reports_of(office, "7001") == [("cancelled", "dropped")])
    (line,) = (each for each in lines if each["event"] == "report.not_told")
    assert (line["kind"], line["reference"]) == ("cancelled", f"{FORM}/{form.id}")
    office.pass_over()
    assert (form.status, only(office.expected()).booking) == ("1", first)
    office.ask(Cancel, desk="desk-1", ticket=tickets[first])
    office.eventually(lambda: reports_of(office, first) == [("cancelled", "done")])
    assert form.status == "5", "with the last one the request is cancelled"


def test_what_a_form_is_to_be_told_goes_to_the_name_that_it_has_by_then(quick, shared_engine, clock, publik):
    site = a_town(publik.address)
    sites = [with_forms(site, form="rdv-civil"), site]
    office = Office(shared_engine, site, clock, lambda: publik_source(sites.pop(), clock)).start()
    try:
        office.eventually(lambda: office.passes() == 1)
        visit = Visit(office, publik)
        publik.faults.append(Fault("drop", match="/api/forms/", times=None))
        visit.check_in()
        office.eventually(lambda: visit.reports() == [("arrived", "waiting")])

        def rename() -> None:
            publik.town.forms["rdv-civil"] = publik.town.forms.pop(FORM)
            publik.faults.clear()
            # Turn the clock before the first pass starts; later, its signature would be an hour old.
            office.clock.turn(HOUR)

        office.restart(rename)
        visit.wait_told("arrive")
    finally:
        office.close()


def test_what_happened_while_publik_was_away_is_told_in_its_order_once_it_is_back(office, publik, visit):
    publik.faults.append(Fault("drop", times=None))
    visit.check_in()
    visit.open_desk()
    visit.called()
    visit.finish()
    office.eventually(lambda: [kind for kind, _ in visit.reports()] == ["arrived", "served"])
    assert visit.told() == []
    publik.faults.clear()
    office.clock.turn(HOUR)
    visit.wait_told("arrive", "servi")


def test_a_cancellation_by_people_is_told_and_one_of_publik_s_own_is_not(office, publik, visit):
    other = Visit(office, publik)
    office.ask(Cancel, desk="desk-1", ticket=visit.ticket.id)
    publik.town.cancel(FORM, other.form.id)
    office.pass_over()
    visit.wait_told("annule")
    assert other.told() == []
    assert other.ticket.state is State.CANCELLED


def test_an_absence_is_told_once_it_is_final(office, visit):
    office.clock.turn(HOUR + 5 * MINUTE)
    office.do_later(ExpireExpected(origin=office.queue.origin(), ticket=visit.ticket.id)).result(20)
    office.eventually(lambda: visit.reports() == [("absent", "waiting")])
    office.pass_over()
    assert visit.told() == []
    office.clock.turn(HOUR)
    visit.wait_told("absent")


def test_who_comes_late_was_never_absent_for_publik(office, visit):
    office.clock.turn(HOUR + 5 * MINUTE)
    office.do_later(ExpireExpected(origin=office.queue.origin(), ticket=visit.ticket.id)).result(20)
    office.eventually(lambda: visit.reports() == [("absent", "waiting")])
    office.ask(CheckIn, desk="", ticket=visit.ticket.id)
    visit.wait_told("arrive")
    office.clock.turn(2 * HOUR)
    office.pass_over()
    assert visit.reports() == [("absent", "dropped"), ("arrived", "done")]


def miss(office, visit):
    office.clock.turn(HOUR + 5 * MINUTE)
    office.do_later(ExpireExpected(origin=office.queue.origin(), ticket=visit.ticket.id)).result(20)
    office.eventually(lambda: visit.reports() == [("absent", "waiting")])


def reports_of(office, booking):
    return [(kind, state) for of, kind, state in office.reports() if of == booking]


def test_who_was_absent_and_takes_another_time_is_not_told_absent_from_that_one(choosy, publik):
    office, visit = choosy, Visit(choosy, publik)
    missed = visit.booking
    miss(office, visit)
    publik.town.move(FORM, visit.form.id, "2026-11-25 11:00")
    office.pass_over()
    office.eventually(lambda: reports_of(office, missed) == [("absent", "dropped")])
    office.clock.turn(2 * HOUR)
    office.pass_over(all_of_it=True)
    assert (visit.told(), visit.ticket.state, visit.form.status) == ([], State.EXPECTED, "1")


def test_who_was_absent_and_cancels_then_is_told_of_no_more(office, publik, visit):
    miss(office, visit)
    publik.town.cancel(FORM, visit.form.id)
    office.pass_over()
    office.eventually(lambda: visit.reports() == [("absent", "dropped")])


def moved_while_here(office, publik, visit, start):
    """Move the booking of a visitor who is here: same code, new booking. Return the tickets before and after."""
    visit.check_in()
    visit.wait_told("arrive")
    old = visit.ticket
    publik.town.move(FORM, visit.form.id, start)
    office.pass_over()
    return next(each for each in office.tickets() if each.id == old.id), visit.ticket


def miss_new(office, visit, other):
    """Mark the new booking absent, then wait for the report of the other's arrival: all earlier reports are planned."""
    office.do_later(ExpireExpected(origin=office.queue.origin(), ticket=visit.ticket.id)).result(20)
    assert visit.ticket.state is State.ABSENT
    other.check_in()
    other.wait_told("arrive")


@pytest.mark.parametrize("served", [True, False])
def test_who_was_here_when_the_booking_was_moved_is_not_told_absent_from_the_new_one(office, publik, visit, served):
    other = Visit(office, publik)
    before, after = moved_while_here(office, publik, visit, f"{TODAY} 11:30")
    assert (before.booking_note, after.state, after.id != before.id) == ("moved", State.EXPECTED, True)
    office.clock.turn(HOUR)
    if served:
        visit.open_desk()
        office.ask(Next, desk="desk-1", shown=None)
        office.ask(Next, desk="desk-1", shown=before.id)
    office.clock.turn(35 * MINUTE)
    miss_new(office, visit, other)
    assert (visit.reports(), visit.form.status) == ([], "2")


def test_who_was_here_and_moved_to_another_day_may_be_absent_on_that_one(office, publik, visit):
    other = Visit(office, publik)
    publik.town.move(FORM, other.form.id, "2026-11-25 11:00")
    moved_while_here(office, publik, visit, "2026-11-25 09:00")
    office.clock.turn(23 * HOUR + 5 * MINUTE)
    miss_new(office, visit, other)
    assert [kind for kind, _ in visit.reports()] == ["absent"]


def test_who_scans_again_after_the_booking_was_moved_to_an_earlier_time_keeps_the_number(office, publik, visit):
    code = visit.form.fields["code_rdv"]
    first = office.ask(CheckInByCode, confirmation=code)
    publik.town.move(FORM, visit.form.id, f"{TODAY} 10:30")
    office.pass_over()
    again = office.ask(CheckInByCode, confirmation=code)
    assert (again.arrival, again.ticket.number) == ("again", first.ticket.number)


def test_what_became_of_a_booking_is_not_told_to_a_request_that_has_another_by_now(office, publik, visit):
    cancelled = visit.booking
    publik.faults.append(Fault("drop", times=None))
    office.ask(Cancel, desk="desk-1", ticket=visit.ticket.id)
    office.eventually(lambda: visit.reports() == [("cancelled", "waiting")])
    publik.town.move(FORM, visit.form.id, "2026-11-25 11:00")
    publik.faults.clear()
    office.clock.turn(HOUR)
    office.eventually(lambda: reports_of(office, cancelled) == [("cancelled", "dropped")])
    office.pass_over()
    assert (visit.told(), visit.ticket.state, visit.form.status) == ([], State.EXPECTED, "1")


def test_a_booking_that_its_request_hides_by_now_is_told_of_though_another_is_shown(new_office, publik, monkeypatch):
    office = new_office({"booking": "workflow.fields.second_id", "code": ""})
    whole = wcs_side._export

    def export(town, form, *, full):
        shown = whole(town, form, full=full)
        shown.get("workflow", {})["fields"] = {"second_id": "7001"}
        return shown

    monkeypatch.setattr(wcs_side, "_export", export)
    visit = Visit(office, publik)
    publik.town.switches.anonymised = True
    visit.check_in()
    visit.wait_told("arrive")


def test_an_absence_that_was_refused_holds_back_nobody_s_arrival(office, publik, visit):
    miss(office, visit)
    publik.town.switches.condition_met = False
    office.clock.turn(HOUR)
    office.eventually(lambda: visit.reports() == [("absent", "failed")])
    publik.town.switches.condition_met = True
    office.ask(CheckIn, desk="", ticket=visit.ticket.id)
    visit.wait_told("arrive")
    assert visit.reports() == [("absent", "dropped"), ("arrived", "done")]


def test_a_maintenance_that_redirects_is_waited_for(office, publik, visit):
    publik.faults.append(Fault("redirect", times=None))
    visit.check_in()
    office.eventually(lambda: any(path.endswith(f"/{visit.form.id}/") for _, path, _ in publik.calls))
    publik.faults.clear()
    office.clock.turn(HOUR)
    visit.wait_told("arrive")


def test_a_visit_finished_by_mistake_is_served_once(office, publik, visit):
    visit.check_in()
    visit.wait_told("arrive")
    visit.open_desk()
    visit.called()
    publik.faults.append(Fault("drop", times=None))
    visit.finish()
    office.eventually(lambda: visit.reports()[-1][0] == "served")
    office.ask(Reopen, desk="desk-1", ticket=visit.ticket.id)
    office.eventually(lambda: visit.reports()[-1] == ("served", "dropped"))
    publik.faults.clear()
    office.clock.turn(HOUR)
    visit.finish()
    visit.wait_told("arrive", "servi")


# --- a try with an unknown outcome --------------------------------------------------------------------------------


@pytest.mark.parametrize("works", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("kind", ["hang", "drop", "cut", "html"])
def test_after_a_try_without_an_answer_the_form_s_status_says_whether_it_was_done(office, publik, visit, kind, works):
    publik.faults.append(Fault(kind, match=TRIGGER, works=works, status=502))
    visit.check_in()
    office.eventually(lambda: any(TRIGGER in path for _, path, _ in publik.calls))
    visit.wait_told("arrive")
    assert visit.form.status == "2"


def test_a_trigger_that_the_next_status_knows_too_is_not_pulled_twice(office, publik):
    visit = Visit(office, publik, status="6")
    publik.faults.append(Fault("hang", match=TRIGGER, works=True))
    visit.check_in()
    office.eventually(lambda: visit.form.status == "7")
    office.clock.turn(HOUR)
    visit.wait_told("arrive")
    assert visit.form.status == "7"


def test_a_hub_that_stops_in_the_middle_of_a_try_tells_it_once(office, publik, visit):
    publik.faults.append(Fault("slow", match=TRIGGER, seconds=0.4))
    visit.check_in()
    office.eventually(lambda: visit.told() == ["arrive"])
    office.restart()
    office.clock.turn(HOUR)
    visit.wait_told("arrive")


def test_a_try_that_was_surely_refused_is_a_first_one_again_whatever_an_officer_does_meanwhile(office, publik, visit):
    publik.faults.append(Fault("status", match=TRIGGER, status=403))
    visit.check_in()
    office.eventually(lambda: not publik.faults)
    office.eventually(lambda: visit.reports() == [("arrived", "waiting")])
    publik.town.set_status(FORM, visit.form.id, "6")
    office.clock.turn(HOUR)
    visit.wait_told("arrive")


def in_doubt(office, publik, visit, kind):
    """Let tries hang without effect until the faults are cleared; return a function that waits for one."""
    publik.faults.append(Fault("hang", match=TRIGGER, times=None))
    before = _triggers(publik)
    # The report is stored as tried before Publik is called.
    return lambda: office.eventually(lambda: visit.reports()[-1] == (kind, "trying") and _triggers(publik) > before)


def _triggers(publik):
    return sum(TRIGGER in path for _, path, _ in publik.calls)


def test_an_absence_that_a_time_out_left_open_is_not_told_of_who_came_meanwhile(office, publik, visit):
    miss(office, visit)
    wait_for_doubt = in_doubt(office, publik, visit, "absent")
    office.clock.turn(HOUR)
    wait_for_doubt()
    office.ask(CheckIn, desk="", ticket=visit.ticket.id)
    # By then the absence is still open, or already dropped by the worker's next look.
    office.eventually(lambda: [kind for kind, _ in visit.reports()] == ["absent", "arrived"])
    publik.faults.clear()
    office.clock.turn(HOUR)
    visit.wait_told("arrive")
    assert visit.reports() == [("absent", "dropped"), ("arrived", "done")]


@pytest.mark.parametrize("finished_again", [False, True])
def test_a_visit_that_a_time_out_left_open_and_that_was_reopened_is_served_once_it_is(
    office, publik, visit, finished_again
):
    visit.check_in()
    visit.wait_told("arrive")
    visit.open_desk()
    visit.called()
    wait_for_doubt = in_doubt(office, publik, visit, "served")
    visit.finish()
    wait_for_doubt()
    office.ask(Reopen, desk="desk-1", ticket=visit.ticket.id)
    if finished_again:
        visit.finish()
    publik.faults.clear()
    office.clock.turn(HOUR)
    if not finished_again:
        office.eventually(lambda: visit.reports()[-1] == ("served", "dropped"))
        assert visit.told() == ["arrive"]
        visit.finish()
    visit.wait_told("arrive", "servi")


# --- refused ------------------------------------------------------------------------------------------------------


def test_a_step_that_the_form_does_not_know_stands_before_an_agent_and_holds_back_what_follows(office, publik, visit):
    other = Visit(office, publik)
    publik.town.set_status(FORM, visit.form.id, "3")
    visit.check_in()
    other.check_in()
    office.eventually(lambda: visit.reports() == [("arrived", "failed")])
    other.wait_told("arrive")
    office.eventually(lambda: office.worker.list_state.failed == 1)
    visit.open_desk()
    visit.called()
    visit.finish()
    office.eventually(lambda: visit.reports() == [("arrived", "failed"), ("served", "waiting")])
    office.pass_over()
    assert visit.told() == []
    publik.town.set_status(FORM, visit.form.id, "1")
    office.ask(RetryReport, report=report_of(office, visit))
    visit.wait_told("arrive", "servi")
    office.eventually(lambda: office.worker.list_state.failed == 0)


@pytest.fixture
def documented(monkeypatch):
    """Publik's workflow has the jumps of the table in docs/publik.md, and no others."""
    text = (Path(__file__).parents[2] / "docs" / "publik.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| `([a-z-]+)` \| ([^|]+) \|$", text, re.MULTILINE)
    ids = {status.name: id_ for id_, status in WORKFLOW.items()}
    jumps = [(ids[name], trigger, ids[to]) for froms, trigger, to in rows for name in froms.split(", ")]
    assert {trigger for _, trigger, _ in jumps} == {
        f"suivant-{each}" for each in ("arrive", "servi", "absent", "annule")
    }
    for id_, status in list(WORKFLOW.items()):
        triggers = {trigger: to for own, trigger, to in jumps if own == id_}
        monkeypatch.setitem(WORKFLOW, id_, Status(status.name, triggers))


@pytest.mark.parametrize(("status", "told"), [("2", ["arrive", "servi"]), ("3", ["servi"]), ("4", ["arrive", "servi"])])
def test_in_the_documented_workflow_an_officer_who_took_the_step_by_hand_holds_nothing_back(
    office, publik, visit, documented, status, told
):
    visit.open_desk()
    if status == "3":
        visit.check_in()
        visit.wait_told("arrive")
        visit.called()
        publik.town.set_status(FORM, visit.form.id, status)
        visit.finish()
        visit.wait_told("arrive", *told)
    else:
        publik.town.set_status(FORM, visit.form.id, status)
        visit.check_in()
        visit.wait_told("arrive")
        visit.called()
        visit.finish()
        visit.wait_told(*told)
    assert visit.form.status == "3"


@pytest.mark.parametrize("fault", [None, "hang"])
def test_in_the_documented_workflow_who_moves_the_booking_while_here_is_told_of_at_the_second_visit(
    office, publik, visit, documented, fault
):
    moved_while_here(office, publik, visit, f"{TODAY} 11:30")
    if fault:
        publik.faults.append(Fault(fault, match=TRIGGER))
    office.ask(CheckIn, desk="", ticket=visit.ticket.id)
    office.clock.turn(MINUTE)
    visit.wait_told("arrive", "arrive")
    assert visit.form.status == "2"


def report_of(office, visit):
    return next(row[1] for row in office.queue.table("report") if row[2] == visit.booking and row[9] == "failed")


def test_a_404_after_a_time_out_is_a_failure_while_the_status_says_so(office, publik, visit):
    publik.town.set_status(FORM, visit.form.id, "3")
    publik.faults.append(Fault("hang", match=TRIGGER))
    visit.check_in()
    office.eventually(lambda: visit.reports() == [("arrived", "failed")])
    assert len([path for _, path, _ in publik.calls if TRIGGER in path]) == 2
    assert visit.told() == []


@pytest.mark.parametrize("status", ["\ud800", "1\0", "1" * 301], ids=["half a sign", "NUL", "long"])
def test_a_status_that_no_database_keeps_is_a_failure_of_its_report_alone(office, publik, visit, monkeypatch, status):
    """Such a report used to be retried each second before all others, and so it blocked them."""
    whole = wcs_side._export

    def export(town, form, *, full):
        shown = whole(town, form, full=full)
        if form.id == visit.form.id and full:
            shown["workflow"]["real_status"] = {"id": status, "name": "Réservé"}
        return shown

    monkeypatch.setattr(wcs_side, "_export", export)
    monkeypatch.setattr(wcs_side, "answer", lambda value: Reply(200, json.dumps(value).encode()))
    other = Visit(office, publik)
    visit.check_in()
    other.check_in()
    other.wait_told("arrive")
    office.eventually(lambda: visit.reports() == [("arrived", "failed")])
    (error,) = (row[-1] for row in office.queue.table("report") if row[2] == visit.booking)
    assert read_refusal(error).why is Why.ODD


def test_that_a_ticket_is_cancelled_whose_request_was_removed_is_no_failure(office, publik, visit):
    publik.town.lose(FORM, visit.form.id)
    office.ask(Cancel, desk="desk-1", ticket=visit.ticket.id)
    office.eventually(lambda: visit.reports() in ([("cancelled", "dropped")], [("cancelled", "failed")]))
    assert visit.reports() == [("cancelled", "dropped")]


def test_a_form_that_is_gone_fails_and_the_others_are_told(office, publik, visit):
    other = Visit(office, publik)
    publik.town.lose(FORM, visit.form.id)
    visit.check_in()
    other.check_in()
    office.eventually(lambda: visit.reports() == [("arrived", "failed")])
    other.wait_told("arrive")


# --- many ---------------------------------------------------------------------------------------------------------


def test_an_hour_without_publik_in_a_morning_loses_and_doubles_nothing(office, publik):
    visits = [Visit(office, publik) for _ in range(12)]
    visits[0].open_desk()
    publik.faults.append(Fault("hang", match=TRIGGER, works=True, times=2))
    publik.faults.append(Fault("drop", times=None))
    booked_meanwhile = publik.town.book(FORM, f"{TODAY} 16:00")
    for visit in visits:
        visit.check_in()
    office.clock.turn(HOUR)
    for _ in visits[:6]:
        shown = next((each.id for each in office.tickets(State.CALLED)), None)
        office.ask(Next, desk="desk-1", shown=shown)
        office.clock.turn(5 * MINUTE)
    publik.faults.clear()
    publik.faults.append(Fault("hang", match=TRIGGER, works=True, times=2))
    for _ in range(8):
        office.clock.turn(15 * MINUTE)
        office.pass_over()
    served = {each.booking for each in office.tickets(State.SERVED)}
    assert len(served) == 5
    for visit in visits:
        visit.wait_told(*(["arrive", "servi"] if visit.booking in served else ["arrive"]))
    assert [each.booking for each in office.expected()] == [str(booked_meanwhile.data["rdv_response"]["booking_id"])]
    assert len(office.tickets()) == 13
