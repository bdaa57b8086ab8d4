"""The header, above a call and above everything on an upright screen: logo, town, clock."""

from nodes.display.draw import Align, Weight
from nodes.display.layout.canvas import Canvas, halves
from nodes.display.layout.scene import Scene
from nodes.display.palette import PAPER

CLOCK_EM = 70
TOWN_EM = 44
CLOCK_UPRIGHT_EM = 150
TOWN_UPRIGHT_EM = 46


def draw_header(canvas: Canvas, scene: Scene) -> None:
    if canvas.screen.portrait:
        _draw_upright(canvas, scene)
        return
    canvas.logo(48, 28, 60)
    width = canvas.width_of(scene.clock, Weight.SEMIBOLD, CLOCK_EM)
    em = canvas.fit(scene.town, Weight.MEDIUM, TOWN_EM, 1872 - width - 40 - 128)
    canvas.text(scene.town, 128, 71, em, Weight.MEDIUM, PAPER)
    canvas.text(scene.clock, 1872, 80, CLOCK_EM, Weight.SEMIBOLD, PAPER, Align.RIGHT)


def _draw_upright(canvas: Canvas, scene: Scene) -> None:
    canvas.logo(40, 50, 104)
    canvas.text(scene.clock, 1040, 147, CLOCK_UPRIGHT_EM, Weight.SEMIBOLD, PAPER, Align.RIGHT)
    width = 1040 - canvas.width_of(scene.clock, Weight.SEMIBOLD, CLOCK_UPRIGHT_EM) - 52 - 164
    lines = [scene.town]
    if canvas.width_of(scene.town, Weight.MEDIUM, TOWN_UPRIGHT_EM) > width:
        lines = halves(scene.town, lambda line: canvas.width_of(line, Weight.MEDIUM, TOWN_UPRIGHT_EM))
    em = min(canvas.fit(line, Weight.MEDIUM, TOWN_UPRIGHT_EM, width) for line in lines)
    first = 138 if len(lines) > 1 else 112
    for row, line in enumerate(lines):
        canvas.text(line, 164, first - 52 * (len(lines) - 1 - row), em, Weight.MEDIUM, PAPER)
