"""Invented halls, and functions that look at their pictures."""

from dataclasses import replace

import pygame
from msgspec.structs import replace as changed

from nodes.display.draw import Fill, Picture, Rounded, Shape, Text, Ticket
from nodes.display.layout import Scene, lay_out
from nodes.display.painter import Fonts, Painter
from nodes.display.pictures import HALL
from nodes.display.sizes import Screen
from nodes.display.words import Words
from protocol.instants import Instant
from protocol.messages import Announce, Call, HallState, Waiting

LANDSCAPE, PORTRAIT = Screen(1920, 1080), Screen(1080, 1920)
SCREENS = (LANDSCAPE, PORTRAIT)
NOW = HALL.at
SCENE = Scene(now_ms=NOW, node="display-1", town=HALL.town, letters="ACFM", hall=HALL)


def call(number: str, desk: str, place: str | None = None) -> Call:
    return Call(id=f"call-{number}", number=number, desk=desk, at=NOW, place=place)


def announce(number: str = "A012", desk: str = "3", n: int = 40, play_at: int = NOW, **more: object) -> Announce:
    values = {"id": f"announcement-{number}-{n}", "call": f"call-{number}", "length_ms": 8_000} | more
    return Announce(revision=(1, n), number=number, desk=desk, play_at=Instant(play_at), **values)  # type: ignore[arg-type]


def hall(n: int = 40, **changes: object) -> HallState:
    return changed(HALL, revision=(1, n), **changes)


def service(letter: str, name: str, count: int) -> Waiting:
    return Waiting(service=f"service-{letter.lower()}", letter=letter, name=name, count=count)


def scene(**changes: object) -> Scene:
    return replace(SCENE, **changes)  # type: ignore[arg-type]


def texts(picture: Picture) -> list[str]:
    return [shape.text for shape in picture if isinstance(shape, Text)]


def text(picture: Picture, wanted: str) -> Text:
    return next(shape for shape in picture if isinstance(shape, Text) and shape.text == wanted)


def ink(shape: Text, fonts: Fonts) -> pygame.Rect:
    """The pixels a text really covers."""
    rendered = fonts.at(shape.weight, shape.px).render(shape.text, True, (255, 255, 255))
    return rendered.get_bounding_rect().move(fonts.origin(shape))


def under(picture: Picture, shape: Text, fonts: Fonts) -> Shape:
    """The shape directly beneath a text."""
    middle = ink(shape, fonts).center
    return next(
        below
        for below in reversed(picture[: picture.index(shape)])
        if isinstance(below, Fill | Rounded | Ticket)
        and pygame.Rect(below.box.x, below.box.y, below.box.width, below.box.height).collidepoint(middle)
    )


def painted(picture: Picture, screen: Screen, fonts: Fonts) -> pygame.Surface:
    surface = pygame.Surface((screen.width, screen.height))
    Painter(surface, fonts).paint(picture)
    return surface


def laid_out(shown: Scene, screen: Screen, words: Words, fonts: Fonts) -> Picture:
    return lay_out(shown, screen, words, fonts.width)
