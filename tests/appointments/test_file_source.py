"""Bookings from a file written by people: their ways of writing it are read, and half a file never counts as whole."""

import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.appointments.file_source import SETTLES_MS, FileSource, read_listing
from hub.appointments.source import Hint, SourceAway
from hub.queue.reports import ReportKind
from tests.queue.harness import DAY, HOUR, TUESDAY_AT_TEN, ZONE, ZoneInfo, moment, only

HEAD = "id;service;start;code;name;gone"
PARIS = ZoneInfo(ZONE)


class File:
    """A file that was written long ago, unless a test says otherwise."""

    def __init__(self, path):
        self.path = path
        self.now_ms = TUESDAY_AT_TEN
        self.source = FileSource(path, ZONE, lambda: self.now_ms)

    def write(self, *lines, encoding="utf-8", age_ms=DAY):
        self.path.write_bytes("\r\n".join([*lines, ""]).encode(encoding))
        self.age(age_ms)

    def age(self, age_ms):
        at_s = (self.now_ms - age_ms) / 1000
        os.utime(self.path, (at_s, at_s))

    def list(self):
        return self.source.list_all("2026-11-24", "2026-12-01")


@pytest.fixture
def file(tmp_path):
    return File(tmp_path / "appointments.csv")


def read(*lines):
    return read_listing("\n".join(lines), "appointments.csv", PARIS, 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_line_is_a_booking(file, encoding):
    file.write(HEAD, "17;civil;2026-11-24 11:30;ab 12;Zoé Exemple-Inventée;", encoding=encoding)
    listing = file.list()
    booking = only(listing.bookings)
    assert (booking.id, booking.reference, booking.service, booking.code) == ("17", "17", "civil", "AB12")
    assert booking.start_ms == moment("2026-11-24 11:30")
    assert (booking.name, booking.gone) == ("Zoé Exemple-Inventée", False)
    assert listing.complete
    assert listing.flaws == ()


def test_columns_may_stand_in_any_order_with_commas_and_columns_that_nobody_knows():
    listing = read(
        "Start, Service ,remark,ID", "24/11/2026 09:00,civil,“no, thanks”,8".replace("“", '"').replace("”", '"')
    )
    booking = only(listing.bookings)
    assert (booking.id, booking.code, booking.name) == ("8", "8", None)
    assert booking.start_ms == moment("2026-11-24 09:00")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2026-11-24T09:05", "2026-11-24 09:05"),
        ("2026-11-24 09:05:00", "2026-11-24 09:05"),
        ("24/11/2026 9:05", "2026-11-24 09:05"),
        ("4/1/2027  09:05:00", "2027-01-04 09:05"),
        ("2026-11-24T08:05+00:00", "2026-11-24 09:05"),
    ],
)
def test_a_start_is_read_as_people_and_programs_write_it(text, start):
    assert only(read("id;service;start", f"1;civil;{text}").bookings).start_ms == moment(start)


def test_a_time_that_is_there_twice_is_the_first_and_one_that_is_not_there_is_an_hour_later():
    listing = read("id;service;start", "1;civil;2026-10-25 02:30", "2;civil;2026-03-29 02:30")
    autumn, spring = (each.start_ms for each in listing.bookings)
    assert autumn == moment("2026-10-25 01:30") + HOUR
    assert spring == moment("2026-03-29 03:30")


@pytest.mark.parametrize("word", ["yes", "1", "TRUE", "cancelled", "oui", "VRAI", "Annulé"])
def test_a_cancelled_booking_is_gone(word):
    assert only(read(HEAD, f"1;civil;2026-11-24 09:00;;;{word}").bookings).gone


@pytest.mark.parametrize("word", ["", "no", "0", "FALSE", "non", "FAUX"])
def test_a_booking_that_stands_is_not(word):
    assert not only(read(HEAD, f"1;civil;2026-11-24 09:00;;;{word}").bookings).gone


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1;civil;tomorrow;;;", "start"),
        ("1;civil;2026-11-24;;;", "start"),
        ("1;civil;31/11/2026 09:00;;;", "start"),
        ("1;civil;24/11/2026 09:0;;;", "start"),
        ("1;civil;24/11/26 09:00;;;", "start"),
        ("1;civil;0001-01-01 00:00;;;", "start"),
        ("1;civil;2026-11-24 09:00;;;perhaps", "gone"),
        ("—;civil;2026-11-24 09:00;;;", "code"),
        ("1;civil;2026-11-24 0", "3 fields"),
        ("Exemple;1;civil;2026-11-24 09:00;A1;;no", "7 fields"),
        (";civil;2026-11-24 09:00;;;", "id"),
        ("2\0;civil;2026-11-24 09:00;A2;;", "id"),
    ],
)
def test_a_broken_line_names_itself_and_leaves_the_others_alone(line, why):
    listing = read(HEAD, "7;civil;2026-11-24 09:00;A7;;", line, "8;civil;2026-11-24 09:10;A8;;")
    assert [each.id for each in listing.bookings] == ["7", "8"]
    flaw = only(listing.flaws)
    assert flaw.about == "appointments.csv, line 3"
    assert why in flaw.why


def test_what_a_shifted_line_holds_is_not_repeated():
    flaw = only(read(HEAD, "1;civil;Exemple-Inventée;2026-11-24 09:00;;").flaws)
    assert "Exemple" not in flaw.why


def test_a_line_that_does_not_say_which_booking_it_is_about_makes_the_file_no_complete_list():
    assert not read(HEAD, "7;civil;2026-11-24 09:00;A7;;", "8;ci").complete
    assert not read("name,id,service,start", "Exemple, Zoé,8,civil,2026-11-24 09:00").complete, "a name with a comma"
    assert read(HEAD, "7;civil;2026-11-24 09:00;A7;;;; ").complete, "a spreadsheet goes on with empty cells"
    assert read(HEAD, "7;civil;nonsense;A7;;").complete, "its booking is known to be there"


@pytest.mark.parametrize(
    "lines",
    [
        ['7;civil;2026-11-24 09:00;A7;"Exemple;', "8;civil;2026-11-24 09:10;A8;;"],
        ['7;civil;2026-11-24 09:00;A7;"Exemple;', "8;civil;2026-11-24 09:10;A8;;", '9;civil;2026-11-24 09:20;A9;Mo"e;'],
        ['"7";"civil";"2026-11-24 09:00";"A7";"Exemple;""', '"8";"civil";"2026-11-24 09:10";"A8";"";""'],
    ],
)
def test_a_quote_that_is_not_closed_takes_no_other_booking_with_it(lines):
    listing = read(HEAD, *lines, "")
    assert not listing.complete, "what stands in the lines after it is not gone"
    assert listing.bookings == ()
    assert only(listing.flaws).about == "appointments.csv, line 2"
    assert "Exemple" not in only(listing.flaws).why


def test_two_lines_that_say_something_else_of_one_booking_are_told_of_and_the_last_one_counts():
    nine, ten = "7;civil;2026-11-24 09:00;A7;;", "7;civil;2026-11-24 10:00;B8;;"
    listing = read(HEAD, nine, nine, ten)
    assert listing.bookings[-1].start_ms == moment("2026-11-24 10:00")
    flaw = only(listing.flaws)
    assert (flaw.about, flaw.reference) == ("appointments.csv, line 4", "7")
    assert "the same id as appointments.csv, line 2" in flaw.why
    assert listing.complete


def test_a_cell_of_several_lines_is_one_cell():
    listing = read(
        f"{HEAD};remark",
        '7;civil;2026-11-24 09:00;A7;;;"calls back;',
        'in the afternoon"',
        "8;civil;24/11/2026 9:10;;;;",
    )
    assert [each.id for each in listing.bookings] == ["7", "8"]
    assert listing.complete


def test_a_file_that_was_written_just_now_may_still_be_written(file):
    file.write(HEAD, "7;civil;2026-11-24 09:00;A7;;", age_ms=0)
    assert not file.list().complete
    assert file.source.list_changed(0) is None, "it is read again"
    file.now_ms += SETTLES_MS
    assert file.list().complete


@pytest.mark.parametrize("torn", ["25/11/2026 1", "25/11/2026 11:3", "25/11/2026 11:30;é"])
def test_half_a_last_line_of_a_file_that_is_being_written_is_not_read(file, torn):
    raw = f"id;service;start;code\n7;civil;24/11/2026 9:00;A7\n8;civil;{torn}".encode()
    file.path.write_bytes(raw[:-1] if torn.endswith("é") else raw)
    file.age(0)
    assert [each.id for each in file.list().bookings] == ["7"]
    assert file.list().flaws == ()


def test_the_last_line_needs_no_end_once_the_file_is_whole(file):
    file.path.write_bytes(b"id;service;start\n7;civil;2026-11-24 09:00")
    file.age(0)
    assert file.list().bookings == ()
    file.now_ms += SETTLES_MS
    assert only(file.list().bookings).id == "7"


def test_a_file_from_a_machine_whose_clock_is_ahead_is_whole_once_it_stays_the_same(file):
    file.write(HEAD, "7;civil;2026-11-24 09:00;A7;;", age_ms=-DAY)
    assert not file.list().complete
    file.now_ms += SETTLES_MS
    assert file.list().complete
    file.write(HEAD, age_ms=-DAY)
    assert not file.list().complete, "it has just changed"


def test_an_unchanged_file_is_not_read_again_and_a_changed_one_is(file):
    file.write(HEAD, "7;civil;2026-11-24 09:00;A7;;")
    kept_ms = file.list().as_of_ms
    unchanged = file.source.list_changed(kept_ms)
    assert unchanged.bookings == ()
    assert not unchanged.complete
    file.write(HEAD, "7;civil;2026-11-24 09:00;A7;;", "8;civil;2026-11-24 09:00;A8;;")
    assert file.source.list_changed(unchanged.as_of_ms) is None
    listing = file.list()
    assert len(listing.bookings) == 2
    file.age(HOUR)
    assert file.source.list_changed(listing.as_of_ms) is None, "another time is another file"


def test_a_file_whose_listing_was_not_kept_is_read_again(file):
    file.write(HEAD, "7;civil;2026-11-24 09:00;A7;;")
    kept_ms = file.list().as_of_ms
    file.write(HEAD, "7;civil;2026-11-24 09:00;A7;;", "8;civil;2026-11-24 09:00;A8;;")
    file.list()
    assert file.source.list_changed(kept_ms) is None
    assert len(file.list().bookings) == 2


def test_without_a_file_there_are_no_appointments_and_nothing_is_said(file):
    listing = file.list()
    assert (listing.bookings, listing.flaws, listing.complete) == ((), (), False)
    assert file.source.title == ""
    assert file.source.list_changed(0) is not None


def test_a_file_of_an_earlier_run_is_missed_too(tmp_path):
    known = [False]
    source = FileSource(tmp_path / "appointments.csv", ZONE, lambda: TUESDAY_AT_TEN, lambda: known[0])
    assert source.list_all("2026-11-24", "2026-12-01").bookings == ()
    known[0] = True
    with pytest.raises(SourceAway, match="no longer exists: put it back"):
        source.list_all("2026-11-24", "2026-12-01")
    assert source.title == "appointments.csv"


def test_a_file_that_goes_away_is_missed_and_takes_nothing_with_it(file):
    file.write(HEAD, "7;civil;2026-11-24 09:00;A7;;")
    assert file.list().complete
    file.path.unlink()
    with pytest.raises(SourceAway, match="no longer exists: put it back"):
        file.list()
    assert file.source.title == "appointments.csv"
    file.write(HEAD)
    assert file.list().complete


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "has no column 'id'"),
        (b"id;start\n", "has no column 'service'"),
        (b"id;service;start;start\n", "the column 'start' twice"),
        (b"PK\x03\x04\xff\xfe", "not UTF-8 in line 1"),
        ("id;service;start\n1;civil;2026-11-24 09:00\n2;\u00e9".encode("latin-1"), "not UTF-8 in line 3"),
        (b'id;service;start\n1;"' + b"x" * 200_000, "line 2"),
    ],
)
def test_a_file_that_is_none_of_ours_says_why(file, raw, why):
    file.path.write_bytes(raw)
    file.age(DAY)
    with pytest.raises(SourceAway, match=why):
        file.list()


def test_a_file_that_may_not_be_looked_at_is_named_and_waited_for(tmp_path):
    # The user who runs the tests may be allowed to read everything; a name that is too long fails in the same way.
    source = FileSource(tmp_path / ("a" * 300), ZONE, lambda: TUESDAY_AT_TEN)
    assert source.title == ""
    with pytest.raises(SourceAway, match="cannot be read"):
        source.list_all("2026-11-24", "2026-12-01")
    assert source.title == "a" * 300


def test_a_folder_in_its_place_says_so(file):
    file.path.mkdir()
    with pytest.raises(SourceAway, match="not a regular file"):
        file.list()


def test_a_file_is_told_nothing_and_looked_up_never(file):
    assert not any(file.source.tells(kind) for kind in ReportKind)
    assert file.source.look_up([Hint("7")]).bookings == ()
    assert file.source.status_of("7", "7", ReportKind.SERVED) is None


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=300))
def test_any_text_is_read_or_refused_in_one_sentence(text):
    for lines in (text, f"{HEAD}\n{text}"):
        with suppress(SourceAway):
            listing = read_listing(lines, "appointments.csv", PARIS, 0)
            assert all(each.id and each.code for each in listing.bookings)
