"""Listings of the bookings in Publik's forms, from a running Publik."""

import re
from contextlib import closing
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from hub.appointments.source import Booking, Flaw, Hint, SourceAway, SourceRefuses
from hub.publik.secrets import Secrets
from hub.site import Site
from protocol.environment import WrongSetting
from tests.publik import wcs_side
from tests.publik.conftest import DAYS, FORM, Opened, booking_of, form, ids, system_ms
from tests.publik.faults import Fault as Told
from tests.publik.server import TestPublik
from tests.publik.town import Town


def test_every_booking_of_the_days_is_listed(publik: TestPublik, opened: Opened):
    publik.town.book(FORM, "2026-11-25 00:00", first_name="Zoé", last_name="Exemple-Inventée", code="ab 12")
    publik.town.book(FORM, "2026-12-02 23:59")
    publik.town.book(FORM, "2026-11-24 23:59")
    publik.town.book(FORM, "2026-12-03 00:00")
    listing = opened().list_all(*DAYS)
    assert listing.complete
    assert ids(listing) == {"1001", "1002"}
    assert (
        Booking(
            id="1001",
            reference=f"{FORM}/1",
            service="identity",
            start_ms=int(datetime(2026, 11, 24, 23, tzinfo=UTC).timestamp() * 1000),
            code="AB12",
            name="Zoé Exemple-Inventée",
        )
        in listing.bookings
    )


def test_the_days_are_the_sites_own_though_publik_is_elsewhere(publik: TestPublik, site: Site):
    """8:30 in Nouméa is 22:30 of the day before in Paris."""
    far = replace(site, zone="Pacific/Noumea")
    opened = Opened(publik, far, [])
    publik.town.book(FORM, "2026-11-24 14:00")
    publik.town.book(FORM, "2026-11-24 13:59")
    publik.town.book(FORM, "2026-12-02 13:59")
    publik.town.book(FORM, "2026-12-02 14:00")
    with closing(opened(zone="Europe/Paris")) as source:
        listing = source.list_all(*DAYS)
    assert (ids(listing), listing.complete) == ({"1001", "1003"}, True)


def test_an_empty_form_is_a_complete_listing(opened: Opened):
    source = opened()
    listing = source.list_all(*DAYS)
    assert (listing.bookings, listing.flaws, listing.complete) == ((), (), True)
    (part,) = listing.parts
    assert "is empty" in part.why
    assert (part.services, part.has(f"{FORM}/1"), part.has(f"{FORM}-2/1")) == (("identity",), True, False)
    changed = source.list_changed(listing.as_of_ms)
    assert changed is not None
    assert (changed.bookings, changed.complete) == ((), False), "nothing new is no empty list"


def test_every_listing_says_of_each_service_of_a_form_what_may_not_be_believed(publik: TestPublik, opened: Opened):
    publik.town.forms["other"] = {}
    request = publik.town.book(FORM, "2026-11-25 10:00")
    maps = (form(), form(service="papers"), form(booking="workflow.data.b_response.booking_id"), form(form="other"))
    source = opened(forms=maps)
    ours = [(("identity",), f"{FORM}/"), (("papers",), f"{FORM}/")]
    whole = source.list_all(*DAYS)
    looked_up = source.look_up([Hint(f"{FORM}/{request.id}")])
    publik.faults.append(Told("err", match="/other/", times=None))
    incomplete, changed = source.list_all(*DAYS), source.list_changed(whole.as_of_ms or 0)
    assert changed is not None
    for listing in (whole, looked_up):
        assert [(part.services, part.prefix) for part in listing.parts] == [*ours, (("identity",), "other/")]
    for listing in (incomplete, changed):
        assert [(part.services, part.prefix) for part in listing.parts] == ours
        assert [part.prefix for part in listing.missed] == ["other/"]
    assert f"form {FORM}, service papers," in whole.parts[1].why


def test_what_a_form_refused_once_had_to_say_is_in_the_next_listing(publik: TestPublik, opened: Opened):
    publik.town.book(FORM, "2026-11-25 10:00")
    publik.town.forms["other"] = {}
    hours_ms = 7_200_000
    for request in publik.town.forms[FORM].values():
        request.changed_ms -= hours_ms
    source = opened(forms=(form(), form(form="other")))
    publik.faults.append(Told("err", match=f"/{FORM}/"))
    since_ms = publik.town.now_ms() - 2 * hours_ms
    changed = source.list_changed(since_ms)
    assert changed is not None
    assert (changed.as_of_ms, ids(changed)) == (since_ms, set())
    again = source.list_changed(since_ms)
    assert again is not None
    assert ids(again) == {"1001"}


def test_a_full_listing_without_some_form_says_that_all_is_to_be_listed_again(publik: TestPublik, opened: Opened):
    publik.town.forms["other"] = {}
    source = opened(forms=(form(), form(form="other")))
    publik.faults.append(Told("err", match=f"/{FORM}/"))
    listing = source.list_all(*DAYS)
    assert (listing.complete, listing.as_of_ms) == (False, None)


@pytest.mark.parametrize("switch", ["id_with_slug", "id_by_template", "newest_first", "mtime_as_written"])
@pytest.mark.parametrize("on", [False, True])
def test_what_is_only_remembered_of_lists_may_be_either_way(publik: TestPublik, opened: Opened, switch: str, on: bool):
    setattr(publik.town.switches, switch, on)
    for _ in range(3):
        publik.town.book(FORM, "2026-11-25 10:00")
    source = opened()
    listing = source.list_all(*DAYS)
    assert {booking.reference for booking in listing.bookings} == {f"{FORM}/{id_}" for id_ in (1, 2, 3)}
    publik.town.cancel(FORM, 2)
    changed = source.list_changed(listing.as_of_ms)
    assert changed is not None
    assert any(booking.id == "1002" for booking in changed.bookings)


def test_a_client_that_sees_anonymised_data_alone_finds_the_booking_in_a_backoffice_field(
    publik: TestPublik, opened: Opened
):
    """w.c.s. leaves out the workflow's data for it, so a path into that data finds nothing."""
    publik.town.switches.anonymised = True
    publik.town.book(FORM, "2026-11-25 10:00")
    assert opened().list_all(*DAYS).bookings == ()
    (found,) = opened(forms=(form(booking="workflow.fields.rdv_id"),)).list_all(*DAYS).bookings
    assert (found.id, found.name, found.code) == ("1001", None, "R1001")


def test_a_single_request_comes_without_files_and_account(publik: TestPublik, opened: Opened):
    publik.town.book(FORM, "2026-11-25 10:00")
    opened().look_up([Hint(f"{FORM}/1")])
    ((_method, _path, query),) = publik.calls
    for part in ("files-content", "user", "evolution", "roles", "submission"):
        assert f"include-{part}=off" in query


def test_a_move_is_a_new_booking_of_the_same_request(publik: TestPublik, opened: Opened):
    made = publik.town.book(FORM, "2026-11-25 10:00")
    old = booking_of(made)
    publik.town.move(FORM, made.id, "2026-11-26 09:30")
    (found,) = opened().list_all(*DAYS).bookings
    assert (found.id, found.reference) == (booking_of(made), f"{FORM}/{made.id}")
    assert found.id != old


def test_what_a_request_was_moved_to_beyond_the_days_is_told_apart(publik: TestPublik, opened: Opened):
    made = publik.town.book(FORM, "2026-11-25 10:00")
    publik.town.book(FORM, "2026-11-24 10:00")
    publik.town.cancel(FORM, publik.town.book(FORM, "2026-12-25 10:00").id)
    publik.town.move(FORM, made.id, "2026-12-24 10:00")
    listing = opened().list_all(*DAYS)
    assert listing.bookings == ()
    assert [each.id for each in listing.later] == [booking_of(made)]


def test_a_cancelled_request_is_told_gone_when_it_changes_and_left_out_of_a_full_listing(
    publik: TestPublik, opened: Opened
):
    made = publik.town.book(FORM, "2026-11-25 10:00")
    source = opened(forms=(form(cancelled_statuses=("Annulé",)),))
    since_ms = source.list_all(*DAYS).as_of_ms
    publik.town.cancel(FORM, made.id)
    changed = source.list_changed(since_ms)
    assert changed is not None
    assert [(booking.id, booking.gone, booking.name) for booking in changed.bookings] == [
        (booking_of(made), True, None)
    ]
    assert not changed.complete
    whole = source.list_all(*DAYS)
    assert (whole.bookings, whole.cancelled) == ((), (f"{FORM}/{made.id}",))


def test_a_draft_a_failed_call_and_a_waiting_list_make_no_booking(publik: TestPublik, opened: Opened):
    publik.town.book(FORM, "2026-11-25 10:00", draft=True)
    publik.town.book(FORM, "2026-11-25 10:30", failed=True)
    publik.town.book(FORM, "2026-11-25 11:00", waiting=True)
    listing = opened().list_all(*DAYS)
    assert (listing.bookings, listing.flaws, listing.complete) == ((), (), True)


def test_a_draft_counts_once_it_is_sent(publik: TestPublik, opened: Opened):
    made = publik.town.book(FORM, "2026-11-25 10:00", draft=True)
    source = opened()
    since_ms = source.list_all(*DAYS).as_of_ms
    assert source.look_up([Hint(f"{FORM}/{made.id}")]).bookings == ()
    publik.town.submit(FORM, made.id)
    assert ids(source.list_changed(since_ms)) == {booking_of(made)}


def test_one_request_that_lacks_something_leaves_the_others_alone(publik: TestPublik, opened: Opened):
    for _ in range(3):
        publik.town.book(FORM, "2026-11-25 10:00")
    del publik.town.forms[FORM][2].fields["rdv_raw"]
    listing = opened().list_all(*DAYS)
    assert ids(listing) == {"1001", "1003"}
    why = "fields.rdv_raw is missing"
    assert listing.flaws == (Flaw(f"booking 1002 (request {FORM}/2)", why, f"{FORM}/2"),)


def test_a_lost_booking_is_just_no_longer_there(publik: TestPublik, opened: Opened):
    publik.town.book(FORM, "2026-11-25 10:00")
    publik.town.book(FORM, "2026-11-25 11:00")
    publik.town.lose(FORM, 1)
    source = opened()
    listing = source.list_all(*DAYS)
    assert (ids(listing), listing.complete) == ({"1002"}, True)
    assert source.look_up([Hint(f"{FORM}/1"), Hint(f"{FORM}/2")]).bookings == listing.bookings


def test_several_services_share_one_form_and_its_list_is_fetched_once(publik: TestPublik, opened: Opened):
    publik.town.book(FORM, "2026-11-25 10:00", meeting_type="30")
    publik.town.book(FORM, "2026-11-25 10:00", meeting_type="60")
    publik.town.book(FORM, "2026-11-25 10:00", meeting_type="90")
    maps = (form(meeting_types=("30",)), form(service="housing", meeting_types=("60",)))
    listing = opened(forms=maps).list_all(*DAYS)
    assert {booking.id: booking.service for booking in listing.bookings} == {"1001": "identity", "1002": "housing"}
    # One more call, to see whether that was all.
    assert [re.findall(r"offset=(\d+)", query) for _method, _path, query in publik.calls] == [["0"], ["2"]]


def test_only_named_agendas_and_statuses_count(publik: TestPublik, opened: Opened):
    publik.town.book(FORM, "2026-11-25 10:00", agenda="mairie")
    publik.town.book(FORM, "2026-11-25 10:00", agenda="annexe")
    publik.town.book(FORM, "2026-11-25 10:00", status="new")
    only = form(agenda="fields.agenda_rdv", agendas=("mairie",), statuses=("Réservé",))
    listing = opened(forms=(only,)).list_all(*DAYS)
    assert {each.id for each in listing.bookings if not each.gone} == {"1001"}


def test_a_request_that_left_the_statuses_that_count_is_still_told(publik: TestPublik, opened: Opened):
    """If it were missing from a complete listing, its booking would count as gone."""
    publik.town.book(FORM, "2026-11-25 10:00", status="2")
    (found,) = opened(forms=(form(statuses=("Réservé",)),)).list_all(*DAYS).bookings
    assert (found.gone, found.lapsed) == (True, True)


def test_publiks_zone_is_that_of_its_times(publik: TestPublik, opened: Opened):
    publik.town.book(FORM, "2026-11-25 10:00")
    (here,) = opened().list_all(*DAYS).bookings
    (there,) = opened(zone="America/Martinique").list_all(*DAYS).bookings
    assert there.start_ms - here.start_ms == 5 * 3_600_000


def test_a_listing_is_as_old_as_publiks_own_clock_says(publik: TestPublik, opened: Opened):
    publik.town.clock_off_ms = -25_000
    now_ms = system_ms()
    assert now_ms - 27_000 <= opened().list_all(*DAYS).as_of_ms <= system_ms() - 24_000


def test_requests_that_nobody_touched_for_more_than_a_year_are_not_asked_for(publik: TestPublik, opened: Opened):
    town = publik.town
    town.book(FORM, "2026-11-25 10:00", changed_ms=int(datetime(2025, 10, 1, tzinfo=UTC).timestamp() * 1000))
    town.book(FORM, "2026-11-25 10:00", changed_ms=int(datetime(2025, 12, 1, tzinfo=UTC).timestamp() * 1000))
    assert ids(opened().list_all(*DAYS)) == {"1002"}


def test_only_what_changed_is_listed_with_an_overlap_of_two_minutes(publik: TestPublik, opened: Opened):
    now_ms = system_ms()
    for minutes in (10, 4, 1):
        publik.town.book(FORM, "2026-11-25 10:00", changed_ms=now_ms - minutes * 60_000)
    # The time is cut to the minute, so the list may reach up to a minute further back.
    assert ids(opened().list_changed(now_ms)) == {"1003"}


@pytest.mark.parametrize("as_written", [False, True])
def test_no_change_is_lost_in_the_hour_after_clocks_go_back(site, as_written: bool):
    clock = {"ms": int(datetime(2026, 10, 25, 0, 50, tzinfo=UTC).timestamp() * 1000)}
    town = Town(now_ms=lambda: clock["ms"])
    town.switches.mtime_as_written = as_written
    with TestPublik(town=town) as publik:
        opened = Opened(publik, site, [])
        source = opened(now_ms=lambda: clock["ms"])
        town.book(FORM, "2026-10-26 10:00")
        for minutes in range(10, 90, 10):
            since_ms = source.list_changed(clock["ms"] - 60_000).as_of_ms
            clock["ms"] += 600_000
            made = town.book(FORM, "2026-10-26 11:00")
            assert booking_of(made) in ids(source.list_changed(since_ms)), minutes
        source.close()


# --- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        Told("status", status=500),
        Told("status", status=403),
        Told("html", status=200),
        Told("html", status=503),
        Told("cut", times=2),
        Told("cut_quietly"),
        Told("drop", times=2),
    ],
    ids=lambda told: f"{told.kind}-{told.status}",
)
def test_a_fault_that_a_pause_mends_is_no_listing(publik: TestPublik, opened: Opened, told: Told):
    publik.faults.append(told)
    source = opened()
    with pytest.raises(SourceAway) as away:
        source.list_all(*DAYS)
    assert "Exemple" not in str(away.value)
    assert source.list_all(*DAYS).complete


def test_a_role_that_lacks_and_an_authentic_that_is_away_are_no_revoked_key(publik: TestPublik, opened: Opened):
    for switch in ("authentic_away", "has_role"):
        setattr(publik.town.switches, switch, switch != "has_role")
        with pytest.raises(SourceAway, match="HTTP 403, access denied"):
            opened().list_all(*DAYS)
        setattr(publik.town.switches, switch, switch == "has_role")


def test_an_unknown_form_and_a_no_are_refusals(publik: TestPublik, opened: Opened):
    with pytest.raises(SourceRefuses, match="api/forms/renamed/list answered HTTP 404, not known there"):
        opened(forms=(form(form="renamed"),)).list_all(*DAYS)
    publik.faults.append(Told("err"))
    with pytest.raises(SourceRefuses, match="une erreur est survenue"):
        opened().list_all(*DAYS)


def test_one_form_that_is_refused_leaves_the_news_of_the_others(publik: TestPublik, opened: Opened):
    publik.town.book(FORM, "2026-11-25 10:00")
    listing = opened(forms=(form(form="renamed"), form())).list_all(*DAYS)
    assert (ids(listing), listing.complete) == ({"1001"}, False)
    (missed,) = listing.missed
    assert (missed.services, listing.flaws) == (("identity",), ())
    assert "/api/forms/renamed/list answered HTTP 404, not known there" in missed.why


@pytest.mark.parametrize(("kind", "status"), [("status", 403), ("status", 500), ("html", 404), ("redirect", 302)])
def test_one_form_that_fails_for_now_leaves_the_news_of_the_others(
    publik: TestPublik, opened: Opened, kind: str, status: int
):
    publik.town.add_form("second")
    publik.town.book(FORM, "2026-11-25 10:00")
    publik.faults.append(Told(kind, match="/forms/second/", times=None, status=status))
    of_second = (form(form="second", meeting_types=("60",), service="housing"), form(form="second"))
    source = opened(forms=(*of_second, form()))
    for listing in (source.list_all(*DAYS), source.list_changed(system_ms() - 600_000)):
        assert listing is not None
        assert (ids(listing), listing.complete) == ({"1001"}, False)
        (missed,) = listing.missed
        assert (missed.services, listing.flaws) == (("housing", "identity"), ())


@pytest.mark.parametrize("lacks", ["workflow", "workflow.data"])
def test_a_list_that_does_not_show_whether_a_request_has_a_booking_does_not_say_that_it_has_none(
    publik: TestPublik, opened: Opened, monkeypatch, lacks: str
):
    publik.town.book(FORM, "2026-11-25 10:00")
    publik.town.cancel(FORM, publik.town.book(FORM, "2026-11-25 11:00").id)
    whole = wcs_side._export

    def export(town, form, *, full):
        shown = whole(town, form, full=full)
        around, _, key = lacks.rpartition(".")
        (shown[around] if around else shown).pop(key)
        return shown

    monkeypatch.setattr(wcs_side, "_export", export)
    listing = opened().list_all(*DAYS)
    assert listing.bookings == ()
    silent = {flaw.reference for flaw in listing.flaws if flaw.if_known}
    assert f"{FORM}/1" in silent
    assert (f"{FORM}/2" in silent) == (lacks == "workflow"), "a cancelled status is enough to be gone"


@pytest.mark.parametrize("cancelled", [False, True])
def test_of_two_bookings_the_one_that_is_hidden_is_a_flaw_beside_the_one_that_is_shown(
    publik: TestPublik, opened: Opened, cancelled: bool
):
    request = publik.town.book(FORM, "2026-11-25 10:00")
    if cancelled:
        publik.town.set_status(FORM, request.id, "4")
    publik.town.switches.anonymised = True
    copied = form(booking="workflow.fields.rdv_id")
    hidden = form(service="housing", cancelled_statuses=("Absent",))
    source = opened(forms=(copied, hidden))
    for listing in (source.list_all(*DAYS), source.look_up([Hint(f"{FORM}/{request.id}")])):
        assert ids(listing) == {booking_of(request)}
        whys = [flaw.why for flaw in listing.flaws if flaw.if_known and flaw.reference == f"{FORM}/{request.id}"]
        assert whys == ([] if cancelled else ["it shows no workflow.data"])
        assert {flaw.services for flaw in listing.flaws if flaw.if_known} == (set() if cancelled else {("housing",)})


def test_a_list_with_a_request_that_has_no_id_proves_nothing(publik: TestPublik, opened: Opened, monkeypatch):
    whole = wcs_side._export

    def export(town, form, *, full):
        shown = whole(town, form, full=full)
        return {key: value for key, value in shown.items() if form.id != 2 or key not in {"id", "internal_id"}}

    for _ in range(3):
        publik.town.book(FORM, "2026-11-25 10:00")
    monkeypatch.setattr(wcs_side, "_export", export)
    listing = opened().list_all(*DAYS)
    assert (ids(listing), listing.complete, listing.as_of_ms) == ({"1001", "1003"}, False, None)
    assert {flaw.about for flaw in listing.flaws} == {f"a request of form {FORM}"}


def test_a_fault_in_the_midst_of_a_list_is_no_listing(publik: TestPublik, opened: Opened):
    for _ in range(600):
        publik.town.book(FORM, "2026-11-25 10:00")
    publik.faults += [Told("slow", times=1), Told("status", status=500)]
    with pytest.raises(SourceAway):
        opened().list_all(*DAYS)


def test_a_hint_to_no_form_of_ours_is_not_followed(publik: TestPublik, opened: Opened):
    assert opened().look_up([Hint("other/1"), Hint("api")]).bookings == ()
    assert publik.calls == []


def test_hints_to_one_request_are_one_call(publik: TestPublik, opened: Opened):
    publik.town.book(FORM, "2026-11-25 10:00")
    assert ids(opened().look_up([Hint(f"{FORM}/1")] * 3)) == {"1001"}
    assert len(publik.calls) == 1


@pytest.mark.parametrize(
    ("login", "variable"), [("signature", "SUIVANT_PUBLIK_KEY_FILE"), ("basic", "SUIVANT_PUBLIK_PASSWORD_FILE")]
)
def test_no_source_opens_without_what_its_login_asks_for(opened: Opened, login: str, variable: str):
    with pytest.raises(WrongSetting, match=f"{variable} is not set"):
        opened(secrets=Secrets(), login=login)


def test_an_authority_that_cannot_be_read_is_told(opened: Opened, tmp_path):
    file = tmp_path / "ca.pem"
    for why in ("there is no such file", "this one has none"):
        with pytest.raises(WrongSetting) as wrong:
            opened(secrets=Secrets(key=b"x", ca_file=file))
        sentence = f"SUIVANT_PUBLIK_CA_FILE is '{file}': it should be a PEM file with certificates, but {why}"
        assert str(wrong.value) == sentence
        file.write_text("no certificate", encoding="utf-8")


def test_a_password_serves_as_well_as_a_key(publik: TestPublik, opened: Opened):
    publik.town.book(FORM, "2026-11-25 10:00")
    assert ids(opened(login="basic").list_all(*DAYS)) == {"1001"}
    assert "signature" not in publik.calls[0][2]
