"""What the screen shows in each state of a hall."""

from dataclasses import astuple
from datetime import date
from itertools import pairwise

import pygame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from nodes.display.draw import Arrow, Fill, Icon, Rounded, Text, Ticket
from nodes.display.layout import Scene
from nodes.display.layout.calls import LANDSCAPE_LIST, PORTRAIT_LIST
from nodes.display.layout.canvas import scale_of
from nodes.display.palette import ACCENT, AMBER, EMERGENCY, INK, INK_2, MIST, PAPER
from nodes.display.pictures import EMERGENCY as EVACUATION
from nodes.display.pictures import HALL
from nodes.display.sizes import Screen
from protocol.messages import Call, Emergency, HallState, Waiting
from tests.display.contrast import contrast
from tests.display.scenes import (
    LANDSCAPE,
    NOW,
    PORTRAIT,
    SCREENS,
    announce,
    call,
    hall,
    ink,
    laid_out,
    painted,
    scene,
    service,
    text,
    texts,
    under,
)

CALL = scene(announcement=announce())


def test_a_call_shows_number_desk_town_and_clock_and_nothing_else(words, fonts):
    assert texts(laid_out(CALL, LANDSCAPE, words, fonts)) == [
        "Ville de Trois-Tilleuls",
        "10:42",
        "A",
        "012",
        "Guichet",
        "3",
    ]


def test_an_upright_call_adds_the_two_calls_before_it(words, fonts):
    said = texts(laid_out(CALL, PORTRAIT, words, fonts))
    assert [word for word in said if word in {"012", "031", "030", "004"}] == ["012", "031", "030"]


def test_a_call_to_another_floor_names_it_under_the_desk(words, fonts):
    picture = laid_out(scene(announcement=announce(place="1er étage")), LANDSCAPE, words, fonts)
    assert "1er étage" in texts(picture)


def test_at_rest_the_newest_call_alone_is_on_paper(words, fonts):
    for screen in SCREENS:
        picture = laid_out(scene(), screen, words, fonts)
        assert sum(isinstance(shape, Ticket) for shape in picture) == 1
        assert [word for word in texts(picture) if word in {"012", "031", "030", "004"}] == ["012", "031", "030", "004"]


def test_a_hall_that_lists_calls_still_to_be_said_shows_the_latest_four(words, fonts):
    many = tuple(call(f"A{n:03d}", "3") for n in range(20, 10, -1))
    for screen in SCREENS:
        said = texts(laid_out(scene(hall=hall(calls=many)), screen, words, fonts))
        assert [word for word in said if word.startswith("01") or word == "020"] == ["020", "019", "018", "017"]


def test_the_clock_and_date_are_those_of_the_hall(words, fonts):
    said = texts(laid_out(scene(hall=hall(zone="America/Cayenne")), LANDSCAPE, words, fonts))
    assert "6:42" in said
    assert "mardi 24 novembre" in said


def test_a_withdrawn_call_is_not_drawn(words, fonts):
    said = texts(laid_out(scene(hall=hall(calls=(call("C031", "7"),))), LANDSCAPE, words, fonts))
    assert "012" not in said
    assert "031" in said


def test_before_the_first_call_visitors_are_welcomed(words, fonts):
    said = texts(laid_out(scene(hall=hall(calls=())), LANDSCAPE, words, fonts))
    assert {"Bienvenue", "Prenez un ticket à la borne"} <= set(said)
    assert "Derniers appels" not in said


def closed(opens_on: date | None) -> HallState:
    return hall(calls=(), waiting=(), open=False, opens="8:30", opens_on=opens_on)


@pytest.mark.parametrize(
    ("opens_on", "said"),
    [
        (None, "Ouvre à 8:30"),
        (date(2026, 11, 24), "Ouvre à 8:30"),
        (date(2026, 11, 25), "Ouvre mercredi à 8:30"),
        (date(2026, 11, 30), "Ouvre lundi à 8:30"),
        (date(2026, 12, 1), "Ouvre le mardi 1er décembre à 8:30"),
        (date(2027, 1, 4), "Ouvre le lundi 4 janvier à 8:30"),
    ],
)
def test_a_closed_hall_says_on_a_tuesday_when_it_opens(words, fonts, opens_on, said):
    for screen in SCREENS:
        assert {"Fermé", said} <= set(texts(laid_out(scene(hall=closed(opens_on)), screen, words, fonts)))


def test_after_midnight_a_closed_hall_opens_today_without_a_new_picture(words, fonts):
    monday_ms = NOW + 6 * 24 * 3_600_000
    shown = scene(hall=closed(date(2026, 11, 30)), now_ms=monday_ms)
    assert "Ouvre à 8:30" in texts(laid_out(shown, LANDSCAPE, words, fonts))


def test_the_longest_day_of_opening_stays_beside_the_clock(words, fonts):
    for screen in SCREENS:
        picture = laid_out(scene(hall=closed(date(2026, 12, 23))), screen, words, fonts)
        opens = text(picture, "Ouvre le mercredi 23 décembre à 8:30")
        assert ink(opens, fonts).right <= (LANDSCAPE_LIST if screen is LANDSCAPE else PORTRAIT_LIST).right


def test_after_the_last_ticket_those_who_wait_still_see_their_calls(words, fonts):
    assert "Fermé" not in texts(laid_out(scene(hall=hall(open=False)), LANDSCAPE, words, fonts))


def closed_after(minutes: int, **more: object) -> Scene:
    """A closed hall, this many minutes after its last call."""
    empty = tuple(changed(each, count=0) for each in HALL.waiting)
    shown = hall(**{"open": False, "opens": "13:30", "waiting": empty, **more})
    return scene(hall=shown, now_ms=NOW + minutes * 60_000)


def test_a_hall_that_closed_at_noon_says_so_though_its_calls_are_listed_to_the_end_of_the_day(words, fonts):
    for screen in SCREENS:
        said = texts(laid_out(closed_after(15), screen, words, fonts))
        assert {"Fermé", "Ouvre à 13:30"} <= set(said)
        assert not {"Derniers appels", "012", "En attente"} & set(said)


@pytest.mark.parametrize(
    "shown",
    [closed_after(14), closed_after(60, waiting=HALL.waiting), closed_after(60, open=True)],
    ids=["called just now", "some wait", "open"],
)
def test_a_hall_in_which_somebody_is_served_shows_its_calls(words, fonts, shown):
    said = texts(laid_out(shown, LANDSCAPE, words, fonts))
    assert {"Derniers appels", "012", "En attente"} <= set(said)
    assert "Fermé" not in said


def test_without_data_a_display_says_what_it_waits_for_and_its_own_name(words, fonts):
    said = " ".join(texts(laid_out(scene(hall=None), PORTRAIT, words, fonts)))
    assert "En attente du serveur" in said
    assert "display-1" in said


def test_old_data_says_so_loses_its_paper_and_keeps_the_clock(words, fonts):
    for screen in SCREENS:
        picture = laid_out(scene(offline_s=25), screen, words, fonts)
        said = " ".join(texts(picture))
        assert "Hors ligne" in said
        assert "0 : 2 5" in said
        assert "L’affichage peut être ancien." in said
        assert "10:42" in said
        assert "mardi" not in said
        assert not any(isinstance(shape, Ticket) for shape in picture)
        assert any(isinstance(shape, Icon) and shape.name == "wifi-off" for shape in picture)


@pytest.mark.parametrize(
    ("now_ms", "said"),
    [
        (NOW + 20 * 60_000, "L’affichage date de 10:42. Demandez à l’accueil."),
        (NOW + 86_400_000, "L’affichage date du mardi 24 novembre. Demandez à l’accueil."),
        # A machine whose clock has no battery may start at any time.
        (0, "L’affichage date du mardi 24 novembre. Demandez à l’accueil."),
    ],
)
def test_where_nobody_knows_for_how_long_the_hub_is_away_the_band_says_since_when_the_picture_is(
    words, fonts, now_ms, said
):
    for screen in SCREENS:
        picture = laid_out(scene(unheard=True, now_ms=now_ms), screen, words, fonts)
        joined = " ".join(texts(picture))
        assert "En attente du serveur" in joined
        assert said in joined
        assert "depuis" not in joined
        assert not any(isinstance(shape, Ticket) for shape in picture)


def test_the_digits_of_the_running_time_stay_in_their_slots(words, fonts):
    def places(seconds: int) -> list[int]:
        picture = laid_out(scene(offline_s=seconds), LANDSCAPE, words, fonts)
        return [shape.x for shape in picture if isinstance(shape, Text) and shape.px == 138 and shape.align == "centre"]

    assert places(25) == places(51) == places(599)


def test_an_emergency_covers_calls_and_everything_else(words, fonts):
    for screen in SCREENS:
        picture = laid_out(scene(hall=hall(emergency=EVACUATION), announcement=announce()), screen, words, fonts)
        assert " ".join(texts(picture)) == "Évacuation Sortez maintenant. Ne courez pas. Pas d’ascenseur."
        assert isinstance(picture[0], Fill)
        assert picture[0].colour == EMERGENCY


def test_more_than_four_services_take_turns_every_10_s(words, fonts):
    waiting = tuple(service(letter, f"Service {letter}", 1) for letter in "ACEFHM")

    def names(seconds: int) -> list[str]:
        picture = laid_out(scene(now_ms=NOW + seconds * 1000, hall=hall(waiting=waiting)), LANDSCAPE, words, fonts)
        return [word[-1] for word in texts(picture) if word.startswith("Service")]

    assert {"".join(names(second)) for second in (0, 10)} == {"ACEF", "HM"}
    assert names(0) == names(20)


def test_several_messages_take_turns_every_10_s_and_never_stand_together(words, fonts):
    shown = hall(messages=("Un.", "Deux.", "Trois."))
    seen = [
        [
            word
            for word in texts(laid_out(scene(now_ms=NOW + 10_000 * turn, hall=shown), LANDSCAPE, words, fonts))
            if word in shown.messages
        ]
        for turn in range(3)
    ]
    assert sorted(word for turn in seen for word in turn) == ["Deux.", "Trois.", "Un."]
    assert all(len(turn) == 1 for turn in seen)


def test_the_resting_layout_moves_by_4_px_every_10_minutes_and_a_call_never(words, fonts):
    def place(minutes: int, **more: object) -> tuple[int, int]:
        shown = scene(now_ms=NOW + minutes * 60_000, **more)
        picture = laid_out(shown, LANDSCAPE, words, fonts)
        ticket = next(shape for shape in picture if isinstance(shape, Ticket))
        return ticket.box.x, ticket.box.y

    places = [place(minutes) for minutes in (0, 10, 20, 30)]
    assert len(set(places)) == 4
    assert all(abs(a - b) in {0, 4} for one, other in pairwise(places) for a, b in zip(one, other, strict=True))
    assert place(0, announcement=announce()) == place(10, announcement=announce())


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize(
    "shown",
    [
        scene(),
        CALL,
        scene(offline_s=25),
        scene(unheard=True),
        scene(hall=None),
        scene(hall=hall(calls=())),
        scene(hall=hall(emergency=EVACUATION)),
    ],
    ids=["rest", "call", "old", "unheard", "no data", "welcome", "emergency"],
)
def test_every_text_has_a_contrast_of_at_least_7(words, fonts, screen, shown):
    picture = laid_out(shown, screen, words, fonts)
    for shape in picture:
        if isinstance(shape, Text) and shape.text:
            below = under(picture, shape, fonts)
            assert contrast(shape.colour, below.colour) >= 7, shape  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("one", "other", "measured"),
    [
        (INK, PAPER, 15.8),
        (PAPER, INK_2, 13.0),
        (MIST, INK, 10.1),
        (PAPER, ACCENT, 8.9),
        (INK, AMBER, 10.2),
        (INK, EMERGENCY, 11.6),
    ],
)
def test_the_colours_have_the_contrast_that_was_measured(one, other, measured):
    assert contrast(one, other) == pytest.approx(measured, abs=0.06)


def test_asked_who_it_is_a_display_says_its_name(words, fonts):
    assert "display-1" in texts(laid_out(scene(identify=True), LANDSCAPE, words, fonts))


def test_a_call_is_shown_to_who_waits_though_somebody_asks_which_display_this_is(words, fonts):
    said = texts(laid_out(scene(announcement=announce(), identify=True), LANDSCAPE, words, fonts))
    assert "012" in said
    assert "display-1" not in said


# Seen from far away, upright and wide: everything is drawn larger.
FAR = [Screen(1080, 1920, 43, 6), Screen(1080, 1920, 55, 8), Screen(1080, 1920, 32, 5), Screen(1920, 1080, 43, 6)]


@pytest.mark.parametrize("screen", FAR)
@pytest.mark.parametrize("offline_s", [None, 25])
def test_the_list_of_calls_ends_above_who_waits_however_large_it_is_drawn(words, fonts, screen, offline_s):
    picture = laid_out(scene(offline_s=offline_s), screen, words, fonts)
    boxes = {shape: pygame.Rect(astuple(shape.box)) for shape in picture if isinstance(shape, Rounded | Icon)}
    rows = [box for shape, box in boxes.items() if isinstance(shape, Rounded) and shape.colour == INK_2]
    people = [box for shape, box in boxes.items() if isinstance(shape, Icon) and shape.name == "users"]
    assert rows
    assert people
    assert [row for row in rows if row.collidelist(people) >= 0] == []


@pytest.mark.parametrize("screen", [*SCREENS, *FAR])
def test_no_text_is_too_small_to_be_read_however_many_wait(words, fonts, screen):
    crowd = tuple(changed(each, count=120) for each in HALL.waiting)
    picture = laid_out(scene(hall=hall(waiting=crowd)), screen, words, fonts)
    least_px = 27 * min(screen.width, screen.height) / 1080
    assert [shape.text for shape in picture if isinstance(shape, Text) and shape.text and shape.px < least_px] == []
    assert [shape.text for shape in picture if isinstance(shape, Text)].count("120") >= 1


# The smallest screens that can still be read in their halls, and smaller ones.
SMALL = [Screen(1920, 1080, *each) for each in ((40, 5), (40, 6), (43, 8), (32, 8))]


@pytest.mark.parametrize("screen", [*SCREENS, *FAR, *SMALL])
@pytest.mark.parametrize("offline_s", [None, 25])
def test_a_letter_and_how_many_wait_are_never_read_as_a_number(words, fonts, screen, offline_s):
    shown = hall(calls=(), waiting=(service("W", "Urbanisme", 128), service("M", "Accueil", 12)))
    picture = laid_out(scene(hall=shown, letters="WM", offline_s=offline_s), screen, words, fonts)
    for letter, count in (("W", "128"), ("M", "12")):
        left, right = text(picture, letter), text(picture, count)
        assert left.px == right.px
        # Within a number, the digits follow the letter after 0.2 em.
        assert ink(right, fonts).left - ink(left, fonts).right >= 0.55 * left.px


@pytest.mark.parametrize("screen", [*SCREENS, *FAR, *SMALL])
def test_the_arrow_of_a_row_stands_clear_of_number_and_plaque_however_large_they_are(words, fonts, screen):
    shown = hall(calls=(call("W088", "12"), call("W031", "7")))
    picture = laid_out(scene(hall=shown, letters="W"), screen, words, fonts)
    arrow = [shape.box for shape in picture if isinstance(shape, Arrow)][-1]
    plaque = [shape.box for shape in picture if isinstance(shape, Rounded) and shape.colour == ACCENT][-1]
    assert plaque.x - arrow.right >= 30
    assert arrow.x - ink(text(picture, "031"), fonts).right >= 20


# Higher than the reference: 16:10, 4:3, and upright beyond 9:16.
HIGH = [Screen(1920, 1200), Screen(1024, 768), Screen(1080, 2400)]


@pytest.mark.parametrize("screen", HIGH)
@pytest.mark.parametrize("shown", [scene(), scene(offline_s=25), scene(unheard=True)], ids=["rest", "old", "unheard"])
def test_what_a_band_says_stands_as_far_from_its_middle_on_a_screen_of_any_shape(words, fonts, screen, shown):
    def off_middle(screen: Screen) -> float:
        picture = laid_out(shown, screen, words, fonts)
        band = [shape.box for shape in picture if isinstance(shape, Fill) and shape.box.width == screen.width][-1]
        inks = [ink(shape, fonts) for shape in picture if isinstance(shape, Text) and shape.text.strip()]
        said = [each for each in inks if each.top >= band.y]
        middle = (min(each.top for each in said) + max(each.bottom for each in said)) / 2
        return (middle - band.y - band.height / 2) / scale_of(screen)

    assert off_middle(screen) == pytest.approx(off_middle(PORTRAIT if screen.portrait else LANDSCAPE), abs=3)


def test_desk_plaques_are_the_only_accent_on_the_screen(words, fonts):
    picture = laid_out(scene(), LANDSCAPE, words, fonts)
    assert sum(isinstance(shape, Rounded) and shape.colour == ACCENT for shape in picture) == 4


anything = st.text(max_size=60)
calls = st.builds(Call, id=anything, number=anything, desk=anything, at=st.just(NOW), place=st.none() | anything)
waiting = st.builds(Waiting, service=st.just("a"), letter=anything, name=anything, count=st.integers(0, 10**12))
halls = st.builds(
    hall,
    town=anything,
    calls=st.lists(calls, max_size=8).map(tuple),
    waiting=st.lists(waiting, max_size=9).map(tuple),
    messages=st.lists(anything, max_size=3).map(tuple),
    opens=st.none() | anything,
    opens_on=st.none() | st.dates(),
    open=st.booleans(),
    emergency=st.none() | st.builds(Emergency, title=anything, lines=st.lists(anything, max_size=5).map(tuple)),
)


@given(
    shown=st.builds(
        scene,
        hall=st.none() | halls,
        letters=anything,
        town=anything,
        node=anything,
        offline_s=st.none() | st.integers(15, 10**9),
        unheard=st.booleans(),
        announcement=st.none() | st.builds(announce, anything, anything),
    ),
    screen=st.builds(
        Screen, st.integers(200, 800), st.integers(200, 800), st.floats(0.1, 1_000), st.floats(0.1, 1_000)
    ),
)
def test_whatever_the_hub_says_and_on_whatever_screen_there_is_a_picture(words, fonts, shown, screen):
    painted(laid_out(shown, screen, words, fonts), screen, fonts)
