"""The chime is soft and bounded, and sounds from its first milliseconds."""

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pygame
import pytest
import structlog

from nodes.display.app import attend
from nodes.display.sound import CHANNELS, CHIME_S, RATE_HZ, Sound, chime
from nodes.display.window import DisplaySettings, open_window

WAIT_S = 20


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


def test_a_display_without_sound_says_why_once_and_not_at_each_call(monkeypatch):
    monkeypatch.setenv("SDL_AUDIODRIVER", "no-such-driver")
    pygame.mixer.quit()
    told: queue.SimpleQueue[bool] = queue.SimpleQueue()
    with structlog.testing.capture_logs() as lines:
        sound = Sound(told.put)
        for _ in range(5):
            sound.play()
        assert [told.get(timeout=WAIT_S) for _ in range(6)] == [True] * 6
        monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
        sound.play()
        assert told.get(timeout=WAIT_S) is False
        sound.close()
    assert [line["event"] for line in lines if line["event"].startswith("sound.")] == ["sound.mute"]


class EndlessChime:
    """Sounds until it is stopped, however slow the machine is."""

    def __init__(self) -> None:
        self.sounding = 0

    def play(self) -> None:
        self.sounding += 1

    def stop(self) -> None:
        self.sounding = 0


@pytest.mark.parametrize(("late_s", "sounding"), [(3_600.0, 1), (-1.0, 0)])
def test_two_chimes_do_not_sound_over_each_other_and_none_later_than_its_picture(monkeypatch, late_s, sounding):
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    monkeypatch.setattr("nodes.display.sound.LATE_S", late_s)
    pygame.mixer.quit()
    told: queue.SimpleQueue[bool] = queue.SimpleQueue()
    sound = Sound(told.put)
    assert told.get(timeout=WAIT_S) is False
    sound._chime = endless = EndlessChime()
    sound.play()
    sound.play()
    sound.close()
    sound._thread.join(WAIT_S)
    assert endless.sounding == sounding


@contextmanager
def loudspeaker(pipe: Path) -> Iterator[threading.Event]:
    """A device that works while something reads what is played to it; the event is set once it was loud."""
    heard, gone = threading.Event(), threading.Event()
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    def listen() -> None:
        while not gone.wait(0.01):
            try:
                if any(os.read(reader, 1 << 16)):
                    heard.set()
            except BlockingIOError:
                continue

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield heard
    finally:
        gone.set()
        listener.join()
        os.close(reader)


def play_until(heard: threading.Event, sound: Sound) -> None:
    """Play until something is heard: a chime that is late is left out, which may happen on a busy machine."""
    for _ in range(WAIT_S):
        sound.play()
        if heard.wait(2 * CHIME_S):
            return
    pytest.fail("nothing was heard")


def test_a_device_that_takes_nothing_more_is_told_and_does_not_keep_the_program(tmp_path):
    """Runs in a program of its own: a hanging SDL cannot be closed any more."""
    pipe = tmp_path / "loudspeaker"
    os.mkfifo(pipe)
    code = """
import os, sys, time
reader = os.open(os.environ["SDL_DISKAUDIOFILE"], os.O_RDONLY | os.O_NONBLOCK)
import pygame
from nodes.display import app, sound
sound.HANGS_S = 0.2
pygame.display.init()
told = []
made = sound.Sound(told.append)
until = time.monotonic() + 60
while True not in told and time.monotonic() < until:
    made.play()
    time.sleep(2)
print(told, flush=True)
app._leave_sdl(made)
"""
    environ = dict(os.environ, SDL_VIDEODRIVER="dummy", SDL_AUDIODRIVER="disk", SDL_DISKAUDIOFILE=str(pipe))
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert "[False, True]" in done.stdout
    assert (done.returncode, "sound.hangs" in done.stdout + done.stderr) == (75, True)


def test_a_device_that_goes_away_is_told_and_sounds_again_once_it_is_back(monkeypatch, tmp_path, fonts):
    pipe = tmp_path / "loudspeaker"
    os.mkfifo(pipe)
    monkeypatch.setenv("SDL_AUDIODRIVER", "disk")
    monkeypatch.setenv("SDL_DISKAUDIOFILE", str(pipe))
    # A busy machine plays slowly, but its device still takes sound.
    monkeypatch.setattr("nodes.display.sound.HANGS_S", 3_600.0)
    pygame.mixer.quit()
    window = open_window(DisplaySettings(), {}, fonts, simulated=True, shown=lambda _surface, _count: None)
    told: queue.SimpleQueue[bool] = queue.SimpleQueue()
    with loudspeaker(pipe) as heard:
        sound = Sound(told.put)
        assert told.get(timeout=WAIT_S) is False
        play_until(heard, sound)
    until = time.monotonic() + WAIT_S
    while told.empty() and time.monotonic() < until:
        assert not attend(window, sound)
        time.sleep(0.01)
    assert told.get(timeout=0) is True
    with loudspeaker(pipe) as heard:
        sound.play()
        assert told.get(timeout=WAIT_S) is False
        play_until(heard, sound)
        sound.close()
    pygame.display.set_mode((1, 1))
