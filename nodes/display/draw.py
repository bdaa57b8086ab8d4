"""The shapes that make up a picture, in pixels and painted in order.

They do not depend on pygame: the layout makes them, tests measure them, and the painter paints them.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

Colour = tuple[int, int, int]


class Weight(IntEnum):
    """The weights of Lexend that displays use; the values are font weights."""

    REGULAR = 400
    MEDIUM = 500
    SEMIBOLD = 600
    BOLD = 700


class Align(StrEnum):
    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Fill:
    box: Box
    colour: Colour


@dataclass(frozen=True, slots=True)
class Rounded:
    box: Box
    radius: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class Ring:
    """An outline that lies wholly inside its box."""

    box: Box
    radius: int
    thickness: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class Ticket:
    """A rounded rectangle with a half-round notch in the middle of its left and right edges."""

    box: Box
    radius: int
    notch: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow to the right: a stroke with round ends that touches all four edges of its box."""

    box: Box
    thickness: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class Pointer:
    """A triangle that points down to the middle of its box's lower edge."""

    box: Box
    colour: Colour


@dataclass(frozen=True, slots=True)
class Stripes:
    """Slanted stripes, as wide as the gaps between them; `pitch` is the width of both together."""

    box: Box
    pitch: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class Icon:
    """One of Lucide's icons, scaled into a square."""

    name: str
    box: Box
    colour: Colour


@dataclass(frozen=True, slots=True)
class Logo:
    """The town's mark in one colour, scaled into a square."""

    box: Box
    colour: Colour


@dataclass(frozen=True, slots=True)
class Text:
    """A text on `baseline`. `px` is the em; capitals are 0.700 of it high. `align` says which point of it `x` is."""

    text: str
    x: int
    baseline: int
    px: int
    weight: Weight
    colour: Colour
    align: Align = Align.LEFT


Shape = Fill | Rounded | Ring | Ticket | Arrow | Pointer | Stripes | Icon | Logo | Text
Picture = tuple[Shape, ...]
