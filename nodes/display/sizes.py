"""How large letters must be to be read from a seat, and whether a screen is large enough.

EN 301 549, 5.1.4: a capital H subtends an angle of at least 0.7° at the eye.
"""

from dataclasses import dataclass
from math import hypot, radians, tan

# The height of Lexend's capitals, in em; pygame agrees (541 px gives 379).
CAPITAL_EM = 0.7
_LEAST_ANGLE = tan(radians(0.7))
_MM_PER_INCH = 25.4
# One per cent less is more than anybody can measure on a wall.
_TOLERANCE = 0.99


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen's size in pixels, its diagonal in inches, and the distance of the farthest seat in metres."""

    width: int
    height: int
    diagonal_in: float = 55.0
    farthest_m: float = 5.0

    @property
    def portrait(self) -> bool:
        return self.height > self.width

    @property
    def mm_per_px(self) -> float:
        return self.diagonal_in * _MM_PER_INCH / hypot(self.width, self.height)

    @property
    def least_capital_mm(self) -> float:
        return self.farthest_m * 1000 * _LEAST_ANGLE

    @property
    def least_em_px(self) -> float:
        """The least em, in pixels, at which a text can be read from the farthest seat."""
        return self.least_capital_mm / self.mm_per_px / CAPITAL_EM

    def reads(self, em_px: float) -> bool:
        return em_px >= self.least_em_px * _TOLERANCE

    def farthest_reading_m(self, em_px: float) -> float:
        """The greatest distance at which a text of this size subtends 0.7°."""
        return em_px * CAPITAL_EM * self.mm_per_px / 1000 / _LEAST_ANGLE
