"""Text that must be readable is so, measured in painted pixels and in millimetres on the wall."""

from dataclasses import replace

import pygame
import pytest

from nodes.display.draw import Arrow, Rounded, Text
from nodes.display.layout.readable import magnification, unreadable
from nodes.display.palette import ACCENT
from nodes.display.sizes import Screen
from protocol.instants import from_wire
from protocol.messages import Emergency
from tests.display.scenes import (
    LANDSCAPE,
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
)

INK = (0x13, 0x21, 0x2C)
CALL = scene(announcement=announce())


def capital_mm(px: float, screen: Screen) -> float:
    return px * 0.7 * screen.mm_per_px


def painted_height(surface: pygame.Surface, area: pygame.Rect, colour: tuple[int, int, int]) -> int:
    """The greatest height in pixels of one colour's ink in an area."""
    mask = pygame.mask.from_threshold(surface.subsurface(area), colour, (40, 40, 40, 255))
    return max((rect.height for rect in mask.get_bounding_rects()), default=0)


def test_the_reference_screen_is_the_one_the_arithmetic_was_made_for():
    assert LANDSCAPE.mm_per_px == pytest.approx(0.634, abs=0.001)
    assert LANDSCAPE.least_capital_mm == pytest.approx(61, abs=0.2)
    assert replace(LANDSCAPE, farthest_m=8.0).least_em_px == pytest.approx(220, abs=1)


def test_the_capital_of_a_call_is_painted_379_px_high(words, fonts):
    picture = laid_out(CALL, LANDSCAPE, words, fonts)
    surface = painted(picture, LANDSCAPE, fonts)
    assert painted_height(surface, ink(text(picture, "A"), fonts), INK) == pytest.approx(379, abs=1)


def test_a_call_holds_3_percent_of_8_m_in_number_and_desk(words, fonts):
    picture = laid_out(CALL, LANDSCAPE, words, fonts)
    for said in ("A", "012", "3"):
        assert capital_mm(text(picture, said).px, LANDSCAPE) >= 240


def test_an_upright_call_has_a_number_of_320_and_a_desk_of_620(words, fonts):
    picture = laid_out(CALL, PORTRAIT, words, fonts)
    assert text(picture, "012").px == pytest.approx(320, abs=1)
    assert text(picture, "3").px == 620


@pytest.mark.parametrize("screen", SCREENS)
def test_what_must_be_read_holds_0_7_degrees_at_5_m(words, fonts, screen):
    old = laid_out(scene(offline_s=25), screen, words, fonts) + laid_out(scene(unheard=True), screen, words, fonts)
    rest = laid_out(scene(), screen, words, fonts)
    must_be_read = [text(rest, said) for said in ("A", "012", "C", "031", "3", "7", "5", "12")]
    must_be_read += [
        each
        for each in old
        if isinstance(each, Text) and each.text.startswith(("Hors", "depuis", "En attente du", "du serveur"))
    ]
    for each in must_be_read:
        assert screen.reads(each.px), each


@pytest.mark.parametrize("screen", SCREENS)
def test_capitals_stand_in_the_middle_of_ticket_and_plaque(words, fonts, screen):
    picture = laid_out(scene(), screen, words, fonts)
    ticket = next(shape for shape in picture if type(shape).__name__ == "Ticket")
    number = ink(text(picture, "A"), fonts)
    assert number.centery == pytest.approx(ticket.box.y + ticket.box.height / 2, abs=2)


def test_numbers_have_one_size_whatever_their_letter(words, fonts):
    sizes = {
        letter: text(
            laid_out(scene(letters="AW", announcement=announce(f"{letter}088")), LANDSCAPE, words, fonts), "088"
        ).px
        for letter in "AW"
    }
    assert sizes["A"] == sizes["W"] >= 541 * 0.98


def test_a_small_screen_shows_fewer_rows_but_larger_ones(words, fonts):
    small = replace(LANDSCAPE, diagonal_in=40.0)
    picture = laid_out(scene(), small, words, fonts)
    assert magnification(small) > 1.3
    assert small.reads(text(picture, "031").px)
    assert "004" not in [shape.text for shape in picture if isinstance(shape, Text)]
    services = {shape.text for shape in picture if isinstance(shape, Text)} & {"État civil", "Identité", "Famille"}
    assert services == {"État civil", "Identité", "Famille"} or len(services) < 3


def test_a_screen_too_small_for_its_hall_says_so_with_the_distance_it_reads_to():
    assert unreadable(LANDSCAPE) == ()
    said = unreadable(Screen(1920, 1080, diagonal_in=24.0, farthest_m=12.0))
    assert said[0].startswith("too_small: call can be read from at most 3.5 m, but the farthest seat is at 12.0 m")


LONG_EMERGENCY = Emergency(
    title="Évacuation immédiate",
    lines=(
        "Sortez maintenant par la porte principale.",
        "Ne courez pas et ne prenez rien.",
        "Pas d’ascenseur, prenez l’escalier.",
    ),
)
LONGEST = hall(
    calls=(call("W000", "12"), call("W888", "12"), call("W088", "10"), call("W080", "20", "1er étage")),
    waiting=tuple(service(letter, "Étrangers W", 888) for letter in "WMAC"),
    messages=("Préparez votre pièce d’identité et vos photos.",),
)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize(
    "shown",
    [
        scene(hall=LONGEST, letters="W"),
        scene(hall=LONGEST, letters="W", offline_s=3_599),
        scene(hall=LONGEST, letters="W", offline_s=86_399),
        scene(hall=LONGEST, letters="W", unheard=True),
        scene(hall=LONGEST, letters="W", unheard=True, now_ms=0),
        scene(hall=LONGEST, letters="W", announcement=announce("W000", "12")),
        scene(hall=LONGEST, letters="W", announcement=announce("W888", "88", place="1er étage")),
        scene(hall=LONGEST, letters="W", announcement=announce("W888", "8", place="2e étage, aile nord")),
        scene(hall=hall(emergency=LONG_EMERGENCY)),
        scene(hall=hall(calls=(), waiting=()), letters="W"),
        scene(hall=None, town="Communauté d’agglomération du Val-de-Trois-Tilleuls"),
    ],
    ids=[
        "rest",
        "old",
        "a day old",
        "unheard",
        "unheard, another day",
        "call",
        "call elsewhere",
        "call far away",
        "emergency",
        "empty",
        "no data",
    ],
)
def test_the_longest_data_stays_on_the_screen_and_off_its_neighbours(words, fonts, screen, shown):
    picture = laid_out(shown, screen, words, fonts)
    boxes = [(shape, ink(shape, fonts)) for shape in picture if isinstance(shape, Text) and shape.text]
    whole = pygame.Rect(0, 0, screen.width, screen.height)
    for shape, box in boxes:
        assert whole.contains(box), shape
    for place, (shape, box) in enumerate(boxes):
        for other, other_box in boxes[place + 1 :]:
            assert not box.colliderect(other_box), (shape, other)


@pytest.mark.parametrize(
    ("town", "lines"),
    [
        (
            "Communauté d’agglomération de Trois-Tilleuls-lès-Grandes-Œuvres",
            ["Communauté d’agglomération de", "Trois-Tilleuls-lès-Grandes-Œuvres"],
        ),
        ("Communauté de communes du Val des Trois-Tilleuls", ["Communauté de communes", "du Val des Trois-Tilleuls"]),
    ],
)
def test_upright_a_towns_long_name_is_two_lines_of_like_length(words, fonts, town, lines):
    picture = laid_out(scene(town=town), PORTRAIT, words, fonts)
    sizes = [text(picture, line).px for line in lines]
    assert sizes[0] == sizes[1] >= 24


def test_a_two_digit_desk_stays_inside_the_keyline(words, fonts):
    for desk in ("12", "20", "88", "100"):
        picture = laid_out(scene(announcement=announce("W088", desk)), LANDSCAPE, words, fonts)
        keyline = next(shape for shape in picture if type(shape).__name__ == "Ring")
        inner = pygame.Rect(keyline.box.x, keyline.box.y, keyline.box.width, keyline.box.height).inflate(-16, -16)
        assert inner.contains(ink(text(picture, desk), fonts)), desk


def test_a_screen_of_another_shape_keeps_everything_on_it(words, fonts):
    for width, height in ((1280, 1024), (3840, 2160), (1366, 768), (1024, 1280), (2560, 1080)):
        screen = Screen(width, height)
        for shown in (scene(), CALL, scene(offline_s=25)):
            for shape in laid_out(shown, screen, words, fonts):
                if isinstance(shape, Text):
                    assert pygame.Rect(0, 0, width, height).contains(ink(shape, fonts)), (width, height, shape)


SIZES = [*SCREENS, *(Screen(*size) for size in ((720, 1280), (768, 1366), (2160, 3840), (1024, 600), (1366, 768)))]


def left_out(shown, screen, words, fonts):
    """The texts that are not entirely on the screen."""
    whole = pygame.Rect(0, 0, screen.width, screen.height)
    picture = laid_out(shown, screen, words, fonts)
    return [shape.text for shape in picture if isinstance(shape, Text) and not whole.contains(ink(shape, fonts))]


@pytest.mark.parametrize("screen", SIZES, ids=str)
def test_the_longest_message_is_whole_at_every_size_of_a_screen(words, fonts, screen):
    assert left_out(scene(hall=hall(messages=LONGEST.messages)), screen, words, fonts) == []


@pytest.mark.parametrize("screen", SIZES, ids=str)
@pytest.mark.parametrize("day", ["2026-09-23", "2026-11-24", "2026-05-01"])
def test_where_to_ask_is_whole_whatever_the_date_of_an_old_picture(words, fonts, screen, day):
    then = from_wire(f"{day}T09:42:07Z")
    old = scene(hall=hall(at=then), now_ms=then + 86_400_000, unheard=True)
    assert left_out(old, screen, words, fonts) == []
    said = texts(laid_out(old, screen, words, fonts))
    assert any(line.endswith("Demandez à l’accueil.") for line in said)
    assert ("Demandez à l’accueil." in said) == screen.portrait


@pytest.mark.parametrize("screen", SCREENS)
def test_the_newest_call_stands_clear_of_what_follows_it(words, fonts, screen):
    picture = laid_out(scene(hall=hall(calls=(call("W000", "12"),)), letters="W"), screen, words, fonts)
    after = next(
        shape.box
        for shape in picture
        if isinstance(shape, Arrow) or (isinstance(shape, Rounded) and shape.colour == ACCENT)
    )
    assert after.x - ink(text(picture, "000"), fonts).right >= 24
