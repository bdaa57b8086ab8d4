"""Reports to Publik and their effects: w.c.s.'s triggers and Chrono's presence."""

import pytest

from hub.appointments.source import BookingGone, SourceAway, SourceRefuses
from hub.appointments.source_refusal import Why
from hub.publik.source import PublikSource
from hub.queue.reports import ReportKind
from hub.site import Triggers
from tests.publik.conftest import FORM, QUICK, TRIGGERS, Opened, booking_of, form
from tests.publik.faults import Fault as Told
from tests.publik.server import TestPublik


@pytest.fixture
def booked(publik: TestPublik) -> str:
    return f"{FORM}/{publik.town.book(FORM, '2026-11-25 10:00').id}"


def test_only_what_has_a_trigger_is_told(opened: Opened):
    source = opened(triggers=Triggers(served="suivant-servi"))
    assert [kind for kind in ReportKind if source.tells(kind)] == [ReportKind.SERVED]
    assert [kind for kind in ReportKind if opened().tells(kind)] == []


@pytest.mark.parametrize("how", ["jump", "action"])
def test_each_kind_calls_its_own_trigger(publik: TestPublik, opened: Opened, how: str):
    source = opened(triggers=Triggers(how=how, **{kind: getattr(TRIGGERS, kind) for kind in ReportKind}))
    leads_to = {"arrived": "2", "served": "3", "absent": "4", "cancelled": "5"}
    for kind, status in leads_to.items():
        made = publik.town.book(FORM, "2026-11-25 10:00")
        reference = f"{FORM}/{made.id}"
        assert source.status_of(reference, booking_of(made), ReportKind(kind)) == "1"
        source.tell(reference, booking_of(made), ReportKind(kind))
        assert made.status == status
        assert publik.town.told[-1]["how"] == how


def test_a_jump_is_seen_though_citizens_are_not_shown_its_status(publik: TestPublik, opened: Opened, booked: str):
    publik.town.switches.hides_all_but_booked = True
    source = opened(triggers=TRIGGERS)
    assert source.status_of(booked, "1001", ReportKind.ARRIVED) == "1"
    source.tell(booked, "1001", ReportKind.ARRIVED)
    assert source.status_of(booked, "1001", ReportKind.ARRIVED) == "2"


def test_a_jump_that_the_status_does_not_offer_is_refused_as_such(opened: Opened, booked: str):
    source = opened(triggers=TRIGGERS)
    source.tell(booked, "1001", ReportKind.SERVED)
    with pytest.raises(SourceRefuses) as refused:
        source.tell(booked, "1001", ReportKind.ARRIVED)
    assert refused.value.not_offered


def test_a_page_with_404_is_no_answer_of_the_forms_status(publik: TestPublik, opened: Opened, booked: str):
    publik.faults.append(Told("html", status=404))
    with pytest.raises(SourceAway):
        opened(triggers=TRIGGERS).tell(booked, "1001", ReportKind.ARRIVED)


@pytest.mark.parametrize("kind", ["drop", "hang", "cut", "cut_quietly", "status", "html"])
def test_a_lost_answer_may_hide_that_it_was_done(publik: TestPublik, opened: Opened, booked: str, kind: str):
    source = opened(triggers=TRIGGERS, limits=QUICK)
    publik.faults.append(Told(kind, match="/jump/", works=True, status=502))
    with pytest.raises(SourceAway) as away:
        source.tell(booked, "1001", ReportKind.ARRIVED)
    assert away.value.perhaps_done
    # A client with long time-outs reads the status, which shows that the report was sent, and only once.
    assert opened(triggers=TRIGGERS).status_of(booked, "1001", ReportKind.ARRIVED) == "2"
    assert len(publik.town.told) == 1


def test_a_repeated_jump_jumps_twice_where_the_next_status_has_one_of_the_same_name(
    publik: TestPublik, opened: Opened, booked: str
):
    """This is why the status is read before a report is sent again."""
    publik.town.set_status(FORM, 1, "6")
    source = opened(triggers=TRIGGERS)
    source.tell(booked, "1001", ReportKind.ARRIVED)
    source.tell(booked, "1001", ReportKind.ARRIVED)
    assert source.status_of(booked, "1001", ReportKind.ARRIVED) == "8"


def test_what_never_left_was_surely_not_done(publik: TestPublik, opened: Opened):
    source = opened(triggers=TRIGGERS, address="http://127.0.0.1:1")
    with pytest.raises(SourceAway) as away:
        source.tell(f"{FORM}/1", "1001", ReportKind.ARRIVED)
    assert not away.value.perhaps_done


def test_a_403_to_a_trigger_is_tried_again(publik: TestPublik, opened: Opened, booked: str):
    publik.town.switches.has_role = False
    with pytest.raises(SourceAway, match=r"Unsufficient roles\.") as away:
        opened(triggers=TRIGGERS).tell(booked, "1001", ReportKind.ARRIVED)
    assert not away.value.perhaps_done


def test_a_condition_that_is_not_met_is_for_people_to_see(publik: TestPublik, opened: Opened, booked: str):
    publik.town.switches.condition_met = False
    with pytest.raises(SourceRefuses, match=r"Unmet condition\.") as refused:
        opened(triggers=TRIGGERS).tell(booked, "1001", ReportKind.ARRIVED)
    assert not refused.value.not_offered


def test_a_request_that_has_another_booking_by_now_is_not_told_of_the_one_before(
    publik: TestPublik, opened: Opened, booked: str
):
    source = opened(triggers=TRIGGERS)
    publik.town.move(FORM, 1, "2026-11-26 11:00")
    with pytest.raises(BookingGone):
        source.status_of(booked, "1001", ReportKind.ABSENT)
    assert source.status_of(booked, booking_of(publik.town.forms[FORM][1]), ReportKind.ABSENT) == "1"


@pytest.mark.parametrize("kind", list(ReportKind))
@pytest.mark.parametrize("how", ["jump", "action"])
def test_a_request_that_is_cancelled_is_told_nothing_more(
    publik: TestPublik, opened: Opened, booked: str, how: str, kind: ReportKind
):
    triggers = Triggers(how=how, **{each: getattr(TRIGGERS, each) for each in ReportKind})
    publik.town.cancel(FORM, 1)
    with pytest.raises(BookingGone):
        opened(triggers=triggers).status_of(booked, "1001", kind)


def test_a_status_that_cancels_one_of_two_bookings_cancels_that_one_alone(
    publik: TestPublik, opened: Opened, booked: str
):
    deposit, collection = form(), form(booking="workflow.data.second.booking_id", cancelled_statuses=())
    source = opened(triggers=TRIGGERS, forms=(deposit, collection))
    publik.town.forms[FORM][1].data["second"] = {"booking_id": "2002"}
    publik.town.cancel(FORM, 1)
    assert source.status_of(booked, "2002", ReportKind.ARRIVED) == "5"
    with pytest.raises(BookingGone):
        source.status_of(booked, "1001", ReportKind.ARRIVED)


def test_a_request_that_is_gone_has_no_status(publik: TestPublik, opened: Opened, booked: str):
    publik.town.lose(FORM, 1)
    with pytest.raises(SourceRefuses) as refused:
        opened(triggers=TRIGGERS).status_of(booked, "1001", ReportKind.ARRIVED)
    assert refused.value.refusal.why is Why.GONE


# --- Chrono -------------------------------------------------------------------------------------------------------


@pytest.fixture
def marking(opened: Opened) -> PublikSource:
    return opened(presence=True)


@pytest.mark.parametrize(
    ("kind", "present"), [(ReportKind.ARRIVED, True), (ReportKind.SERVED, True), (ReportKind.ABSENT, False)]
)
def test_presence_is_marked_with_the_documented_key_alone(
    publik: TestPublik, marking: PublikSource, booked: str, kind: ReportKind, present: bool
):
    assert marking.tells(kind)
    assert marking.status_of(booked, "1001", kind) is None
    marking.tell(booked, "1001", kind)
    marking.tell(booked, "1001", kind)
    kept = publik.town.bookings[1001]
    assert (kept.present, kept.extra_data, kept.reason) == (present, {}, "")


def test_a_presence_is_not_judged_by_the_status_of_the_form_and_is_marked_again(
    publik: TestPublik, opened: Opened, booked: str
):
    """A workflow may move on for its own reasons although the mark was lost."""
    triggers = Triggers(cancelled="suivant-annule")
    source = opened(presence=True, triggers=triggers)
    publik.faults.append(Told("hang", match="/chrono/api/booking/"))
    assert source.status_of(booked, "1001", ReportKind.ARRIVED) is None
    with pytest.raises(SourceAway):
        opened(presence=True, triggers=triggers, limits=QUICK).tell(booked, "1001", ReportKind.ARRIVED)
    publik.town.set_status(FORM, 1, "2")
    assert source.status_of(booked, "1001", ReportKind.ARRIVED) is None
    source.tell(booked, "1001", ReportKind.ARRIVED)
    assert publik.town.bookings[1001].present is True
    # A report sent by a trigger is judged by the status.
    assert source.status_of(booked, "1001", ReportKind.CANCELLED) == "2"


@pytest.mark.parametrize("change", ["cancelled", "moved"])
def test_a_presence_is_not_marked_for_a_booking_that_its_request_has_no_more(
    publik: TestPublik, marking: PublikSource, booked: str, change: str
):
    if change == "cancelled":
        publik.town.cancel(FORM, 1)
    else:
        publik.town.move(FORM, 1, "2026-11-26 11:00")
    with pytest.raises(BookingGone):
        marking.status_of(booked, "1001", ReportKind.ARRIVED)


def test_a_presence_of_a_booking_that_chrono_does_not_know_is_refused_as_gone(
    publik: TestPublik, marking: PublikSource, booked: str
):
    with pytest.raises(SourceRefuses) as refused:
        marking.tell(booked, "4711", ReportKind.ARRIVED)
    assert (refused.value.refusal.why, refused.value.not_offered) == (Why.GONE, False)


def test_a_cancellation_is_nothing_that_presence_can_tell(marking: PublikSource):
    assert not marking.tells(ReportKind.CANCELLED)


@pytest.mark.parametrize("with_200", [False, True])
@pytest.mark.parametrize("reason", ["cancelled", "locked", "waiting"])
def test_what_chrono_refuses_is_refused(
    publik: TestPublik, marking: PublikSource, booked: str, with_200: bool, reason: str
):
    publik.town.switches.refuses_with_200 = with_200
    publik.town.switches.checks_locked = reason == "locked"
    publik.town.bookings[1001].cancelled = reason == "cancelled"
    publik.town.bookings[1001].in_waiting_list = reason == "waiting"
    with pytest.raises(SourceRefuses, match=reason):
        marking.tell(booked, "1001", ReportKind.ARRIVED)


def test_a_chrono_that_lets_no_program_in_is_tried_again(publik: TestPublik, marking: PublikSource, booked: str):
    publik.town.switches.chrono_closed = True
    with pytest.raises(SourceAway, match="access denied"):
        marking.tell(booked, "1001", ReportKind.ARRIVED)
