"""The screen: a window on a desktop, the full screen under KMSDRM, or a picture in a file when simulated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pygame
from msgspec import Meta, Struct

from nodes.display.draw import Picture
from nodes.display.painter import Fonts, Painter
from nodes.settings import NotNow
from protocol.environment import WrongSetting

DEFAULT_SIZE = "1920x1080"
TITLE = "Suivant"
QUARTER = 90
# The drivers that SDL has on Linux. SDL says 'not available' both of one whose screen is off and of an unknown one.
DRIVERS = frozenset(
    {"x11", "wayland", "kmsdrm", "kmsdrm_legacy", "directfb", "vivante", "rpi", "offscreen", "dummy", "evdev"}
)
# If no other driver works, SDL chooses one of these, which show nothing.
UNSEEN = frozenset({"offscreen", "dummy"})


class NoScreen(NotNow):
    """There is no screen now; there may be one later."""


class DisplaySettings(Struct, frozen=True, kw_only=True):
    """A display's settings for its screen."""

    size: Annotated[
        str,
        Meta(
            pattern=r"^[1-9][0-9]{2,3}x[1-9][0-9]{2,3}\Z",
            description="size of the window in pixels; without a desktop, the node always fills the screen",
            extra={"wanted": "width x height, each from 100 to 9999, such as 1920x1080"},
        ),
    ] = DEFAULT_SIZE
    rotate: Annotated[
        Literal[0, 90, 270], Meta(description="rotation of the picture in degrees, counter-clockwise")
    ] = 0

    @property
    def pixels(self) -> tuple[int, int]:
        width, height = self.size.split("x")
        return int(width), int(height)


@dataclass(slots=True)
class Window:
    """The canvas that the painter fills, and the screen that it is copied to.

    `shown` is called with the canvas and the frame count after each frame that changed something.
    """

    screen: pygame.Surface
    canvas: pygame.Surface
    rotate: int
    painter: Painter
    shown: Callable[[pygame.Surface, int], None]
    frames: int = 0

    @property
    def size(self) -> tuple[int, int]:
        return self.canvas.get_size()

    def show(self, picture: Picture) -> None:
        changed = self.painter.paint(picture)
        if not changed:
            return
        pygame.display.update([self._brought(area) for area in changed])
        self.frames += 1
        self.shown(self.canvas, self.frames)

    def expose(self) -> None:
        """Show everything again, such as after a window was covered or a television switched on."""
        pygame.display.update(self._brought(self.canvas.get_rect()))

    def _brought(self, area: pygame.Rect) -> pygame.Rect:
        """Copy a changed area to the screen, rotated, since KMSDRM cannot rotate; returns its area on the screen."""
        if not self.rotate:
            return area
        area = area.clip(self.canvas.get_rect())
        turned = pygame.transform.rotate(self.canvas.subsurface(area), self.rotate)
        width, height = self.canvas.get_size()
        counter_clockwise = self.rotate == QUARTER
        place = (area.y, width - area.right) if counter_clockwise else (height - area.bottom, area.x)
        return self.screen.blit(turned, place)


def open_window(
    settings: DisplaySettings,
    environ: Mapping[str, str],
    fonts: Fonts,
    *,
    simulated: bool,
    shown: Callable[[pygame.Surface, int], None],
) -> Window:
    """Open the window. Raises NoScreen if there is no screen, WrongSetting if SDL_VIDEODRIVER names no driver."""
    desktop = simulated or "DISPLAY" in environ or "WAYLAND_DISPLAY" in environ
    try:
        pygame.display.init()
        if pygame.display.get_driver() in UNSEEN and not (simulated or environ.get("SDL_VIDEODRIVER")):
            raise NoScreen(
                "no screen can be opened: connect one and switch it on, and check that this user is in the groups "
                "video and render"
            )
        if desktop:
            screen = pygame.display.set_mode(settings.pixels)
        else:
            screen = pygame.display.set_mode((0, 0), pygame.FULLSCREEN)
    except pygame.error as error:
        _check_driver(environ.get("SDL_VIDEODRIVER", ""))
        raise NoScreen(
            f"no screen can be opened ({error}): connect one and switch it on, or install its driver"
        ) from error
    pygame.display.set_caption(TITLE)
    pygame.mouse.set_visible(False)
    width, height = screen.get_size()
    canvas = pygame.Surface((height, width)).convert() if settings.rotate else screen
    return Window(screen, canvas, settings.rotate, Painter(canvas, fonts), shown)


def _check_driver(names: str) -> None:
    unknown = {name.lower() for name in names.split(",") if name} - DRIVERS
    if unknown:
        raise WrongSetting(
            "SDL_VIDEODRIVER", names, "an SDL video driver, such as kmsdrm for a screen without a desktop"
        )


def save_frame(surface: pygame.Surface, folder: Path) -> None:
    """Replace `frame.png` atomically, so that readers always see a whole frame."""
    fresh = folder / "frame.new.png"
    pygame.image.save(surface, fresh)
    fresh.replace(folder / "frame.png")
