"""The way from the painted picture to the screen."""

import pygame
import pytest

from nodes.display.pictures import HALL
from nodes.display.window import DisplaySettings, open_window, save_frame
from protocol.environment import WrongSetting, read
from tests.display.scenes import PORTRAIT, announce, laid_out, scene


def test_a_turned_screen_shows_the_upright_picture_also_where_only_a_part_changed(words, fonts):
    frames: list[int] = []
    for rotate in (90, 270):
        settings = read(DisplaySettings, {"SUIVANT_DISPLAY_ROTATE": str(rotate)}, prefix="SUIVANT_DISPLAY_")
        window = open_window(settings, {}, fonts, simulated=True, shown=lambda _surface, count: frames.append(count))
        assert window.size == (1080, 1920)
        for shown in (scene(), scene(announcement=announce()), scene(offline_s=15), scene(offline_s=16)):
            window.show(laid_out(shown, PORTRAIT, words, fonts))
            turned = pygame.transform.rotate(window.canvas, rotate)
            assert pygame.image.tobytes(turned, "RGB") == pygame.image.tobytes(window.screen, "RGB")
    assert frames == [1, 2, 3, 4] * 2
    pygame.display.set_mode((1, 1))


def test_a_picture_that_did_not_change_is_no_frame(words, fonts):
    frames: list[int] = []
    window = open_window(
        DisplaySettings(), {}, fonts, simulated=True, shown=lambda _surface, count: frames.append(count)
    )
    for _ in range(3):
        window.show(laid_out(scene(hall=HALL), PORTRAIT, words, fonts))
    assert frames == [1]
    pygame.display.set_mode((1, 1))


@pytest.mark.parametrize("size", ["big", "1920", "1920x", "0x0", "99x480", "1920*1080", "20000x100"])
def test_a_size_that_is_none_names_the_setting_and_what_would_be_right(size):
    wanted = r"SUIVANT_DISPLAY_SIZE is .*: it should be width x height, each from 100 to 9999, such as 1920x1080"
    with pytest.raises(WrongSetting, match=wanted):
        read(DisplaySettings, {"SUIVANT_DISPLAY_SIZE": size}, prefix="SUIVANT_DISPLAY_")


def test_a_frame_file_is_replaced_as_a_whole(tmp_path, fonts):
    surface = pygame.Surface((64, 36))
    for colour in ((1, 2, 3), (4, 5, 6)):
        surface.fill(colour)
        save_frame(surface, tmp_path)
        assert pygame.image.load(tmp_path / "frame.png").get_at((0, 0))[:3] == colour
    assert [each.name for each in tmp_path.iterdir()] == ["frame.png"]
