"""The colours of displays, and the contrast between two of them."""

from nodes.display.draw import Colour

INK: Colour = (0x13, 0x21, 0x2C)
INK_2: Colour = (0x1E, 0x30, 0x3E)
LINE: Colour = (0x6A, 0x81, 0x93)
PAPER: Colour = (0xFF, 0xFA, 0xF0)
MIST: Colour = (0xC3, 0xCC, 0xD3)
ACCENT: Colour = (0x0E, 0x51, 0x40)
AMBER: Colour = (0xFF, 0xC2, 0x3D)
EMERGENCY: Colour = (0xFF, 0xD6, 0x0A)


# Below this sRGB is linear.
_DARK = 0.04045


def contrast(one: Colour, other: Colour) -> float:
    """The ratio of WCAG 2, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= _DARK else float(((channel + 0.055) / 1.055) ** 2.4)
