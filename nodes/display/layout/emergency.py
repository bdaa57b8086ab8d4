"""The emergency picture: it covers everything, calls included."""

from nodes.display.draw import Align, Weight
from nodes.display.layout.canvas import Canvas
from nodes.display.palette import EMERGENCY, INK
from protocol.messages import Emergency

TITLE_EM = 250
LINE_EM = 156
_BETWEEN = 0.3


def draw_emergency(canvas: Canvas, emergency: Emergency) -> None:
    canvas.ground(EMERGENCY)
    canvas.stripes(56, 112, INK)
    if canvas.screen.portrait:
        _draw_upright(canvas, emergency)
        return
    canvas.icon("triangle-alert", 71, 149, 264, INK)
    em = canvas.fit(emergency.title, Weight.BOLD, TITLE_EM, 1920 - 380 - 60)
    canvas.text(emergency.title, 380, 387, em, Weight.BOLD, INK)
    for place, line in enumerate(emergency.lines[:3]):
        # The door stands beside the second and the third line.
        room = 1920 - 86 - 60 if place == 0 else 1480 - 86
        em = canvas.fit(line, Weight.SEMIBOLD, LINE_EM, room)
        canvas.text(line, 85, 599 + 182 * place, em, Weight.SEMIBOLD, INK)
    canvas.icon("door-open", 1509, 643, 324, INK)


def _draw_upright(canvas: Canvas, emergency: Emergency) -> None:
    canvas.icon("triangle-alert", 400, 96, 280, INK)
    em = canvas.fit(emergency.title, Weight.BOLD, TITLE_EM, 1080 - 2 * 56)
    canvas.text(emergency.title, 540, 572, em, Weight.BOLD, INK, Align.CENTRE)
    room = 1080 - 2 * 56
    sentences = [canvas.wrap(line, Weight.SEMIBOLD, LINE_EM, room) for line in emergency.lines[:3]]
    # A sentence is nearer to its own second line than to the next sentence.
    gaps = sum(len(sentence) for sentence in sentences) + _BETWEEN * (len(sentences) - 1)
    step = min(170.0, 1060 / max(1.0, gaps))
    baseline = 780.0
    for sentence in sentences:
        for line in sentence:
            em = canvas.fit(line, Weight.SEMIBOLD, LINE_EM, room)
            canvas.text(line, 56, baseline, em, Weight.SEMIBOLD, INK)
            baseline += step
        baseline += _BETWEEN * step
