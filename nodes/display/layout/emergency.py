"""The emergency picture: it covers everything, calls included."""

from nodes.display.draw import Align, Weight
from nodes.display.layout.canvas import Canvas
from nodes.display.palette import EMERGENCY, INK
from protocol.messages import Emergency

TITLE_EM = 250
LINE_EM = 156
# The line spacing, in em; below the least, letters touch those of the next line.
_STEP, _LEAST_STEP = 170 / LINE_EM, 1.02
# The extra gap between sentences, in steps, so that a sentence's own lines are closer than the next sentence.
_BETWEEN = 0.3
# The step between the sizes that are tried.
_SMALLER = 12
_UPRIGHT_WIDTH, _UPRIGHT_HEIGHT = 1080 - 2 * 56, 1060


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
        # The door icon is beside the second and the third line.
        room = 1920 - 86 - 60 if place == 0 else 1480 - 86
        em = canvas.fit(line, Weight.SEMIBOLD, LINE_EM, room)
        canvas.text(line, 85, 599 + 182 * place, em, Weight.SEMIBOLD, INK)
    canvas.icon("door-open", 1509, 643, 324, INK)


def _draw_upright(canvas: Canvas, emergency: Emergency) -> None:
    canvas.icon("triangle-alert", 400, 96, 280, INK)
    em = canvas.fit(emergency.title, Weight.BOLD, TITLE_EM, _UPRIGHT_WIDTH)
    canvas.text(emergency.title, 540, 572, em, Weight.BOLD, INK, Align.CENTRE)
    most, step, sentences = _fit_sentences(canvas, emergency.lines[:3])
    baseline = 780.0
    for sentence in sentences:
        for line in sentence:
            em = canvas.fit(line, Weight.SEMIBOLD, most, _UPRIGHT_WIDTH)
            canvas.text(line, 56, baseline, em, Weight.SEMIBOLD, INK)
            baseline += step
        baseline += _BETWEEN * step


def _fit_sentences(canvas: Canvas, sentences: tuple[str, ...]) -> tuple[int, float, list[list[str]]]:
    """The largest em at which all lines fit above the lower stripes, the step between lines, and the lines."""
    for em in range(LINE_EM, _SMALLER, -_SMALLER):
        wrapped = [canvas.wrap(sentence, Weight.SEMIBOLD, em, _UPRIGHT_WIDTH) for sentence in sentences]
        steps = sum(map(len, wrapped)) + _BETWEEN * (len(wrapped) - 1)
        step = min(_STEP * em, _UPRIGHT_HEIGHT / max(1.0, steps))
        if step >= _LEAST_STEP * em:
            break
    return em, step, wrapped
