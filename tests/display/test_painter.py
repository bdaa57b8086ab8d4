"""The painter paints only what changed, with the same result as painting everything."""

import pygame
from hypothesis import given
from hypothesis import strategies as st

from nodes.display.layout import Scene
from nodes.display.painter import Painter
from nodes.display.pictures import EMERGENCY
from nodes.display.sizes import Screen
from tests.display.scenes import LANDSCAPE, NOW, SCENE, announce, call, hall, laid_out, painted, scene, service

SMALL, SMALL_UPRIGHT = Screen(640, 360), Screen(360, 640)

numbers = st.builds("{}{:03d}".format, st.sampled_from("ACFMW"), st.integers(0, 999))
calls = st.builds(call, numbers, st.sampled_from(("1", "7", "12")), st.sampled_from((None, "1er étage")))
services = st.builds(service, st.sampled_from("ACFMW"), st.sampled_from(("Identité", "Accueil")), st.integers(0, 120))
halls = st.builds(
    hall,
    calls=st.lists(calls, max_size=4).map(tuple),
    waiting=st.lists(services, max_size=6).map(tuple),
    messages=st.lists(st.sampled_from(("Un.", "Préparez vos photos.")), max_size=2).map(tuple),
    emergency=st.sampled_from((None, None, None, EMERGENCY)),
)
scenes = st.builds(
    Scene,
    now_ms=st.integers(0, 90).map(lambda steps: NOW + steps * 10_000),
    node=st.just("display-1"),
    town=st.just("Ville de Trois-Tilleuls"),
    letters=st.sampled_from(("ACFM", "W", "")),
    hall=st.one_of(st.none(), halls),
    announcement=st.one_of(st.none(), st.builds(announce, numbers, st.sampled_from(("3", "12")))),
    offline_s=st.sampled_from((None, 15, 16, 3_700)),
)


@given(shown=st.lists(scenes, min_size=2, max_size=4), screen=st.sampled_from((SMALL, SMALL_UPRIGHT)))
def test_painting_only_what_changed_gives_the_same_pixels_as_painting_all(words, fonts, shown, screen):
    surface = pygame.Surface((screen.width, screen.height))
    painter = Painter(surface, fonts)
    for each in shown:
        picture = laid_out(each, screen, words, fonts)
        painter.paint(picture)
        whole = painted(picture, screen, fonts)
        assert pygame.image.tobytes(surface, "RGB") == pygame.image.tobytes(whole, "RGB")


def test_a_count_that_changes_repaints_the_count_alone(words, fonts):
    surface = pygame.Surface((1920, 1080))
    painter = Painter(surface, fonts)
    painter.paint(laid_out(SCENE, LANDSCAPE, words, fonts))
    assert SCENE.hall is not None
    more = tuple(service(each.letter, each.name, each.count + (each.letter == "A")) for each in SCENE.hall.waiting)
    changed = painter.paint(laid_out(scene(hall=hall(waiting=more)), LANDSCAPE, words, fonts))
    assert len(changed) == 1
    assert changed[0].width * changed[0].height < 1920 * 1080 / 100


def test_a_second_offline_repaints_digits_and_nothing_else(words, fonts):
    painter = Painter(pygame.Surface((1920, 1080)), fonts)
    painter.paint(laid_out(scene(offline_s=25), LANDSCAPE, words, fonts))
    changed = painter.paint(laid_out(scene(offline_s=26), LANDSCAPE, words, fonts))
    assert len(changed) == 1
    assert changed[0].width < 150


def test_a_picture_that_did_not_change_repaints_nothing(words, fonts):
    painter = Painter(pygame.Surface((1920, 1080)), fonts)
    picture = laid_out(SCENE, LANDSCAPE, words, fonts)
    painter.paint(picture)
    assert painter.paint(picture) == []


def test_a_call_still_reads_when_it_is_blurred(words, fonts):
    """A Gaussian of 18 px stands for an eye far too weak to read: ticket, number and plaque can still be told apart."""
    from PIL import Image, ImageFilter

    surface = painted(laid_out(scene(announcement=announce("A012", "3")), LANDSCAPE, words, fonts), LANDSCAPE, fonts)
    sharp = Image.frombytes("RGB", (1920, 1080), pygame.image.tobytes(surface, "RGB")).convert("L")
    blurred = sharp.filter(ImageFilter.GaussianBlur(18))
    # The counter of the 0 stays light between its two dark strokes, and the 3 stays light on its plaque.
    left, counter, right = (blurred.getpixel((x, 337)) for x in (793, 908, 1022))
    assert counter - max(left, right) > 100
    assert blurred.getpixel((1690, 880)) - blurred.getpixel((1560, 870)) > 100
