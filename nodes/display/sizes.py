"""How large letters must be to be read from a seat, and whether a screen holds it.

EN 301 549, 5.1.4: a capital H stands at an angle of at least 0.7° to the eye.
"""

from dataclasses import dataclass
from math import hypot, radians, tan

# Lexend's capitals, in em; the same in pygame (541 px gives 379).
CAPITAL_EM = 0.7
_LEAST_ANGLE = tan(radians(0.7))
_MM_PER_INCH = 25.4
# A hundredth of what is asked for is below what anybody measures on a wall.
_TOLERANCE = 0.99


@dataclass(frozen=True, slots=True)
class Screen:
    """Pixels, inches across, and metres from the screen to the farthest seat."""

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
        """The least em at which a text can be read from the farthest seat."""
        return self.least_capital_mm / self.mm_per_px / CAPITAL_EM

    def reads(self, em_px: float) -> bool:
        return em_px >= self.least_em_px * _TOLERANCE

    def farthest_reading_m(self, em_px: float) -> float:
        """From how far a text of this size holds 0.7°."""
        return em_px * CAPITAL_EM * self.mm_per_px / 1000 / _LEAST_ANGLE
