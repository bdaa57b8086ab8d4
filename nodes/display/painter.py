"""Paints a picture with pygame, only where it differs from the previous one.

Shapes with round or slanted edges are rendered once from small SVGs, which SDL_image anti-aliases, and cached. Texts
are rendered each time they are painted, which costs less than caching them.
"""

from collections import OrderedDict
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final

import pygame

from nodes.display.draw import (
    Align,
    Arrow,
    Box,
    Colour,
    Fill,
    Icon,
    Logo,
    Picture,
    Pointer,
    Ring,
    Rounded,
    Shape,
    Stripes,
    Text,
    Ticket,
    Weight,
)
from nodes.display.outlines import outline

ASSETS: Final = Path(__file__).parents[1] / "assets"
LOGO: Final = Path(__file__).with_name("logo.svg")

# The cache's limit, in screens: a call and a hall at rest need two, and more would only use a small computer's memory.
# A 4K screen alone is 33 MB, hence the second limit.
_KEPT_SCREENS = 3
_KEPT_BYTES = 40_000_000
# The weights times the sizes in use.
_KEPT_FONTS = 24


class Fonts:
    """Lexend by weight and size, and its text widths. Raises FileNotFoundError if the fonts have not been built."""

    def __init__(self) -> None:
        pygame.font.init()
        self._fonts: OrderedDict[tuple[Weight, int], pygame.font.Font] = OrderedDict()
        for weight in Weight:
            if not self._file(weight).is_file():
                raise FileNotFoundError(f"{self._file(weight)} is missing")

    def _file(self, weight: Weight) -> Path:
        return ASSETS / "fonts" / f"Lexend-{weight.value}.ttf"

    def at(self, weight: Weight, px: int) -> pygame.font.Font:
        key = (weight, px)
        font = self._fonts.get(key)
        if font is None:
            font = self._fonts[key] = pygame.font.Font(str(self._file(weight)), px)
            if len(self._fonts) > _KEPT_FONTS:
                self._fonts.popitem(last=False)
        self._fonts.move_to_end(key)
        return font

    def width(self, text: str, weight: Weight, px: int) -> int:
        """The advance width in pixels."""
        return self.at(weight, px).size(text)[0]

    def origin(self, text: Text) -> tuple[int, int]:
        """The upper left corner of the rendered text."""
        font = self.at(text.weight, text.px)
        width = font.size(text.text)[0] if text.align is not Align.LEFT else 0
        before = {Align.LEFT: 0, Align.CENTRE: width // 2, Align.RIGHT: width}[text.align]
        return text.x - before, text.baseline - font.get_ascent()


class Painter:
    """Paints pictures on a display's surface; `paint` updates it from the previous picture to the next one.

    Needs pygame's display to be open, at any size.
    """

    def __init__(self, surface: pygame.Surface, fonts: Fonts) -> None:
        self._surface = surface
        self._fonts = fonts
        self._kept: OrderedDict[Shape, pygame.Surface] = OrderedDict()
        self._kept_bytes = 0
        self._most_bytes = min(_KEPT_SCREENS * _bytes(surface), _KEPT_BYTES)
        self._picture: Picture = ()

    def paint(self, picture: Picture) -> list[pygame.Rect]:
        """Paint what changed; returns the changed areas, if any."""
        areas = _joined([self._area(shape) for shape in _changed(self._picture, picture)])
        for area in areas:
            self._repaint(picture, area)
        self._picture = picture
        return areas

    def prepare(self, picture: Picture) -> None:
        """Render and cache this picture's shapes, so that the first call is as quick as later ones."""
        for shape in picture:
            if not isinstance(shape, Fill | Text):
                self._drawn(shape)

    def _repaint(self, picture: Picture, area: pygame.Rect) -> None:
        self._surface.set_clip(area)
        for shape in picture:
            if self._area(shape).colliderect(area):
                self._draw(shape)
        self._surface.set_clip(None)

    def _area(self, shape: Shape) -> pygame.Rect:
        if isinstance(shape, Text):
            size = self._fonts.at(shape.weight, shape.px).size(shape.text)
            # A glyph may extend a little beyond its advance box.
            return pygame.Rect(self._fonts.origin(shape), size).inflate(8, 8)
        return _rect(shape.box)

    def _draw(self, shape: Shape) -> None:
        if isinstance(shape, Fill):
            self._surface.fill(shape.colour, _rect(shape.box))
        elif isinstance(shape, Text):
            rendered = self._fonts.at(shape.weight, shape.px).render(shape.text, True, shape.colour)
            self._surface.blit(rendered, self._fonts.origin(shape))
        else:
            self._surface.blit(self._drawn(shape), (shape.box.x, shape.box.y))

    def _drawn(self, shape: Rounded | Ring | Ticket | Arrow | Pointer | Stripes | Icon | Logo) -> pygame.Surface:
        key = _at_origin(shape)
        kept = self._kept.get(key)
        if kept is None:
            # In the screen's own pixel format, blitting a full-screen ticket takes 0.4 ms instead of 6 ms.
            kept = self._kept[key] = self._make(shape).convert_alpha()
            self._kept_bytes += _bytes(kept)
            while self._kept_bytes > self._most_bytes and len(self._kept) > 1:
                self._kept_bytes -= _bytes(self._kept.popitem(last=False)[1])
        self._kept.move_to_end(key)
        return kept

    def _make(self, shape: Rounded | Ring | Ticket | Arrow | Pointer | Stripes | Icon | Logo) -> pygame.Surface:
        if isinstance(shape, Icon):
            return _tinted(pygame.image.load(ASSETS / "icons" / f"{shape.name}.png"), shape.box, shape.colour)
        if isinstance(shape, Logo):
            return _tinted(pygame.image.load(LOGO), shape.box, shape.colour)
        return pygame.image.load(BytesIO(outline(shape).encode()), "shape.svg")


def _changed(before: Picture, after: Picture) -> list[Shape]:
    """The shapes in only one of the pictures, or all of both if the others changed their order: it decides overlaps."""
    gone, new = set(before) - set(after), set(after) - set(before)
    kept_before = [shape for shape in before if shape not in gone]
    kept_after = [shape for shape in after if shape not in new]
    if kept_before != kept_after:
        return [*before, *after]
    return [*gone, *new]


def _joined(areas: list[pygame.Rect]) -> list[pygame.Rect]:
    """The same areas, with overlapping ones merged."""
    joined: list[pygame.Rect] = []
    for area in areas:
        whole = area
        while (index := whole.collidelist(joined)) >= 0:
            whole = whole.union(joined.pop(index))
        joined.append(whole)
    return joined


def _at_origin(shape: Shape) -> Shape:
    """The shape moved to the origin: the cache's key, so that equal shapes are cached once."""
    if isinstance(shape, Text):
        return shape
    return replace(shape, box=Box(0, 0, shape.box.width, shape.box.height))


def _rect(box: Box) -> pygame.Rect:
    return pygame.Rect(box.x, box.y, box.width, box.height)


def _bytes(surface: pygame.Surface) -> int:
    return surface.get_width() * surface.get_height() * surface.get_bytesize()


def _tinted(drawing: pygame.Surface, box: Box, colour: Colour) -> pygame.Surface:
    """A white drawing in another size and colour. Only its alpha is used, so that no dark edge is blended in."""
    scaled = pygame.transform.smoothscale(drawing, (box.width, box.height))
    scaled.fill((255, 255, 255, 0), special_flags=pygame.BLEND_RGBA_MAX)
    scaled.fill((*colour, 255), special_flags=pygame.BLEND_RGBA_MULT)
    return scaled
