"""The queue stays in step with a Publik, whatever fails in between."""

import threading
from dataclasses import replace

import pytest

from hub.appointments import sync
from hub.appointments.source import Hint
from hub.queue.requests import Admit, Cancel, CheckIn, CheckInByCode, ExpireExpected
from hub.queue.states import State
from tests.appointments.office import FORM, LIMIT_S
from tests.publik import wcs_side
from tests.publik.faults import Fault
from tests.publik.town import WORKFLOW
from tests.queue.harness import DAY, HOUR, MINUTE, moment, only

TODAY = "2026-11-24"
TOMORROW = "2026-11-25"


def book(publik, at="11:00", **facts):
    return publik.town.book(FORM, f"{TODAY} {at}", **facts)


def booking_of(form):
    return str(form.data["rdv_response"]["booking_id"])


def test_what_publik_has_at_the_start_is_expected(office, publik):
    form = book(publik)
    office.pass_over(all_of_it=True)
    ticket = only(office.expected())
    assert ticket.booking == booking_of(form)
    assert ticket.appointment_ms == moment(f"{TODAY} 11:00")
    assert [row[2] for row in office.queue.table("visitor_name")] == ["Zoé Exemple-Inventée"]


def test_a_name_that_publik_corrects_or_tells_later_arrives_and_changes_nothing_twice(office, publik):
    forms = [book(publik), book(publik, "12:00")]
    kept = [form.fields.pop("nom") for form in forms], [form.fields.pop("prenom") for form in forms[:1]]
    office.pass_over(all_of_it=True)
    assert names(office) == ["Zoé"]
    for form, name in zip(forms, kept[0], strict=True):
        form.fields["nom"] = name
    office.pass_over(all_of_it=True)
    assert sorted(names(office)) == ["Exemple-Inventée", "Zoé Exemple-Inventée"]
    forms[0].fields["prenom"] = kept[1][0]
    publik.town.touch(forms[0])
    office.pass_over()
    assert names(office) == ["Zoé Exemple-Inventée"] * 2
    before = office.changes()
    office.pass_over(all_of_it=True)
    assert (office.changes(), len(office.tickets())) == (before, 2)


def names(office):
    return [row[2] for row in office.queue.table("visitor_name")]


def test_names_of_a_day_that_has_ended_are_asked_for_no_more(office, publik):
    form = book(publik)
    name = form.fields.pop("nom"), form.fields.pop("prenom")
    office.pass_over(all_of_it=True)
    office.clock.turn(10 * HOUR)
    form.fields["nom"], form.fields["prenom"] = name
    before = office.changes()
    office.pass_over(all_of_it=True)
    assert (office.changes(), names(office)) == (before, [])


def test_what_is_booked_moved_and_cancelled_meanwhile_is_so_after_the_next_pass(office, publik):
    office.pass_over()
    moved, cancelled = book(publik), book(publik, "12:00")
    office.pass_over()
    assert len(office.expected()) == 2
    publik.town.move(FORM, moved.id, f"{TODAY} 15:00")
    publik.town.cancel(FORM, cancelled.id)
    office.pass_over()
    assert only(office.expected()).appointment_ms == moment(f"{TODAY} 15:00")
    office.pass_over(all_of_it=True)
    assert len(office.expected()) == 1
    assert len(office.tickets(State.CANCELLED)) == 2


def test_a_pass_over_what_changed_does_not_list_all(office, publik):
    book(publik)
    office.pass_over(all_of_it=True)
    office.clock.turn(HOUR)
    book(publik, "12:00")
    publik.calls.clear()
    office.pass_over()
    assert len(office.expected()) == 2
    assert all("filter-start-mtime-value=2026-11-24" in query for _, _, query in publik.calls)


def test_a_lost_booking_is_gone_after_a_full_pass_alone_and_found_again_is_booked_again(office, publik):
    form = book(publik)
    office.pass_over(all_of_it=True)
    kept = publik.town.forms[FORM].pop(form.id)
    office.pass_over()
    assert len(office.expected()) == 1
    office.pass_over(all_of_it=True)
    assert office.expected() == []
    publik.town.forms[FORM][form.id] = kept
    office.pass_over(all_of_it=True)
    first, second = office.tickets()
    assert (first.state, second.state) == (State.CANCELLED, State.EXPECTED)
    assert first.booking == second.booking


def test_a_push_is_looked_up_at_once(office, publik):
    office.pass_over()
    form = book(publik)
    publik.calls.clear()
    office.worker.hint(Hint(f"{FORM}/{form.id}"))
    office.eventually(lambda: len(office.expected()) == 1)
    assert all("list" not in path for _, path, _ in publik.calls)


def test_many_pushes_and_one_that_says_nothing_are_one_pass(office, publik):
    office.pass_over()
    forms = [book(publik, f"{hour}:00") for hour in range(11, 18)]
    office.worker.hint(None)
    for form in forms:
        office.worker.hint(Hint(f"{FORM}/{form.id}"))
    office.eventually(lambda: len(office.expected()) == len(forms))


def test_after_check_in_people_decide(office, publik):
    form = book(publik)
    office.pass_over()
    ticket = only(office.expected())
    office.ask(CheckIn, desk="", ticket=ticket.id)
    publik.town.cancel(FORM, form.id)
    office.pass_over()
    here = only(office.tickets())
    assert (here.state, here.booking_note) == (State.WAITING, "cancelled")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "hang"},
        {"kind": "drop"},
        {"kind": "cut"},
        {"kind": "html", "status": 502},
        {"kind": "status", "status": 403},
        {"kind": "status", "status": 500},
        {"kind": "err"},
        {"kind": "redirect"},
    ],
    ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}",
)
def test_publik_away_in_any_way_takes_nothing_and_is_asked_again(office, publik, fault):
    book(publik)
    office.pass_over(all_of_it=True)
    publik.town.lose(FORM, 1)
    other = book(publik, "12:00")
    publik.faults.append(Fault(times=None, **fault))
    before = office.passes()
    office.worker.ask_pass(all_of_it=True)
    office.eventually(lambda: office.worker.list_state.reason is not None)
    assert office.passes() == before
    assert len(office.expected()) == 1, "the last list stands"
    publik.faults.clear()
    office.eventually(lambda: office.worker.list_state.reason is None)
    assert only(office.expected()).booking == booking_of(other)
    assert office.seen >= 2, "staff were shown both"


def test_a_hub_that_starts_without_publik_starts_and_says_how_old_its_list_is(office, publik):
    book(publik)
    office.pass_over(all_of_it=True)
    office.eventually(lambda: office.worker.list_state.as_of_ms is not None)
    assert not office.worker.list_state.late
    publik.faults.append(Fault("drop", times=None))
    office.restart()
    office.eventually(lambda: office.worker.list_state.late)
    assert office.worker.list_state.as_of_ms is None
    assert len(office.expected()) == 1
    publik.faults.clear()
    office.eventually(lambda: not office.worker.list_state.late)
    assert len(office.tickets()) == 1, "booked once, over two runs"


def test_a_list_gets_late_by_the_clock_alone(office):
    office.eventually(lambda: office.worker.list_state.as_of_ms is not None)
    assert not office.worker.list_state.late
    seen = office.seen
    office.clock.turn(HOUR)
    office.eventually(lambda: office.worker.list_state.late)
    office.eventually(lambda: office.seen > seen)
    office.pass_over()
    office.eventually(lambda: not office.worker.list_state.late)


def test_the_next_day_comes_into_sight_with_the_next_full_pass(office, publik):
    publik.town.book(FORM, "2026-12-02 10:00")
    office.pass_over(all_of_it=True)
    assert office.tickets() == []
    office.clock.turn(DAY)
    office.pass_over(all_of_it=True)
    assert len(office.expected()) == 1


def test_a_booking_that_can_t_be_shown_is_a_flaw_until_it_is_told_right(office, publik):
    form = book(publik)
    form.fields["rdv_raw"] = "demain"
    other = book(publik, "12:00")
    office.pass_over(all_of_it=True)
    office.eventually(lambda: office.worker.list_state.flaws == 1)
    assert only(office.expected()).booking == booking_of(other)
    form.fields["rdv_raw"] = f"30:{TODAY}-1500"
    publik.town.touch(form)
    office.pass_over()
    office.eventually(lambda: office.worker.list_state.flaws == 0)
    assert len(office.expected()) == 2


def test_an_agenda_s_field_that_is_renamed_cancels_nobody(new_office, publik):
    office = new_office(agenda="fields.agenda_rdv", agendas=("mairie",))
    forms = [book(publik), book(publik, "12:00")]
    office.pass_over()
    here, _ = office.expected()
    office.ask(CheckIn, desk="", ticket=here.id)
    for form in forms:
        form.fields["guichet_rdv"] = form.fields.pop("agenda_rdv")
    office.pass_over(all_of_it=True)
    first, second = office.tickets()
    assert (first.state, first.booking_note, second.state) == (State.WAITING, None, State.EXPECTED)
    office.eventually(lambda: office.worker.list_state.flaws == 2)


@pytest.mark.parametrize("all_of_it", [True, False])
def test_a_known_booking_that_its_request_hides_is_a_flaw_by_any_pass(office, publik, all_of_it):
    form = book(publik)
    office.pass_over()
    publik.town.switches.anonymised = True
    publik.town.touch(form)
    office.pass_over(all_of_it=all_of_it)
    office.eventually(lambda: office.worker.list_state.flaws == 1)
    assert only(office.expected()).booking == booking_of(form)


@pytest.mark.parametrize("looked_up", [True, False])
def test_of_two_bookings_of_a_request_one_that_is_hidden_is_not_gone(new_office, publik, monkeypatch, looked_up):
    office = new_office({"booking": "workflow.fields.second_id", "code": ""})
    whole = wcs_side._export

    def export(town, form, *, full):
        shown = whole(town, form, full=full)
        shown.get("workflow", {})["fields"] = {"second_id": form.fields.get("second_id")}
        return shown

    monkeypatch.setattr(wcs_side, "_export", export)
    alone, both = book(publik), book(publik, "12:00")
    both.fields["second_id"] = "7001"
    office.pass_over(all_of_it=True)
    assert len(office.expected()) == 3
    publik.town.switches.anonymised = True
    if looked_up:
        office.worker.hint(Hint(f"{FORM}/{both.id}"))
        office.eventually(lambda: office.worker.list_state.flaws == 1)
    else:
        office.pass_over(all_of_it=True)
        office.eventually(lambda: office.worker.list_state.flaws == 2)
    assert {each.booking for each in office.expected()} == {booking_of(alone), booking_of(both), "7001"}


def test_a_request_with_two_bookings_has_two_tickets_of_which_one_may_be_moved(new_office, publik):
    office = new_office({"booking": "workflow.data.retrait_response.booking_id", "start": "fields.retrait_raw"})
    form = book(publik)
    form.data["retrait_response"], form.fields["retrait_raw"] = {"err": 0, "booking_id": 7001}, f"{TODAY} 15:00"
    office.pass_over()
    assert [each.booking for each in office.expected()] == [booking_of(form), "7001"]
    form.data["retrait_response"], form.fields["retrait_raw"] = {"err": 0, "booking_id": 7002}, f"{TODAY} 16:00"
    publik.town.touch(form)
    office.pass_over()
    assert [each.booking for each in office.expected()] == [booking_of(form), "7002"]
    assert only(office.tickets(State.CANCELLED)).booking == "7001"


@pytest.mark.parametrize("way", ["changed", "push"])
def test_a_cancelled_request_whose_booking_is_no_longer_shown_is_cancelled_at_once(office, publik, way):
    forms = [book(publik), book(publik, "12:00"), book(publik, "13:00")]
    office.pass_over()
    here = only([each for each in office.expected() if each.booking == booking_of(forms[0])])
    office.ask(CheckIn, desk="", ticket=here.id)
    for form in forms[:2]:
        form.data.clear()
        publik.town.cancel(FORM, form.id)
    if way == "push":
        for form in forms[:2]:
            office.worker.hint(Hint(f"{FORM}/{form.id}"))
    else:
        office.pass_over()
    office.eventually(lambda: len(office.tickets(State.CANCELLED)) == 1)
    office.eventually(lambda: only(office.tickets(State.WAITING)).booking_note == "cancelled")
    assert only(office.expected()).booking == booking_of(forms[2])
    office.pass_over()
    before = office.changes()
    office.pass_over(all_of_it=True)
    assert office.changes() == before


def test_one_answer_that_is_hardly_json_keeps_no_other_booking_out(office, publik):
    odd, _ = book(publik), book(publik, "12:00")
    odd.data["geo_response"] = {"lat": float("nan")}
    office.pass_over()
    assert len(office.expected()) == 2


def test_a_code_s_field_that_is_dropped_leaves_the_code_that_a_visitor_holds(office, publik):
    form = book(publik, code="KXA7")
    office.pass_over()
    del form.fields["code_rdv"]
    publik.town.touch(form)
    office.pass_over()
    assert office.ask(CheckInByCode, confirmation="KXA7").arrival == "early"


@pytest.mark.parametrize("from_the_start", [False, True])
def test_a_list_is_as_old_as_that_of_the_form_that_is_refused_until_it_is_read_again(
    new_office, publik, from_the_start
):
    publik.town.add_form("second")
    refused = Fault("status", match="/forms/second/", status=403, times=None)
    if from_the_start:
        publik.faults.append(refused)
    office = new_office({"form": "second", "service": "papers"})
    if not from_the_start:
        publik.faults.append(refused)
    # The list's state is set at the end of a round, after its pass is counted.
    office.eventually(
        lambda: bool(office.worker.list_state.reason if from_the_start else office.worker.list_state.as_of_ms)
    )
    as_of_ms = office.worker.list_state.as_of_ms
    office.clock.turn(HOUR)
    office.pass_over()
    book(publik, "12:00")
    office.pass_over()
    office.eventually(lambda: office.worker.list_state.behind)
    assert len(office.expected()) == 1
    state = office.worker.list_state
    assert (state.as_of_ms, state.behind, state.flaws) == (as_of_ms, (title_of(office, "papers"),), 0)
    assert "HTTP 403" in state.reason
    publik.faults.clear()
    office.pass_over()
    office.eventually(lambda: not office.worker.list_state.late)
    state = office.worker.list_state
    assert (state.reason, state.behind, state.flaws) == (None, (), 0)
    assert state.as_of_ms > (as_of_ms or 0)


def test_a_list_with_a_gap_is_as_old_as_the_last_one_without(office, publik):
    office.eventually(lambda: office.worker.list_state.as_of_ms)
    as_of_ms = office.worker.list_state.as_of_ms
    publik.town.limit_most = 1
    for hour in range(11, 14):
        book(publik, f"{hour}:00")
    office.clock.turn(HOUR)
    office.pass_over()
    office.eventually(lambda: office.worker.list_state.behind)
    state = office.worker.list_state
    assert (state.as_of_ms, state.behind) == (as_of_ms, (title_of(office, "civil"),))
    assert f"the pages of form {FORM}'s list do not join" in state.reason
    assert len(office.expected()) == 3, "what stands behind the gap too"
    publik.town.limit_most = None
    office.pass_over()
    office.eventually(lambda: not office.worker.list_state.late)
    assert (office.worker.list_state.reason, office.worker.list_state.behind) == (None, ())


def test_what_is_gone_from_a_form_that_a_full_pass_left_out_is_found_once_it_is_read(new_office, publik):
    publik.town.add_form("second")
    form = publik.town.book("second", f"{TODAY} 12:00")
    office = new_office({"form": "second", "service": "papers"})
    assert len(office.expected()) == 1
    publik.faults.append(Fault("status", match="/forms/second/", status=403, times=None))
    publik.town.lose("second", form.id)
    office.pass_over(all_of_it=True)
    office.pass_over()
    assert len(office.expected()) == 1
    publik.faults.clear()
    office.pass_over()
    assert office.expected() == []


@pytest.mark.parametrize("all_of_it", [True, False])
def test_who_is_here_and_was_moved_beyond_the_days_ahead_is_marked_as_moved_by_any_pass(office, publik, all_of_it):
    form = book(publik)
    office.pass_over()
    office.ask(CheckIn, desk="", ticket=only(office.expected()).id)
    publik.town.move(FORM, form.id, "2027-06-24 15:00")
    office.pass_over(all_of_it=all_of_it)
    assert only(office.tickets()).booking_note == "moved"


@pytest.mark.parametrize("change", ["cancel", "move out of the days ahead"])
@pytest.mark.parametrize("why", ["a form is refused", "no list is proved"])
def test_what_is_cancelled_or_moved_away_is_taken_though_the_whole_list_is_not_had(new_office, publik, change, why):
    publik.town.add_form("second")
    form, other = book(publik), book(publik, "12:00")
    office = new_office({"form": "second", "service": "papers"})
    if why == "a form is refused":
        publik.faults.append(Fault("status", match="/forms/second/", status=403, times=None))
    else:
        publik.town.limit_most = 1  # pages of one request can't overlap
    office.pass_over(all_of_it=True)
    assert len(office.expected()) == 2
    if change == "cancel":
        publik.town.cancel(FORM, form.id)
    else:
        publik.town.move(FORM, form.id, "2027-06-24 15:00")
    office.pass_over()
    office.pass_over()
    assert only(office.expected()).booking == booking_of(other)


def test_what_is_gone_while_a_full_pass_proved_nothing_is_found_by_the_next(office, publik):
    form, *_ = book(publik), book(publik, "12:00"), book(publik, "13:00")
    office.pass_over()
    publik.town.lose(FORM, form.id)
    publik.town.limit_most = 1
    office.pass_over(all_of_it=True)
    assert len(office.expected()) == 3
    publik.town.limit_most = None
    office.pass_over()
    assert len(office.expected()) == 2


def office_with_six_papers(new_office, publik):
    """An office with a second form, and that form's six bookings."""
    publik.town.add_form("second")
    office = new_office({"form": "second", "service": "papers"})
    return office, [publik.town.book("second", f"{TODAY} {hour}:00") for hour in range(11, 17)]


def test_a_form_s_list_that_is_suddenly_empty_cancels_nobody_and_is_said(new_office, publik):
    office, _ = office_with_six_papers(new_office, publik)
    other = book(publik)
    office.pass_over()
    assert len(office.expected()) == 7
    publik.town.forms["second"].clear()
    publik.town.lose(FORM, other.id)
    office.pass_over(all_of_it=True)
    assert len(office.expected()) == 6, "the other form lists nothing either, but there was only one"
    office.eventually(lambda: office.worker.list_state.behind == (title_of(office, "papers"),))
    assert "the list of form second is empty" in office.worker.list_state.reason
    cancelled = [ticket.id for ticket in office.expected()]
    for ticket in cancelled[:-1]:
        office.ask(Cancel, desk="desk-1", ticket=ticket)
    office.pass_over()
    office.restart()
    office.pass_over(all_of_it=True)
    assert len(office.expected()) == 1, "the others were cancelled here, and this one may still come"
    office.eventually(lambda: office.worker.list_state.behind == (title_of(office, "papers"),))
    office.ask(Cancel, desk="desk-1", ticket=cancelled[-1])
    office.pass_over()
    office.eventually(lambda: office.worker.list_state.reason is None)
    assert office.worker.list_state.behind == ()


@pytest.mark.parametrize("renamed", ["agenda", "status", "answer", "form"])
def test_a_name_that_is_changed_in_publik_cancels_nobody_and_is_said(new_office, publik, monkeypatch, renamed):
    office = new_office(agenda="fields.agenda_rdv", agendas=("mairie",), statuses=("Réservé",))
    forms = [book(publik, f"{hour}:00") for hour in range(11, 18)]
    office.pass_over()
    assert len(office.expected()) == 7
    publik.town.cancel(FORM, forms[0].id)
    if renamed == "agenda":
        for form in forms:
            form.fields["agenda_rdv"] = "mairie-centrale"
    elif renamed == "status":
        monkeypatch.setitem(WORKFLOW, "1", replace(WORKFLOW["1"], name="Confirmé"))
    elif renamed == "answer":
        for form in forms:
            form.data["rendez_vous_response"] = form.data.pop("rdv_response")
    else:
        publik.town.forms[FORM].clear()
        book(publik, "18:00")
    taken = 1 if renamed == "form" else 0
    # An emptied form does not list the cancellation either, so that booking counts as lost and is kept too.
    stand = 7 if renamed == "form" else 6
    for _ in range(2):
        office.pass_over(all_of_it=True)
        assert len(office.expected()) == stand + taken
    office.eventually(lambda: office.worker.list_state.doubted == (title_of(office, "civil"),))
    assert f"known bookings of form {FORM}" in office.worker.list_state.reason
    office.restart()
    office.pass_over(all_of_it=True)
    assert len(office.expected()) == stand + taken
    if renamed != "form":
        publik.town.cancel(FORM, forms[1].id)
        # The first pass after the restart may still be running, and may have missed the cancellation.
        office.pass_over()
        office.eventually(lambda: len(office.expected()) == 5)


@pytest.mark.parametrize("why", ["form refused", "no id"])
@pytest.mark.parametrize("renamed", ["status", "agenda"])
def test_nor_does_it_where_the_list_is_not_complete(new_office, publik, monkeypatch, renamed, why):
    publik.town.add_form("second")
    agenda = {"agenda": "fields.agenda_rdv", "agendas": ("mairie",)}
    office = new_office({"form": "second", "service": "papers"}, **agenda, statuses=("Réservé",))
    forms = [book(publik, f"{hour}:00") for hour in range(11, 18)]
    office.pass_over()
    if why == "form refused":
        publik.faults.append(Fault("status", match="/api/forms/second/", times=None, status=403))
    else:
        without_id(publik, monkeypatch, forms[0].id)
    if renamed == "status":
        monkeypatch.setitem(WORKFLOW, "1", replace(WORKFLOW["1"], name="Confirmé"))
    else:
        for form in forms:
            form.fields["agenda_rdv"] = "mairie-centrale"
    for _ in range(2):
        office.pass_over(all_of_it=True)
        assert len(office.expected()) == 7
    office.eventually(lambda: office.worker.list_state.doubted == (title_of(office, "civil"),))


@pytest.mark.parametrize("why", ["form refused", "no id"])
def test_a_doubt_is_not_forgotten_while_lists_are_not_complete(new_office, publik, monkeypatch, why):
    office, _ = office_with_six_papers(new_office, publik)
    form = book(publik)
    office.pass_over()
    kept = dict(publik.town.forms["second"])
    publik.town.forms["second"].clear()
    office.pass_over(all_of_it=True)
    if why == "form refused":
        publik.faults.append(Fault("status", match=f"/api/forms/{FORM}/", times=None, status=403))
    else:
        without_id(publik, monkeypatch, form.id)
    office.pass_over(all_of_it=True)
    # By the end of this pass, the state of the pass before has been reported.
    office.pass_over(all_of_it=True)
    assert office.worker.list_state.doubted == (title_of(office, "papers"),)
    publik.town.forms["second"].update(kept)
    office.pass_over(all_of_it=True)
    office.eventually(lambda: office.worker.list_state.doubted == ())


def test_a_doubt_ends_with_the_last_day_of_its_visitors_though_lists_are_not_complete(new_office, publik):
    office, _ = office_with_six_papers(new_office, publik)
    office.pass_over()
    publik.town.forms["second"].clear()
    office.pass_over(all_of_it=True)
    publik.faults.append(Fault("status", match=f"/api/forms/{FORM}/", times=None, status=403))
    office.clock.turn(DAY)
    office.pass_over(all_of_it=True)
    office.eventually(lambda: office.worker.list_state.behind == (title_of(office, "civil"),))


def without_id(publik, monkeypatch, id_):
    whole = wcs_side._export

    def export(town, form, *, full):
        shown = whole(town, form, full=full)
        return {key: value for key, value in shown.items() if form.id != id_ or key not in {"id", "internal_id"}}

    monkeypatch.setattr(wcs_side, "_export", export)


def test_nor_as_visitors_come(new_office, publik, monkeypatch):
    office = new_office(statuses=("Réservé",))
    for hour in range(11, 18):
        book(publik, f"{hour}:00")
    office.pass_over()
    monkeypatch.setitem(WORKFLOW, "1", replace(WORKFLOW["1"], name="Confirmé"))
    office.pass_over(all_of_it=True)
    for still_expected in (6, 5, 4):
        office.ask(CheckIn, desk="", ticket=office.expected()[0].id)
        office.pass_over()
        assert len(office.expected()) == still_expected


def test_nor_as_publik_calls(new_office, publik, monkeypatch):
    office = new_office(statuses=("Réservé",))
    forms = [book(publik, f"{hour}:00") for hour in range(11, 18)]
    office.pass_over()
    monkeypatch.setitem(WORKFLOW, "1", replace(WORKFLOW["1"], name="Confirmé"))
    office.pass_over(all_of_it=True)
    publik.calls.clear()
    before = office.passes()
    office.worker.hint(Hint(f"{FORM}/{forms[-1].id}"))
    office.eventually(lambda: office.passes() > before)
    assert [path for _, path, _ in publik.calls] == [f"/api/forms/{FORM}/{forms[-1].id}/"]
    assert len(office.expected()) == 7


def test_that_publik_calls_for_one_that_is_there_ends_no_doubt_about_a_list_without_it(office, publik):
    forms = [book(publik, f"{hour}:00") for hour in range(11, 16)]
    office.pass_over()
    kept = dict(publik.town.forms[FORM])
    publik.town.forms[FORM].clear()
    office.pass_over(all_of_it=True)
    publik.town.forms[FORM].update(kept)
    publik.town.cancel(FORM, forms[0].id)
    for form in forms[:2]:
        before = office.passes()
        office.worker.hint(Hint(f"{FORM}/{form.id}"))
        office.eventually(lambda before=before: office.passes() > before)
    publik.town.forms[FORM].clear()
    office.pass_over()
    assert len(office.expected()) == 4
    publik.town.forms[FORM].update(kept)
    office.pass_over()
    office.eventually(lambda: office.worker.list_state.doubted == ())


def test_what_is_in_doubt_by_publik_s_calls_alone_has_all_listed_next(new_office, publik, monkeypatch):
    office = new_office(statuses=("Réservé",))
    forms = [book(publik, f"{hour}:00") for hour in range(11, 16)]
    office.pass_over()
    monkeypatch.setitem(WORKFLOW, "1", replace(WORKFLOW["1"], name="Confirmé"))
    asked, all_called, look_up = threading.Event(), threading.Event(), office.source.look_up

    def look_up_later(hints):
        asked.set()
        assert all_called.wait(LIMIT_S)
        return look_up(hints)

    monkeypatch.setattr(office.source, "look_up", look_up_later)
    before = office.passes()
    office.worker.hint(Hint("none-of-ours/1"))
    assert asked.wait(LIMIT_S)
    for form in forms:
        office.worker.hint(Hint(f"{FORM}/{form.id}"))
    all_called.set()
    office.eventually(lambda: office.passes() == before + 2)
    assert len(office.expected()) == 5
    publik.calls.clear()
    office.pass_over()
    assert all("filter-start-mtime-value=2025-" in query for _, _, query in publik.calls)


@pytest.mark.parametrize("seen", [True, False])
def test_whose_requests_were_there_before_stand_for_a_list_that_lacks_many_and_what_came_later_does_not(
    new_office, publik, seen
):
    office = new_office()
    first = [book(publik, f"{hour}:00") for hour in range(11, 16)]
    office.pass_over(all_of_it=True)
    later = [publik.town.book(FORM, f"{TOMORROW} {hour}:00") for hour in range(10, 17)]
    office.pass_over(all_of_it=seen)
    for form in first:
        publik.town.lose(FORM, form.id)
    office.pass_over(all_of_it=True)
    assert len(office.expected()) == len(later) + (0 if seen else len(first))


def test_a_form_made_anew_before_a_start_is_not_believed_as_one_of_its_own_requests_is_lost(office, publik):
    for hour in range(11, 16):
        book(publik, f"{hour}:00")
    office.pass_over()
    office.restart(meanwhile=publik.town.forms[FORM].clear)
    office.pass_over(all_of_it=True)
    for hour in (16, 17):
        new = book(publik, f"{hour}:00")
        office.pass_over()
        office.eventually(lambda form=new: booking_of(form) in {ticket.booking for ticket in office.expected()})
    publik.town.lose(FORM, new.id)
    for _ in range(2):
        office.pass_over()
        assert len(office.expected()) == 7


def test_that_the_hub_itself_moved_requests_on_makes_no_doubt_of_one_that_lapses(new_office, publik):
    office = new_office(statuses=("Réservé",))
    *arrived, lapsed = [book(publik, f"{hour}:00") for hour in range(11, 16)]
    office.pass_over()
    tickets = {ticket.booking: ticket.id for ticket in office.expected()}
    for form in arrived:
        office.ask(CheckIn, desk="", ticket=tickets[booking_of(form)])
    office.eventually(lambda: [report[1:] for report in office.reports()] == [("arrived", "done")] * 4)
    publik.town.set_status(FORM, lapsed.id, "2")
    office.pass_over()
    assert office.expected() == []
    office.pass_over(all_of_it=True)
    assert (len(office.tickets(State.WAITING)), office.worker.list_state.doubted) == (4, ())


def test_nor_is_it_said_to_who_is_here_or_comes_late_once_nobody_is_expected_any_more(new_office, publik):
    office = new_office(agenda="fields.agenda_rdv", agendas=("mairie",))
    forms = [book(publik, f"11:{minute:02}", code=f"KXA{minute}") for minute in range(5)]
    office.pass_over()
    tickets = {ticket.booking: ticket.id for ticket in office.expected()}
    *here, absent = (tickets[booking_of(form)] for form in forms)
    for form in forms:
        form.fields["agenda_rdv"] = "mairie-centrale"
    for ticket in here:
        office.ask(CheckIn, desk="", ticket=ticket)
    office.clock.turn(HOUR + 10 * MINUTE)
    office.do_later(ExpireExpected(origin=office.queue.origin(), ticket=absent)).result(20)
    office.pass_over(all_of_it=True)
    assert office.expected() == []
    assert [ticket.booking_note for ticket in office.tickets(State.WAITING)] == [None] * 4
    assert office.ask(CheckInByCode, confirmation="KXA4").arrival == "missed"


def test_nor_once_fewer_are_left_as_days_pass_and_citizens_cancel(new_office, publik):
    office = new_office(agenda="fields.agenda_rdv", agendas=("mairie",))
    forms = [publik.town.book(FORM, f"{day} {hour}:00") for day in (TODAY, TOMORROW) for hour in (11, 12, 14, 15)]
    office.pass_over()
    for form in forms:
        form.fields["agenda_rdv"] = "mairie-centrale"
    office.pass_over(all_of_it=True)
    office.clock.turn(15 * HOUR)
    office.pass_over(all_of_it=True)
    publik.town.cancel(FORM, forms[-1].id)
    office.pass_over()
    assert len([ticket for ticket in office.expected() if ticket.day == TOMORROW]) == 3
    office.eventually(lambda: office.worker.list_state.doubted == (title_of(office, "civil"),))


def test_nor_where_what_changed_alone_is_listed(new_office, publik):
    office = new_office(agenda="fields.agenda_rdv", agendas=("mairie",))
    forms = [book(publik, f"{hour}:00") for hour in range(11, 17)]
    tomorrow = [publik.town.book(FORM, f"{TOMORROW} {hour}:00") for hour in range(11, 17)]
    office.pass_over(all_of_it=True)
    for form in (*forms, *tomorrow):
        form.fields["agenda_rdv"] = "mairie-centrale"
        publik.town.touch(form)
    office.pass_over()
    assert len(office.expected()) == 12
    office.eventually(lambda: office.worker.list_state.doubted == (title_of(office, "civil"),))
    for form in (*forms, *tomorrow):
        form.fields["agenda_rdv"] = "mairie"
        publik.town.touch(form)
    office.pass_over(all_of_it=True)
    office.clock.turn(HOUR // 2)
    office.pass_over()
    for form in tomorrow:
        form.fields["agenda_rdv"] = "mairie-centrale"
        publik.town.touch(form)
    office.pass_over()
    assert len(office.expected()) == 6, "the others stand, though this listing does not speak of them"


@pytest.mark.parametrize("all_of_it", [True, False])
def test_a_move_ends_the_old_booking_though_the_form_s_other_table_is_not_there_yet(
    new_office, publik, monkeypatch, all_of_it
):
    second = {"service": "papers", "booking": "workflow.data.retrait_response.booking_id"}
    office = new_office(second, booking="workflow.fields.rdv_id")
    whole = wcs_side._export

    def export(town, form, *, full):
        shown = whole(town, form, full=full)
        shown["workflow"]["fields"] = {"rdv_id": shown["workflow"].pop("data")["rdv_response"]["booking_id"]}
        return shown

    monkeypatch.setattr(wcs_side, "_export", export)
    form = book(publik)
    office.pass_over()
    publik.town.move(FORM, form.id, f"{TODAY} 15:00")
    office.pass_over(all_of_it=all_of_it)
    assert only(office.expected()).booking == booking_of(form)
    office.eventually(lambda: office.worker.list_state.flaws == 0)


def test_requests_that_lapsed_before_they_were_known_are_not_asked_for_at_each_pass(new_office, publik, monkeypatch):
    asked, ask = [], sync.here_of
    monkeypatch.setattr(
        sync, "here_of", lambda connection, site, about: asked.append(about) or ask(connection, site, about)
    )
    office = new_office(statuses=("Réservé",))
    forms = [book(publik, f"{hour}:00") for hour in range(11, 14)]
    publik.town.set_status(FORM, forms[0].id, "2")
    office.pass_over()
    publik.town.set_status(FORM, forms[1].id, "2")
    asked.clear()
    office.pass_over(all_of_it=True)
    office.pass_over(all_of_it=True)
    assert asked == [[booking_of(forms[1])], []]


def test_a_name_that_is_changed_back_in_publik_is_as_if_nothing_had_been(new_office, publik):
    office = new_office(agenda="fields.agenda_rdv", agendas=("mairie",))
    forms = [book(publik, f"{hour}:00") for hour in range(11, 17)]
    office.pass_over()
    for agenda in ("mairie-centrale", "mairie"):
        for form in forms:
            form.fields["agenda_rdv"] = agenda
        office.pass_over(all_of_it=True)
    office.eventually(lambda: office.worker.list_state.reason is None)
    assert (len(office.expected()), office.worker.list_state.doubted) == (6, ())


def test_who_waits_already_is_not_cancelled_because_a_form_s_list_is_suddenly_empty(new_office, publik):
    """At a service without check-in, visitors wait before anybody has dealt with them."""
    publik.town.add_form("second")
    office = new_office({"form": "second", "service": "taxes"})
    for minute in range(5):
        publik.town.book("second", f"{TODAY} 10:0{5 + minute}")
    office.pass_over()
    for ticket in office.expected():
        office.queue.job(Admit, ticket=ticket.id)
    publik.town.forms["second"].clear()
    office.pass_over(all_of_it=True)
    assert len(office.tickets(State.WAITING)) == 5


def test_a_form_that_was_empty_for_once_has_lost_nobody(new_office, publik):
    office, forms = office_with_six_papers(new_office, publik)
    office.pass_over()
    kept = dict(publik.town.forms["second"])
    publik.town.forms["second"].clear()
    office.pass_over(all_of_it=True)
    office.eventually(lambda: office.worker.list_state.behind == (title_of(office, "papers"),))
    publik.town.forms["second"].update(kept)
    publik.town.lose("second", forms[0].id)
    office.pass_over()
    assert len(office.expected()) == 5
    office.eventually(lambda: office.worker.list_state.reason is None)
    assert office.worker.list_state.behind == ()


def test_flaws_of_a_form_that_a_full_pass_left_out_stand_and_of_the_others_only_those_it_found(new_office, publik):
    publik.town.add_form("second")
    publik.town.book("second", f"{TODAY} 12:00").fields["rdv_raw"] = "demain"
    gone = book(publik)
    gone.fields["rdv_raw"] = "demain"
    office = new_office({"form": "second", "service": "papers"})
    office.eventually(lambda: office.worker.list_state.flaws == 2)
    publik.faults.append(Fault("status", match="/forms/second/", status=403, times=None))
    publik.town.lose(FORM, gone.id)
    office.pass_over(all_of_it=True)
    office.eventually(lambda: office.worker.list_state.flaws == 1)
    assert office.worker.list_state.behind == (title_of(office, "papers"),)


def title_of(office, service):
    return only([each.title for each in office.site.services if each.name == service])


def test_hundreds_of_bookings_are_taken_in_slices(office, publik):
    for number in range(300):
        book(publik, f"{8 + number // 60:02}:{number % 60:02}")
    office.pass_over(all_of_it=True)
    assert len(office.expected()) == 300
    office.pass_over(all_of_it=True)
    assert len(office.tickets()) == 300
