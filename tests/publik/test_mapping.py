"""From a form's JSON to a booking: what is read, what is ignored, and what is reported if something is missing."""

import copy
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.appointments.source import Booking, Flaw
from hub.publik.mapping import Cancelled, read_entry
from hub.publik.paths import text_at, value_at
from hub.queue.bookings import NAME_MOST
from tests.publik.conftest import form

PARIS = ZoneInfo("Europe/Paris")
ENTRY = {
    "id": "12",
    "fields": {
        "rdv_raw": "30:2026-11-25-1000",
        "prenom": "Zoé",
        "nom": "Exemple-Inventée",
        "code_rdv": "ab-12 cd",
        "agenda_rdv": "mairie",
    },
    "workflow": {
        "status": {"id": "1", "name": "Réservé"},
        "data": {"rdv_status": 200, "rdv_response": {"err": 0, "booking_id": 77, "in_waiting_list": False}},
    },
}


def entry(**changes: Any) -> dict[str, Any]:
    """ENTRY with some of its values, such as `fields__nom`, replaced, or removed where the value is `...`."""
    made = copy.deepcopy(ENTRY)
    for place, value in changes.items():
        *above, last = place.split("__")
        around = value_at(made, ".".join(above)) if above else made
        if value is ...:
            del around[last]
        else:
            around[last] = value
    return made


def read(changed: dict[str, Any], **mapping: Any) -> Booking | Flaw | Cancelled | None:
    found = read_entry((form(**mapping),), changed, PARIS)
    assert len(found) <= 1
    return found[0] if found else None


def booking(changed: dict[str, Any], **mapping: Any) -> Booking:
    found = read(changed, **mapping)
    assert isinstance(found, Booking), found
    return found


def flaw(changed: dict[str, Any], **mapping: Any) -> Flaw:
    found = read(changed, **mapping)
    assert isinstance(found, Flaw), found
    return found


def test_a_request_becomes_a_booking():
    assert read(ENTRY) == Booking(
        id="77",
        reference="rendez-vous/12",
        service="identity",
        start_ms=1_795_597_200_000,
        code="AB12CD",
        name="Zoé Exemple-Inventée",
    )


def test_what_nobody_asked_for_is_ignored():
    assert read(entry(new_key={"a": [1]}, fields__autre=None)) == read(ENTRY)


def test_the_form_may_stand_before_the_id():
    assert booking(entry(id="rendez-vous/12")).reference == booking(entry(id=12)).reference == "rendez-vous/12"


def test_a_request_without_an_id_can_only_be_counted():
    assert flaw(entry(id=...)) == Flaw("a request of form rendez-vous", "it has no id")


@pytest.mark.parametrize(
    "changed",
    [
        entry(workflow__data__rdv_response={"err": 1, "err_class": "no more desk available"}),
        entry(workflow__data__rdv_response__err=1),
        entry(workflow__data__rdv_response__err={"odd": 1}),
        entry(workflow__data__rdv_response__in_waiting_list=True),
        entry(workflow__data__rdv_response__booking_id=None),
        entry(workflow__data__rdv_response__booking_id=""),
        entry(workflow__data__rdv_response__booking_id=True),
        entry(workflow__data__rdv_response__booking_id={}),
        entry(workflow__data__rdv_response="<html>"),
        entry(workflow__data=None),
        entry(workflow__data={"rdv_status": 200, "rdv_error_response": {"err": 1}}),
        entry(workflow__status={"id": "draft", "name": "Brouillon"}),
        entry(workflow__status=...),
    ],
)
def test_a_request_without_a_booking_that_stands_is_no_appointment(changed: dict[str, Any]):
    assert read(changed) is None


def test_a_move_that_failed_leaves_the_booking_that_stands():
    """w.c.s. keeps the answer of the last successful call."""
    failed = entry(workflow__data__rdv_status=400, workflow__data__rdv_error_response={"err": 1})
    assert booking(failed).id == "77"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (entry(fields__rdv_raw=...), "fields.rdv_raw is missing"),
        (entry(fields__rdv_raw=None), "fields.rdv_raw is missing"),
        (entry(fields__rdv_raw="demain"), "fields.rdv_raw is neither a time nor a slot"),
        (entry(fields__rdv_raw="conference-2026"), "fields.rdv_raw is neither a time nor a slot"),
        (entry(fields__rdv_raw="0001-01-01 00:00"), "fields.rdv_raw is a time outside the years 1971 to 2199"),
    ],
)
def test_a_booking_whose_start_lacks_is_named_by_its_id_alone(changed: dict[str, Any], why: str):
    assert flaw(changed) == Flaw("booking 77 (request rendez-vous/12)", why, "rendez-vous/12")


@pytest.mark.parametrize("id_", ["7" * 101, "7\n8", "\x00"])
def test_a_bookings_id_that_is_no_id_is_refused(id_: str):
    assert flaw(entry(workflow__data__rdv_response__booking_id=id_)).reference == "rendez-vous/12"


def test_a_start_may_be_a_time():
    found = booking(
        entry(workflow__data__rdv_response__datetime="2026-11-25 10:00:00"), start="workflow.data.rdv_response.datetime"
    )
    assert found.start_ms == booking(ENTRY).start_ms


def test_the_code_is_the_bookings_id_unless_named():
    assert booking(ENTRY, code=None).code == "77"


@pytest.mark.parametrize("code", [..., None, "", "–"])
def test_a_request_without_the_code_that_its_form_should_have_tells_none(code: object):
    assert booking(entry(fields__code_rdv=code)).code is None


def test_a_cancelled_status_is_a_booking_that_is_gone_and_names_nobody():
    for status in ("1", "Réservé"):
        found = booking(ENTRY, cancelled_statuses=(status,))
        assert (found.gone, found.name) == (True, None)


@pytest.mark.parametrize("answer", [..., {"err": 1}, {"in_waiting_list": True, "booking_id": 77}])
def test_a_cancelled_request_that_names_no_booking_any_more_is_told_all_the_same(answer: object):
    emptied = entry(workflow__data__rdv_response=answer)
    assert read(emptied, cancelled_statuses=("Réservé",)) == Cancelled("rendez-vous/12")
    assert read(emptied) is None
    assert read(entry(workflow__data=...), cancelled_statuses=("1",)) == Cancelled("rendez-vous/12")


def test_the_status_that_counts_is_the_true_one_and_not_what_its_citizen_is_shown():
    hidden = entry(workflow__real_status={"id": "5", "name": "Annulé"})
    assert booking(hidden, cancelled_statuses=("5",)).gone
    assert not booking(hidden, cancelled_statuses=("1",)).gone


def test_a_cancelled_booking_needs_no_start():
    assert booking(entry(fields__rdv_raw=...), cancelled_statuses=("1",)).gone


@pytest.mark.parametrize(
    ("mapping", "gone"),
    [
        ({"statuses": ("1",)}, False),
        ({"statuses": ("Réservé",)}, False),
        ({"statuses": ("2",)}, True),
        ({"agenda": "fields.agenda_rdv", "agendas": ("mairie", "annexe")}, False),
        ({"agenda": "fields.agenda_rdv", "agendas": ("annexe",)}, True),
        ({"meeting_types": ("30",)}, False),
        ({"meeting_types": ("60",)}, True),
    ],
)
def test_what_a_filter_leaves_out_is_gone_from_here(mapping: dict[str, Any], gone: bool):
    assert booking(ENTRY, **mapping).gone is gone


@pytest.mark.parametrize(
    ("mapping", "lapsed"),
    [
        ({"statuses": ("2",)}, True),
        ({"statuses": ("1",)}, False),
        ({"statuses": ("2",), "cancelled_statuses": ("Réservé",)}, False),
        ({"statuses": ("2",), "meeting_types": ("60",)}, False),
        ({"meeting_types": ("60",)}, False),
    ],
)
def test_a_request_that_left_the_statuses_that_count_is_told_from_one_that_was_cancelled(
    mapping: dict[str, Any], lapsed: bool
):
    assert booking(ENTRY, **mapping).lapsed is lapsed


def test_a_meeting_type_that_cannot_be_known_is_told():
    found = flaw(entry(fields__rdv_raw="2026-11-25 10:00"), meeting_types=("30",))
    assert found.why == "fields.rdv_raw is not a slot, so its meeting type is unknown"


@pytest.mark.parametrize("agenda", [..., None, "", {"id": "mairie"}])
def test_an_agenda_that_cannot_be_known_is_told_and_says_nothing_of_the_booking(agenda: object):
    lacks, named = entry(fields__agenda_rdv=agenda), {"agenda": "fields.agenda_rdv", "agendas": ("mairie",)}
    assert flaw(lacks, **named) == Flaw(
        "booking 77 (request rendez-vous/12)", "fields.agenda_rdv is missing", "rendez-vous/12"
    )
    assert booking(lacks, **named, cancelled_statuses=("Réservé",)).gone
    assert booking(lacks, **named, statuses=("2",)).lapsed
    assert booking(lacks, **named, meeting_types=("60",)).gone


def test_of_several_mappings_the_one_that_a_request_counts_for_says_its_service():
    maps = (form(service="housing", meeting_types=("60",)), form(meeting_types=("30",)))
    (found,) = read_entry(maps, ENTRY, PARIS)
    assert isinstance(found, Booking)
    assert (found.service, found.gone) == ("identity", False)


@pytest.mark.parametrize("agenda", ["mairie", "annexe"])
@pytest.mark.parametrize("status", ["Réservé", "Arrivé", "Annulé"])
def test_a_status_that_is_left_is_the_same_whichever_of_two_services_on_one_form_it_is(agenda: str, status: str):
    of_both: dict[str, Any] = {"agenda": "fields.agenda_rdv", "statuses": ("Réservé",)}
    maps = (form(agendas=("mairie",), **of_both), form(service="housing", agendas=("annexe",), **of_both))
    (found,) = read_entry(maps, entry(fields__agenda_rdv=agenda, workflow__status__name=status), PARIS)
    assert isinstance(found, Booking)
    assert (found.gone, found.lapsed) == (status != "Réservé", status == "Arrivé")


COLLECTION: dict[str, Any] = {
    "booking": "workflow.data.retrait_response.booking_id",
    "start": "fields.retrait_raw",
    "code": "fields.code_retrait",
}


def test_a_request_with_two_bookings_is_an_appointment_for_each():
    both = entry(
        workflow__data__retrait_response={"err": 0, "booking_id": 78},
        fields__retrait_raw="30:2026-12-15-1430",
        fields__code_retrait="cd-34",
    )
    maps = (form(), form(service="housing", **COLLECTION))
    assert [
        (each.id, each.service, each.code) for each in read_entry(maps, both, PARIS) if isinstance(each, Booking)
    ] == [
        ("77", "identity", "AB12CD"),
        ("78", "housing", "CD34"),
    ]
    del both["fields"]["retrait_raw"]
    deposit, collection = read_entry(maps, both, PARIS)
    assert isinstance(deposit, Booking)
    assert collection == Flaw("booking 78 (request rendez-vous/12)", "fields.retrait_raw is missing", "rendez-vous/12")


def test_one_booking_that_two_paths_lead_to_is_one_appointment():
    copied = entry(workflow__fields={"rdv_id": "77"})
    maps = (form(), form(service="housing", booking="workflow.fields.rdv_id"))
    (found,) = read_entry(maps, copied, PARIS)
    assert isinstance(found, Booking)
    assert (found.id, found.service) == ("77", "identity")


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("Zoé", "Exemple"), "Zoé Exemple"),
        (("  Zoé \t", "Exemple\r\nInventée"), "Zoé Exemple Inventée"),
        (("Zoe\u0301", "Exemple"), "Zoé Exemple"),
        (("أمينة", "مثال"), "أمينة مثال"),
        (("みほん", "太郎"), "みほん 太郎"),
        (("Зоя", "👩‍🦰"), "Зоя 👩‍🦰"),
        (("می‌نا", "x"), "می‌نا x"),
        (("<b>Zoé</b>", "&amp;"), "<b>Zoé</b> &amp;"),
        (("\u202eeoZ\u2066", "x"), "eoZ x"),
        (("\x00\x07Zoé\x1b[31m", "\u2028x"), "Zoé [31m x"),
        ((None, "Exemple"), "Exemple"),
        ((12, "Exemple"), "12 Exemple"),
        ((["Zoé"], {"a": 1}), None),
        (("", " \n"), None),
        (("Z" * 500, "x"), "Z" * NAME_MOST),
    ],
)
def test_a_name_keeps_any_script_in_one_line(parts: tuple[Any, Any], name: str | None):
    assert booking(entry(fields__prenom=parts[0], fields__nom=parts[1])).name == name


def test_an_anonymised_client_gets_bookings_without_names():
    assert booking(entry(fields__prenom=..., fields__nom=...)).name is None
    assert booking(ENTRY, names=()).name is None


def test_a_path_counts_into_a_list():
    document = {"evolution": [{"status": "1"}, {"status": "2"}]}
    assert text_at(document, "evolution.1.status") == "2"
    assert text_at(document, "evolution.2.status") is None
    assert text_at(document, "evolution.-1.status") is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=8,
)
PLACES = ("id", "fields", "fields__rdv_raw", "fields__nom", "fields__code_rdv", "workflow", "workflow__status")
PLACES += ("workflow__status__id", "workflow__data", "workflow__data__rdv_status", "workflow__data__rdv_response")
PLACES += ("workflow__data__rdv_response__booking_id", "workflow__data__rdv_response__err")


@given(st.sampled_from(PLACES), json_values | st.text())
def test_whatever_stands_in_a_request_it_is_a_booking_a_flaw_or_nothing(place: str, value: object):
    changed = entry(**{place: value})
    found = read_entry((form(statuses=("1",), agenda="fields.agenda_rdv", agendas=("mairie",)),), changed, PARIS)
    assert all(isinstance(each, Booking | Cancelled | Flaw) for each in found)
