"""Wires a display together: screen, sound, disk, link and core; and its main loop."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pygame
import structlog

from nodes.display.core import Chime, DisplayCore, KeepHall, KeepPlayed, Show, Warned
from nodes.display.kept import KeptFiles
from nodes.display.layout import Scene, lay_out
from nodes.display.layout.readable import unreadable
from nodes.display.painter import Fonts
from nodes.display.sizes import Screen
from nodes.display.sound import Sound
from nodes.display.window import DisplaySettings, Window, open_window, save_frame
from nodes.display.words import Words, WordsSettings, words_in
from nodes.runtime import RESTART_STATUS, Inbox, Runtime
from nodes.settings import configure_logging, read_settings
from nodes.simulated import BadLine, ControlSocket, Input, open_control
from protocol.environment import PREFIX, Described, describe, read
from protocol.heartbeat import HubTime
from protocol.instants import Instant
from protocol.link import monotonic_ms
from protocol.messages import ANNOUNCEMENT_LATE_MS, Announce, DisplayConfig, NodeWarning, Role

DISPLAY_PREFIX = f"{PREFIX}DISPLAY_"
# The longest wait before window events, such as closing, are noticed; messages wake the loop at once.
PATIENCE_S = 0.5
ASSETS_MISSING_STATUS = 1

# A sample call: the shapes that every call needs are drawn before the first one comes.
_REHEARSAL = Scene(
    now_ms=0,
    node="",
    announcement=Announce(revision=(0, 0), id="", call="", number="A000", desk="1", play_at=Instant(0), length_ms=0),
)

_log = structlog.get_logger()


def described_settings() -> Iterator[Described]:
    yield from describe(WordsSettings)
    yield from describe(DisplaySettings, prefix=DISPLAY_PREFIX)


class Warnings:
    """Telemetry's warnings about this display, by part. Parts may call `say` from their own threads."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._by_part: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def say(self, part: str, warnings: tuple[str, ...]) -> None:
        with self._lock:
            if self._by_part.get(part, ()) == warnings:
                return
            self._by_part[part] = warnings
            every = tuple(warning for each in self._by_part.values() for warning in each)
        self._inbox.put(Warned(every))


@dataclass(slots=True)
class Shell:
    """Performs the core's effects."""

    window: Window
    sound: Sound
    words: Words
    fonts: Fonts
    kept: KeptFiles
    warnings: Warnings
    _config: DisplayConfig | None = None
    # The disk's error for each file that is not kept.
    _not_kept: dict[str, str] = field(default_factory=dict)

    def perform(self, effect: object) -> None:
        match effect:
            case Show(scene, config):
                screen = self._screen(config)
                self.window.show(lay_out(scene, screen, self.words, self.fonts.width))
            case Chime():
                self.sound.play()
            case KeepHall(payload):
                self._keep("the last picture of the hall", lambda: self.kept.keep_hall(payload))
            case KeepPlayed(ids):
                self._keep("the list of played announcements", lambda: self.kept.keep_played(ids))

    def _screen(self, config: DisplayConfig | None) -> Screen:
        width, height = self.window.size
        if config is None:
            return Screen(width, height)
        screen = Screen(width, height, config.diagonal_in, config.farthest_m)
        if config != self._config:
            self._config = config
            self.warnings.say("sizes", unreadable(screen))
            self.window.painter.prepare(lay_out(_REHEARSAL, screen, self.words, self.fonts.width))
        return screen

    def _keep(self, what: str, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            # The display goes on; only the next start would know less. The same error is logged once.
            if str(error) != self._not_kept.get(what):
                _log.exception("state.not_kept", what=what, reason=str(error))
            self._not_kept[what] = str(error)
        else:
            self._not_kept.pop(what, None)
        self.warnings.say("disk", tuple(f"{NodeWarning.DISK}: {each} could not be saved" for each in self._not_kept))


def run(environ: Mapping[str, str], simulated: Path | None) -> int:
    """Run until stopped; returns the exit status. Raises WrongSetting, or NotNow if there is no screen."""
    settings = read_settings(environ)
    display = read(DisplaySettings, environ, prefix=DISPLAY_PREFIX)
    configure_logging(settings.node)
    words = words_in(read(WordsSettings, environ).language)
    try:
        fonts = Fonts()
    except FileNotFoundError as error:
        sys.stderr.write(f"suivant-node display: {error}: `make assets` builds it.\n")
        return ASSETS_MISSING_STATUS
    inbox, hub_time, kept = Inbox(), HubTime(), KeptFiles(settings.node.kept_dir)
    control = None if simulated is None else _control(simulated)
    window = open_window(display, environ, fonts, simulated=simulated is not None, shown=_shown(simulated, control))
    warnings = Warnings(inbox)
    sound = Sound(lambda mute: warnings.say("sound", (NodeWarning.MUTE,) if mute else ()))
    core = DisplayCore(
        node=settings.node.node,
        topics=settings.node.topics,
        hub_time=hub_time,
        started_ms=monotonic_ms(),
        wall_ms=lambda: time.time_ns() // 1_000_000,
        kept=kept.load(),
    )
    runtime = Runtime(
        settings,
        Role.DISPLAY,
        core,
        Shell(window, sound, words, fonts, kept, warnings).perform,
        inbox=inbox,
        hub_time=hub_time,
        # A call made while the link is lost for a moment is still announced.
        session_s=ANNOUNCEMENT_LATE_MS // 1000,
        environ=environ,
    )
    try:
        return _loop(runtime, core, window, sound)
    finally:
        if control is not None:
            control.close()
        _leave_sdl(sound)


def _leave_sdl(sound: Sound) -> None:
    if sound.close():
        pygame.quit()
        return
    # SDL would wait for the device, with the last picture on the screen as if it were current.
    failed = sys.exc_info()[0] is not None
    _log.error("sound.hangs", reason="the sound device accepts no more sound and cannot be closed", exc_info=failed)
    sys.stderr.flush()
    os._exit(RESTART_STATUS)


def _loop(runtime: Runtime, core: DisplayCore, window: Window, sound: Sound) -> int:
    runtime.start()
    try:
        while True:
            patience_s = min(max(core.due_ms() - monotonic_ms(), 0) / 1000, PATIENCE_S)
            status = runtime.step(patience_s)
            if status is not None:
                return status
            if attend(window, sound):
                return 0
    finally:
        runtime.close()


def attend(window: Window, sound: Sound) -> bool:
    """Handle SDL's events; True if the window was closed."""
    for event in pygame.event.get():
        if event.type == pygame.QUIT:
            return True
        if event.type in {pygame.WINDOWEXPOSED, pygame.WINDOWRESTORED}:
            window.expose()
        # `which` is 0 if the device was not open.
        if event.type == pygame.AUDIODEVICEREMOVED and event.which and not event.iscapture:
            sound.lost()
    return False


def _control(folder: Path) -> ControlSocket:
    # Set before SDL looks for a screen and a sound card: a simulated display has neither.
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")

    def obey(_wanted: Input) -> None:
        raise BadLine("a display takes no input")

    return open_control(folder, obey)


def _shown(simulated: Path | None, control: ControlSocket | None) -> Callable[[pygame.Surface, int], None]:
    if simulated is None or control is None:
        return lambda _surface, _count: None

    def shown(surface: pygame.Surface, count: int) -> None:
        save_frame(surface, simulated)
        control.show("frame", {"frame": count})

    return shown
