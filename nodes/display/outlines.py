"""Turns each shape into a small SVG of exactly its size. Pure."""

from math import radians, tan

from nodes.display.draw import Arrow, Box, Colour, Pointer, Ring, Rounded, Stripes, Ticket

Outlined = Rounded | Ring | Ticket | Arrow | Pointer | Stripes


def outline(shape: Outlined) -> str:
    match shape:
        case Rounded(box, radius, colour):
            body = _path(_rounded(0, 0, box.width, box.height, radius), colour)
        case Ring(box, radius, thickness, colour):
            outer = _rounded(0, 0, box.width, box.height, radius)
            inner = _rounded(
                thickness,
                thickness,
                box.width - 2 * thickness,
                box.height - 2 * thickness,
                max(0, radius - thickness),
            )
            body = _path(outer + inner, colour)
        case Ticket(box, radius, notch, colour):
            body = _path(_ticket(box, radius, notch), colour)
        case Arrow(box, thickness, colour):
            body = _arrow(box, thickness, colour)
        case Pointer(box, colour):
            body = _path(f"M0 0H{box.width}L{box.width / 2} {box.height}Z", colour)
        case Stripes(box, pitch, colour):
            body = _path(_stripes(box, pitch), colour)
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{box.width}" height="{box.height}">{body}</svg>'


def _path(path: str, colour: Colour) -> str:
    return f'<path fill="{_hex(colour)}" fill-rule="evenodd" d="{path}"/>'


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _rounded(x: int, y: int, width: int, height: int, radius: int) -> str:
    right, bottom = x + width, y + height
    turn = f"A{radius} {radius} 0 0 1 "
    return (
        f"M{x + radius} {y}H{right - radius}{turn}{right} {y + radius}V{bottom - radius}{turn}{right - radius} {bottom}"
        f"H{x + radius}{turn}{x} {bottom - radius}V{y + radius}{turn}{x + radius} {y}Z"
    )


def _ticket(box: Box, radius: int, notch: int) -> str:
    width, height, middle = box.width, box.height, box.height / 2
    turn, bite = f"A{radius} {radius} 0 0 1 ", f"A{notch} {notch} 0 0 0 "
    return (
        f"M{radius} 0H{width - radius}{turn}{width} {radius}V{middle - notch}{bite}{width} {middle + notch}"
        f"V{height - radius}{turn}{width - radius} {height}H{radius}{turn}0 {height - radius}"
        f"V{middle + notch}{bite}0 {middle - notch}V{radius}{turn}{radius} 0Z"
    )


def _arrow(box: Box, thickness: int, colour: Colour) -> str:
    end = thickness / 2
    tip, middle = box.width - end, box.height / 2
    wing = tip - (middle - end) * tan(radians(51))
    return (
        f'<path fill="none" stroke="{_hex(colour)}" stroke-width="{thickness}" stroke-linecap="round" '
        f'stroke-linejoin="round" d="M{end} {middle}H{tip}M{wing} {end}L{tip} {middle}L{wing} {box.height - end}"/>'
    )


def _stripes(box: Box, pitch: int) -> str:
    """Stripes at 45 degrees; the first one begins whole at the upper left corner."""
    half, lean = pitch / 2, box.height
    return "".join(
        f"M{x} 0H{x + half}L{x + half - lean} {box.height}H{x - lean}Z"
        for x in range(0, box.width + lean + pitch, pitch)
    )
