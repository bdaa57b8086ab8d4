"""The messages that the author of a site file reads if something in it is wrong."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

import hub
from hub.config import WrongSiteFile, read_site
from hub.site import WORKING_DAYS, Site
from protocol.messages import Role

EXAMPLE = Path(hub.__file__).with_name("example-site.yaml")

RIGHT = """\
name: annexe
town: Ville de Trois-Tilleuls
zone: Europe/Paris
halls:
  - name: hall
    title: Hall
services:
  - name: papers
    letter: A
    title: Papiers
    short: Papiers
    hall: hall
desks:
  - name: desk-1
    number: 1
    hall: hall
    serves: [papers]
nodes:
  - name: button-1
    role: desk_button
    desk: desk-1
  - name: screen-1
    role: display
    hall: hall
  - name: dispenser-1
    role: ticket_printer
    pins:
      papers: 5
"""


def read(text: str, folder: Path) -> Site:
    return read_site(written(text, folder)).site


def written(text: str, folder: Path) -> Path:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(text: str, folder: Path) -> list[str]:
    """Each problem as `line: key: what`, including warnings."""
    try:
        found = read_site(written(text, folder))
    except WrongSiteFile as wrong:
        lines = str(wrong).splitlines()
    else:
        lines = found.warning_lines()
    return [line.removeprefix(f"{folder / 'site.yaml'}:") for line in lines]


def with_lines(*changes: tuple[int, str], after: str = "") -> str:
    """RIGHT with some of its lines, counted from 1, replaced, and with `after` at its end."""
    lines = RIGHT.splitlines()
    for number, line in changes:
        lines[number - 1] = line
    return "\n".join(lines) + "\n" + after


BUTTONS = (28, "      papers: 5\n      other: 6")


def test_a_right_file_becomes_a_site(tmp_path: Path) -> None:
    site = read(RIGHT, tmp_path)
    assert problems(RIGHT, tmp_path) == []
    assert (site.name, site.zone, site.day_end_delay_min) == ("annexe", "Europe/Paris", 60)
    assert site.services[0].days == WORKING_DAYS
    assert site.desks[0].number == "1"
    assert [node.role for node in site.nodes] == [Role.DESK_BUTTON, Role.DISPLAY, Role.TICKET_PRINTER]
    assert site.nodes[2].pins == {"papers": 5}


def test_desks_may_close_with_the_last_ticket(tmp_path: Path) -> None:
    assert problems(with_lines((12, "    hall: hall\n    closes: 16:45")), tmp_path) == []


def test_the_example_is_right_and_free_of_warnings() -> None:
    assert read_site(EXAMPLE).warnings == ()


def test_every_default_that_the_example_shows_is_the_default(tmp_path: Path) -> None:
    """A commented line shows the default, so uncommenting it changes nothing."""
    commented = re.compile(r"^(\s*)# ([a-z_]+: [^#\n]*?)\s*(#.*)?$", re.MULTILINE)
    text = EXAMPLE.read_text(encoding="utf-8")
    assert len(commented.findall(text)) > 12
    assert read(commented.sub(r"\1\2", text), tmp_path) == read_site(EXAMPLE).site


def test_a_clock_time_is_not_read_in_base_sixty(tmp_path: Path) -> None:
    text = RIGHT.replace("    hall: hall\ndesks", "    hall: hall\n    opens: 8:30\n    last_ticket: 16:00\ndesks")
    assert read(text, tmp_path).services[0].opens == "8:30"


def test_the_letter_n_is_not_read_as_no(tmp_path: Path) -> None:
    assert read(with_lines((9, "    letter: N")), tmp_path).services[0].letter == "N"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((1, "name: The Annexe"), "1: name: 'The Annexe' should be at most 32 lower-case letters, digits and hyphens"),
        ((3, "zone: Europe/Pari"), "3: zone: 'Europe/Pari' should be an IANA time zone"),
        ((3, "zone: ../../etc"), "3: zone: '../../etc' should be an IANA time zone"),
        ((3, "zone: localtime"), "3: zone: 'localtime' should be an IANA time zone"),
        ((3, "zone: UTC\nfollow_url: https://file.example/t"), "4: follow_url: 'https://file.example/t' should be an"),
        (
            (3, "zone: UTC\nfollow_url: https://"),
            "4: follow_url: 'https://' should be an address that ends with / or =",
        ),
        ((3, "zone: UTC\nfollow_url: https://a b/"), "4: follow_url: 'https://a b/' should be an address"),
        (
            (1, 'name: "town-hall\\n"'),
            "1: name: 'town-hall\\n' contains a control character, such as a line break: remove it",
        ),
        ((2, 'town: "Ville\\ud800"'), "2: town: 'Ville\\ud800' contains a control character"),
        ((1, 'name: "\\ud800"'), "1: name: '\\ud800' contains a control character"),
        ((6, '    "\\ud800": Hall'), "6: halls.hall.\\ud800: there is no such key here"),
        ((5, '  - name: "\\udfff"'), "5: halls.\\udfff.name: '\\udfff' contains a control character"),
        (
            (5, '  - name: "\\udfff"'),
            "12: services.papers.hall: this site has no hall 'hall': there are \\udfff",
        ),
        ((2, 'town: " "'), "2: town: this should have 1 to 200 characters"),
        ((6, "    tittle: Hall"), "6: halls.hall.tittle: there is no such key here; did you mean 'title'?"),
        ((9, "    letter: O"), "9: services.papers.letter: 'O' should be one capital letter other than I, O and Q"),
        (
            (11, "    short: Papiers d’identité"),
            "11: services.papers.short: 'Papiers d’identité' should be text of",
        ),
        ((12, "    hall: hal"), "12: services.papers.hall: this site has no hall 'hal'; did you mean 'hall'?"),
        ((15, "    number: 100"), "15: desks.desk-1.number: '100' should be a number from 1 to 99"),
        (
            (16, "    hall: hall\n    place: Rez-de-jardin de l’annexe"),
            "17: desks.desk-1.place: 'Rez-de-jardin de l’annexe' should be text of at most 24",
        ),
        (
            (16, "    hall: hall\n    place: ''"),
            "17: desks.desk-1.place: this text is empty: write what visitors should",
        ),
        ((17, "    serves: [paper]"), "17: desks.desk-1.serves.1: this site has no service 'paper'; did you mean"),
        ((17, "    serves: []"), "17: desks.desk-1.serves: this desk serves no visitors: name a service"),
        ((17, "    serves: papers"), "17: desks.desk-1.serves: this should be a list"),
        ((17, "    serves: [papers, papers]"), "17: desks.desk-1.serves.2: 'papers' is listed twice: keep one"),
        ((20, "    role: button"), "20: nodes.button-1.role: 'button' should be one of desk_button, display, ticket"),
        ((21, "    hall: hall"), "19: nodes.button-1: 'desk' is missing: a desk_button needs it"),
        ((21, "    desk: desk-2"), "21: nodes.button-1.desk: this site has no desk 'desk-2'; did you mean 'desk-1'?"),
        ((24, "    desk: desk-1"), "22: nodes.screen-1: 'hall' is missing: a display needs it"),
        (
            (21, "    desk: desk-1\n    hall: hall"),
            "22: nodes.button-1.hall: a desk_button has no hall: remove this line",
        ),
        (
            (21, "    desk: desk-1\n    diagonal_in: 55"),
            "22: nodes.button-1.diagonal_in: a desk_button has no diagonal_in: remove this line",
        ),
        (
            (24, "    hall: hall\n    button_pin: 5"),
            "25: nodes.screen-1.button_pin: a display has no button_pin: remove this line",
        ),
        ((24, "    hall: hall\n    pins: {}"), "25: nodes.screen-1.pins: a display has no pins: remove this line"),
        (
            (26, "    role: ticket_printer\n    led_pin: 27"),
            "27: nodes.dispenser-1.led_pin: a ticket_printer has no led_pin: remove this line",
        ),
        ((28, "      papers: 40"), "28: nodes.dispenser-1.pins.papers: 40 should be a BCM number from 0 to 27"),
        (
            (28, "      papers: 22"),
            "28: nodes.dispenser-1.pins.papers: pin 22 is taken by the dispenser's lamp: choose another",
        ),
        ((28, "      papers: five"), "28: nodes.dispenser-1.pins.papers: 'five' should be a whole number"),
        ((28, "      paper: 5"), "28: nodes.dispenser-1.pins.paper: this site has no service 'paper'"),
        ((22, "  - name: button-1"), "22: nodes.button-1.name: 'button-1' is taken by line 19: choose another"),
        ((22, "  - name: hub"), "22: nodes.hub.name: 'hub' is the hub's own name at the broker: choose another"),
        (
            (22, "  - name: ca"),
            "22: nodes.ca.name: 'ca' is the certificate authority's own name: choose another",
        ),
        ((24, "    hall: hall\n    hall: hall"), "25: nodes.screen-1.hall: this key is given twice: keep one"),
        (
            (24, "    hall: hall\n    farthest_m: 0"),
            "25: nodes.screen-1.farthest_m: 0 should be a number of metres, more than 0",
        ),
        (
            (24, "    hall: hall\n    diagonal_in: nan"),
            "25: nodes.screen-1.diagonal_in: nan should be a number of inches",
        ),
        (
            (24, "    hall: hall\n    diagonal_in: 1397"),
            "25: nodes.screen-1.diagonal_in: 1397 should be a number of inches, more than 0 and at most 1000",
        ),
        (
            (24, "    hall: hall\n    farthest_m: 1000.5"),
            "25: nodes.screen-1.farthest_m: 1000.5 should be a number of metres",
        ),
        ((21, "    desk: desk-1\n    led_pin: 17"), "22: nodes.button-1.led_pin: pin 17 is taken by button_pin"),
        (
            (12, "    hall: hall\n    opens: 17h"),
            "13: services.papers.opens: '17h' should be a time of day, such",
        ),
        ((12, "    hall: hall\n    opens: 16:45"), "8: services.papers.last_ticket: 16:45 should be later than opens"),
        (
            (12, "    hall: hall\n    closes: 16:00"),
            "13: services.papers.closes: 16:00 should not be before last",
        ),
        ((12, "    hall: hall\n    days: []"), "13: services.papers.days: this service never opens: name a day"),
        (
            (12, "    hall: hall\n    days: [lundi]"),
            "13: services.papers.days.1: 'lundi' should be one of monday",
        ),
        ((12, "    hall: hall\n    strict: yes"), "13: services.papers.strict: 'yes' should be true or false"),
        (
            (12, "    hall: hall\n    target_wait_min: 20 min"),
            "13: services.papers.target_wait_min: '20 min' should be",
        ),
        ((6, "    title: ''"), "6: halls.hall.title: this text is empty: write what visitors should read"),
    ],
)
def test_a_problem_names_its_line_its_key_and_what_would_be_right(
    change: tuple[int, str], expected: str, tmp_path: Path
) -> None:
    found = problems(with_lines(change), tmp_path)
    assert any(each.startswith(expected) for each in found), found


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = with_lines((3, "zone: 5\nzones: 6"), (9, "    letter: é"), (15, "    number: 0"), (21, "    desk: desk-7"))
    lines = [int(each.partition(":")[0]) for each in problems(text, tmp_path)]
    assert lines == [4, 10, 16, 22]


def test_one_slip_is_not_told_twice(tmp_path: Path) -> None:
    text = with_lines((8, "  - name: Papers"), (17, "    serves: [Papers]"), (28, "      Papers: 5"))
    assert len(problems(text, tmp_path)) == 3  # one for each place of the name
    assert problems(RIGHT.replace("services:", "service:"), tmp_path) == [
        "1: 'services' is missing: a list of name, letter, title, hall, short",
        "7: service: there is no such key here; did you mean 'services'?",
    ]


def test_letters_and_numbers_are_given_once(tmp_path: Path) -> None:
    service = "  - {name: other, letter: A, title: Autre, short: Autre, hall: hall}"
    desk = '  - {name: desk-2, number: "1", hall: hall, serves: [other]}'
    text = with_lines((12, f"    hall: hall\n{service}"), (17, f"    serves: [papers]\n{desk}"), BUTTONS)
    assert problems(text, tmp_path) == [
        "13: services.other.letter: 'A' is taken by line 9: choose another",
        "19: desks.desk-2.number: '1' is taken by line 16: choose another",
    ]


def test_a_service_that_no_desk_serves_is_refused(tmp_path: Path) -> None:
    service = "  - {name: other, letter: L, title: Autre, short: Autre, hall: hall}"
    (told,) = problems(with_lines((12, f"    hall: hall\n{service}"), BUTTONS), tmp_path)
    assert told.startswith("13: services.other: no desk serves this service, so its visitors would wait for ever")


def test_letters_that_rhyme_are_a_warning_and_stop_nothing(tmp_path: Path) -> None:
    service = "  - {name: other, letter: C, title: Autre, short: Autre, hall: hall}"
    more = (12, f"    hall: hall\n{service}"), (17, "    serves: [papers, other]"), BUTTONS
    text = with_lines((9, "    letter: B"), *more)
    assert problems(text, tmp_path) == [
        (
            "13: warning: services.other.letter: B, C sound alike when they are called: "
            "use at most one of B, C, D, G, P, T, V"
        )
    ]
    assert read(text, tmp_path).services[1].letter == "C"


def test_a_desk_that_calls_from_another_hall_should_say_where_it_is(tmp_path: Path) -> None:
    halls = "    title: Hall\n  - {name: upstairs, title: Étage}"
    text = with_lines((6, halls), (16, "    hall: upstairs"))
    (told,) = problems(text, tmp_path)
    assert told.startswith("15: warning: desks.desk-1: this desk calls visitors from hall: say in 'place'")


def test_a_hall_whose_calls_nobody_sees_is_a_warning(tmp_path: Path) -> None:
    (told,) = problems(RIGHT.replace("  - name: screen-1\n    role: display\n    hall: hall\n", ""), tmp_path)
    assert told == "5: warning: halls.hall: visitors wait in this hall, but no display shows who is called"


UPSTAIRS = (
    (6, "    title: Hall\n  - {name: upstairs, title: Étage}"),
    (12, "    hall: hall\n  - {name: other, letter: E, title: Autre, short: Autre, hall: upstairs}"),
    (17, "    serves: [papers, other]\n    place: Rez-de-chaussée"),
    (24, "    hall: upstairs\n  - {name: screen-2, role: display, hall: hall}"),
)


def test_a_dispenser_should_say_in_which_of_several_halls_it_stands(tmp_path: Path) -> None:
    (told,) = problems(with_lines(*UPSTAIRS), tmp_path)
    assert told.startswith("29: warning: nodes.dispenser-1: visitors wait in several halls: name in 'hall' the one")


def test_a_dispenser_may_say_where_it_stands(tmp_path: Path) -> None:
    text = with_lines(*UPSTAIRS, BUTTONS, (26, "    role: ticket_printer\n    hall: upstairs"))
    assert problems(text, tmp_path) == []
    assert read(text, tmp_path).nodes[-1].hall == "upstairs"


def test_a_desk_with_two_buttons_is_a_warning(tmp_path: Path) -> None:
    text = with_lines((21, "    desk: desk-1\n  - {name: button-2, role: desk_button, desk: desk-1}"))
    told = "desk-1 already has the button of line 19: name the desk that this button is at"
    assert problems(text, tmp_path) == [f"22: warning: nodes.button-2.desk: {told}"]
    assert len(read(text, tmp_path).nodes) == 4


OTHER = (
    (12, "    hall: hall\n  - {name: other, letter: E, title: Autre, short: Autre, hall: hall}"),
    (17, "    serves: [papers, other]"),
)


@pytest.mark.parametrize("hall", ["", "    hall: hall\n"])
def test_a_dispenser_without_a_button_for_a_service_of_its_hall_is_a_warning(tmp_path: Path, hall: str) -> None:
    text = with_lines(*OTHER, (26, f"    role: ticket_printer\n{hall}".rstrip()))
    (told,) = problems(text, tmp_path)
    assert told.partition(" ")[2] == (
        "warning: nodes.dispenser-1.pins: "
        "no button for other: visitors without an appointment get no ticket for it in this hall"
    )


def test_dispensers_of_one_hall_may_share_its_services_and_leave_those_of_others_out(tmp_path: Path) -> None:
    second = "      papers: 5\n  - {name: dispenser-2, role: ticket_printer, hall: hall, pins: {other: 5}}"
    assert problems(with_lines(*OTHER, (28, second)), tmp_path) == []
    text = with_lines(*UPSTAIRS, (26, "    role: ticket_printer\n    hall: hall"))
    assert problems(text, tmp_path) == []


def test_the_hall_of_a_dispenser_is_one_of_the_site(tmp_path: Path) -> None:
    text = with_lines((26, "    role: ticket_printer\n    hall: upstair"), *UPSTAIRS)
    (told,) = problems(text, tmp_path)
    assert told.endswith("nodes.dispenser-1.hall: this site has no hall 'upstair'; did you mean 'upstairs'?")


def test_a_file_that_is_no_yaml_is_told_with_the_place(tmp_path: Path) -> None:
    (told,) = problems(with_lines((6, "    title: Hall: main")), tmp_path)
    assert told.startswith("6: this is not YAML, at column 16: mapping values are not allowed here")
    (told,) = problems(with_lines((6, "\ttitle: Hall")), tmp_path)
    assert told.startswith("6: this is not YAML")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 5_000, "1: the lists or keys are nested too deeply"),
        (
            "name: town-hall\ntown: Trois\x07Tilleuls\n",
            "2: this contains the character U+0007, which YAML does not allow: delete it",
        ),
    ],
    ids=["lists", "bell"],
)
def test_what_no_yaml_can_hold_is_told_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    (found,) = problems(text, tmp_path)
    assert found.startswith(told)


def test_anchors_may_be_used_and_are_told_where_they_stand(tmp_path: Path) -> None:
    text = with_lines((12, "    hall: hall\n    days: &days [monday, friday]"))
    assert read(text, tmp_path).services[0].days == ("monday", "friday")


def test_an_empty_file_and_one_with_a_list_say_what_should_stand_there(tmp_path: Path) -> None:
    assert problems("# nothing yet\n", tmp_path)[0].startswith(
        "1: the file is empty: `suivant config example` prints one to begin with"
    )
    assert problems("- name: annexe\n", tmp_path)[0].startswith("1: this should be keys with their values")


def test_a_file_that_is_not_there_or_no_text_says_so(tmp_path: Path) -> None:
    with pytest.raises(WrongSiteFile, match=r"nowhere\.yaml does not exist$"):
        read_site(tmp_path / "nowhere.yaml")
    with pytest.raises(WrongSiteFile, match=r": the site file cannot be read \(Is a directory"):
        read_site(tmp_path)
    path = tmp_path / "latin.yaml"
    path.write_bytes(dedent(RIGHT).replace("Hall\n", "Métro\n").encode("latin-1"))
    with pytest.raises(WrongSiteFile, match=r"latin\.yaml:6: this line is not UTF-8"):
        read_site(path)


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    assert "at most 1000000 are allowed" in problems("#" * 1_000_001, tmp_path)[0]


def test_no_line_taken_out_or_doubled_or_put_in_breaks_the_check(tmp_path: Path) -> None:
    lines = RIGHT.splitlines()
    for number in range(len(lines)):
        for replaced in ([], [lines[number]] * 2, ["  - ["], ["? x"], ["  *nowhere"], ["    name: {a: b}"]):
            problems("\n".join(lines[:number] + replaced + lines[number + 1 :]), tmp_path)
