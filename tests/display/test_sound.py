"""The chime: soft, bounded, and there from its first milliseconds."""

import threading
from itertools import pairwise

import pygame
import pytest

from nodes.display.sound import CHANNELS, CHIME_S, RATE_HZ, Sound, chime


@pytest.fixture(scope="module")
def left() -> list[int]:
    return list(chime()[::CHANNELS])


def test_the_chime_is_as_long_as_it_says_and_alike_on_both_sides(left):
    assert len(left) == int(CHIME_S * RATE_HZ)
    assert list(chime()[1::CHANNELS]) == left


def test_the_chime_never_clips_and_starts_and_ends_without_a_click(left):
    assert 8_000 < max(map(abs, left)) < 26_000
    assert max(abs(one - other) for one, other in pairwise(left)) < 2_500
    assert abs(left[0]) < 50
    assert max(map(abs, left[-24:])) < 50


def test_the_chime_is_heard_within_its_first_20_ms(left):
    assert max(map(abs, left[: RATE_HZ // 50])) > 4_000


def test_a_device_that_does_not_open_is_told_and_stops_nothing(monkeypatch):
    monkeypatch.setenv("SDL_AUDIODRIVER", "no-such-driver")
    pygame.mixer.quit()
    told: list[bool] = []
    opened = threading.Event()

    def tell(mute: bool) -> None:
        told.append(mute)
        opened.set()

    sound = Sound(tell)
    assert opened.wait(10)
    assert told == [True]
    opened.clear()
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    sound.play()
    assert opened.wait(10)
    assert told == [True, False]
    sound.close()
