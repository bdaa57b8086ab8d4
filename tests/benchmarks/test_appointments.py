"""The table's rows when the moments that they measure did not occur."""

from benchmarks.appointments import AT_ONCE, MARK_MOST_S, MOMENTS, marks_row


def test_where_no_mark_comes_its_line_says_no_and_the_others_stand():
    row = marks_row("SQLite", [])
    assert (row.value, row.met) == ("none", False)


def test_some_marks_that_came_in_time_are_not_all():
    in_time = [MARK_MOST_S / 2] * AT_ONCE * MOMENTS
    assert marks_row("SQLite", in_time).met
    assert not marks_row("SQLite", in_time[1:]).met
