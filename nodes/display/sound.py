"""The chime, computed at start, and the sound device, whose absence does not affect the picture."""

import queue
import threading
import time
from array import array
from collections.abc import Callable
from functools import partial
from math import exp, pi, sin

import pygame
import structlog

from protocol.messages import CHIME_MS

RATE_HZ = 48_000
# A sound begins at a buffer's edge: 512 frames are 11 ms, too little to be heard as late.
BUFFER_FRAMES = 512
CHANNELS = 2
# Opening a device may take long. A chime later than this is not played: it no longer belongs to its picture.
LATE_S = 2.0
# A device lags by a buffer or two. One that still plays this long after the end of a chime has stopped.
HANGS_S = 1.0
# The wait for the thread at exit: a device that is still being opened must not be taken for a hanging one.
ENDS_S = 3.0
_LEVEL = 0.32
# The fade-out, so that the chime ends without a click.
_RELEASE_S = 0.1
_ATTACK_S = 0.012
# Two falling tones, a major third apart: like a doorbell, not an alarm.
_TONES = ((0.0, 659.26), (0.38, 523.25))
CHIME_S = CHIME_MS / 1000
_DECAY_PER_S = 4.2
_LARGEST = 32_767

_log = structlog.get_logger()


def chime() -> "array[int]":
    """The chime as signed 16-bit stereo frames at RATE_HZ, the same on both channels."""
    samples = array("h")
    for frame in range(int(CHIME_S * RATE_HZ)):
        at_s = frame / RATE_HZ
        wave = sum(_tone(at_s - begin_s, pitch_hz) for begin_s, pitch_hz in _TONES)
        value = round(_LARGEST * _LEVEL * min(1.0, (CHIME_S - at_s) / _RELEASE_S) * wave)
        samples.extend((value, value))
    return samples


def _tone(since_s: float, pitch_hz: float) -> float:
    """A softly struck bar: a sine with a little of its octave, which decays."""
    if since_s < 0:
        return 0.0
    attack = min(1.0, since_s / _ATTACK_S)
    wave = sin(2 * pi * pitch_hz * since_s) + 0.18 * sin(4 * pi * pitch_hz * since_s)
    return attack * exp(-_DECAY_PER_S * since_s) * wave


class Sound:
    """Plays on its own thread: opening a device may take long or fail, and the picture does not wait for it.

    A device that failed or was lost is tried again with each chime, since a television may be off at start. `tell` is
    called from that thread with whether the device is mute.
    """

    def __init__(self, tell: Callable[[bool], None]) -> None:
        self._tell = tell
        # The thread's jobs; None ends it.
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._chime: pygame.mixer.Sound | None = None
        self._begun_s = float("-inf")
        self._hung = False
        self._mute_for = ""
        self._thread = threading.Thread(target=self._serve, name="sound", daemon=True)
        self._thread.start()

    def play(self) -> None:
        self._jobs.put(partial(self._play, time.monotonic()))

    def lost(self) -> None:
        """Record that the open device went away: SDL no longer plays anything on it."""
        self._jobs.put(self._lose)

    def close(self) -> bool:
        """End the thread; False if it did not end: a device that silently stopped blocks SDL for ever."""
        self._jobs.put(None)
        self._thread.join(ENDS_S)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        self._open()
        while (job := self._jobs.get()) is not None:
            job()
        if self._chime is not None:
            pygame.mixer.quit()

    def _play(self, wanted_s: float) -> None:
        if self._chime is None:
            self._open()
        if self._chime is None or time.monotonic() - wanted_s > LATE_S:
            return
        if self._hangs() != self._hung:
            self._hung = not self._hung
            self._tell(self._hung)
            if self._hung:
                _log.warning("sound.mute", reason="the sound device accepts no more sound")
        if self._hung:
            return
        # Two late chimes must not sound over each other.
        self._chime.stop()
        self._chime.play()
        self._begun_s = time.monotonic()

    def _hangs(self) -> bool:
        """Whether the last chime still plays long after its end: then the device takes nothing more."""
        return time.monotonic() - self._begun_s > CHIME_S + HANGS_S and pygame.mixer.get_busy()

    def _lose(self) -> None:
        if self._chime is None:
            return
        self._chime = None
        pygame.mixer.quit()
        self._mute("the sound device was removed")

    def _open(self) -> None:
        try:
            pygame.mixer.init(RATE_HZ, -16, CHANNELS, BUFFER_FRAMES, allowedchanges=0)
            self._chime = pygame.mixer.Sound(buffer=chime())
        # If a system library is missing, pygame has no mixer and raises NotImplementedError.
        except (pygame.error, NotImplementedError) as error:
            self._mute(str(error))
            return
        self._mute_for = ""
        self._tell(False)

    def _mute(self, reason: str) -> None:
        # The device is tried with each chime; the same reason is logged once.
        if reason != self._mute_for:
            _log.warning("sound.mute", reason=reason)
        self._mute_for = reason
        self._tell(True)
